//! Open tasks, as clients query them: a copy of the journals that follows the store.
//!
//! The copy has what is durable, of all partitions, whichever node owns them. It is brought up to date when
//! it is read: only the records since the last time are fetched.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastjob_core::{JobId, TaskId};
use tokio::sync::{Mutex, MutexGuard};

use super::{Journal, OpenTask};
use crate::store::{Error, LifeId, Partition, Result, TaskFilter};

/// How long a reader waits for others that bring the copy up to date.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most records that are read at once.
pub(in crate::store) const PAGE: u32 = 500;

/// The open tasks of all partitions.
#[derive(Debug, Default)]
pub(in crate::store) struct OpenTasks {
    partitions: HashMap<Partition, Journal>,
    /// Partitions with a record that cannot be read, with the number of their last record and why.
    unreadable: HashMap<Partition, (i64, String)>,
    /// Whether the last refresh was completed.
    is_complete: bool,
}

/// The copy that all readers share. Readers that wait for each other need one refresh.
#[derive(Debug, Default)]
pub(in crate::store) struct SharedOpenTasks {
    copy: Mutex<OpenTasks>,
    /// Counts refreshes by their beginnings.
    begun: AtomicU64,
}

impl SharedOpenTasks {
    /// The copy, and whether it has to be brought up to date: not if that began after this call.
    ///
    /// # Errors
    ///
    /// Fails if others have been bringing it up to date for too long.
    pub(in crate::store) async fn lock(&self) -> Result<(MutexGuard<'_, OpenTasks>, bool)> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut copy = tokio::time::timeout(PATIENCE, self.copy.lock())
            .await
            .map_err(|_| Error::TimedOut { doing: "read the journal" })?;
        let is_fresh = copy.is_complete && self.begun.load(Ordering::SeqCst) > before;
        if !is_fresh {
            copy.is_complete = false;
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        Ok((copy, !is_fresh))
    }
}

impl SharedOpenTasks {
    /// Fails if a partition cannot be read: whether a task of it is open is unknown.
    pub(in crate::store) async fn check(&self, partition: Partition) -> Result<()> {
        self.copy.lock().await.check(Some(partition))
    }
}

/// What the store found of a partition.
#[derive(Debug)]
pub(in crate::store) struct Refresh {
    pub(in crate::store) partition: Partition,
    pub(in crate::store) seq: i64,
    pub(in crate::store) bytes: Vec<u8>,
}

impl OpenTasks {
    /// The number of the last record of each partition that the copy has.
    pub(in crate::store) fn known(&self) -> impl Iterator<Item = (Partition, i64)> {
        let read = self.partitions.iter().map(|(partition, of)| (*partition, of.last_seq()));
        read.chain(self.unreadable.iter().map(|(partition, (last, _))| (*partition, *last)))
    }

    /// Follows records that are newer than [`known`](Self::known): of each partition the next ones
    /// that a snapshot of the store has, in order.
    ///
    /// If the first of them is not the next one, the records before it were removed. Then it is the
    /// first of the whole journal.
    pub(in crate::store) fn follow(&mut self, records: Vec<Refresh>) {
        for Refresh { partition, seq, bytes } in records {
            let known = self.known().find(|(of, _)| *of == partition).map_or(0, |(_, seq)| seq);
            if seq <= known {
                continue;
            }
            let is_next = seq == known + 1;
            if let Some((last, _)) = self.unreadable.get_mut(&partition) {
                if is_next {
                    // Its meaning depends on the one that cannot be read.
                    *last = seq;
                    continue;
                }
                self.unreadable.remove(&partition);
            }
            if !is_next {
                self.partitions.remove(&partition);
            }
            let journal = self.partitions.entry(partition).or_default();
            match journal.follow(seq, &bytes) {
                Ok(()) => journal.forget_old_records(),
                Err(err) => {
                    let why = err.to_string();
                    tracing::error!(
                        partition = partition.0,
                        error = why,
                        "lists do not show the open tasks of a partition"
                    );
                    self.partitions.remove(&partition);
                    self.unreadable.insert(partition, (seq, why));
                }
            }
        }
    }

    /// Notes that all records were followed.
    pub(in crate::store) fn is_up_to_date(&mut self) {
        self.is_complete = true;
    }

    /// Fails if a partition, or one of the given ones, cannot be read.
    pub(in crate::store) fn check(&self, only: Option<Partition>) -> Result<()> {
        let is_asked = |partition: Partition| only.is_none_or(|only| only == partition);
        match self.unreadable.iter().find(|(partition, _)| is_asked(**partition)) {
            Some((_, (_, why))) => Err(Error::Corrupt { what: why.clone() }),
            None => Ok(()),
        }
    }

    /// An open task.
    pub(in crate::store) fn task(&self, task: TaskId) -> Option<&OpenTask> {
        let found = self.partitions.values().find_map(|journal| journal.task(task));
        found.filter(|task| !task.state.is_final())
    }

    /// The open tasks that match the filter, newest first, at most its limit.
    pub(in crate::store) fn ids(&self, filter: &TaskFilter) -> Vec<TaskId> {
        let all = self.partitions.values().flat_map(Journal::tasks);
        let matching = all.filter(|(id, task)| {
            !task.state.is_final()
                && filter.job.is_none_or(|job| task.head.job == job)
                && filter.state.is_none_or(|state| task.state == state)
                && filter.since.is_none_or(|since| task.head.created_at >= since)
                && filter.below.is_none_or(|below| *id < below)
        });
        newest(matching.map(|(id, _)| id), filter)
    }

    /// The jobs of open tasks. Fails if a partition cannot be read.
    pub(in crate::store) fn jobs(&self) -> Result<HashSet<JobId>> {
        self.check(None)?;
        let all = self.partitions.values().flat_map(Journal::tasks);
        Ok(all.map(|(_, task)| task.head.job).collect())
    }

    /// The lives that open attempts are placed on. Fails if a partition cannot be read.
    pub(in crate::store) fn lives(&self) -> Result<HashSet<LifeId>> {
        self.check(None)?;
        let all = self.partitions.values().flat_map(Journal::tasks);
        Ok(all.flat_map(|(_, task)| &task.open).filter_map(|open| open.life).collect())
    }
}

/// The newest of these tasks, at most the limit of the filter.
pub(in crate::store) fn newest(
    ids: impl IntoIterator<Item = TaskId>,
    filter: &TaskFilter,
) -> Vec<TaskId> {
    let (mut ids, limit) = (ids.into_iter().collect::<Vec<_>>(), filter.limit as usize);
    if ids.len() > limit {
        ids.select_nth_unstable_by(limit, |a, b| b.cmp(a));
        ids.truncate(limit);
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

impl Journal {
    /// Forgets all records but the last: a copy is never cleaned.
    fn forget_old_records(&mut self) {
        if let Some(last) = self.records.pop_back() {
            self.records.clear();
            self.records.push_back(super::Segment { tasks: Vec::new(), ..last });
        }
    }
}
