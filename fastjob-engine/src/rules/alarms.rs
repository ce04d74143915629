//! Alarms: recorded in the same commit as their cause, and sent by the coordinator.
//!
//! Each task raises an alarm of one kind once. The store ignores an alarm that it has already, so a
//! restart does not raise it again.

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, ChannelName, FailReason, Job, JobId, TaskId, TaskState, job::NO_ALARMS,
};

use super::early::EARLY;
use crate::{
    engine::Engine,
    event::Now,
    record::{AlarmKind, AlarmRow},
    state::attempts::{DefaultAlarms, Open, ShardFailure},
};

/// The maximum length of a message, in bytes.
const MESSAGE_MAX: usize = 1_024;

/// What an alarm says.
struct Text<'a> {
    kind: AlarmKind,
    reason: &'a str,
    message: &'a str,
}

/// Why a task ended as it did.
pub(super) struct Why<'a> {
    pub(super) reason: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// Which of its shards failed; `None` if it was not spread, or none failed.
    pub(super) shards: Option<FailedShards>,
    /// Why its children were not started, if they should have been.
    pub(super) refused: Option<String>,
}

/// The shards of a task that failed.
pub(super) struct FailedShards {
    pub(super) failed: usize,
    /// The number of all shards.
    pub(super) total: usize,
    /// One of them.
    pub(super) one: ShardFailure,
}

impl FailedShards {
    /// Such as `2 of 8 shards failed, shard 3 first: the disk is full`.
    fn message(&self) -> String {
        let Self { failed, total, one } = self;
        let which = match failed {
            1 => format!("shard {} of {total} failed", one.shard),
            _ if one.is_loaded => {
                format!("{failed} of {total} shards failed, one of them shard {}", one.shard)
            }
            _ => format!("{failed} of {total} shards failed, shard {} first", one.shard),
        };
        let why = one.message.as_deref().filter(|message| !message.is_empty());
        why.map_or_else(|| which.clone(), |why| format!("{which}: {why}"))
    }
}

impl Engine {
    /// Raises the alarm of a task that has ended. A task whose children were not started counts as
    /// failed: the work that should have followed does not happen.
    pub(super) fn alarm_end(&mut self, now: Now, open: &Open, end: TaskState, why: &Why<'_>) {
        let Some(entry) = self.catalog.get_mut(open.row.job) else { return };
        if channels(&self.default_alarms, entry.job()).is_empty() {
            return;
        }
        let kind = match end {
            TaskState::Failed => AlarmKind::Failed,
            _ if why.refused.is_some() => AlarmKind::Failed,
            TaskState::Succeeded if entry.failing => AlarmKind::Recovered,
            TaskState::Queued
            | TaskState::Running
            | TaskState::Stopping
            | TaskState::Succeeded
            | TaskState::Stopped
            | TaskState::Skipped => return,
        };
        entry.failing = kind == AlarmKind::Failed;
        let shards = why.shards.as_ref().filter(|_| end == TaskState::Failed);
        let reason = match kind {
            AlarmKind::Failed if end == TaskState::Failed => {
                let of_shard = |shards: &FailedShards| {
                    shards.one.reason.map_or("a shard failed", FailReason::as_str)
                };
                shards.map(of_shard).or(why.reason).unwrap_or("a retry was skipped")
            }
            AlarmKind::Failed => "children not started",
            AlarmKind::Recovered | AlarmKind::RunsLong | AlarmKind::StartsLate => "",
        };
        let of_shards = shards.map(FailedShards::message);
        let message = [of_shards.as_deref().or(why.message), why.refused.as_deref()];
        let message: Vec<_> = message.into_iter().flatten().collect();
        let text = Text { kind, reason, message: &message.join("; ") };
        let (executor, number) = match shards {
            Some(shards) => (shards.one.executor.clone(), shards.one.number),
            None => {
                let life = self.fleet.at(open.life());
                (life.map(|life| life.executor().to_string()), open.row.number)
            }
        };
        self.push_alarm(now, open.row.job, Some(open.row.task), executor, number, &text);
    }

    /// Raises the alarm of fires that were missed and are not caught up.
    pub(super) fn alarm_missed(&mut self, now: Now, job: JobId, task: TaskId, note: &str) {
        let text = Text { kind: AlarmKind::StartsLate, reason: "missed", message: note };
        if self.alarmed_job(job).is_some() {
            self.push_alarm(now, job, Some(task), None, 0, &text);
        }
    }

