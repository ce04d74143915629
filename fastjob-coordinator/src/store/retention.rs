//! Retention: what the store removes, and what a removal never touches.
//!
//! A removal goes by the end of a task, in pieces of a bounded number of rows, so that no
//! transaction holds up the writer. Rows that cannot be removed never stand before rows that can.
//! `sweep.rs` decides when, and how large a piece is.

use std::collections::HashMap;

use fastjob_core::{JobId, JobName, ServiceName};
use jiff::Timestamp;

use super::{LifeId, Partition, Result};

/// Removes what is older than its retention.
#[async_trait::async_trait]
pub(crate) trait RetentionStore: Send + Sync {
    /// Removes tasks of the partition that ended before `before`, the earliest end first, with their
    /// attempts, logs, keys and checkpoints. Touches about `rows` attempts, and returns how many it
    /// removed; 0 if there is nothing to remove. Of a task with more attempts than `rows` it
    /// removes retries and shards first, in several calls. Open tasks are left alone.
    async fn remove_ended(&self, partition: Partition, before: Timestamp, rows: u32)
    -> Result<u64>;
    /// Of the partition's deleted jobs, dates those that executors still declare `now`, unless they
    /// were dated at `since` or later. Returns how many it dated.
    async fn date_deleted_jobs(
        &self,
        partition: Partition,
        declared: &[(ServiceName, JobName)],
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64>;
    /// Removes at most `limit` of the partition's deleted jobs that were dated before `before` and
    /// that no task and no child to start refers to, with their cursors. Returns which.
    async fn remove_deleted_jobs(
        &self,
        partition: Partition,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>>;
    /// Removes lives of these partitions that began before `before`, that are not among `current`,
    /// the lives that the partitions' engines use, and that no attempt refers to. Returns how many.
    ///
    /// There is no index by life, so it reads all attempts: it does so only where there are many
    /// candidates.
    async fn remove_lives(
        &self,
        partitions: &[Partition],
        current: &[LifeId],
        before: Timestamp,
    ) -> Result<u64>;
}

/// This many lives have to be candidates before all attempts are read for them.
pub(super) const MANY_LIVES: usize = 500;
/// Most lives in one removal.
pub(super) const LIVES: u32 = 10_000;

/// What one piece removes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// These tasks, with so many rows.
    Tasks(Vec<i64>, u64),
    /// Some retries and shards of this task, which alone has more rows than a piece.
    PartOf(i64),
}

/// The first of the tasks that fit into a piece. `others` counts the rows that a task has besides
/// its head.
pub(super) fn piece(tasks: Vec<i64>, others: &HashMap<i64, u64>, rows: u32) -> Piece {
    let mut sum = 0;
    let mut fit = Vec::new();
    for task in tasks {
        let more = others.get(&task).copied().unwrap_or(0);
        if more > u64::from(rows) && fit.is_empty() {
            return Piece::PartOf(task);
        }
        if sum + 1 + more > u64::from(rows) && !fit.is_empty() {
            break;
        }
        sum += 1 + more;
        fit.push(task);
    }
    Piece::Tasks(fit, sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_bounded_in_rows_and_never_empty() {
        #[track_caller]
        fn check(tasks: &[i64], others: &[(i64, u64)], rows: u32, expected: Piece) {
            let others = others.iter().copied().collect();
            assert_eq!(piece(tasks.to_vec(), &others, rows), expected);
        }
        check(&[1, 2, 3], &[], 2, Piece::Tasks(vec![1, 2], 2));
        check(&[1, 2, 3], &[(2, 9)], 10, Piece::Tasks(vec![1], 1));
        check(&[2, 3], &[(2, 9)], 10, Piece::Tasks(vec![2], 10));
        check(&[2, 3], &[(2, 10)], 10, Piece::Tasks(vec![2], 11));
        check(&[2, 3], &[(2, 11)], 10, Piece::PartOf(2));
        check(&[], &[], 10, Piece::Tasks(vec![], 0));
    }
}
