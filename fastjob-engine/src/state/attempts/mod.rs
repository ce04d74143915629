//! The attempts that have not ended, and all their queues.
//!
//! An attempt is in the queue of its [`Step`], and in no other. A timer is set to the earliest of
//! its deadlines. The indexes of its job and its task contain it. It counts towards the limits. All
//! of that changes only here.

mod by_job;
mod count;
mod open;
mod queues;
mod quota;
mod steps;
mod tasks;

use std::time::Duration;

use fastjob_core::{AttemptId, AttemptState, JobId, TaskId};
use jiff::Timestamp;

pub(crate) use self::count::OpenTasks;
pub use self::quota::{DefaultAlarms, Limits, OpenLimit, OverQuota};
use self::{
    by_job::ByJob, count::TaskCounts, queues::Due, quota::Quota, steps::Steps, tasks::Spread,
};
pub(crate) use self::{
    open::{Open, Step},
    queues::{WaitKey, Waiting},
    tasks::{ShardFailure, SpreadEnd},
};
use super::timers::{Deadlines, Timers};
use crate::maps::IdMap;

/// The attempts that have not ended.
pub(crate) struct Attempts {
    open: IdMap<AttemptId, Open>,
    of_job: ByJob,
    /// The open attempt of a task whose first attempt has ended.
    retried: IdMap<TaskId, AttemptId>,
    /// Open tasks that are spread over executors.
    spreads: IdMap<TaskId, Spread>,
    /// Recorded attempts that are not due yet.
    due: Due,
    /// Due attempts that no executor could take.
    waiting: Waiting,
    timers: Timers<AttemptId>,
    quota: Quota,
    count: TaskCounts,
    /// How many attempts are at each step.
    steps: Steps,
    /// How many attempts run.
    running: usize,
}

