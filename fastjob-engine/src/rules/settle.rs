//! Handles outcomes, and what follows from them.
//!
//! Everything that follows from an outcome is written in the same commit: the end of the task, the
//! attempt of the retry, the next fire of a fixed delay. A late outcome, of an abandoned attempt,
//! changes nothing and is acknowledged, so that its executor forgets it.

use std::time::Duration;

use fastjob_core::{
    AttemptId, AttemptState, Cause, FailReason, TaskState,
    attempt::{self, AttemptEvent, End},
    shard::ShardStrategy,
    task::{self, TaskEvent},
};
use jiff::SignedDuration;
use rand::RngExt;

use super::{
    alarms::{FailedShards, Why, cut},
    plan::{Head, soon},
};
use crate::{
    effect::{Effects, Message},
    engine::Engine,
    event::{Held, Now, Outcome, SessionId},
    record::{Attempt, Checkpoint, EndedAttempt, LifeId},
    state::attempts::{Open, ShardFailure, SpreadEnd},
};

/// How often a shard that was lost with its executor is dispatched again, beyond its job's retries.
const MOVES: u32 = 3;

/// Whether an attempt that ended is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retried {
    Yes,
    No,
}

impl Engine {
    pub(crate) fn finished(
        &mut self,
        now: Now,
        session: SessionId,
        outcomes: Vec<Outcome>,
        out: &mut Effects,
    ) {
        let Some(life) = self.fleet.of_session(session) else { return };
        let mut late = Vec::new();
        for outcome in outcomes {
            if self.journal.is_settling(outcome.attempt) {
                continue; // acknowledged when it is durable
            }
            let held = outcome.held();
            if self.attempts.get(held.attempt).is_some_and(|open| open.is_at(life, held)) {
                self.measure(now, life, &outcome);
                self.settle(now, Some(life), outcome);
            } else {
                late.push(held);
            }
        }
        if !late.is_empty() {
            self.journal.follow_late(life, late);
        }
        self.pump(now, life, out);
    }

    /// Measures how long a handler ran, for routes that use it.
    fn measure(&mut self, now: Now, life: LifeId, outcome: &Outcome) {
        if let Some(started_at) = outcome.started_at {
            let ran = outcome.ended_at.duration_since(started_at).as_secs_f64() * 1_000.0;
            self.fleet.measure_run(life, ran.max(0.0), now.uptime);
        }
    }

    /// Notifies the executor that it can forget these attempts.
    pub(crate) fn acknowledge(
        &mut self,
        life: Option<LifeId>,
        attempts: Vec<Held>,
        out: &mut Effects,
    ) {
        if let Some(session) = self.fleet.session_at(life) {
            out.sends.push((session, Message::Recorded(attempts)));
        }
    }

    /// Ends an attempt by a decision of the engine.
    pub(super) fn end_here(
        &mut self,
        now: Now,
        attempt: AttemptId,
        end: End,
        message: Option<String>,
    ) {
        // Only callers that report about retries need to know whether there is one.
        let _: Option<Retried> = self.end_reporting(now, attempt, end, message);
    }

    /// Like [`end_here`](Self::end_here). Returns whether the attempt is retried; `None` if it was
    /// not open.
    pub(super) fn end_reporting(
        &mut self,
        now: Now,
        attempt: AttemptId,
        end: End,
        message: Option<String>,
    ) -> Option<Retried> {
        let open = self.attempts.get(attempt)?;
        let outcome = Outcome {
            attempt,
            created_at: open.row.created_at,
            end,
            result: None,
            message,
            started_at: open.started_at,
            ended_at: now.wall,
            log_tail: String::new(),
            log_at: 0,
            checkpoint: None,
        };
        self.settle(now, None, outcome)
    }

