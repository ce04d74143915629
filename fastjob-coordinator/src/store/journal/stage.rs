//! What commits write: the next record of each journal, and the rows of what ended.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    ops::Range,
    sync::Arc,
};

use fastjob_core::{AttemptId, AttemptState, TaskId, TaskState};

use super::{
    Change, Journal, Journals, Open, OpenTask, Segment,
    ends::{AttemptEnd, TaskEnd},
    record,
};
use crate::store::{
    Commit, EndedAttempt, NewAttempt, Partition,
    batch::clean,
    index::{Ended, NewSegment},
    stats::{LastAttempt, Times},
};

/// What a transaction writes besides the parts of commits that are stored as they are.
#[derive(Debug, Default)]
pub(in crate::store) struct Staged<'a> {
    /// Tasks that ended.
    pub(in crate::store) tasks: Vec<TaskEnd<'a>>,
    /// Attempts that ended, of tasks with several.
    pub(in crate::store) attempts: Vec<AttemptEnd<'a>>,
    /// Logs of attempts that ended: where their ends begin, and these.
    pub(in crate::store) logs: Vec<(AttemptId, i64, Cow<'a, str>)>,
    /// Tasks that were cancelled before they were sent: their keys are free again.
    pub(in crate::store) cancelled: Vec<TaskId>,
    /// Notes on tasks that are in the history.
    pub(in crate::store) notes: Vec<(TaskId, Cow<'a, str>)>,
    /// The records to append.
    pub(in crate::store) records: Vec<Record>,
    /// Of each partition the index of the tasks that ended.
    pub(in crate::store) segments: Vec<NewSegment>,
}

/// A record to append to a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Record {
    pub(in crate::store) partition: Partition,
    pub(in crate::store) seq: i64,
    pub(in crate::store) bytes: Vec<u8>,
    /// The numbers of older records that are to be removed; empty if there are none.
    pub(in crate::store) removed: Range<i64>,
    /// How many attempts are open after it.
    pub(in crate::store) open: usize,
}

/// Applies commits to the journals. `known` are attempts that are in the history already.
///
/// The journals are ahead of the store until [`Journals::written`] is called. If it is not, they are
/// replayed before the next commit.
pub(in crate::store) fn stage<'a>(
    commits: &'a [Commit],
    journals: &mut Journals,
    known: &HashSet<AttemptId>,
) -> Staged<'a> {
    let mut staged = Staged::default();
    let mut writing: BTreeMap<Partition, Writing> = BTreeMap::new();
    for commit in commits {
        // The caller has replayed all of them.
        let Some(journal) = journals.begin(commit) else { continue };
        let writing = writing.entry(commit.lease.partition).or_insert_with(|| Writing::of(journal));
        let mut stage = Stage { journal, writing: &mut *writing, staged: &mut staged };
        stage.commit(commit, known);
    }
    for (partition, writing) in writing {
        if let Some(journal) = journals.journal(partition) {
            let (seq, ended) = (writing.segment.seq, &writing.ended);
            staged.segments.extend(NewSegment::new(partition, seq, ended));
            staged.records.extend(writing.finish(partition, journal));
        }
    }
    staged
}

/// A record that is being written.
pub(super) struct Writing {
    pub(super) writer: record::Writer,
    pub(super) segment: Segment,
    /// The tasks that end in its transaction.
    ended: Vec<Ended>,
}

impl Writing {
    pub(super) fn of(journal: &Journal) -> Self {
        let segment = Segment { seq: journal.next_seq(), bytes: 0, check: 0, tasks: Vec::new() };
        Self { writer: record::Writer::new(journal.last_check()), segment, ended: Vec::new() }
    }

    /// Cleans the journal, and completes the record; `None` if nothing happened. Tasks that are over
    /// when they are planned have an empty record, because its number is that of their segment.
    fn finish(mut self, partition: Partition, journal: &mut Journal) -> Option<Record> {
        if self.writer.is_empty() && self.ended.is_empty() {
            return None;
        }
        let before = journal.first_seq();
        journal.clean(&mut self.writer, &mut self.segment);
        Some(self.complete(partition, journal, before))
    }

