//! What an engine starts with.

use std::sync::Arc;

use fastjob_core::{JobId, TaskId};
use jiff::Timestamp;

use super::{Columns, Reading, instant};
use crate::store::{
    ClusterKey, Error, LifeId, LifeRow, Result, StoreFacts, codes::attempt_state, journal::EndedRow,
};

/// Parses the facts about the store from their texts.
pub(crate) fn facts(
    cluster: String,
    partitions: u32,
    since: &str,
    key: &str,
) -> Result<StoreFacts> {
    let key = ClusterKey::read(key)?;
    let since =
        since.parse().map_err(|_| Error::Corrupt { what: format!("the creation time {since}") })?;
    Ok(StoreFacts { cluster, partitions, since: instant(since)?, key })
}

/// Reads an attempt of an open task that has ended.
pub(crate) fn ended<R: Columns>(columns: &R) -> Result<EndedRow> {
    let row = Reading::new(columns, "read an attempt");
    Ok(EndedRow {
        task: TaskId(row.int(0)?),
        shard: row.shard(1)?,
        state: attempt_state(row.int(3)?)?,
        result: row.maybe_text(4)?,
        number: row.number(5)?,
        executor: row.maybe_name(6)?,
    })
}

/// Reads a checkpoint of a shard.
pub(crate) fn checkpoint<R: Columns>(columns: &R) -> Result<((TaskId, u32), Arc<str>)> {
    let row = Reading::new(columns, "read a checkpoint");
    Ok(((TaskId(row.int(0)?), row.number(1)?), row.text(2)?.into()))
}

/// Reads a job with an instant, for the operation `doing`.
pub(crate) fn cursor(row: &impl Columns, doing: &'static str) -> Result<(JobId, Timestamp)> {
    let row = Reading::new(row, doing);
    Ok((JobId(row.int(0)?), row.instant(1)?))
}

/// Reads a life of an executor.
pub(crate) fn life(row: &impl Columns) -> Result<LifeRow> {
    let row = Reading::new(row, "read an executor");
    Ok(LifeRow {
        id: LifeId(row.int(0)?),
        service: row.name(1)?,
        executor: row.name(2)?,
        incarnation: row.name(3)?,
        since: row.instant(4)?,
    })
}
