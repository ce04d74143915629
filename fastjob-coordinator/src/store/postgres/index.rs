//! The index of the history.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, Row, postgres::PgRow};

use super::{Postgres, commit::Outcome, int, partition, readers::Readers};
use crate::store::{
    Bucket, IndexStore, JobSums, Partition, Result, StatFilter, StatStore,
    index::{
        MERGED, Merge, NewSegment, Removal, Segment, aside, buckets, by_job, choose, merge,
        unreadable,
    },
    rows::index::segment,
    while_doing,
};

pub(super) const READ: &str = "read the index of tasks";
const WRITE: &str = "write the index of tasks";

#[async_trait::async_trait]
impl StatStore for Postgres {
    async fn stats(&self, filter: &StatFilter) -> Result<Vec<Bucket>> {
        buckets(&mut self.index().await?, filter).await
    }

    async fn stats_by_job(&self, from: i64, until: i64) -> Result<JobSums> {
        by_job(&mut self.index().await?, from, until).await
    }
}

#[async_trait::async_trait]
impl IndexStore for Postgres {
    async fn merge_index(&self, partitions: &[Partition]) -> Result<bool> {
        let numbers: Vec<_> = partitions.iter().map(|partition| int(partition.0)).collect();
        let condition = format!("level < {MERGED} and partition = any($1)");
        let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for segment in segments(&self.readers, &self.readers, &condition, numbers).await? {
            of.entry(segment.partition).or_default().push(segment);
        }
        // One partition at a time, so that no transaction is long; the one with the most first.
        let chosen = of.values().filter_map(|segments| choose(segments));
        let Some(chosen) = chosen.max_by_key(|chosen| chosen.sources.len()) else {
            return Ok(false);
        };
        let blocks = self.readers.limited(blocks_of(&self.readers, &chosen.sources));
        let blocks = blocks.await.map_err(while_doing(READ))?;
        let merging = chosen.clone();
        // Segments never change, so they are merged before the transaction begins.
        match aside(move || merge(&merging, blocks)).await? {
            Ok(merged) => {
                let replaced = self.readers.limited(self.replace(&chosen, merged));
                replaced.await.map_err(while_doing(WRITE))?;
            }
            Err(err) => {
                unreadable(&err);
                let raised = self.readers.limited(self.raise(&err.segment));
                raised.await.map_err(while_doing(WRITE))?;
            }
        }
        Ok(true)
    }
}

impl Postgres {
    /// Writes the result of a merge, unless one of the sources was removed meanwhile: by retention, or
    /// by another node that owns the partition now.
    async fn replace(&self, chosen: &Merge, merged: NewSegment) -> sqlx::Result<()> {
        let mut tx = self.readers.begin().await?;
        if remove_segments(&mut tx, &chosen.sources).await? < chosen.sources.len() as u64 {
            return tx.rollback().await;
        }
        remove_blocks(&mut tx, &chosen.sources).await?;
        write(&mut tx, &[merged]).await?;
        tx.commit().await
    }

    /// Leaves a segment out of later merges.
    async fn raise(&self, segment: &Segment) -> sqlx::Result<()> {
        let mut tx = self.readers.begin().await?;
        for statement in [
            "update index_segments set level = $1 where partition = $2 and level = $3 \
             and number = $4",
            "update index_blocks set level = $1 where partition = $2 and level = $3 \
             and number = $4",
        ] {
            sqlx::query(statement)
                .bind(MERGED)
                .bind(int(segment.partition.0))
                .bind(segment.level)
                .bind(segment.number)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

/// The blocks of each segment, in their order.
async fn blocks_of(readers: &Readers, of: &[Segment]) -> sqlx::Result<Vec<Vec<Vec<u8>>>> {
    let (partitions, levels, numbers) = ids(of);
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select of.place, b.entries \
         from unnest($1::int4[], $2::smallint[], $3::bigint[]) with ordinality \
         as of (partition, level, number, place) join index_blocks b \
         on b.partition = of.partition and b.level = of.level and b.number = of.number \
         order by of.place, b.kind, b.value, b.task",
    )
    .bind(partitions)
    .bind(levels)
    .bind(numbers)
    .fetch_all(readers)
    .await?;
    let mut blocks = vec![Vec::new(); of.len()];
    for (place, bytes) in rows {
        // Places count from one.
        let place = usize::try_from(place).unwrap_or(usize::MAX).saturating_sub(1);
        if let Some(blocks) = blocks.get_mut(place) {
            blocks.push(bytes);
        }
    }
    Ok(blocks)
}

/// The segments that match a condition with one value.
pub(super) async fn segments<'q, T>(
    readers: &Readers,
    connection: impl PgExecutor<'q>,
    condition: &str,
    value: T,
) -> Result<Vec<Segment>>
where
    T: 'q + Send + sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let columns = Segment::COLUMNS;
    let sql = format!("select {columns}, partition from index_segments where {condition}");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(connection);
    let rows = readers.limited(rows).await;
    let read = |row: &PgRow| {
        let number = row.try_get(11).map_err(while_doing(READ))?;
        segment(row, partition(number)?)
    };
    rows.map_err(while_doing(READ))?.iter().map(read).collect()
}