    /// Completes the record. `before` was the first record of the journal.
    pub(super) fn complete(
        mut self,
        partition: Partition,
        journal: &mut Journal,
        before: i64,
    ) -> Record {
        let (bytes, check) = self.writer.complete();
        (self.segment.bytes, self.segment.check) = (bytes.len(), check);
        journal.bytes += self.segment.bytes;
        let seq = self.segment.seq;
        journal.records.push_back(self.segment);
        Record {
            partition,
            seq,
            bytes,
            removed: before..journal.first_seq(),
            open: journal.attempts(),
        }
    }
}

/// One commit, and what it is applied to.
struct Stage<'s, 'a> {
    journal: &'s mut Journal,
    writing: &'s mut Writing,
    staged: &'s mut Staged<'a>,
}

impl<'a> Stage<'_, 'a> {
    /// Applies the parts in the order of [`Commit`]'s fields.
    fn commit(&mut self, commit: &'a Commit, known: &HashSet<AttemptId>) {
        for new in &commit.planned {
            if !known.contains(&new.row.attempt) {
                self.plan(new);
            }
        }
        for attempt in &commit.cancelled {
            self.cancel(*attempt);
        }
        for spread in &commit.spread {
            let task = self.journal.task(spread.task);
            if task.is_some_and(|task| task.head.shard.total == 0) {
                self.change(Change::Spread(spread.task, spread.total));
            }
        }
        for placed in &commit.placed {
            if let Some(task) = self.journal.task_of(placed.attempt) {
                self.change(Change::Place { task, attempt: placed.attempt, life: placed.life });
            }
        }
        for ended in &commit.ended {
            self.end(ended);
        }
        for moved in &commit.moved {
            let task = self.journal.task(moved.task);
            if task.is_some_and(|task| !task.state.is_final() && task.state != moved.state) {
                self.change(Change::Move(moved.task, moved.state));
            }
        }
        for (task, note) in &commit.notes {
            self.note(*task, note);
        }
    }

    fn change(&mut self, change: Change) {
        let len = self.writing.writer.change(&change);
        self.journal.apply(change, len, &mut self.writing.segment);
    }

    fn plan(&mut self, new: &'a NewAttempt) {
        let open = Open { row: new.row, life: new.life, bytes: 0 };
        if !new.row.is_head() {
            match self.journal.task(new.row.task) {
                Some(task)
                    if task.is_open(new.row.attempt) || task.ended.contains(&new.row.attempt) => {}
                Some(_) => self.change(Change::Attempt(open)),
                None => {
                    // A commit that is written again, or an error of the engine.
                    tracing::debug!(attempt = %new.row.attempt, "an attempt of no open task");
                }
            }
            return;
        }
        if self.journal.task(new.row.task).is_some() {
            return;
        }
        let task = OpenTask {
            head: new.row,
            parent: new.parent,
            lineage: new.lineage,
            rerun: new.rerun.clone(),
            trace: new.trace.clone(),
            wanted: new.wanted.clone(),
            param: new.param.as_ref().map(cleaned),
            note: new.note.as_deref().map(|note| clean(note).into_owned()),
            state: new.task_state,
            open: vec![open],
            has_rows: false,
            ended: Vec::new(),
            base: 0,
            bytes: 0,
        };
        if new.task_state.is_final() {
            let (task, attempt) = recorded(task, new.state);
            self.writing.ended.push(Ended {
                task: task.task,
                job: task.job,
                service: new.service,
                state: task.state,
                created_at: task.created_at,
                ended_at: task.ended_at,
                times: None,
            });
            self.staged.tasks.push(task);
            self.staged.attempts.extend(attempt);
        } else {
            self.change(Change::Task(new.row.task, Box::new(task)));
        }
    }

    fn cancel(&mut self, attempt: AttemptId) {
        let Some(task) = self.journal.task_of(attempt) else { return };
        if attempt == task.first_attempt() {
            self.staged.cancelled.push(task);
        }
        self.change(Change::Cancel { task, attempt });
    }

    /// The first outcome of an attempt wins: a later one finds no open attempt.
    fn end(&mut self, ended: &'a EndedAttempt) {
        let (id, attempt) = (ended.task, ended.attempt);
        let Some(task) = self.journal.tasks.get_mut(&id) else { return };
        let Some(open) = task.open.iter().find(|open| open.row.attempt == attempt) else { return };
        let row = AttemptEnd::new(open, ended);
        if !ended.log_tail.is_empty() {
            let at = i64::try_from(ended.log_at).unwrap_or(i64::MAX);
            self.staged.logs.push((attempt, at, clean(&ended.log_tail)));
        }
        let ends = ended.task_state.is_some_and(TaskState::is_final) && !task.state.is_final();
        let is_only = ends && !task.has_rows && task.open.len() == 1 && row.is_plain();
        if ends {
            let state = ended.task_state.unwrap_or(task.state);
            self.writing.ended.push(Ended {
                task: id,
                job: task.head.job,
                service: ended.service,
                state,
                created_at: task.head.created_at,
                ended_at: ended.ended_at,
                times: Times::of(&LastAttempt {
                    cause: task.head.cause,
                    number: row.number,
                    fire_at: task.head.fire_at,
                    due_at: row.due_at,
                    started_at: row.started_at,
                    ended_at: row.ended_at,
                }),
            });
            let result = ended.task_result.as_deref().or(ended.result.as_deref());
            self.staged.tasks.push(TaskEnd {
                task: id,
                job: task.head.job,
                cause: task.head.cause,
                state,
                fire_at: task.head.fire_at,
                created_at: task.head.created_at,
                ended_at: ended.ended_at,
                parent: task.parent,
                reruns: task.rerun.as_ref().map(|rerun| rerun.task),
                trace: task.trace_id(),
                param: task.param.clone(),
                note: task.note.take(),
                result: result.map(clean),
                only: is_only.then(|| row.clone()),
            });
        }
        if !is_only {
            self.staged.attempts.push(row);
        }
        self.change(Change::End { task: id, attempt, state: ended.task_state });
    }

    /// Appends a note, unless the task has it already.
    fn note(&mut self, id: TaskId, note: &'a str) {
        let note = clean(note);
        if let Some(task) = self.journal.task(id).filter(|task| !task.state.is_final()) {
            if let Some(appended) = appended(task.note.as_deref(), &note) {
                self.change(Change::Note(id, appended));
            }
            return;
        }
        // The end of the task is usually the last one.
        match self.staged.tasks.iter_mut().rev().find(|end| end.task == id) {
            Some(end) => {
                if let Some(appended) = appended(end.note.as_deref(), &note) {
                    end.note = Some(appended);
                }
            }
            None => self.staged.notes.push((id, note)),
        }
    }
}

