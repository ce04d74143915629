//! Open tasks, as a journal.
//!
//! What the engine decides about open tasks is appended to the journal of its partition, one record
//! for each transaction. The journal is the only truth about what is open: a coordinator that takes
//! over a partition replays it. A task that ends leaves the journal and becomes a row of the history,
//! which is written once.
//!
//! A record refers to tasks that earlier records planned. So records are removed from the front
//! only: what is still open in the oldest record is carried into the newest one first. That happens
//! whenever the journal is larger than about twice what is open.
//!
//! Replaying and writing use the same [`Journal::apply`], so that both have the same result.

#[cfg(all(feature = "postgres", any(test, feature = "simulation")))]
mod check;
mod ends;
mod journals;
mod load;
mod record;
mod repair;
mod stage;
#[cfg(test)]
mod tests;

mod view;

use std::{collections::VecDeque, sync::Arc};

use fastjob_core::{AttemptId, ExecutorName, TaskId, TaskState, id_map::IdMap, trace::TraceId};

#[cfg(feature = "postgres")]
pub(super) use self::{
    ends::{AttemptEnd, TaskEnd},
    repair::pieces,
};
pub(super) use self::{
    journals::{Journals, Mark},
    load::{Checkpoints, EndedRow},
    repair::{later_than, set_back},
    stage::{Record, Staged, stage},
    view::{Candidate, Candidates, OpenTasks, Refresh, SharedOpenTasks},
};
use super::{ATTEMPT_BYTES, Attempt, Error, LifeId, Lineage, RerunOf, Result, TaskTrace};

/// A journal is not cleaned below this size in bytes.
const SMALL: usize = 256 * 1024;
/// Most bytes that one record carries over from older ones, besides the last task of these.
const CARRIED: usize = 256 * 1024;

/// When a journal is cleaned, and how much at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cleaning {
    /// It is not cleaned below this size in bytes.
    pub(super) small: usize,
    /// Most bytes that one record carries over, besides the last task.
    pub(super) carried: usize,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self { small: SMALL, carried: CARRIED }
    }
}

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OpenTask {
    /// Its first attempt, which may have ended.
    pub(super) head: Attempt,
    pub(super) parent: Option<TaskId>,
    pub(super) lineage: Option<Lineage>,
    pub(super) rerun: Option<Arc<RerunOf>>,
    pub(super) trace: Option<Arc<TaskTrace>>,
    pub(super) wanted: Option<ExecutorName>,
    pub(super) param: Option<Arc<str>>,
    pub(super) note: Option<String>,
    pub(super) state: TaskState,
    /// Its attempts that have not ended, in the order in which they were planned.
    pub(super) open: Vec<Open>,
    /// Whether an attempt of it has ended, so that its attempts have rows of their own.
    pub(super) has_rows: bool,
    /// The attempts that ended since the journal was replayed: a repeated commit must not plan them
    /// again.
    ended: Vec<AttemptId>,
    /// The record that planned or last carried it.
    base: i64,
    /// The size in bytes of what that record says of it.
    bytes: usize,
}

/// An attempt that has not ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Open {
    pub(super) row: Attempt,
    pub(super) life: Option<LifeId>,
    /// The size in bytes of the change that planned it; 0 of a head, which is a part of its task.
    bytes: u32,
}

/// A change of what is open: the unit of a record.
#[derive(Debug)]
enum Change {
    /// A task begins, or is carried over.
    Task(TaskId, Box<OpenTask>),
    /// Another attempt of an open task is planned.
    Attempt(Open),
    /// An attempt ended; the new state of its task, if that changed.
    End { task: TaskId, attempt: AttemptId, state: Option<TaskState> },
    /// A planned attempt was cancelled, and its task if it is the head.
    Cancel { task: TaskId, attempt: AttemptId },
    /// A task was spread over so many shards.
    Spread(TaskId, u32),
    /// An attempt has a new placement.
    Place { task: TaskId, attempt: AttemptId, life: Option<LifeId> },
    /// A task changed its state without an end of an attempt.
    Move(TaskId, TaskState),
    /// A task has this note.
    Note(TaskId, String),
}

/// The open tasks of a partition, and the sizes of its records.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Boxed, because a table of such large values would have much unused space.
    tasks: IdMap<TaskId, Box<OpenTask>>,
    /// The tasks of open attempts that are not heads.
    others: IdMap<AttemptId, TaskId>,
    /// The number of open attempts.
    attempts: usize,
    /// The records, oldest first, without gaps in their numbers.
    records: VecDeque<Segment>,
    /// The size of all records in bytes.
    bytes: usize,
    /// The size of what is open in bytes, as far as records planned or carried it.
    open_bytes: usize,
    cleaning: Cleaning,
}

