//! Retention: what the store removes, and what it never removes.
//!
//! Tasks are removed by the time of their end, in pieces with a bounded number of rows, so that no
//! transaction delays the writer. Rows that must be kept never block rows that can be removed.
//! `sweep.rs` decides when a piece is removed, and how large it is.

use std::collections::{HashMap, HashSet};

use fastjob_core::{JobId, JobName, ServiceName};
use jiff::Timestamp;

use super::{LifeId, Partition, Result};

/// Removes data older than its retention.
#[async_trait::async_trait]
pub(crate) trait RetentionStore: Send + Sync {
    /// Removes tasks of the partition that ended before `before`, the earliest first as far as the
    /// index has them in that order, with their attempts, logs, keys and checkpoints. Touches about `rows` attempts, and returns how
    /// many it removed; 0 if there was nothing to remove. A task with more attempts than `rows`
    /// loses its retries and shards first, over several calls. Open tasks are kept.
    async fn remove_ended(&self, partition: Partition, before: Timestamp, rows: u32)
    -> Result<u64>;
    /// Sets the date of the partition's deleted jobs that executors still declare to `now`, unless
    /// it is `since` or later. Returns how many it changed.
    async fn date_deleted_jobs(
        &self,
        partition: Partition,
        declared: &[(ServiceName, JobName)],
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64>;
    /// Removes at most `limit` of the partition's deleted jobs, with their cursors, that were dated
    /// before `before` and that no task and no waiting child start refers to. Returns their ids.
    async fn remove_deleted_jobs(
        &self,
        partition: Partition,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>>;
    /// Removes lives of these partitions that began before `before`, are not in `current`, which
    /// lists the lives that the partitions' engines use, and are not referred to by any attempt.
    /// Returns how many.
    ///
    /// Attempts have no index by life, so all of them are read, which is done only if there are
    /// many candidates.
    async fn remove_lives(
        &self,
        partitions: &[Partition],
        current: &[LifeId],
        before: Timestamp,
    ) -> Result<u64>;
}

/// All attempts are read only if at least this many lives are candidates.
pub(super) const MANY_LIVES: usize = 500;
/// Most lives in one removal.
pub(super) const LIVES: u32 = 10_000;

/// What one piece removes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The first tasks, as many as this, with this many rows in total.
    First(usize, u64),
    /// Some attempts of this task, which has more than one piece may have.
    PartOf(i64),
}

/// The longest prefix of the tasks that fits into a piece. `attempts` counts the attempts of tasks
/// that exist: those that have no row of their own have one in their task's.
pub(super) fn piece(tasks: &[i64], attempts: &HashMap<i64, i64>, rows: u32) -> Piece {
    let rows = u64::from(rows);
    let mut sum = 0;
    for (count, task) in tasks.iter().enumerate() {
        let more = attempts.get(task).map_or(0, |attempts| attempts.unsigned_abs().max(1));
        if more > rows && count == 0 {
            return Piece::PartOf(*task);
        }
        if sum + more > rows && count > 0 {
            return Piece::First(count, sum);
        }
        sum += more;
    }
    Piece::First(tasks.len(), sum)
}

/// Those of the lives that no attempt refers to.
pub(super) fn unused(lives: Vec<i64>, used: Vec<i64>) -> Vec<i64> {
    let used: HashSet<_> = used.into_iter().collect();
    lives.into_iter().filter(|life| !used.contains(life)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_bounded_in_rows_and_never_empty() {
        #[track_caller]
        fn check(tasks: &[i64], attempts: &[(i64, i64)], rows: u32, expected: Piece) {
            assert_eq!(piece(tasks, &attempts.iter().copied().collect(), rows), expected);
        }
        check(&[1, 2, 3], &[(1, 0), (2, 0), (3, 0)], 2, Piece::First(2, 2));
        check(&[1, 2, 3], &[(1, 0), (2, 9), (3, 0)], 10, Piece::First(2, 10));
        check(&[1, 2, 3], &[(1, 0), (2, 10), (3, 0)], 10, Piece::First(1, 1));
        check(&[2, 3], &[(2, 10), (3, 0)], 10, Piece::First(1, 10));
        check(&[2, 3], &[(2, 11), (3, 0)], 10, Piece::PartOf(2));
        check(&[], &[], 10, Piece::First(0, 0));
    }

    #[test]
    fn tasks_that_were_removed_before_do_not_count() {
        let attempts = HashMap::from([(3, 0), (4, 11)]);
        assert_eq!(piece(&[1, 2, 3], &attempts, 1), Piece::First(3, 1));
        assert_eq!(piece(&[1, 4], &attempts, 10), Piece::First(1, 0));
        assert_eq!(piece(&[4], &attempts, 10), Piece::PartOf(4));
    }
}