/// A task that is over when it is planned, and its attempt if that has a row of its own.
fn recorded(
    task: OpenTask,
    state: AttemptState,
) -> (TaskEnd<'static>, Option<AttemptEnd<'static>>) {
    let head = task.head;
    let attempt = AttemptEnd {
        attempt: head.attempt,
        task: head.task,
        number: head.number,
        shard: head.shard,
        life: task.open.first().and_then(|open| open.life),
        state,
        reason: None,
        due_at: head.due_at,
        started_at: None,
        ended_at: head.created_at,
        message: None,
        result: None,
    };
    let is_only = attempt.is_plain();
    let end = TaskEnd {
        task: head.task,
        job: head.job,
        cause: head.cause,
        state: task.state,
        fire_at: head.fire_at,
        created_at: head.created_at,
        ended_at: head.created_at,
        parent: task.parent,
        reruns: task.rerun.as_ref().map(|rerun| rerun.task),
        trace: task.trace_id(),
        param: task.param,
        note: task.note,
        result: None,
        only: is_only.then(|| attempt.clone()),
    };
    (end, Some(attempt).filter(|_| !is_only))
}

/// The note with another one appended; `None` if it contains that already.
fn appended(before: Option<&str>, note: &str) -> Option<String> {
    match before {
        None => Some(note.to_owned()),
        Some(before) if before.contains(note) => None,
        Some(before) => Some(format!("{before}; {note}")),
    }
}

/// The text without NUL, shared if it has none.
fn cleaned(text: &Arc<str>) -> Arc<str> {
    match clean(text) {
        Cow::Borrowed(_) => Arc::clone(text),
        Cow::Owned(text) => text.into(),
    }
}
