//! What an engine counts, for metrics and for live pages. No decision depends on it.
//!
//! Counts are plain integers that the engine's own thread increments. The shell adds them to those
//! of the node after each batch of events, so that no count costs a lock or an atomic per task.

use std::sync::Arc;

use fastjob_core::{Cause, FailReason, Job, JobId, TaskState, attempt::End};
use jiff::Timestamp;

use crate::{
    engine::Engine,
    maps::IdMap,
    record::{AlarmKind, Attempt, EndedAttempt},
};

/// The upper bounds of the buckets of [`Durations`], in milliseconds. Longer ones go into one more
/// bucket.
pub const DURATION_BOUNDS: [u64; 22] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000, 21_600_000, 86_400_000,
];

/// How often durations were measured, by bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Counts by bucket: of [`DURATION_BOUNDS`], and of longer ones. Not cumulative.
    pub buckets: [u64; DURATION_BOUNDS.len() + 1],
    /// All of them together, in milliseconds.
    pub sum_ms: u64,
}

impl Durations {
    fn add(&mut self, from: Timestamp, to: Timestamp) {
        // The clocks of nodes and executors differ: a duration that would be negative is zero.
        let ms = u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or_default();
        let bucket = DURATION_BOUNDS.partition_point(|bound| *bound < ms);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }
}

/// How attempts end: the names of [`Tally::attempts`], as values of a label.
pub const ATTEMPT_ENDS: [&str; 9] = [
    "succeeded",
    "error",
    "fatal_error",
    "timed_out",
    "executor_lost",
    "panicked",
    "no_executor",
    "stopped",
    "skipped",
];

const fn end_index(end: End) -> usize {
    match end {
        End::Succeeded => 0,
        End::Failed(FailReason::Error) => 1,
        End::Failed(FailReason::Fatal) => 2,
        End::Failed(FailReason::TimedOut) => 3,
        End::Failed(FailReason::ExecutorLost) => 4,
        End::Failed(FailReason::Panicked) => 5,
        End::Failed(FailReason::NoExecutor) => 6,
        End::Stopped => 7,
        End::Skipped => 8,
    }
}

/// The final states of tasks, in the order of [`Tally::tasks`].
pub const TASK_ENDS: [TaskState; 4] =
    [TaskState::Succeeded, TaskState::Failed, TaskState::Stopped, TaskState::Skipped];

const fn task_index(state: TaskState) -> Option<usize> {
    match state {
        TaskState::Succeeded => Some(0),
        TaskState::Failed => Some(1),
        TaskState::Stopped => Some(2),
        TaskState::Skipped => Some(3),
        TaskState::Queued | TaskState::Running | TaskState::Stopping => None,
    }
}

/// The kinds of alarms, in the order of [`Tally::alarms`].
pub const ALARM_KINDS: [AlarmKind; 4] =
    [AlarmKind::Failed, AlarmKind::Recovered, AlarmKind::RunsLong, AlarmKind::StartsLate];

/// What an engine has done since its tally was last cleared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Fires that were planned in time.
    pub fires_planned: u64,
    /// Tasks that catch up on missed fires.
    pub fires_caught_up: u64,
    /// Missed fires that were skipped.
    pub fires_skipped: u64,
    /// Planned fires that were cancelled, because their job was changed or deleted before they were
    /// sent. Their tasks leave no trace: created tasks are those that ended, are open, or were
    /// cancelled.
    pub fires_cancelled: u64,
    /// Tasks that were created to run, in the order of [`Cause::ALL`].
    pub created: [u64; Cause::ALL.len()],
    /// Fires and children that were recorded as skipped, because a limit of open tasks was reached.
    pub over_limit: u64,
    /// Attempts that were sent to executors.
    pub dispatched: u64,
    /// Attempts whose handler was entered. Pages show that as soon as it is reported; everything else
    /// that they show of a task changes with a commit.
    pub started: u64,
    /// Attempts that ended, in the order of [`ATTEMPT_ENDS`].
    pub attempts: [u64; ATTEMPT_ENDS.len()],
    /// Attempts that ended and are retried.
    pub retried: u64,
    /// Tasks that ended, in the order of [`TASK_ENDS`].
    pub tasks: [u64; TASK_ENDS.len()],
    /// Alarms that were raised, in the order of [`ALARM_KINDS`].
    pub alarms: [u64; ALARM_KINDS.len()],
    /// From the fire to the start, of first attempts that a schedule started.
    pub lateness: Durations,
    /// From the instant when an attempt was due to its start.
    pub wait: Durations,
    /// From the start to the end of an attempt.
    pub run_time: Durations,
    /// Tasks that ended by job, if the engine counts by job.
    jobs: IdMap<JobId, JobTally>,
    counts_jobs: bool,
    is_changed: bool,
}

/// Tasks of one job that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobTally {
    /// Its id.
    pub id: JobId,
    /// The job.
    pub job: Arc<Job>,
    /// Tasks that ended, in the order of [`TASK_ENDS`].
    pub tasks: [u64; TASK_ENDS.len()],
    /// The run times of the attempts with which they ended, in milliseconds.
    pub run_ms: u64,
    /// When the latest of those that succeeded ended; `None` if none did.
    pub succeeded_at: Option<Timestamp>,
}

