//! Open tasks, as clients query them: a copy of the journals that follows the store.
//!
//! The copy has what is durable, of all partitions, whichever node owns them. It is brought up to date
//! when it is read: only the records since the last time are fetched, in one statement, so that they are
//! of one snapshot of the store. The snapshot is also the end: records that are written meanwhile are
//! left to the next refresh.
//!
//! The store can lose records that the copy has: a replica that was behind took over, or its file was
//! replaced. So the copy of a partition is continued only if the store still has its last record, with
//! the same checksum, which stands for all records before it. Otherwise the partition is read again.
//! That includes a record that was removed because the journal was cleaned: then all records are newer.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastjob_core::{JobId, TaskId};
use tokio::sync::{Mutex, MutexGuard};

use super::{Journal, OpenTask, record};
use crate::store::{Error, LifeId, Partition, Result, TaskFilter, filter::Stopped};

/// How long a reader waits for others that bring the copy up to date.
const PATIENCE: Duration = Duration::from_secs(10);

/// The open tasks of all partitions.
#[derive(Debug, Default)]
pub(in crate::store) struct OpenTasks {
    partitions: HashMap<Partition, Journal>,
    /// Partitions with a record that cannot be read. Nothing of them is in `partitions`.
    unreadable: BTreeMap<Partition, Bad>,
    /// Why partitions could not be read when that was last logged.
    logged: BTreeMap<Partition, String>,
    /// Whether the last refresh was completed.
    is_complete: bool,
}

/// A record that cannot be read.
#[derive(Debug)]
struct Bad {
    seq: i64,
    why: String,
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

/// The last record of a partition that the copy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Known {
    pub(in crate::store) partition: Partition,
    pub(in crate::store) seq: i64,
    /// Its last bytes: the checksum.
    pub(in crate::store) tail: [u8; 4],
}

/// What the store has of a partition.
#[derive(Debug)]
pub(in crate::store) struct Refresh {
    pub(in crate::store) partition: Partition,
    /// Whether the store has the [`Known`] record, so that the records after it follow. Otherwise all
    /// records of the partition do.
    pub(in crate::store) continues: bool,
    /// The next record with its number; `None` if there is none.
    pub(in crate::store) record: Option<(i64, Vec<u8>)>,
}

/// A refresh in progress.
pub(in crate::store) struct Refreshing<'a> {
    open: &'a mut OpenTasks,
    /// The partition of the last row.
    last: Option<Partition>,
}

impl Refreshing<'_> {
    /// Takes the next row. Those of a partition are together, in the order of their numbers.
    pub(in crate::store) fn take(&mut self, row: Refresh) {
        let Refresh { partition, continues, record } = row;
        if self.last.replace(partition) != Some(partition) && !continues {
            self.open.partitions.remove(&partition);
        }
        if let Some((seq, bytes)) = record {
            self.open.follow(partition, seq, &bytes);
        }
    }

    /// Notes that all rows were taken.
    pub(in crate::store) fn complete(self) {
        self.open.is_complete = true;
        let Self { open: OpenTasks { unreadable, logged, .. }, .. } = self;
        logged.retain(|partition, _| {
            let is_unreadable = unreadable.contains_key(partition);
            if !is_unreadable {
                tracing::info!(
                    partition = partition.0,
                    "lists show the open tasks of a partition again"
                );
            }
            is_unreadable
        });
    }
}

/// Open tasks that were looked up by id.
#[derive(Debug)]
pub(in crate::store) struct Found {
    pub(in crate::store) tasks: HashMap<TaskId, OpenTask>,
    /// The partitions that could not be read, and why.
    unreadable: BTreeMap<Partition, String>,
}

impl Found {
    /// Whether this task is open.
    pub(in crate::store) fn has(&self, task: TaskId) -> bool {
        self.tasks.contains_key(&task)
    }

    /// Fails if one of these partitions could not be read: whether a task of it is open is unknown.
    pub(in crate::store) fn check(
        &self,
        partitions: impl IntoIterator<Item = Partition>,
    ) -> Result<()> {
        match partitions.into_iter().find_map(|partition| self.unreadable.get(&partition)) {
            Some(why) => Err(Error::Corrupt { what: why.clone() }),
            None => Ok(()),
        }
    }
}

impl OpenTasks {
    /// The last record of each partition that can be read.
    pub(in crate::store) fn known(&self) -> impl Iterator<Item = Known> {
        self.partitions.iter().map(|(partition, of)| Known {
            partition: *partition,
            seq: of.last_seq(),
            tail: of.last_check().to_le_bytes(),
        })
    }

    /// The records that could not be read.
    pub(in crate::store) fn bad(&self) -> Vec<(Partition, i64)> {
        self.unreadable.iter().map(|(partition, bad)| (*partition, bad.seq)).collect()
    }

    /// Decides which partitions are read again: those whose bad record is no longer there, or can be
    /// read. `found` is what the store has now of [`bad`](Self::bad).
    pub(in crate::store) fn check_bad(&mut self, found: &HashMap<(Partition, i64), Vec<u8>>) {
        self.unreadable.retain(|partition, bad| {
            found.get(&(*partition, bad.seq)).is_some_and(|bytes| !record::is_readable(bytes))
        });
    }