    fn settle(
        &mut self,
        now: Now,
        reported_by: Option<LifeId>,
        mut outcome: Outcome,
    ) -> Option<Retried> {
        let attempt = outcome.attempt;
        let open = self.attempts.get(attempt)?;
        let state = attempt::next(open.state, AttemptEvent::Ended(outcome.end))?;
        let mut open = self.forget(attempt)?;
        self.leave_lane(now, open.row.job, attempt);
        if let Some(fire_at) = open.row.fire_at.filter(|_| open.is_out())
            && fire_at > now.wall
            // Fires are planned no further ahead of the recorded clock. A later one is of a wrong
            // clock that was repaired since: it must not stop the schedule until then.
            && fire_at <= soon(now)
            && let Some(entry) = self.catalog.get_mut(open.row.job)
        {
            // An earlier engine may have sent it, whose clock had reached the fire.
            entry.note_fired_ahead(fire_at);
            self.journal.commit().fired_ahead.push((open.row.job, fire_at));
        }
        let retry = self.retry_after(now, &open, outcome.end);
        let (task_state, spread) = self.task_after(&open, &outcome, retry.is_some());
        let (task_result, shards) = spread.map_or((None, None), |end| {
            let SpreadEnd { state: _, results, failed, total } = end;
            (Some(results), failed.map(|(failed, one)| FailedShards { failed, total, one }))
        });
        let ended = task_state.filter(|state| state.is_final());
        if let Some(end) = ended {
            let result = task_result.as_deref().or(outcome.result.as_deref());
            let refused = self.start_children(now, &open, end, result);
            let reason = outcome.end.reason().map(FailReason::as_str);
            let why = Why { reason, message: outcome.message.as_deref(), shards, refused };
            self.alarm_end(now, &open, end, &why);
        }
        let checkpoint = outcome.checkpoint.take();
        let end = outcome.end;
        let mut row = ended_row(now, &open, state, outcome, task_state, task_result);
        row.service = ended.and_then(|_| self.catalog.service_key(open.row.job));
        self.tally.attempt_ended(&open.row, end, &row);
        if let Some(state) = ended {
            self.count_ended(state, open.row.job, Some(&row));
        }
        self.trace_end(&open, end, &row);
        self.journal.commit().ended.push(row);
        if let Some(life) = reported_by {
            self.journal.follow_settled(life, open.held());
        }
        self.attempts.leave_task(&open.row);
        if let Some(delay) = retry {
            self.tally.count().retried += 1;
            self.keep_last_checkpoint(&mut open, checkpoint);
            self.retry(now, open, delay);
            Some(Retried::Yes)
        } else {
            // No attempt will need the checkpoint of this shard.
            drop(self.journal.checkpoints().take((open.row.task, open.row.shard.index)));
            if ended.is_some() {
                self.task_ended(now, &open.row);
            }
            Some(Retried::No)
        }
    }

    /// The task's state after the end of one of its attempts, and the end of all its shards if this
    /// was the last one.
    fn task_after(
        &mut self,
        open: &Open,
        outcome: &Outcome,
        retried: bool,
    ) -> (Option<TaskState>, Option<SpreadEnd>) {
        let event = match outcome.end {
            _ if retried => TaskEvent::RetryPlanned,
            End::Succeeded => TaskEvent::AttemptSucceeded,
            End::Failed(_) => TaskEvent::AttemptFailed,
            End::Stopped => TaskEvent::AttemptStopped,
            // An earlier attempt ran and failed: the task is failed, although the retry was
            // skipped.
            End::Skipped if open.row.number > 1 => TaskEvent::AttemptFailed,
            End::Skipped => TaskEvent::AttemptSkipped,
        };
        let task = open.row.task;
        if !self.attempts.is_spread(task) {
            (Some(task::next(open.task_state(), event).unwrap_or(TaskState::Failed)), None)
        } else if retried {
            (self.attempts.retry_shard(task, event), None)
        } else {
            let fleet = &self.fleet;
            let failure = || ShardFailure {
                shard: open.row.shard.index,
                number: open.row.number,
                executor: fleet.at(open.life()).map(|life| life.executor().to_string()),
                reason: outcome.end.reason(),
                message: outcome.message.as_deref().map(|text| cut(text).to_owned()),
                is_loaded: false,
            };
            let result = outcome.result.as_deref();
            let end = self.attempts.end_shard(&open.row, outcome.end, result, failure);
            (end.as_ref().map(|end| end.state), end)
        }
    }