impl Attempts {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            open: IdMap::default(),
            of_job: ByJob::default(),
            retried: IdMap::default(),
            spreads: IdMap::default(),
            due: Due::default(),
            waiting: Waiting::default(),
            timers: Timers::default(),
            quota: Quota::new(limits.open),
            count: TaskCounts::default(),
            steps: Steps::default(),
            running: 0,
        }
    }

    /// Moves the count to another limit.
    #[cfg(test)]
    pub(crate) fn limit(&mut self, limit: std::sync::Arc<OpenLimit>) {
        self.quota.join(limit);
    }

    /// Whether `tasks` new tasks, each with `param` as its own param, may be started now.
    ///
    /// # Errors
    ///
    /// Fails with [`OverQuota`] if a limit would be exceeded.
    pub(crate) fn admit(&self, tasks: usize, param: Option<&str>) -> Result<(), OverQuota> {
        self.quota.admit(tasks, param)
    }

    /// Adds an attempt, also to the indexes of its job and its task.
    pub(crate) fn insert(&mut self, open: Open) {
        let (id, row) = (open.row.attempt, open.row);
        self.of_job.insert(row.job, id);
        self.know(&row);
        self.quota.add(open.param.as_deref());
        self.count_in(&open);
        self.count(&open, 1);
        if let Some(mut before) = self.open.insert(id, open) {
            self.count(&before, -1);
            self.quota.remove(before.param.as_deref());
            self.count_out(&before);
            leave_queue(&mut self.due, &mut self.waiting, &mut before);
        }
    }

    /// Removes an attempt from all collections here, except from its task.
    pub(crate) fn remove(&mut self, id: AttemptId) -> Option<Open> {
        let mut open = self.open.remove(&id)?;
        self.count(&open, -1);
        self.quota.remove(open.param.as_deref());
        self.count_out(&open);
        leave_queue(&mut self.due, &mut self.waiting, &mut open);
        if open.deadlines().earliest().is_some() {
            self.timers.cancel(id);
        }
        self.of_job.remove(open.row.job, id);
        Some(open)
    }

    pub(crate) fn get(&self, id: AttemptId) -> Option<&Open> {
        self.open.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: AttemptId) -> Option<&mut Open> {
        self.open.get_mut(&id)
    }

    /// The attempt, if it is at this step.
    pub(crate) fn at_step(&self, id: AttemptId, step: Step) -> Option<&Open> {
        self.get(id).filter(|open| open.step == step)
    }

    /// All open attempts, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Open> {
        self.open.values()
    }

    /// The open attempts of a job, in the order of their ids.
    pub(crate) fn of_job(&self, job: JobId) -> impl Iterator<Item = AttemptId> {
        self.of_job.of(job)
    }

    /// Moves an attempt to a step. It leaves the queue of the previous step.
    pub(crate) fn move_to(&mut self, id: AttemptId, step: Step) -> Option<&mut Open> {
        let open = self.open.get_mut(&id)?;
        if step != open.step {
            leave_queue(&mut self.due, &mut self.waiting, open);
            self.steps.add(open.step, -1);
            self.steps.add(step, 1);
        }
        open.step = step;
        Some(open)
    }

    /// Sets the state of an attempt when it starts to run, or no longer runs.
    pub(crate) fn set_state(&mut self, id: AttemptId, state: AttemptState) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let before = std::mem::replace(&mut open.state, state);
        self.running += usize::from(state == AttemptState::Running);
        self.running -= usize::from(before == AttemptState::Running);
    }

    /// How many attempts run.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// How many attempts are at each step.
    pub(crate) fn steps(&self) -> Steps {
        self.steps
    }

    /// Counts an attempt that is added or removed.
    fn count(&mut self, open: &Open, change: isize) {
        self.steps.add(open.step, change);
        if open.state == AttemptState::Running {
            self.running = self.running.saturating_add_signed(change);
        }
    }

    /// Sets when an attempt is due, if it waits for that.
    pub(crate) fn set_due(&mut self, id: AttemptId, at: Timestamp) {
        if let Some(open) = self.open.get_mut(&id).filter(|open| open.step == Step::NotDue) {
            self.due.set(id, &mut open.due, at);
        }
    }

    /// When the next attempt is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.next_at()
    }

    /// How many recorded attempts are not due yet.
    pub(crate) fn not_due(&self) -> usize {
        self.due.len()
    }

    /// Removes the next due attempt from its queue, to dispatch it.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<AttemptId> {
        let id = self.due.pop(now)?;
        if let Some(open) = self.open.get_mut(&id) {
            open.due = None;
        }
        Some(id)
    }

    /// Queues an attempt that is at [`Step::Waiting`]; one that waits for the same key keeps its
    /// place.
    pub(crate) fn wait_for(&mut self, id: AttemptId, key: WaitKey) {
        self.waiting.push(key, id);
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Changes the deadlines of an attempt, and sets its timer to the earliest.
    pub(crate) fn set_deadlines(&mut self, id: AttemptId, set: impl FnOnce(&mut Deadlines)) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let deadlines = &mut open.rare_mut().deadlines;
        set(deadlines);
        match deadlines.earliest() {
            Some(at) => self.timers.set(id, at),
            None => self.timers.cancel(id),
        }
    }

    /// Clears deadlines of an attempt, if it has any.
    pub(crate) fn end_deadlines(&mut self, id: AttemptId, end: impl FnOnce(&mut Deadlines)) {
        if self.open.get(&id).is_some_and(|open| open.deadlines() != Deadlines::NONE) {
            self.set_deadlines(id, end);
        }
    }

    /// When the next deadline passes, by uptime.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.timers.next_at()
    }

    /// The next attempt with passed deadlines, and these deadlines.
    pub(crate) fn pop_deadlines(&mut self, uptime: Duration) -> Option<(AttemptId, Deadlines)> {
        let id = self.timers.pop(uptime)?;
        let mut passed = Deadlines::NONE;
        self.set_deadlines(id, |deadlines| passed = deadlines.take_passed(uptime));
        Some((id, passed))
    }
}

/// Removes an attempt from the queue of its step. The queue of a lane is not here; the attempt
/// leaves it with the lane.
fn leave_queue(due: &mut Due, waiting: &mut Waiting, open: &mut Open) {
    match open.step {
        Step::NotDue => due.remove(open.row.attempt, &mut open.due),
        Step::Waiting => waiting.remove(open.row.attempt),
        Step::Recording | Step::Queued | Step::Placing | Step::Unsure | Step::Sent => {}
    }
}

/// Figures for the limits that the simulation checks.
#[cfg(any(test, feature = "simulation"))]
impl Attempts {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// A timer of an attempt that has ended.
    pub(crate) fn outlived_timer(&self) -> Option<AttemptId> {
        self.timers.all().find(|id| !self.open.contains_key(id))
    }

    /// Whether the counts of steps and of running attempts are those of the open attempts.
    pub(crate) fn is_counted_well(&self) -> bool {
        let mut counted = Steps::default();
        self.open.values().for_each(|open| counted.add(open.step, 1));
        let running = self.open.values().filter(|open| open.state == AttemptState::Running).count();
        (counted, running) == (self.steps, self.running)
    }

    /// Each index of the open attempts with its size.
    pub(crate) fn indexes(&self) -> [(&'static str, usize); 5] {
        [
            ("waiting attempts", self.waiting.len()),
            ("due attempts", self.due.len()),
            ("open attempts of jobs", self.of_job.len()),
            ("retried tasks", self.retried.len()),
            ("spread tasks", self.spreads.len()),
        ]
    }
}