/// A record that is kept.
#[derive(Debug)]
struct Segment {
    seq: i64,
    bytes: usize,
    /// Its checksum, which is different after another history.
    check: u32,
    /// The tasks that it planned or carried.
    tasks: Vec<TaskId>,
}

impl Journal {
    /// Replays records, which are all that the store has of the partition, in their order.
    pub(super) fn replay(
        records: impl IntoIterator<Item = Result<(i64, Vec<u8>)>>,
    ) -> Result<Self> {
        let mut journal = Self::default();
        for record in records {
            let (seq, bytes) = record?;
            journal.follow(seq, &bytes)?;
        }
        Ok(journal)
    }

    /// Replays the next record.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Corrupt`] if it cannot be read, if records before it are missing, or if
    /// it was written after other ones.
    fn follow(&mut self, seq: i64, bytes: &[u8]) -> Result<()> {
        if self.records.back().is_some_and(|last| last.seq + 1 != seq) {
            return Err(Error::Corrupt { what: format!("the journal, which has a gap at {seq}") });
        }
        let corrupt =
            |why| Error::Corrupt { what: format!("the record {seq} of the journal: {why}") };
        let mut reader = record::Reader::new(bytes).map_err(corrupt)?;
        if self.records.back().is_some_and(|last| last.check != reader.previous) {
            return Err(corrupt("it was not written after the record before it".to_owned()));
        }
        let mut segment =
            Segment { seq, bytes: bytes.len(), check: reader.check, tasks: Vec::new() };
        while let Some((change, len)) = reader.next().map_err(corrupt)? {
            self.apply(change, len, &mut segment);
        }
        self.bytes += segment.bytes;
        self.records.push_back(segment);
        Ok(())
    }

    /// The number of the last record; 0 if there is none.
    fn last_seq(&self) -> i64 {
        self.records.back().map_or(0, |last| last.seq)
    }

    /// The checksum of the last record; 0 if there is none.
    fn last_check(&self) -> u32 {
        self.records.back().map_or(0, |last| last.check)
    }

    /// The number of the record that is written next.
    fn next_seq(&self) -> i64 {
        self.last_seq() + 1
    }

    /// The number of the oldest record, or of the next one if there is none.
    fn first_seq(&self) -> i64 {
        self.records.front().map_or_else(|| self.next_seq(), |first| first.seq)
    }

