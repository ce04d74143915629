//! The index of the history.

use rusqlite::Transaction;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, SqliteExecutor, sqlite::SqliteRow};
use tokio_stream::StreamExt;

use super::{Sqlite, commit::Outcome, script::Script};
use crate::store::{
    Bucket, IndexStore, JobSums, Partition, Result, StatFilter, StatStore,
    index::{
        Block, Entry, MERGED, Merge, NewSegment, Removal, Segment, aside, buckets, by_job, choose,
        merge, unreadable,
    },
    rows::index::segment,
    while_doing,
};

pub(super) const READ: &str = "read the index of tasks";
const WRITE: &str = "write the index of tasks";

/// The only partition.
pub(super) const ALL: Partition = Partition(0);

#[async_trait::async_trait]
impl StatStore for Sqlite {
    async fn stats(&self, filter: &StatFilter) -> Result<Vec<Bucket>> {
        buckets(&mut self.index().await?, filter).await
    }

    async fn stats_by_job(&self, from: i64, until: i64) -> Result<JobSums> {
        by_job(&mut self.index().await?, from, until).await
    }
}

#[async_trait::async_trait]
impl IndexStore for Sqlite {
    async fn merge_index(&self, _partitions: &[Partition]) -> Result<bool> {
        let mut tx = self.readers.begin().await.map_err(while_doing(READ))?;
        let segments = segments(&mut *tx, "level < ?", i64::from(MERGED)).await?;
        let Some(chosen) = choose(&segments) else { return Ok(false) };
        let blocks = blocks_of(&mut tx, &chosen.sources).await.map_err(while_doing(READ))?;
        drop(tx);
        let merging = chosen.clone();
        match aside(move || merge(&merging, blocks)).await? {
            Ok(merged) => self.replace(&chosen, merged).await.map_err(while_doing(WRITE))?,
            Err(err) => {
                unreadable(&err);
                self.raise(&err.segment).await.map_err(while_doing(WRITE))?;
            }
        }
        Ok(true)
    }
}

impl Sqlite {
    /// Writes the result of a merge, unless one of the sources was removed meanwhile.
    async fn replace(&self, chosen: &Merge, merged: NewSegment) -> sqlx::Result<()> {
        let mut script = Script::default();
        write(&mut script, vec![merged]);
        let (of, count) = (names(&chosen.sources), chosen.sources.len());
        let writer = self.writer().await;
        let replace = move |tx: Transaction<'_>| {
            let removed = tx.prepare_cached(REMOVE)?.execute([&of])?;
            if removed != count {
                return Ok(());
            }
            tx.prepare_cached(REMOVE_BLOCKS)?.execute([&of])?;
            script.run(&tx)?;
            tx.commit()
        };
        writer.thread.write(replace).await
    }
}

impl Sqlite {
    /// Leaves a segment out of later merges.
    async fn raise(&self, segment: &Segment) -> sqlx::Result<()> {
        let mut writer = self.writer().await;
        let mut tx = writer.connection.begin_with("begin immediate").await?;
        for statement in [
            "update index_segments set level = ? where level = ? and number = ?",
            "update index_blocks set level = ? where level = ? and number = ?",
        ] {
            sqlx::query(statement)
                .bind(MERGED)
                .bind(segment.level)
                .bind(segment.number)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

/// The segments that match a condition with one value.
pub(super) async fn segments(
    connection: impl SqliteExecutor<'_>,
    condition: &str,
    value: i64,
) -> Result<Vec<Segment>> {
    let sql = format!("select {} from index_segments where {condition}", Segment::COLUMNS);
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(connection).await;
    let read = |row: &SqliteRow| segment(row, ALL);
    rows.map_err(while_doing(READ))?.iter().map(read).collect()
}

/// Writes segments.
pub(super) fn write(script: &mut Script, segments: Vec<NewSegment>) {
    for NewSegment { segment, blocks } in segments {
        script.add(
            "insert into index_segments (level, number, tasks, not_succeeded, first_task, \
             last_task, first_created, last_created, end_at, end_task, last_end) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                segment.level.into(),
                segment.number.into(),
                segment.tasks.into(),
                segment.not_succeeded.into(),
                segment.first_task.into(),
                segment.last_task.into(),
                segment.first_created.into(),
                segment.last_created.into(),
                segment.end_at.into(),
                segment.end_task.into(),
                segment.last_end.into(),
            ],
        );
        let row = |Block { first: Entry { key, task }, bytes }: Block| {
            [
                segment.level.into(),
                segment.number.into(),
                key.kind.into(),
                key.value.into(),
                task.into(),
                bytes.into(),
            ]
        };
        script.rows(
            "insert into index_blocks (level, number, kind, value, task, entries) \
             values (?, ?, ?, ?, ?, ?)",
            blocks.into_iter().map(row),
        );
    }
}

/// Changes the index after tasks were removed.
pub(super) async fn apply(tx: &mut SqliteConnection, removals: &[Removal]) -> Outcome {
    for removal in removals {
        match removal {
            Removal::Whole(segment) => {
                remove(tx, std::slice::from_ref(segment)).await?;
            }
            Removal::Upto(segment, end, task) => {
                sqlx::query(
                    "update index_segments set end_at = ?, end_task = ? \
                     where level = ? and number = ?",
                )
                .bind(end)
                .bind(task)
                .bind(segment.level)
                .bind(segment.number)
                .execute(&mut *tx)
                .await?;
            }
        }
    }
    Ok(())
}

/// Removes segments, whose names are the value.
const REMOVE: &str = "delete from index_segments where (level, number) in \
    (select value ->> 0, value ->> 1 from json_each(?))";
/// Removes their blocks.
const REMOVE_BLOCKS: &str = "delete from index_blocks where (level, number) in \
    (select value ->> 0, value ->> 1 from json_each(?))";

/// Removes segments with their blocks.
async fn remove(tx: &mut SqliteConnection, segments: &[Segment]) -> Outcome {
    let of = names(segments);
    for statement in [REMOVE, REMOVE_BLOCKS] {
        sqlx::query(statement).bind(&of).execute(&mut *tx).await?;
    }
    Ok(())
}

/// The blocks of each of the segments, in their order.
async fn blocks_of(
    tx: &mut SqliteConnection,
    segments: &[Segment],
) -> sqlx::Result<Vec<Vec<Vec<u8>>>> {
    // A cross join keeps this order of the tables. The database would sort with the entries.
    let mut rows = sqlx::query_as(
        "select s.key, b.kind, b.value, b.task, b.entries from json_each(?) s \
         cross join index_blocks b on b.level = s.value ->> 0 and b.number = s.value ->> 1",
    )
    .bind(names(segments))
    .fetch(tx);
    let mut all = vec![Vec::new(); segments.len()];
    while let Some(row) = rows.next().await.transpose()? {
        let (of, kind, value, task, entries): (i64, i64, i64, i64, Vec<u8>) = row;
        if let Some(blocks) = usize::try_from(of).ok().and_then(|of| all.get_mut(of)) {
            blocks.push(((kind, value, task), entries));
        }
    }
    for blocks in &mut all {
        blocks.sort_unstable_by_key(|(first, _)| *first);
    }
    let entries = |blocks: Vec<(_, Vec<u8>)>| blocks.into_iter().map(|(_, bytes)| bytes).collect();
    Ok(all.into_iter().map(entries).collect())
}

/// The keys of segments, as JSON.
fn names(segments: &[Segment]) -> String {
    let names = segments.iter().map(|segment| serde_json::json!([segment.level, segment.number]));
    serde_json::Value::from_iter(names).to_string()
}
