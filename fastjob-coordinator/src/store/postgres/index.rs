//! The index of the history.

use std::collections::BTreeMap;

use fastjob_core::JobId;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, Row, Transaction, postgres::PgRow};

use super::{Postgres, commit::Outcome, int, late, partition};
use crate::store::{
    IndexStore, Partition, Result,
    index::{
        Block, Entry, Found, IndexReader, MERGED, Merge, NewSegment, Removal, Segment, aside,
        choose, merge,
    },
    rows::index::{block, found, segment},
    while_doing,
};

const READ: &str = "read the index of tasks";
const WRITE: &str = "write the index of tasks";

/// Reads the index and the history as of one instant.
pub(super) struct Reader {
    tx: Transaction<'static, sqlx::Postgres>,
    partitions: u32,
}

impl Postgres {
    /// Begins to read the index.
    pub(super) async fn index(&self) -> Result<Reader> {
        let doing = while_doing(READ);
        let mut tx = self.readers.begin().await.map_err(&doing)?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await
            .map_err(doing)?;
        Ok(Reader { tx, partitions: self.partitions })
    }
}

#[async_trait::async_trait]
impl IndexReader for Reader {
    async fn segments(&mut self, of: Option<JobId>) -> Result<Vec<Segment>> {
        let of = of.map(|job| int(Partition::of_id(job.0, self.partitions).0));
        segments(&mut *self.tx, "$1::int4 is null or partition = $1", of).await
    }

    async fn segments_before(
        &mut self,
        partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>> {
        let before = before.as_millisecond();
        let condition = format!("partition = $1 and end_at < {before}");
        segments(&mut *self.tx, &condition, Some(int(partition.0))).await
    }

    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>> {
        let rows = sqlx::query(
            "select at.place, found.kind, found.value, found.task, found.entries \
             from unnest($1::int4[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], \
             $6::bigint[]) with ordinality \
             as at (partition, level, number, kind, value, task, place) \
             cross join lateral (select b.kind, b.value, b.task, b.entries from index_blocks b \
             where b.partition = at.partition and b.level = at.level and b.number = at.number \
             and (b.kind, b.value, b.task) <= (at.kind, at.value, at.task) \
             order by b.kind desc, b.value desc, b.task desc limit 1) as found",
        )
        .bind(of.iter().map(|(segment, _)| int(segment.partition.0)).collect::<Vec<_>>())
        .bind(of.iter().map(|(segment, _)| segment.level).collect::<Vec<_>>())
        .bind(of.iter().map(|(segment, _)| segment.number).collect::<Vec<_>>())
        .bind(of.iter().map(|(_, at)| i16::from(at.key.kind)).collect::<Vec<_>>())
        .bind(of.iter().map(|(_, at)| at.key.value).collect::<Vec<_>>())
        .bind(of.iter().map(|(_, at)| at.task).collect::<Vec<_>>())
        .fetch_all(&mut *self.tx)
        .await
        .map_err(while_doing(READ))?;
        let read = |row: &PgRow| {
            let place: i64 = row.try_get(0).map_err(while_doing(READ))?;
            // Places count from one.
            let place = usize::try_from(place).unwrap_or(usize::MAX).saturating_sub(1);
            Ok((place, block(row, 1)?))
        };
        rows.iter().map(read).collect()
    }

    async fn blocks_after(
        &mut self,
        segment: &Segment,
        first: Entry,
        limit: u32,
    ) -> Result<Vec<Block>> {
        let rows = sqlx::query(
            "select kind, value, task, entries from index_blocks \
             where partition = $1 and level = $2 and number = $3 \
             and (kind, value, task) > ($4, $5, $6) order by kind, value, task limit $7",
        )
        .bind(int(segment.partition.0))
        .bind(segment.level)
        .bind(segment.number)
        .bind(i16::from(first.key.kind))
        .bind(first.key.value)
        .bind(first.task)
        .bind(i64::from(limit))
        .fetch_all(&mut *self.tx)
        .await;
        rows.map_err(while_doing(READ))?.iter().map(|row| block(row, 0)).collect()
    }

    async fn found(&mut self, tasks: &[i64]) -> Result<Vec<Found>> {
        let rows = sqlx::query("select id, job, state, created_at from tasks where id = any($1)")
            .bind(tasks)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(while_doing(READ))?;
        rows.iter().map(found).collect()
    }
}

#[async_trait::async_trait]
impl IndexStore for Postgres {
    async fn merge_index(&self, partitions: &[Partition]) -> Result<bool> {
        let numbers: Vec<_> = partitions.iter().map(|partition| int(partition.0)).collect();
        let condition = format!("level < {MERGED} and partition = any($1)");
        let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for segment in segments(&self.readers, &condition, numbers).await? {
            of.entry(segment.partition).or_default().push(segment);
        }
        let merges: Vec<_> = of.values().filter_map(|segments| choose(segments)).collect();
        if merges.is_empty() {
            return Ok(false);
        }
        let merging = self.readers.patient().limit(self.merge(merges));
        merging.await.map_err(|_| while_doing(WRITE)(late()))?
    }
}

impl Postgres {
    /// Merges in one transaction, unless one of the sources was removed meanwhile: then another node
    /// owns the partition.
    async fn merge(&self, merges: Vec<Merge>) -> Result<bool> {
        let doing = while_doing(WRITE);
        let mut tx = self.readers.begin().await.map_err(&doing)?;
        let sources: Vec<_> = merges.iter().flat_map(|merge| &merge.sources).copied().collect();
        if remove_segments(&mut tx, &sources).await.map_err(&doing)? < sources.len() as u64 {
            tx.rollback().await.map_err(doing)?;
            return Ok(false);
        }
        let mut blocks = remove_blocks(&mut tx, &sources).await?;
        let merged = aside(move || {
            let one = |chosen: &Merge| {
                let of = chosen.sources.iter().map(|source| {
                    let mut blocks = blocks.remove(&id(source)).unwrap_or_default();
                    blocks.sort_unstable_by_key(|block| block.first);
                    blocks.into_iter().map(|block| block.bytes).collect()
                });
                merge(chosen, of.collect())
            };
            merges.iter().map(one).collect::<Result<Vec<_>>>()
        });
        write(&mut tx, &merged.await?).await.map_err(&doing)?;
        tx.commit().await.map_err(doing)?;
        Ok(true)
    }
}

/// What identifies a segment.
type Id = (Partition, i16, i64);

fn id(segment: &Segment) -> Id {
    (segment.partition, segment.level, segment.number)
}

/// The segments that match a condition with one value.
async fn segments<'q, T>(
    connection: impl PgExecutor<'q>,
    condition: &str,
    value: T,
) -> Result<Vec<Segment>>
where
    T: 'q + Send + sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let columns = Segment::COLUMNS;
    let sql = format!("select {columns}, partition from index_segments where {condition}");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(connection).await;
    let read = |row: &PgRow| {
        let number = row.try_get(9).map_err(while_doing(READ))?;
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
         not_succeeded, first_task, last_task, end_at, end_task, last_end) \
         select * from unnest($1::int4[], $2::smallint[], $3::bigint[], $4::bigint[], \
         $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])) \
         insert into index_blocks (partition, level, number, kind, value, task, entries) \
         select * from unnest($11::int4[], $12::smallint[], $13::bigint[], $14::smallint[], \
         $15::bigint[], $16::bigint[], $17::bytea[])",
    )
    .bind(segments.iter().map(|new| int(new.segment.partition.0)).collect::<Vec<_>>())
    .bind(segments.iter().map(|new| new.segment.level).collect::<Vec<_>>())
    .bind(column(|segment| segment.number))
    .bind(column(|segment| segment.tasks))
    .bind(column(|segment| segment.not_succeeded))
    .bind(column(|segment| segment.first_task))
    .bind(column(|segment| segment.last_task))
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
        delete_blocks("", &whole, tx).await?;
    }
    Ok(())
}

