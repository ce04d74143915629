//! The tables, and what a transaction writes to them: what the statements of `sqlite/` and
//! `postgres/` do.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use fastjob_core::{AttemptId, JobId, TaskId};
use fastjob_engine::simulation::{PastAttempt, PastTask};
use jiff::Timestamp;

use crate::store::{
    AlarmKind, ChildStart, Commit, JobRow, LifeId, LifeRow, OpenAttempt, Partition,
    batch::{self, clean},
    journal::{AttemptEnd, Mark, Record, Staged, TaskEnd},
    versions::{Replaced, VERSIONS_MOST, replaced},
};

/// Everything that is stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) partitions: BTreeMap<Partition, PartitionRow>,
    pub(super) journal: BTreeMap<Partition, BTreeMap<i64, Vec<u8>>>,
    pub(super) tasks: BTreeMap<TaskId, TaskRow>,
    pub(super) attempts: BTreeMap<AttemptId, PastAttempt>,
    pub(super) logs: BTreeMap<AttemptId, String>,
    pub(super) jobs: BTreeMap<JobId, JobRow>,
    pub(super) versions: BTreeMap<(JobId, i64), JobRow>,
    pub(super) lives: BTreeMap<LifeId, LifeRow>,
    pub(super) keys: BTreeMap<(JobId, String), TaskId>,
    pub(super) checkpoints: BTreeMap<(TaskId, u32), Arc<str>>,
    pub(super) cursors: BTreeMap<JobId, Timestamp>,
    pub(super) fired_ahead: BTreeMap<JobId, Timestamp>,
    pub(super) alarms: BTreeMap<(i64, String), (JobId, AlarmKind)>,
    pub(super) child_starts: BTreeMap<i64, ChildStart>,
}

/// The progress of a partition, and its owner's term.
#[derive(Clone, Debug, Default)]
pub(super) struct PartitionRow {
    pub(super) term: i64,
    pub(super) ids_until: i64,
    pub(super) watermark: Option<Timestamp>,
    pub(super) clock: Option<Timestamp>,
    /// How many transactions wrote to it.
    pub(super) commits: i64,
    /// How many attempts are open.
    pub(super) open: usize,
}

/// A task that ended. A task of one attempt has that in its row.
#[derive(Clone, Debug)]
pub(super) struct TaskRow {
    pub(super) task: PastTask,
    pub(super) only: Option<PastAttempt>,
}

impl Tables {
    /// How far a partition is.
    pub(super) fn mark(&self, partition: Partition) -> Mark {
        let records = self.journal.get(&partition);
        let seq = records.and_then(|records| records.keys().next_back()).copied();
        let commits = self.partitions.get(&partition).map_or(0, |row| row.commits);
        Mark { seq: seq.unwrap_or_default(), commits }
    }

    /// Whether an attempt is in the history.
    pub(super) fn has(&self, attempt: AttemptId) -> bool {
        self.attempts.contains_key(&attempt) || self.tasks.contains_key(&TaskId(attempt.0))
    }

    /// Whether the history has an attempt, or its task, that is open.
    pub(super) fn has_ended(&self, open: &OpenAttempt) -> bool {
        let row = &open.planned.row;
        let task = self.tasks.get(&row.task);
        // A task may end before all its attempts have.
        let ended = task.is_some_and(|row| row.only.is_some() || !open.task_state.is_final());
        ended || self.attempts.contains_key(&row.attempt)
    }

    /// Writes a transaction. Fails if a row is written twice.
    pub(super) fn write(&mut self, commits: &[Commit], staged: &Staged<'_>) -> Result<(), String> {
        for partition in
            commits.iter().map(|commit| commit.lease.partition).collect::<BTreeSet<_>>()
        {
            self.partitions.entry(partition).or_default().commits += 1;
        }
        for commit in commits {
            let row = self.partitions.entry(commit.lease.partition).or_default();
            row.ids_until = row.ids_until.max(commit.ids_until.unwrap_or_default());
            row.watermark = row.watermark.max(commit.watermark);
            row.clock = row.clock.max(commit.clock);
        }
        self.keep_versions(commits);
        for row in batch::jobs(commits) {
            self.save(row);
        }
        for life in commits.iter().flat_map(|commit| &commit.lives) {
            self.lives.entry(life.id).or_insert_with(|| life.clone());
        }
        for (job, key, task) in batch::keys(commits) {
            self.keys.entry((job, key.into_owned())).or_insert(task);
        }
        for point in commits.iter().flat_map(|commit| &commit.checkpoints) {
            self.checkpoints.insert((point.task, point.shard), clean(&point.value).into());
        }
        self.end(staged)?;
        for record in &staged.records {
            self.append(record)?;
        }
        self.write_jobs(commits);
        self.write_children(commits);
        Ok(())
    }

    /// Keeps the versions of jobs that the commits replace.
    fn keep_versions(&mut self, commits: &[Commit]) {
        let Replaced { between, last } = replaced(commits);
        for row in between {
            let stored = self.jobs.get(&row.id).map_or(0, |stored| stored.revision);
            if row.revision >= stored {
                self.versions.entry((row.id, row.revision)).or_insert_with(|| row.clone());
            }
        }
        for (job, revision) in last {
            let job = JobId(job);
            if let Some(before) = self.jobs.get(&job).filter(|row| row.revision < revision) {
                let before = before.clone();
                self.versions.entry((job, before.revision)).or_insert(before);
            }
            let old = (job, i64::MIN)..=(job, revision - VERSIONS_MOST);
            let old: Vec<_> = self.versions.range(old).map(|(key, _)| *key).collect();
            old.iter().for_each(|key| drop(self.versions.remove(key)));
        }
    }

