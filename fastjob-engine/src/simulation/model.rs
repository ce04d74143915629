//! A model of the store: the simplest implementation of what a [`Commit`] means.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::{AttemptId, AttemptState, JobId, TaskId, TaskState};
use jiff::{SignedDuration, Timestamp};

use crate::record::{
    AlarmKind, ChildStart, Commit, EndedAttempt, JobRow, Lease, LifeId, LifeRow, NOT_SPREAD,
    NewAttempt, Partition,
};

/// An attempt with its state and outcome.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) new: NewAttempt,
    pub(crate) ended: Option<EndedAttempt>,
    /// The state of the task, on heads.
    pub(crate) task_state: TaskState,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ModelStore {
    partitions: u32,
    pub(crate) attempts: BTreeMap<AttemptId, Row>,
    /// By task: when it ended, and its result.
    pub(super) ends: BTreeMap<TaskId, (Timestamp, Option<String>)>,
    pub(crate) jobs: BTreeMap<JobId, JobRow>,
    pub(super) lives: BTreeMap<LifeId, LifeRow>,
    pub(super) keys: BTreeMap<(JobId, Arc<str>), TaskId>,
    pub(super) checkpoints: BTreeMap<(TaskId, u32), Arc<str>>,
    /// By task and kind: each task has an alarm of one kind once.
    pub(super) alarms: BTreeMap<(TaskId, AlarmKind), i64>,
    /// By job: the id and the kind of its last alarm about an end.
    pub(super) last_alarm: BTreeMap<JobId, (i64, AlarmKind)>,
    pub(super) child_starts: BTreeMap<i64, ChildStart>,
    /// By job: up to where its fires are planned beyond the watermark.
    pub(super) cursors: BTreeMap<JobId, Timestamp>,
    pub(super) fired_ahead: BTreeMap<JobId, Timestamp>,
    pub(super) reached: BTreeMap<Partition, Reached>,
    /// By partition: its term, and which node took it last.
    pub(super) holders: BTreeMap<Partition, (i64, Option<usize>)>,
    /// By node: until when it is considered alive, by the database's clock.
    pub(super) alive_until: BTreeMap<usize, SignedDuration>,
}

/// The progress of a partition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reached {
    pub(super) ids_until: i64,
    pub(super) watermark: Option<Timestamp>,
    pub(super) clock: Option<Timestamp>,
}

impl ModelStore {
    pub(super) fn of(partitions: u32) -> Self {
        Self { partitions, ..Self::default() }
    }

    /// Whether the lease is the current one of its partition.
    pub(super) fn holds(&self, lease: Lease) -> bool {
        self.holders.get(&lease.partition).is_none_or(|(term, _)| *term == lease.term)
    }

    pub(crate) fn apply(&mut self, commit: &Commit) {
        assert!(self.holds(commit.lease), "a lease that is over wrote {commit:?}");
        let reached = self.reached.entry(commit.lease.partition).or_default();
        reached.ids_until = reached.ids_until.max(commit.ids_until.unwrap_or(0));
        reached.clock = reached.clock.max(commit.clock);
        reached.watermark = reached.watermark.max(commit.watermark);
        let ids_until = reached.ids_until;
        for job in &commit.jobs {
            self.jobs.insert(job.id, job.clone());
        }
        for life in &commit.lives {
            self.lives.entry(life.id).or_insert_with(|| life.clone());
        }
        for new in &commit.planned {
            assert!(new.row.attempt.0 < ids_until, "an id was used before it was reserved");
            let row = Row { new: new.clone(), ended: None, task_state: new.task_state };
            self.attempts.entry(new.row.attempt).or_insert(row);
            if new.row.is_head() && new.task_state.is_final() {
                self.ends.entry(new.row.task).or_insert((new.row.created_at, None));
            }
            if let Some(key) = &new.key {
                self.keys.entry((new.row.job, Arc::clone(key))).or_insert(new.row.task);
            }
        }
        for attempt in &commit.cancelled {
            if self.attempts.get(attempt).is_some_and(|row| row.is_open()) {
                self.attempts.remove(attempt);
            }
        }
        for spread in &commit.spread {
            let head = self.attempts.get_mut(&spread.task.first_attempt());
            if let Some(row) = head.filter(|row| row.new.row.shard == NOT_SPREAD) {
                row.new.row.shard.total = spread.total;
            }
        }
        for placed in &commit.placed {
            if let Some(row) = self.attempts.get_mut(&placed.attempt).filter(|row| row.is_open()) {
                row.new.life = placed.life;
            }
        }
        for point in &commit.checkpoints {
            self.checkpoints.insert((point.task, point.shard), Arc::clone(&point.value));
        }
        for ended in &commit.ended {
            let Some(row) = self.attempts.get_mut(&ended.attempt).filter(|row| row.is_open())
            else {
                continue;
            };
            row.ended = Some(ended.clone());
            if let Some(state) = ended.task_state {
                self.move_task(ended.task.first_attempt(), state);
                if state.is_final() {
                    let result = ended.task_result.clone().or_else(|| ended.result.clone());
                    self.ends.entry(ended.task).or_insert((ended.ended_at, result));
                }
            }
        }
        for moved in &commit.moved {
            self.move_task(moved.task.first_attempt(), moved.state);
        }
        for (task, note) in &commit.notes {
            if let Some(row) = self.attempts.get_mut(&task.first_attempt()) {
                match &mut row.new.note {
                    Some(before) if before.contains(note.as_str()) => {}
                    Some(before) => *before = format!("{before}; {note}"),
                    none => *none = Some(note.clone()),
                }
            }
        }
        for (job, anchor) in &commit.anchors {
            if let Some(row) = self.jobs.get_mut(job) {
                row.anchor = row.anchor.max(*anchor);
            }
        }
        self.cursors.extend(commit.cursors.iter().copied());
        for (job, at) in &commit.fired_ahead {
            let latest = self.fired_ahead.entry(*job).or_insert(*at);
            *latest = (*at).max(*latest);
        }
        for alarm in &commit.alarms {
            if let Some(task) = alarm.task {
                self.alarms.entry((task, alarm.kind)).or_insert(alarm.id);
            }
            if matches!(alarm.kind, AlarmKind::Failed | AlarmKind::Recovered) {
                let last = self.last_alarm.entry(alarm.job).or_insert((alarm.id, alarm.kind));
                *last = (alarm.id, alarm.kind).max(*last);
            }
        }
        for child in &commit.child_starts {
            if !self.keys.contains_key(&(child.job, child.key())) {
                self.child_starts.insert(child.id, child.clone());
            }
        }
        for child in &commit.children_started {
            self.child_starts.remove(child);
        }
    }

    /// Children of the partition's jobs that wait to be started.
    pub(super) fn children_of(&self, partition: Partition) -> Vec<ChildStart> {
        self.child_starts.values().filter(|child| child.partition == partition).cloned().collect()
    }

    pub(super) fn is_in(&self, id: i64, partition: Partition) -> bool {
        Partition::of_id(id, self.partitions.max(1)) == partition
    }

    fn move_task(&mut self, head: AttemptId, state: TaskState) {
        if let Some(row) = self.attempts.get_mut(&head).filter(|row| !row.task_state.is_final()) {
            row.task_state = state;
        }
    }
}

impl Row {
    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none() && self.new.state == AttemptState::Planned
    }
}