/// Removes segments without their blocks. Returns how many were there.
async fn remove_segments(tx: &mut PgConnection, of: &[Segment]) -> sqlx::Result<u64> {
    let (partitions, levels, numbers) = ids(of);
    let removed = sqlx::query(
        "delete from index_segments s \
         using unnest($1::int4[], $2::smallint[], $3::bigint[]) as old (partition, level, number) \
         where s.partition = old.partition and s.level = old.level and s.number = old.number",
    )
    .bind(partitions)
    .bind(levels)
    .bind(numbers)
    .execute(tx)
    .await?;
    Ok(removed.rows_affected())
}

/// Removes the blocks of segments, and returns them.
async fn remove_blocks(tx: &mut PgConnection, of: &[Segment]) -> Result<BTreeMap<Id, Vec<Block>>> {
    let returning = "returning b.partition, b.level, b.number, b.kind, b.value, b.task, b.entries";
    let rows = delete_blocks(returning, of, tx).await.map_err(while_doing(READ))?;
    let mut blocks: BTreeMap<Id, Vec<Block>> = BTreeMap::new();
    for row in &rows {
        let doing = while_doing(READ);
        let of = partition(row.try_get(0).map_err(&doing)?)?;
        let id = (of, row.try_get(1).map_err(&doing)?, row.try_get(2).map_err(&doing)?);
        blocks.entry(id).or_default().push(block(row, 3)?);
    }
    Ok(blocks)
}

async fn delete_blocks(
    returning: &str,
    of: &[Segment],
    tx: &mut PgConnection,
) -> sqlx::Result<Vec<PgRow>> {
    let (partitions, levels, numbers) = ids(of);
    let sql = format!(
        "delete from index_blocks b \
         using unnest($1::int4[], $2::smallint[], $3::bigint[]) as old (partition, level, number) \
         where b.partition = old.partition and b.level = old.level and b.number = old.number \
         {returning}"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(partitions).bind(levels).bind(numbers).fetch_all(tx).await
}

fn ids(of: &[Segment]) -> (Vec<i32>, Vec<i16>, Vec<i64>) {
    let (mut partitions, mut levels, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for segment in of {
        partitions.push(int(segment.partition.0));
        levels.push(segment.level);
        numbers.push(segment.number);
    }
    (partitions, levels, numbers)
}
