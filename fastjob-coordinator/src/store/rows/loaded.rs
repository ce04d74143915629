//! What an engine starts with.

use std::collections::HashSet;

use fastjob_core::{AttemptId, AttemptState, JobId, TaskId};
use jiff::Timestamp;

use super::{Columns, Reading, children::lineage, instant};
use crate::store::{
    Attempt, ClusterKey, EndedShard, Error, LifeId, LifeRow, NewAttempt, OpenAttempt, Result,
    StoreFacts,
    codes::{attempt_state, cause, task_state},
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

/// Reads an open attempt.
pub(crate) fn open<R: Columns>(columns: &R) -> Result<OpenAttempt> {
    let row = Reading::new(columns, "read an attempt");
    let task_state = task_state(row.int(9)?)?;
    Ok(OpenAttempt {
        planned: NewAttempt {
            row: Attempt {
                attempt: AttemptId(row.int(0)?),
                task: TaskId(row.int(1)?),
                job: JobId(row.int(2)?),
                number: row.number(3)?,
                shard: row.shard(11)?,
                cause: cause(row.int(4)?)?,
                fire_at: row.maybe_instant(5)?,
                due_at: row.instant(6)?,
                created_at: row.instant(7)?,
            },
            parent: None,
            lineage: lineage(columns, 16)?,
            wanted: row.maybe_name(13)?,
            key: None,
            life: row.maybe_int(8)?.map(LifeId),
            param: None,
            note: None,
            state: AttemptState::Planned,
            task_state,
        },
        task_state,
        task_param: row.maybe_text(10)?,
        checkpoint: row.maybe_text(14)?,
        failed_on: row.maybe_name(15)?,
    })
}

/// Reads an attempt of a shard that ended.
pub(crate) fn ended_shard(row: &impl Columns) -> Result<EndedShard> {
    let row = Reading::new(row, "read a shard");
    Ok(EndedShard {
        task: TaskId(row.int(0)?),
        shard: row.shard(1)?,
        number: row.number(5)?,
        state: attempt_state(row.int(3)?)?,
        result: row.maybe_text(4)?,
    })
}

/// Collects the ended shards of open tasks. The latest attempt of a retried shard counts, and none
/// counts while one is open.
pub(crate) struct EndedShards {
    open: HashSet<(TaskId, u32)>,
    latest: Vec<EndedShard>,
}

impl EndedShards {
    pub(crate) fn new(open: &[OpenAttempt]) -> Self {
        let shard = |open: &OpenAttempt| (open.planned.row.task, open.planned.row.shard.index);
        Self { open: open.iter().map(shard).collect(), latest: Vec::new() }
    }

    /// Adds the next attempt, in the order of tasks, shards and numbers.
    pub(crate) fn add(&mut self, ended: EndedShard) {
        let shard = (ended.task, ended.shard.index);
        if self.open.contains(&shard) {
            return;
        }
        self.latest.pop_if(|before| (before.task, before.shard.index) == shard);
        self.latest.push(ended);
    }

    pub(crate) fn into_vec(self) -> Vec<EndedShard> {
        self.latest
    }
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