    /// Watches for a late start of a due attempt.
    pub(super) fn watch_start(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.attempts.get_mut(attempt) else { return };
        let (job, defaults) = (self.catalog.job(open.row.job), &self.default_alarms);
        let has_alarms = |job: &&Arc<Job>| !channels(defaults, job).is_empty();
        let Some(job) = job.filter(has_alarms) else { return };
        let until_due = Duration::try_from(open.row.due_at.duration_since(now.wall));
        // Only an attempt that is sent early is not due yet.
        let at = now.uptime + until_due.unwrap_or_default().min(EARLY);
        let at = at.saturating_add(job.alarm_after.starts);
        if !std::mem::replace(&mut open.rare_mut().watched, true) {
            self.attempts.set_deadlines(attempt, |deadlines| deadlines.starts_late = Some(at));
        }
    }

    /// Watches for a long run of an attempt whose handler was entered.
    pub(super) fn watch_run(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let job = self.catalog.job(open.row.job);
        let job = job.filter(|job| !channels(&self.default_alarms, job).is_empty());
        let runs = job.and_then(|job| job.alarm_after.runs);
        if let Some(runs) = runs {
            // Executors may report a start again: the time since the start counts.
            let ran = open.started_at.map(|at| now.wall.duration_since(at));
            let ran = ran.and_then(|ran| Duration::try_from(ran).ok()).unwrap_or_default();
            let at = now.uptime.saturating_add(runs.saturating_sub(ran));
            self.attempts.set_deadlines(attempt, |deadlines| deadlines.runs_long = Some(at));
        }
    }

    pub(crate) fn starts_late(&mut self, now: Now, attempt: AttemptId) {
        self.alarm_open(now, attempt, AlarmKind::StartsLate);
    }

    pub(crate) fn runs_long(&mut self, now: Now, attempt: AttemptId) {
        self.alarm_open(now, attempt, AlarmKind::RunsLong);
    }

    fn alarm_open(&mut self, now: Now, attempt: AttemptId, kind: AlarmKind) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let Some(job) = self.alarmed_job(open.row.job) else { return };
        let runs = open.state == AttemptState::Running;
        let (reason, after) = match kind {
            AlarmKind::StartsLate if !runs => ("not started", job.alarm_after.starts),
            AlarmKind::RunsLong if runs => ("running", job.alarm_after.runs.unwrap_or_default()),
            AlarmKind::Failed
            | AlarmKind::Recovered
            | AlarmKind::RunsLong
            | AlarmKind::StartsLate => return,
        };
        let message = format!("{reason} after {}", fastjob_core::duration::to_text(after));
        let (job, task, number, life) = (open.row.job, open.row.task, open.row.number, open.life());
        let text = Text { kind, reason, message: &message };
        let executor = self.fleet.at(life).map(|life| life.executor().to_string());
        self.push_alarm(now, job, Some(task), executor, number, &text);
    }

    fn push_alarm(
        &mut self,
        now: Now,
        id: JobId,
        task: Option<TaskId>,
        executor: Option<String>,
        attempts: u32,
        text: &Text<'_>,
    ) {
        let Some(job) = self.alarmed_job(id) else { return };
        let alarm = self.journal.new_id();
        self.tally.raised(text.kind);
        self.journal.commit().alarms.push(AlarmRow {
            id: alarm,
            job: id,
            task,
            kind: text.kind,
            channels: channels(&self.default_alarms, &job).to_vec(),
            at: now.wall,
            job_name: job.path().to_string(),
            reason: text.reason.to_owned(),
            message: cut(text.message).to_owned(),
            executor,
            attempts,
        });
    }

    /// The job, if it has alarms.
    fn alarmed_job(&self, job: JobId) -> Option<Arc<Job>> {
        let job = self.catalog.job(job)?;
        (!channels(&self.default_alarms, job).is_empty()).then(|| Arc::clone(job))
    }
}

/// The channels of a job: its own, or else those of its service.
fn channels<'a>(defaults: &'a DefaultAlarms, job: &'a Job) -> &'a [ChannelName] {
    match job.alarms.as_slice() {
        [] if defaults.is_empty() => &[],
        [] => defaults.get(&job.service).map_or(&[], Vec::as_slice),
        [only] if only.as_str() == NO_ALARMS => &[],
        own => own,
    }
}

/// The beginning of a text, cut between characters.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_MAX)]
}