impl Tally {
    /// Whether anything was counted since it was last cleared.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The counts by job.
    pub fn jobs(&self) -> impl Iterator<Item = &JobTally> {
        self.jobs.values()
    }

    /// Counts from zero again.
    pub fn clear(&mut self) {
        // Its map keeps its memory, which is bounded by the jobs of one batch.
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.clear();
        *self = Self { jobs, counts_jobs: self.counts_jobs, ..Self::default() };
    }

    /// The fields, to count something.
    pub(crate) fn count(&mut self) -> &mut Self {
        self.is_changed = true;
        self
    }

    pub(crate) fn created(&mut self, cause: Cause) {
        let index = match cause {
            Cause::Schedule => 0,
            Cause::Misfire => 1,
            Cause::Manual => 2,
            Cause::Api => 3,
            Cause::Parent => 4,
            Cause::Backfill => 5,
        };
        self.count().created[index] += 1;
    }

    pub(crate) fn raised(&mut self, kind: AlarmKind) {
        let index = match kind {
            AlarmKind::Failed => 0,
            AlarmKind::Recovered => 1,
            AlarmKind::RunsLong => 2,
            AlarmKind::StartsLate => 3,
        };
        self.count().alarms[index] += 1;
    }

    pub(crate) fn attempt_ended(&mut self, attempt: &Attempt, end: End, row: &EndedAttempt) {
        self.count().attempts[end_index(end)] += 1;
        let Some(started_at) = row.started_at else { return };
        self.wait.add(attempt.due_at, started_at);
        self.run_time.add(started_at, row.ended_at);
        // A retry starts late on purpose.
        let is_scheduled = attempt.cause == Cause::Schedule && attempt.number == 1;
        if let Some(fire_at) = attempt.fire_at.filter(|_| is_scheduled) {
            self.lateness.add(fire_at, started_at);
        }
    }

    /// Counts a task that ended with this attempt; without one if it never had any that could run.
    fn task_ended(
        &mut self,
        state: TaskState,
        job: Option<&Arc<Job>>,
        id: JobId,
        last: Option<&EndedAttempt>,
    ) {
        let Some(index) = task_index(state) else { return };
        self.count().tasks[index] += 1;
        let Some(job) = job.filter(|_| self.counts_jobs) else { return };
        let of_job = self.jobs.entry(id).or_insert_with(|| JobTally {
            id,
            job: Arc::clone(job),
            tasks: [0; TASK_ENDS.len()],
            run_ms: 0,
            succeeded_at: None,
        });
        of_job.tasks[index] += 1;
        let Some(last) = last else { return };
        if let Some(started_at) = last.started_at {
            let ran = last.ended_at.as_millisecond() - started_at.as_millisecond();
            of_job.run_ms = of_job.run_ms.saturating_add(u64::try_from(ran).unwrap_or_default());
        }
        if state == TaskState::Succeeded {
            of_job.succeeded_at = of_job.succeeded_at.max(Some(last.ended_at));
        }
    }
}

/// What an engine holds at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Open tasks that wait for their instant, an executor or their turn. Unlike lists, they include
    /// those that are not durable yet. A task that is spread over executors counts once.
    pub tasks_queued: u64,
    /// Open tasks that run, or that are stopping.
    pub tasks_running: u64,
    /// Open attempts that are recorded, or are about to be, and are not due yet.
    pub not_due: u64,
    /// Due attempts that wait for their turn in their job's lane across the cluster.
    pub waiting_turn: u64,
    /// Due attempts that no executor could take.
    pub waiting_executor: u64,
    /// Attempts that are sent, or are about to be, and whose start was not reported.
    pub dispatched: u64,
    /// Attempts whose handler was entered.
    pub running: u64,
    /// Rows that wait for the store.
    pub unwritten: u64,
    /// Every fire up to here was planned.
    pub watermark: Timestamp,
}

impl Engine {
    /// What it has done since its tally was last cleared.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Counts a task that ended with this attempt; without one if it never had any that could run.
    pub(crate) fn count_ended(
        &mut self,
        state: TaskState,
        job: JobId,
        last: Option<&EndedAttempt>,
    ) {
        self.tally.task_ended(state, self.catalog.job(job), job, last);
    }

    /// Counts tasks by job from now on.
    pub fn count_by_job(&mut self) {
        self.tally.counts_jobs = true;
    }

    /// What it holds. This takes no longer if it holds more.
    pub fn gauges(&self) -> Gauges {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let steps = self.attempts.steps();
        let tasks = self.attempts.open_tasks();
        let held = steps.placing + steps.unsure + steps.sent;
        Gauges {
            tasks_queued: tasks.queued,
            tasks_running: tasks.running,
            not_due: count(steps.recording + steps.not_due),
            waiting_turn: count(steps.queued),
            waiting_executor: count(steps.waiting),
            dispatched: count(held.saturating_sub(self.attempts.running())),
            running: count(self.attempts.running()),
            unwritten: count(self.journal.rows_in_flight()),
            watermark: self.agenda.watermark(),
        }
    }
}