    /// Begins a refresh. It takes what the store has after [`known`](Self::known), except of the
    /// partitions of [`bad`](Self::bad).
    pub(in crate::store) fn refresh(&mut self) -> Refreshing<'_> {
        Refreshing { open: self, last: None }
    }

    fn follow(&mut self, partition: Partition, seq: i64, bytes: &[u8]) {
        if self.unreadable.contains_key(&partition) {
            // What this record says depends on the one that cannot be read.
            return;
        }
        let journal = self.partitions.entry(partition).or_default();
        let Err(err) = journal.follow(seq, bytes) else { return journal.forget_old_records() };
        let why = err.to_string();
        if self.logged.get(&partition) != Some(&why) {
            tracing::error!(
                partition = partition.0,
                error = why,
                "lists do not show the open tasks of a partition"
            );
            self.logged.insert(partition, why.clone());
        }
        self.partitions.remove(&partition);
        self.unreadable.insert(partition, Bad { seq, why });
    }

    /// Fails if one of these partitions cannot be read.
    fn check(&self, partitions: &[Partition]) -> Result<()> {
        match partitions.iter().find_map(|partition| self.unreadable.get(partition)) {
            Some(bad) => Err(Error::Corrupt { what: bad.why.clone() }),
            None => Ok(()),
        }
    }

    /// Those of the tasks that are open.
    pub(in crate::store) fn find(&self, tasks: &[TaskId]) -> Found {
        let open = |task: &TaskId| Some((*task, self.task(*task)?.clone()));
        let unreadable = self.unreadable.iter();
        Found {
            tasks: tasks.iter().filter_map(open).collect(),
            unreadable: unreadable.map(|(partition, bad)| (*partition, bad.why.clone())).collect(),
        }
    }

    /// An open task.
    fn task(&self, task: TaskId) -> Option<&OpenTask> {
        let found = self.partitions.values().find_map(|journal| journal.task(task));
        found.filter(|task| !task.state.is_final())
    }

    /// The open tasks that may match the filter, in its order: as far as the journal says.
    pub(in crate::store) fn candidates(&self, filter: &TaskFilter) -> Candidates {
        if !filter.has_open() {
            return Candidates::default();
        }
        let matches = |task: &&OpenTask| {
            let head = &task.head;
            !task.state.is_final()
                && filter.has_id(head.task)
                && filter.has_created(head.created_at)
                && filter.has_cause(head.cause)
                && filter.has_job(head.job)
        };
        let (mut found, mut stopped): (Vec<_>, _) = if filter.states.is_empty() {
            let all = self.partitions.values().flat_map(Journal::tasks).map(|(_, task)| task);
            (all.filter(matches).collect(), None)
        } else {
            let tasks = filter.open.tasks.iter().filter_map(|task| self.task(*task));
            (tasks.filter(matches).collect(), self.end_of_listed(filter))
        };
        // What the journal does not say is looked up for so many.
        let is_partial =
            filter.service.is_some() || filter.executor.is_some() || filter.asks_of_attempts();
        let limit = filter.limit as usize;
        let most = if is_partial { limit.max(filter.most()) } else { limit };
        let order = filter.order;
        let compare = |a: &&OpenTask, b: &&OpenTask| order.compare(a.head.task, b.head.task);
        if found.len() > most {
            found.select_nth_unstable_by(most, compare);
            found.truncate(most);
            found.sort_unstable_by(compare);
            if let Some(last) = found.last().filter(|_| is_partial) {
                stopped =
                    Some(Stopped { task: last.head.task, created_at: Some(last.head.created_at) });
            }
        }
        found.sort_unstable_by(compare);
        Candidates { tasks: found.into_iter().map(Candidate::from).collect(), stopped }
    }

    /// Where the list of the engines ends, if others may follow.
    fn end_of_listed(&self, filter: &TaskFilter) -> Option<Stopped> {
        let listed = &filter.open.tasks;
        if filter.open.is_complete {
            return None;
        }
        let mut known = listed.iter().rev().filter_map(|task| self.task(*task));
        match known.next() {
            Some(task) => {
                Some(Stopped { task: task.head.task, created_at: Some(task.head.created_at) })
            }
            // All of them have ended since, so nothing is known of what follows the first.
            None => Some(Stopped { task: *listed.first()?, created_at: None }),
        }
    }

    /// The jobs of open tasks. Fails if the partition of the jobs in question cannot be read: it has
    /// all tasks of its jobs.
    pub(in crate::store) fn jobs(&self, of: Partition) -> Result<HashSet<JobId>> {
        self.check(&[of])?;
        let all = self.partitions.values().flat_map(Journal::tasks);
        Ok(all.map(|(_, task)| task.head.job).collect())
    }

    /// The lives that open attempts are placed on. Fails if one of the partitions of the lives in
    /// question cannot be read: they have all attempts that are placed on their lives.
    pub(in crate::store) fn lives(&self, of: &[Partition]) -> Result<HashSet<LifeId>> {
        self.check(of)?;
        let all = self.partitions.values().flat_map(Journal::tasks);
        Ok(all.flat_map(|(_, task)| &task.open).filter_map(|open| open.life).collect())
    }
}

/// An open task that may match a filter.
#[derive(Clone, Debug)]
pub(in crate::store) struct Candidate {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) job: JobId,
    /// Where its open attempts are placed.
    pub(in crate::store) lives: Vec<LifeId>,
    /// Whether an attempt of it has ended.
    pub(in crate::store) has_rows: bool,
}

impl From<&OpenTask> for Candidate {
    fn from(task: &OpenTask) -> Self {
        Self {
            task: task.head.task,
            job: task.head.job,
            lives: task.open.iter().filter_map(|open| open.life).collect(),
            has_rows: task.has_rows,
        }
    }
}

/// The open tasks that may match a filter.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Candidates {
    pub(in crate::store) tasks: Vec<Candidate>,
    /// Where the search stopped, if others may follow.
    pub(in crate::store) stopped: Option<Stopped>,
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
