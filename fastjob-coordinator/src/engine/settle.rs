//! From outcomes to what follows from them.
//!
//! What follows from an outcome is written with it: the end of the task, the retry's attempt, the
//! next fire of a fixed delay. A late outcome, of an attempt that was given up, changes nothing
//! and is acknowledged, so that its executor forgets it.

use fastjob_core::{
    AttemptId, AttemptState, Cause, TaskState,
    attempt::{self, AttemptEvent, End},
    task::{self, TaskEvent},
};
use jiff::SignedDuration;
use rand::RngExt;

use super::{
    Effects, Engine, Message, Now, Outcome, SessionId,
    state::{After, Open, Step},
};
use crate::record::{EndedAttempt, LifeId};

impl Engine {
    pub(super) fn finished(
        &mut self,
        now: Now,
        session: SessionId,
        outcomes: Vec<Outcome>,
        out: &mut Effects,
    ) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        let mut late = Vec::new();
        for outcome in outcomes {
            if self.settling.contains(&outcome.attempt) {
                continue; // acknowledged when it is durable
            }
            match self.open.get(&outcome.attempt) {
                Some(open) if open.life == Some(life) => self.settle(now, Some(life), outcome),
                _ => late.push(outcome.attempt),
            }
        }
        if !late.is_empty() {
            self.acknowledge(Some(life), late, out);
        }
        self.pump(now, life, out);
    }

    /// Tells the executor that it can forget these.
    pub(super) fn acknowledge(
        &mut self,
        life: Option<LifeId>,
        attempts: Vec<AttemptId>,
        out: &mut Effects,
    ) {
        let session = life.and_then(|life| self.lives.get(&life)).and_then(|life| life.session);
        if let Some(session) = session {
            out.sends.push((session, Message::Recorded(attempts)));
        }
    }

    /// Ends an attempt by a decision made here.
    pub(super) fn end_here(
        &mut self,
        now: Now,
        attempt: AttemptId,
        end: End,
        message: Option<String>,
    ) {
        let started_at = self.open.get(&attempt).and_then(|open| open.started_at);
        self.settle(
            now,
            None,
            Outcome {
                attempt,
                end,
                result: None,
                message,
                started_at,
                ended_at: now.wall,
                log_tail: String::new(),
                checkpoint: None,
            },
        );
    }

    fn settle(&mut self, now: Now, reported_by: Option<LifeId>, outcome: Outcome) {
        let attempt = outcome.attempt;
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(state) = attempt::next(open.state, AttemptEvent::Ended(outcome.end)) else {
            return;
        };
        let Some(open) = self.open.remove(&attempt) else { return };
        self.leave(&open, attempt);
        let retry = self.retry_at(now, &open, outcome.end);
        let event = match (outcome.end, retry) {
            (_, Some(_)) => TaskEvent::RetryPlanned,
            (End::Succeeded, None) => TaskEvent::AttemptSucceeded,
            (End::Failed(_), None) => TaskEvent::AttemptFailed,
            (End::Stopped, None) => TaskEvent::AttemptStopped,
            (End::Skipped, None) => TaskEvent::AttemptSkipped,
        };
        let task_state = task::next(open.task_state, event).unwrap_or(TaskState::Failed);
        // The clocks of executors may be off; what is kept has to make sense.
        let started_at = outcome.started_at.map(|at| at.max(open.created_at));
        let ended_at = outcome.ended_at.max(started_at.unwrap_or(open.created_at));
        self.commit.ended.push(EndedAttempt {
            attempt,
            task: open.task,
            state,
            reason: outcome.end.reason(),
            message: outcome.message,
            result: outcome.result,
            log_tail: outcome.log_tail,
            started_at,
            ended_at,
            task_state: Some(task_state),
        });
        if reported_by.is_some() {
            self.settling.insert(attempt);
            match self.after.last_mut() {
                Some(After::Settled(life, attempts)) if *life == reported_by => {
                    attempts.push(attempt);
                }
                _ => self.after.push(After::Settled(reported_by, vec![attempt])),
            }
        }
        if open.task.first_attempt() != attempt {
            self.retried.remove(&open.task);
        }
        match retry {
            Some(due_at) => self.retry(now, open, due_at),
            None => self.task_ended(now, &open),
        }
    }

    /// Takes an attempt off the executor and the lists that have it.
    fn leave(&mut self, open: &Open, attempt: AttemptId) {
        if matches!(open.step, Step::Sent | Step::Placing)
            && let Some(life) = open.life.and_then(|life| self.lives.get_mut(&life))
        {
            life.holds = life.holds.saturating_sub(1);
        }
        if matches!(open.step, Step::NotDue | Step::Recording)
            && let Some(entry) = self.jobs.get_mut(&open.job)
        {
            entry.planned.retain(|planned| *planned != attempt);
        }
    }

    /// When to try again, if at all.
    fn retry_at(&mut self, now: Now, open: &Open, end: End) -> Option<jiff::Timestamp> {
        let reason = end.reason()?;
        if !reason.is_retryable() || open.task_state == TaskState::Stopping {
            return None;
        }
        let entry = self.jobs.get(&open.job).filter(|entry| entry.row.deleted_at.is_none())?;
        let delay = entry.row.job.retry.delay_after(open.number, self.dice.random())?;
        now.wall.checked_add(SignedDuration::try_from(delay).ok()?).ok()
    }

    fn retry(&mut self, now: Now, before: Open, due_at: jiff::Timestamp) {
        let attempt = AttemptId(self.new_id());
        let open = Open {
            number: before.number + 1,
            due_at,
            created_at: now.wall,
            state: AttemptState::Planned,
            task_state: TaskState::Running,
            step: Step::Recording,
            life: None,
            started_at: None,
            epoch: 0,
            ..before
        };
        self.insert(now, attempt, open, None);
    }

    fn task_ended(&mut self, now: Now, open: &Open) {
        if !matches!(open.cause, Cause::Schedule | Cause::Misfire) {
            return;
        }
        let Some(entry) = self.jobs.get_mut(&open.job) else { return };
        entry.scheduled = entry.scheduled.saturating_sub(1);
        if entry.row.job.timetable.follows_the_last_end() && entry.scheduled == 0 {
            entry.row.anchor = entry.row.anchor.max(now.wall);
            let anchor = entry.row.anchor;
            self.commit.anchors.push((open.job, anchor));
            self.schedule_next(open.job);
        }
    }
}
