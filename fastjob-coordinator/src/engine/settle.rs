//! From outcomes to what follows from them.
//!
//! What follows from an outcome is written with it: the end of the task, the retry's attempt, the
//! next fire of a fixed delay. A late outcome, of an attempt that was given up, changes nothing
//! and is acknowledged, so that its executor forgets it.

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
    Deadlines, Effects, Engine, Held, Message, Now, Outcome, SessionId,
    alarms::Why,
    place::Sure,
    plan::{Head, soon},
    state::{After, Open, Step},
};
use crate::record::{EndedAttempt, LifeId};

/// How often a shard is dispatched again that was lost with its executor, beyond its job's retries.
const MOVES: u32 = 3;

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
                Some(open) if open.life == Some(life) && outcome.held().names(open.created_at) => {
                    self.measure(now, life, &outcome);
                    self.settle(now, Some(life), outcome);
                }
                _ => late.push(outcome.held()),
            }
        }
        if !late.is_empty() {
            // What made it late may not be durable yet: forgotten by both it would stay open.
            self.after.push(After::Settled(Some(life), late));
        }
        self.pump(now, life, out);
    }

    /// Takes down how long a handler ran, for routes that go by it.
    fn measure(&mut self, now: Now, life: LifeId, outcome: &Outcome) {
        let (Some(started_at), Some(life)) = (outcome.started_at, self.lives.get_mut(&life)) else {
            return;
        };
        let ran = outcome.ended_at.duration_since(started_at).as_secs_f64() * 1_000.0;
        life.run_time.add(ran.max(0.0));
        life.answered_at = now.uptime;
    }

    /// Tells the executor that it can forget these.
    pub(super) fn acknowledge(
        &mut self,
        life: Option<LifeId>,
        attempts: Vec<Held>,
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
        let Some(open) = self.open.get(&attempt) else { return };
        let (created_at, started_at) = (open.created_at, open.started_at);
        self.settle(
            now,
            None,
            Outcome {
                attempt,
                created_at,
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
        let Some(mut open) = self.forget(attempt) else { return };
        self.leave_lane(now, open.job, attempt);
        if let (End::Failed(_), Some(fire_at)) = (outcome.end, open.fire_at)
            && fire_at > now.wall
            && let Some(entry) = self.catalog.get_mut(open.job)
        {
            entry.lost_until = entry.lost_until.max(fire_at);
        }
        let retry = self.retry_at(now, &open, outcome.end);
        let (task_state, task_result) = self.task_after(&open, &outcome, retry.is_some());
        // The clocks of executors may be off: what is kept lies between the attempt's creation and
        // now, by the coordinator's clock.
        let (from, now_or_from) = (open.created_at, now.wall.max(open.created_at));
        let started_at = outcome.started_at.map(|at| at.clamp(from, now_or_from));
        let ended_at = outcome.ended_at.clamp(started_at.unwrap_or(from), now_or_from);
        let ended = task_state.filter(|state| state.is_final());
        if let Some(end) = ended {
            let result = task_result.as_deref().or(outcome.result.as_deref());
            let refused = self.start_children(now, &open, end, result);
            let reason = outcome.end.reason().map(fastjob_core::FailReason::as_str);
            let why = Why { reason, message: outcome.message.as_deref(), refused };
            self.tell_end(now, &open, end, &why);
        }
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
            task_state,
            task_result,
        });
        if reported_by.is_some() {
            self.settling.insert(attempt);
            match self.after.last_mut() {
                Some(After::Settled(life, attempts)) if *life == reported_by => {
                    attempts.push(open.named(attempt));
                }
                _ => self.after.push(After::Settled(reported_by, vec![open.named(attempt)])),
            }
        }
        if open.task.first_attempt() != attempt {
            self.retried.remove(&open.task);
        }
        if let Some(delay) = retry {
            self.last_checkpoint(&mut open, outcome.checkpoint);
            self.retry(now, open, delay);
        } else {
            self.checkpoints.forget((open.task, open.shard.index));
            if ended.is_some() {
                self.task_ended(now, &open);
            }
        }
    }

    /// Where a task goes with the end of one of its attempts, and its result if that is not the
    /// attempt's.
    fn task_after(
        &mut self,
        open: &Open,
        outcome: &Outcome,
        retried: bool,
    ) -> (Option<TaskState>, Option<String>) {
        let event = match outcome.end {
            _ if retried => TaskEvent::RetryPlanned,
            End::Succeeded => TaskEvent::AttemptSucceeded,
            End::Failed(_) => TaskEvent::AttemptFailed,
            End::Stopped => TaskEvent::AttemptStopped,
            // It ran before and failed: that its retry was refused is no reason not to say so.
            End::Skipped if open.number > 1 => TaskEvent::AttemptFailed,
            End::Skipped => TaskEvent::AttemptSkipped,
        };
        match self.spreads.get_mut(&open.task) {
            None => (Some(task::next(open.task_state, event).unwrap_or(TaskState::Failed)), None),
            Some(spread) if retried => {
                let next = task::next(spread.state, event).filter(|next| *next != spread.state);
                spread.state = next.unwrap_or(spread.state);
                (next, None)
            }
            Some(_) => match self.shard_ended(open, outcome.end, outcome.result.as_deref()) {
                Some((state, results)) => (Some(state), results),
                None => (None, None),
            },
        }
    }

    /// After how long to try again, if at all.
    fn retry_at(&mut self, now: Now, open: &Open, end: End) -> Option<Duration> {
        let reason = end.reason()?;
        if !reason.is_retryable() || self.task_state(open) == TaskState::Stopping {
            return None;
        }
        let entry = self.catalog.get(open.job).filter(|entry| !entry.is_deleted())?;
        let job = entry.job();
        // The others of its task run on or have ended: a shard does not fail with its executor.
        let moves = end == End::Failed(FailReason::ExecutorLost)
            && job.shard != ShardStrategy::One
            && open.number <= job.retry.count + MOVES;
        let delay = match job.retry.delay_after(open.number, self.dice.random()) {
            None if moves => Duration::ZERO,
            delay => delay?,
        };
        now.wall.checked_add(SignedDuration::try_from(delay).ok()?).ok().map(|_| delay)
    }

    fn retry(&mut self, now: Now, mut before: Open, delay: Duration) {
        let attempt = AttemptId(self.new_id());
        let failed_on = before.life.and_then(|life| self.lives.get(&life));
        let failed_on = failed_on.map(|life| life.executor.clone());
        let more = before.more_mut();
        more.due_in = Some(now.uptime + delay);
        more.avoid = failed_on.or(more.avoid.take());
        more.bound = None;
        more.progress = None;
        // It waits for a place by itself, not for what is left of the wait of the one before.
        more.deadlines = Deadlines::NONE;
        let delay = SignedDuration::try_from(delay).unwrap_or_default();
        let open = Open {
            number: before.number + 1,
            due_at: now.wall.checked_add(delay).unwrap_or(now.wall),
            created_at: now.wall,
            state: AttemptState::Planned,
            task_state: TaskState::Running,
            step: Step::Recording,
            life: None,
            promised: false,
            started_at: None,
            ..before
        };
        let life = (open.due_at <= soon(now)).then(|| self.pick(now, &open, Sure::No)).flatten();
        self.insert(attempt, open, life, Head::default());
    }

    fn task_ended(&mut self, now: Now, open: &Open) {
        if !matches!(open.cause, Cause::Schedule | Cause::Misfire) {
            return;
        }
        let Some(entry) = self.catalog.get_mut(open.job) else { return };
        entry.scheduled = entry.scheduled.saturating_sub(1);
        if entry.job().timetable.follows_the_last_end() && entry.scheduled == 0 {
            // No fire follows at the same instant, also if this one was lost before it was due.
            let end = open.fire_at.map_or(now.wall, |fire_at| fire_at.max(now.wall));
            entry.set_anchor(entry.anchor().max(end));
            let anchor = entry.anchor();
            // Nothing is planned beyond the anchor: the watermark may be.
            entry.cursor = entry.cursor.min(anchor);
            self.commit.anchors.push((open.job, anchor));
            self.schedule_next(open.job);
        }
    }
}