    /// Which version of a job is missing, or is kept too long.
    pub(super) fn wrong_version(&self) -> Option<(JobId, i64)> {
        self.jobs.values().find_map(|row| {
            let oldest = (row.revision - VERSIONS_MOST + 1).max(1);
            let kept = self.versions.range((row.id, i64::MIN)..(row.id, i64::MAX));
            let kept: BTreeSet<_> = kept.map(|((_, revision), _)| *revision).collect();
            let expected = (oldest..row.revision).collect();
            kept.symmetric_difference(&expected).next().map(|revision| (row.id, *revision))
        })
    }

    fn save(&mut self, row: &JobRow) {
        match self.jobs.entry(row.id) {
            Entry::Vacant(free) => {
                free.insert(row.clone());
            }
            Entry::Occupied(mut saved) if saved.get().revision <= row.revision => {
                let created_at = saved.get().created_at;
                saved.insert(JobRow { created_at, ..row.clone() });
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Writes the history.
    fn end(&mut self, staged: &Staged<'_>) -> Result<(), String> {
        if !staged.cancelled.is_empty() {
            self.keys.retain(|_, task| !staged.cancelled.contains(task));
        }
        for end in &staged.attempts {
            if self.attempts.insert(end.attempt, attempt(end)).is_some() {
                return Err(format!("a second row of the attempt {}", end.attempt));
            }
        }
        for end in &staged.tasks {
            let row = TaskRow { task: task(end), only: end.only.as_ref().map(attempt) };
            if self.tasks.insert(end.task, row).is_some() {
                return Err(format!("a second row of the task {}", end.task));
            }
        }
        for (attempt, _, tail) in &staged.logs {
            if self.logs.insert(*attempt, tail.clone().into_owned()).is_some() {
                return Err(format!("a second log of the attempt {attempt}"));
            }
        }
        for (task, note) in &staged.notes {
            let Some(row) = self.tasks.get_mut(task) else { continue };
            row.task.note = Some(match row.task.note.take() {
                None => note.clone().into_owned(),
                Some(before) if before.contains(note.as_ref()) => before,
                Some(before) => format!("{before}; {note}"),
            });
        }
        Ok(())
    }

    /// Appends a record, and removes those that it replaces.
    fn append(&mut self, record: &Record) -> Result<(), String> {
        let Record { partition, seq, bytes, removed, open } = record;
        let last = self.mark(*partition).seq;
        let records = self.journal.entry(*partition).or_default();
        if last + 1 != *seq && !records.is_empty() {
            return Err(format!("the record {seq} of {partition:?} follows {last}"));
        }
        records.retain(|old, _| !removed.contains(old));
        if records.first_key_value().is_some_and(|(first, _)| *first < removed.end) {
            return Err(format!("{removed:?} is removed, and older records of {partition:?} stay"));
        }
        records.insert(*seq, bytes.clone());
        self.partitions.entry(*partition).or_default().open = *open;
        Ok(())
    }

    fn write_jobs(&mut self, commits: &[Commit]) {
        for (job, anchor) in commits.iter().flat_map(|commit| &commit.anchors) {
            if let Some(row) = self.jobs.get_mut(job) {
                row.anchor = row.anchor.max(*anchor);
            }
        }
        self.cursors.extend(batch::cursors(commits));
        for (job, at) in commits.iter().flat_map(|commit| &commit.fired_ahead) {
            let latest = self.fired_ahead.entry(*job).or_insert(*at);
            *latest = (*latest).max(*at);
        }
        for (alarm, channel) in batch::alarms(commits) {
            let key = (alarm.id, channel.as_str().to_owned());
            self.alarms.entry(key).or_insert((alarm.job, alarm.kind));
        }
    }

    fn write_children(&mut self, commits: &[Commit]) {
        for child in commits.iter().flat_map(|commit| &commit.child_starts) {
            if !self.has_started(child) {
                self.child_starts.entry(child.id).or_insert_with(|| child.clone());
            }
        }
        for child in commits.iter().flat_map(|commit| &commit.children_started) {
            self.child_starts.remove(child);
        }
    }

    /// Whether a child has its task.
    pub(super) fn has_started(&self, child: &ChildStart) -> bool {
        self.keys.contains_key(&(child.job, child.key().to_string()))
    }
}

fn task(end: &TaskEnd<'_>) -> PastTask {
    PastTask {
        task: end.task,
        job: end.job,
        cause: end.cause,
        state: end.state,
        fire_at: end.fire_at,
        created_at: end.created_at,
        ended_at: end.ended_at,
        parent: end.parent,
        reruns: end.reruns,
        trace: end.trace,
        param: end.param.clone(),
        note: end.note.clone(),
        result: end.result.as_deref().map(str::to_owned),
    }
}

fn attempt(end: &AttemptEnd<'_>) -> PastAttempt {
    PastAttempt {
        attempt: end.attempt,
        task: end.task,
        number: end.number,
        shard: end.shard,
        life: end.life,
        state: end.state,
        reason: end.reason,
        due_at: end.due_at,
        started_at: end.started_at,
        ended_at: end.ended_at,
        message: end.message.as_deref().map(str::to_owned),
        result: end.result.as_deref().map(str::to_owned),
        log_tail: String::new(),
    }
}
