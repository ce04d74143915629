//! What people are to be told: written with what it tells of, sent by `alarm`.
//!
//! Each task tells of a kind of trouble once; the store leaves out what is there already, so that a
//! restart tells nothing a second time.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, AttemptState, Job, JobId, TaskId, TaskState};

use super::{Engine, Now, state::Open};
use crate::record::{AlarmKind, AlarmRow};

/// Most bytes of a message.
const MESSAGE_MAX: usize = 1_024;

/// What is told.
struct Told<'a> {
    kind: AlarmKind,
    reason: &'a str,
    message: &'a str,
}

/// Why a task ended as it did.
pub(super) struct Why<'a> {
    pub(super) reason: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// Why its children were not started, if they should have been.
    pub(super) refused: Option<String>,
}

impl Engine {
    /// Raises the alarm of a task that has ended. A task whose children were not started counts as
    /// failed: the work that should have followed does not happen.
    pub(super) fn tell_end(&mut self, now: Now, open: &Open, end: TaskState, why: &Why<'_>) {
        let Some(entry) = self.catalog.get_mut(open.job) else { return };
        if entry.job().alarms.is_empty() {
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
        let reason = match kind {
            AlarmKind::Failed if end == TaskState::Failed => why.reason.unwrap_or("a shard failed"),
            AlarmKind::Failed => "children not started",
            AlarmKind::Recovered | AlarmKind::RunsLong | AlarmKind::StartsLate => "",
        };
        let message = [why.message, why.refused.as_deref()];
        let message: Vec<_> = message.into_iter().flatten().collect();
        let told = Told { kind, reason, message: &message.join("; ") };
        let executor = open.life.and_then(|life| self.lives.get(&life));
        let executor = executor.map(|life| life.executor.to_string());
        self.push_alarm(now, open.job, Some(open.task), executor, open.number, &told);
    }

    /// Fires were missed and nothing makes up for them.
    pub(super) fn tell_missed(&mut self, now: Now, job: JobId, task: TaskId, note: &str) {
        let told = Told { kind: AlarmKind::StartsLate, reason: "missed", message: note };
        if self.tells(job).is_some() {
            self.push_alarm(now, job, Some(task), None, 0, &told);
        }
    }

    /// A due attempt is on its way: its handler should be entered soon.
    pub(super) fn watch_start(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let job = self.catalog.job(open.job);
        let Some(job) = job.filter(|job| !job.alarms.is_empty()) else { return };
        let at = now.uptime.saturating_add(job.alarm_after.starts);
        if !std::mem::replace(&mut open.more_mut().watched, true) {
            self.set_deadline(attempt, |deadlines| deadlines.starts_late = Some(at));
        }
    }

    /// A handler was entered: it should not run too long.
    pub(super) fn watch_run(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        let job = self.catalog.job(open.job);
        let runs = job.filter(|job| !job.alarms.is_empty()).and_then(|job| job.alarm_after.runs);
        if let Some(runs) = runs {
            // Executors say again what they have started.
            let ran = open.started_at.map(|at| now.wall.duration_since(at));
            let ran = ran.and_then(|ran| Duration::try_from(ran).ok()).unwrap_or_default();
            let at = now.uptime.saturating_add(runs.saturating_sub(ran));
            self.set_deadline(attempt, |deadlines| deadlines.runs_long = Some(at));
        }
    }

    pub(super) fn starts_late(&mut self, now: Now, attempt: AttemptId) {
        self.tell_open(now, attempt, AlarmKind::StartsLate);
    }

    pub(super) fn runs_long(&mut self, now: Now, attempt: AttemptId) {
        self.tell_open(now, attempt, AlarmKind::RunsLong);
    }

    fn tell_open(&mut self, now: Now, attempt: AttemptId, kind: AlarmKind) {
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(job) = self.tells(open.job) else { return };
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
        let (job, task, number, life) = (open.job, open.task, open.number, open.life);
        let told = Told { kind, reason, message: &message };
        let executor = life.and_then(|life| self.lives.get(&life));
        let executor = executor.map(|life| life.executor.to_string());
        self.push_alarm(now, job, Some(task), executor, number, &told);
    }

    fn push_alarm(
        &mut self,
        now: Now,
        id: JobId,
        task: Option<TaskId>,
        executor: Option<String>,
        attempts: u32,
        told: &Told<'_>,
    ) {
        let Some(job) = self.tells(id) else { return };
        let alarm = self.new_id();
        self.commit.alarms.push(AlarmRow {
            id: alarm,
            job: id,
            task,
            kind: told.kind,
            channels: job.alarms.clone(),
            at: now.wall,
            job_name: format!("{}.{}", job.service, job.name),
            reason: told.reason.to_owned(),
            message: cut(told.message).to_owned(),
            executor,
            attempts,
        });
    }

    /// The job, if anybody is to be told of it.
    fn tells(&self, job: JobId) -> Option<Arc<Job>> {
        let job = self.catalog.job(job)?;
        (!job.alarms.is_empty()).then(|| Arc::clone(job))
    }
}

/// The beginning of a text, whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MESSAGE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