    /// The delay before the retry; `None` if there is none.
    fn retry_after(&mut self, now: Now, open: &Open, end: End) -> Option<Duration> {
        let reason = end.reason()?;
        if !reason.is_retryable() || self.attempts.task_state(open) == TaskState::Stopping {
            return None;
        }
        let entry = self.catalog.get(open.row.job).filter(|entry| !entry.is_deleted())?;
        let job = entry.job();
        // The other shards of its task still run or have ended, so a shard that is lost with its
        // executor is moved.
        let moves = end == End::Failed(FailReason::ExecutorLost)
            && job.shard != ShardStrategy::One
            && open.row.number <= job.retry.count + MOVES;
        let delay = match job.retry.delay_after(open.row.number, self.dice.random()) {
            None if moves => Duration::ZERO,
            delay => delay?,
        };
        now.wall.checked_add(SignedDuration::try_from(delay).ok()?).ok().map(|_| delay)
    }

    fn retry(&mut self, now: Now, mut before: Open, delay: Duration) {
        let attempt = AttemptId(self.journal.new_id());
        let failed_on = self.fleet.at(before.life()).map(|life| life.executor().clone());
        let rare = before.rare_mut();
        rare.due_in = Some(now.uptime + delay);
        rare.avoid = failed_on.or(rare.avoid.take());
        rare.bound = None;
        rare.progress = None;
        let delay = SignedDuration::try_from(delay).unwrap_or_default();
        let row = Attempt {
            attempt,
            number: before.row.number + 1,
            due_at: now.wall.checked_add(delay).unwrap_or(now.wall),
            created_at: now.wall,
            ..before.row
        };
        let open = before.retry(row);
        let is_soon = open.row.due_at <= soon(now);
        let life = if is_soon { self.pick(now, &open) } else { None };
        self.insert(open, life, Head::default());
    }

    /// Keeps the last checkpoint of an attempt, which its outcome carries: it is written together
    /// with the retry that starts from it.
    fn keep_last_checkpoint(&mut self, open: &mut Open, last: Option<String>) {
        let (task, shard) = (open.row.task, open.row.shard.index);
        let waits = self.journal.checkpoints().take((task, shard));
        let last = last.map(std::sync::Arc::<str>::from);
        let is_new = last.is_some() && open.rare().checkpoint != last;
        let Some(value) = last.filter(|_| is_new).or(waits) else { return };
        open.rare_mut().checkpoint = Some(std::sync::Arc::clone(&value));
        self.journal.commit().checkpoints.push(Checkpoint { task, shard, value });
    }

    fn task_ended(&mut self, now: Now, row: &Attempt) {
        if !matches!(row.cause, Cause::Schedule | Cause::Misfire) {
            return;
        }
        let Some(entry) = self.catalog.get_mut(row.job) else { return };
        entry.scheduled = entry.scheduled.saturating_sub(1);
        if entry.job().timetable.follows_the_last_end() && entry.scheduled == 0 {
            // The next fire must be at a later instant, even if this one was lost before it was
            // due.
            let end = row.fire_at.map_or(now.wall, |fire_at| fire_at.max(now.wall));
            entry.set_anchor(entry.anchor().max(end));
            let anchor = entry.anchor();
            // No fire is planned beyond the anchor, but the watermark may be later.
            entry.set_cursor(entry.cursor().min(anchor));
            self.journal.commit().anchors.push((row.job, anchor));
            self.schedule_next(row.job);
        }
    }
}

/// The row of an attempt that has ended. The clocks of executors may be wrong, so their instants
/// are limited to the range from the attempt's creation to now, by the coordinator's clock.
fn ended_row(
    now: Now,
    open: &Open,
    state: AttemptState,
    outcome: Outcome,
    task_state: Option<TaskState>,
    task_result: Option<String>,
) -> EndedAttempt {
    let (from, until) = (open.row.created_at, now.wall.max(open.row.created_at));
    let started_at = outcome.started_at.map(|at| at.clamp(from, until));
    EndedAttempt {
        attempt: outcome.attempt,
        task: open.row.task,
        state,
        reason: outcome.end.reason(),
        message: outcome.message,
        result: outcome.result,
        log_tail: outcome.log_tail,
        log_at: outcome.log_at,
        started_at,
        ended_at: outcome.ended_at.clamp(started_at.unwrap_or(from), until),
        task_state,
        task_result,
        service: None,
    }
}