/// Writes segments.
pub(super) async fn write(tx: &mut PgConnection, segments: &[NewSegment]) -> Outcome {
    if segments.is_empty() {
        return Ok(());
    }
    let column =
        |get: fn(&Segment) -> i64| segments.iter().map(|new| get(&new.segment)).collect::<Vec<_>>();
    let blocks = || segments.iter().flat_map(|new| new.blocks.iter().map(|b| (&new.segment, b)));
    sqlx::query(
        "with written as (insert into index_segments (partition, level, number, tasks, \
         not_succeeded, first_task, last_task, first_created, last_created, end_at, end_task, \
         last_end) select * from unnest($1::int4[], $2::smallint[], $3::bigint[], $4::bigint[], \
         $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], \
         $11::bigint[], $12::bigint[])) \
         insert into index_blocks (partition, level, number, kind, value, task, entries) \
         select * from unnest($13::int4[], $14::smallint[], $15::bigint[], $16::smallint[], \
         $17::bigint[], $18::bigint[], $19::bytea[])",
    )
    .bind(segments.iter().map(|new| int(new.segment.partition.0)).collect::<Vec<_>>())
    .bind(segments.iter().map(|new| new.segment.level).collect::<Vec<_>>())
    .bind(column(|segment| segment.number))
    .bind(column(|segment| segment.tasks))
    .bind(column(|segment| segment.not_succeeded))
    .bind(column(|segment| segment.first_task))
    .bind(column(|segment| segment.last_task))
    .bind(column(|segment| segment.first_created))
    .bind(column(|segment| segment.last_created))
    .bind(column(|segment| segment.end_at))
    .bind(column(|segment| segment.end_task))
    .bind(column(|segment| segment.last_end))
    .bind(blocks().map(|(segment, _)| int(segment.partition.0)).collect::<Vec<_>>())
    .bind(blocks().map(|(segment, _)| segment.level).collect::<Vec<_>>())
    .bind(blocks().map(|(segment, _)| segment.number).collect::<Vec<_>>())
    .bind(blocks().map(|(_, block)| i16::from(block.first.key.kind)).collect::<Vec<_>>())
    .bind(blocks().map(|(_, block)| block.first.key.value).collect::<Vec<_>>())
    .bind(blocks().map(|(_, block)| block.first.task).collect::<Vec<_>>())
    .bind(blocks().map(|(_, block)| block.bytes.as_slice()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

/// Changes the index after tasks were removed.
pub(super) async fn apply(tx: &mut PgConnection, removals: &[Removal]) -> Outcome {
    let mut whole = Vec::new();
    for removal in removals {
        match removal {
            Removal::Whole(segment) => whole.push(*segment),
            Removal::Upto(segment, end, task) => {
                sqlx::query(
                    "update index_segments set end_at = $1, end_task = $2 \
                     where partition = $3 and level = $4 and number = $5",
                )
                .bind(end)
                .bind(task)
                .bind(int(segment.partition.0))
                .bind(segment.level)
                .bind(segment.number)
                .execute(&mut *tx)
                .await?;
            }
        }
    }
    if !whole.is_empty() {
        remove_segments(tx, &whole).await?;
        remove_blocks(tx, &whole).await?;
    }
    Ok(())
}

/// Removes segments without their blocks, in the order of [`Due::removed`](crate::store::index::Due),
/// so that retention and a merge do not wait for each other. Returns how many were there.
async fn remove_segments(tx: &mut PgConnection, of: &[Segment]) -> sqlx::Result<u64> {
    let (partitions, levels, numbers) = ids(of);
    let removed = sqlx::query(
        "with locked as (select s.partition, s.level, s.number from index_segments s \
         join unnest($1::int4[], $2::smallint[], $3::bigint[]) as old (partition, level, number) \
         on s.partition = old.partition and s.level = old.level and s.number = old.number \
         order by s.partition, s.level, s.number for update of s) \
         delete from index_segments s using locked where s.partition = locked.partition \
         and s.level = locked.level and s.number = locked.number",
    )
    .bind(partitions)
    .bind(levels)
    .bind(numbers)
    .execute(tx)
    .await?;
    Ok(removed.rows_affected())
}

/// Removes the blocks of segments.
async fn remove_blocks(tx: &mut PgConnection, of: &[Segment]) -> Outcome {
    let (partitions, levels, numbers) = ids(of);
    sqlx::query(
        "delete from index_blocks b \
         using unnest($1::int4[], $2::smallint[], $3::bigint[]) as old (partition, level, number) \
         where b.partition = old.partition and b.level = old.level and b.number = old.number",
    )
    .bind(partitions)
    .bind(levels)
    .bind(numbers)
    .execute(tx)
    .await
    .map(drop)
}

pub(super) fn ids(of: &[Segment]) -> (Vec<i32>, Vec<i16>, Vec<i64>) {
    let (mut partitions, mut levels, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for segment in of {
        partitions.push(int(segment.partition.0));
        levels.push(segment.level);
        numbers.push(segment.number);
    }
    (partitions, levels, numbers)
}