    /// The open tasks, in no particular order.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (TaskId, &OpenTask)> {
        self.tasks.iter().map(|(id, task)| (*id, &**task))
    }

    /// An open task.
    pub(super) fn task(&self, task: TaskId) -> Option<&OpenTask> {
        self.tasks.get(&task).map(|task| &**task)
    }

    /// The number of open attempts.
    pub(super) fn attempts(&self) -> usize {
        self.attempts
    }

    /// The task of an open attempt.
    fn task_of(&self, attempt: AttemptId) -> Option<TaskId> {
        let head = TaskId(attempt.0);
        if let Some(task) = self.tasks.get(&head).filter(|task| task.is_open(attempt)) {
            return Some(task.head.task);
        }
        self.others.get(&attempt).copied()
    }

    /// Applies a change that takes `len` bytes in the record `segment`. A change of something that
    /// is not open does nothing.
    fn apply(&mut self, change: Change, len: usize, segment: &mut Segment) {
        match change {
            Change::Task(id, mut task) => {
                if let Some(before) = self.tasks.remove(&id) {
                    self.forget(&before);
                }
                self.attempts += task.open.len();
                self.open_bytes += len;
                (task.base, task.bytes) = (segment.seq, len);
                segment.tasks.push(id);
                self.tasks.insert(id, task);
            }
            Change::Attempt(mut open) => {
                open.bytes = u32::try_from(len).unwrap_or(u32::MAX);
                let Some(task) = self.tasks.get_mut(&open.row.task) else { return };
                task.bytes += open.bytes as usize;
                self.open_bytes += open.bytes as usize;
                self.attempts += 1;
                if !open.row.is_head() {
                    self.others.insert(open.row.attempt, open.row.task);
                }
                task.open.push(open);
            }
            Change::End { task: id, attempt, state } => {
                let Some(task) = self.tasks.get_mut(&id) else { return };
                if let Some(state) = state.filter(|_| !task.state.is_final()) {
                    task.state = state;
                }
                if let Some(bytes) = task.close(attempt) {
                    self.open_bytes -= bytes;
                    self.attempts -= 1;
                    if attempt != id.first_attempt() {
                        self.others.remove(&attempt);
                    }
                    if !task.is_over() {
                        task.has_rows = true;
                        task.ended.push(attempt);
                    }
                }
                if task.is_over() {
                    self.drop_task(id);
                }
            }
            Change::Cancel { task: id, attempt } => {
                let Some(task) = self.tasks.get_mut(&id) else { return };
                if attempt == id.first_attempt() {
                    self.drop_task(id);
                } else if let Some(bytes) = task.close(attempt) {
                    self.open_bytes -= bytes;
                    self.attempts -= 1;
                    self.others.remove(&attempt);
                    if task.is_over() {
                        self.drop_task(id);
                    }
                }
            }
            Change::Spread(id, total) => {
                let Some(task) = self.tasks.get_mut(&id) else { return };
                task.head.shard.total = total;
                if let Some(head) = task.open.iter_mut().find(|open| open.row.is_head()) {
                    head.row.shard.total = total;
                }
            }
            Change::Place { task, attempt, life } => {
                let Some(task) = self.tasks.get_mut(&task) else { return };
                if let Some(open) = task.open.iter_mut().find(|open| open.row.attempt == attempt) {
                    open.life = life;
                }
            }
            Change::Move(id, state) => {
                if let Some(task) = self.tasks.get_mut(&id).filter(|task| !task.state.is_final()) {
                    task.state = state;
                }
            }
            Change::Note(id, note) => {
                if let Some(task) = self.tasks.get_mut(&id) {
                    task.note = Some(note);
                }
            }
        }
    }

    /// Removes a task, with what is counted of it.
    fn drop_task(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.remove(&id) {
            self.forget(&task);
        }
    }

    /// Removes what is counted of a task that was removed.
    fn forget(&mut self, task: &OpenTask) {
        self.open_bytes -= task.bytes;
        self.attempts -= task.open.len();
        for open in task.open.iter().filter(|open| !open.row.is_head()) {
            self.others.remove(&open.row.attempt);
        }
    }

    /// Whether the journal is larger than it should be.
    fn is_too_large(&self, record: usize) -> bool {
        self.bytes + record > 2 * self.open_bytes + self.cleaning.small
    }

    /// Removes the oldest records from a journal that is too large, and carries what is open in
    /// them into the record that is being written.
    fn clean(&mut self, writer: &mut record::Writer, segment: &mut Segment) {
        let before = writer.len();
        while self.is_too_large(writer.len()) && writer.len() - before < self.cleaning.carried {
            let Some(oldest) = self.records.pop_front() else { return };
            self.bytes -= oldest.bytes;
            for id in oldest.tasks {
                self.carry(id, oldest.seq, writer, segment);
            }
        }
    }

    /// Writes the current state of a task that the record `base` planned or carried.
    fn carry(&mut self, id: TaskId, base: i64, writer: &mut record::Writer, segment: &mut Segment) {
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.base == base) else { return };
        let mut len = writer.task(id, task);
        for open in task.open.iter_mut().filter(|open| !open.row.is_head()) {
            let bytes = writer.attempt(open);
            open.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            len += bytes;
        }
        self.open_bytes = self.open_bytes - task.bytes + len;
        (task.base, task.bytes) = (segment.seq, len);
        segment.tasks.push(id);
    }
}

impl OpenTask {
    /// The id of the trace that it is part of.
    pub(super) fn trace_id(&self) -> Option<TraceId> {
        self.trace.as_ref().map(|trace| trace.trace.context.trace)
    }

    /// Whether it has ended, and all its attempts have.
    fn is_over(&self) -> bool {
        self.state.is_final() && self.open.is_empty()
    }

    /// Whether this attempt of it has not ended.
    fn is_open(&self, attempt: AttemptId) -> bool {
        self.open.iter().any(|open| open.row.attempt == attempt)
    }

    /// Removes an attempt from those that are open. Returns by how much that makes it smaller;
    /// `None` if the attempt was not open.
    fn close(&mut self, attempt: AttemptId) -> Option<usize> {
        let at = self.open.iter().position(|open| open.row.attempt == attempt)?;
        let bytes = self.open.remove(at).bytes as usize;
        self.bytes -= bytes;
        Some(bytes)
    }

    /// The approximate number of bytes that it takes in a list.
    pub(super) fn texts(&self) -> u64 {
        let texts = self.param.as_ref().map_or(0, |param| param.len())
            + self.note.as_ref().map_or(0, String::len);
        let attempts = ATTEMPT_BYTES.unsigned_abs() * self.open.len() as u64;
        attempts + texts as u64
    }
}
