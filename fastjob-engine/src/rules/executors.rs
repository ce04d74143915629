//! Executors: who is connected, what they hold, and when they are lost.
//!
//! A life that reconnects reports what it holds. An attempt that was sent to it and that it does
//! not hold was never received, and is placed again. A life is gone when another one has taken its
//! seat, or when it was disconnected for too long. The attempts that it held are lost, and the
//! retry strategy decides what follows.

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, FailReason, Job, JobPath, TaskId,
    attempt::{self, AttemptEvent, End},
    task::TaskEvent,
};
use jiff::Timestamp;

use crate::{
    answer::{ConnectAnswer, Declared, SaveDone},
    effect::{Effects, Message},
    engine::Engine,
    event::{Beat, Condition, Connected, DrainedSet, Held, Now, SaveMode, SessionId},
    maps::Map,
    notice::{Gone, GoneWhy, NAMED_MOST, Notice},
    record::{LifeId, Origin},
    state::{
        attempts::{Open, Step},
        fleet::Life,
    },
};

/// The delay before the engine dispatches an attempt again that an executor returned without
/// draining.
const RETURNED: Duration = Duration::from_secs(1);
/// How long after its deadline an executor may report an end.
const SLACK: Duration = Duration::from_secs(5);

impl Engine {
    pub(crate) fn connected(
        &mut self,
        now: Now,
        mut new: Connected,
        out: &mut Effects,
    ) -> ConnectAnswer {
        if self.fleet.of_session(new.session).is_some() {
            // A repeat within one session. Its list of held attempts may be outdated: others may be
            // in transit.
            return ConnectAnswer::Welcome(Declared::default());
        }
        let before = self.fleet.in_seat(&new.service, &new.executor);
        if let Some(why) = before.and_then(|(_, life)| life.rejects(&new)) {
            return ConnectAnswer::Taken { why };
        }
        let is_same = |life: &Life| *life.incarnation() == new.incarnation;
        let before = before.map(|(id, life)| (id, is_same(life)));
        let id = match before {
            Some((id, true)) => id,
            gone => {
                if let Some((gone, _)) = gone {
                    self.supersede(now, gone, out);
                }
                let row = self.fleet.begin_life(now, &new);
                let id = row.id;
                self.journal.commit().lives.push(row);
                id
            }
        };
        if let Some(highest) = new.highest {
            self.journal.raise_ids_above(highest);
        }
        if let Some(old) = self.fleet.connect(now, id, &mut new) {
            out.sends.push((old, Message::Close));
        }
        let declared = self.declare(now, std::mem::take(&mut new.jobs));
        if new.leaving {
            self.unbind_from(now, id);
        }
        self.compare(now, id, &new, out);
        self.pump(now, id, out);
        ConnectAnswer::Welcome(declared)
    }

    /// Saves the jobs that an executor declares. Returns the ones that were rejected or that the
    /// caller has to save.
    fn declare(&mut self, now: Now, jobs: Vec<std::sync::Arc<Job>>) -> Declared {
        let mut declared = Declared::default();
        for job in jobs {
            if self.catalog.has_new_children(&job) {
                declared.parents.push(job);
                continue;
            }
            let (saved, how) = (Job::clone(&job), (SaveMode::Replace, Origin::Code));
            match self.save(now, saved, how, &Condition::Unconditional) {
                Ok((SaveDone::Noted, row)) => declared.noted.push(row),
                Ok(_) => {}
                Err(err) => declared.refused.push(format!("{}: {err}", job.name)),
            }
        }
        declared
    }

    /// Reconciles what the executor holds with what it was sent.
    fn compare(&mut self, now: Now, id: LifeId, new: &Connected, out: &mut Effects) {
        let holding: Map<_, _> = new.holding.iter().map(|held| (held.attempt, *held)).collect();
        let mine = self.fleet.get(id).map(Life::held).unwrap_or_default();
        let (mut stop, mut not_held) = (Vec::new(), Vec::new());
        for attempt in mine {
            let stopping = self.attempts.is_stopping(attempt);
            let Some(open) = self.attempts.get_mut(attempt).filter(|open| open.is_out()) else {
                continue;
            };
            let held = open.held();
            if holding.get(&attempt).is_some_and(|named| named.names(held.created_at)) {
                if open.state == AttemptState::Planned {
                    open.state = AttemptState::Dispatched;
                }
                self.move_to(attempt, Step::Sent, Some(id));
                match stopping {
                    true => {
                        self.await_stop(now, attempt);
                        stop.push(held);
                    }
                    // It may be waiting for its turn on the executor.
                    false => self.watch_start(now, attempt),
                }
            } else {
                // An executor holds an attempt that it has entered until its outcome is
                // acknowledged: this one never arrived.
                self.move_to(attempt, Step::Unsure, Some(id));
                not_held.push(attempt);
            }
        }
        // Attempts that the engine has abandoned: nothing waits for them.
        stop.extend(holding.values().filter(|held| {
            let known = self.attempts.get(held.attempt).is_some_and(|open| open.is_at(id, **held));
            !known && !self.journal.is_settling(held.attempt)
        }));
        if !stop.is_empty() {
            out.sends.push((new.session, Message::Stop(stop)));
        }
        self.chores.not_received(id, new.session, not_held);
        self.place_not_received(now);
    }

    pub(crate) fn beat(&mut self, now: Now, session: SessionId, beat: Beat, out: &mut Effects) {
        if let Some(id) = self.fleet.beat(session, beat, now.uptime) {
            // The new figures may allow a waiting task to run on it.
            self.pump(now, id, out);
        }
    }

    pub(crate) fn started(
        &mut self,
        now: Now,
        session: SessionId,
        attempts: Vec<(Held, Timestamp)>,
    ) {
        let Some(life) = self.fleet.of_session(session) else { return };
        for (held, at) in attempts {
            let attempt = held.attempt;
            let here = |open: &&mut Open| open.is_at(life, held) && open.is_out();
            let Some(open) = self.attempts.get_mut(attempt).filter(here) else { continue };
            if let Some(state) = attempt::next(open.state, AttemptEvent::Started) {
                // Executors may report a start again.
                let is_new = open.state != state;
                let created_at = open.row.created_at;
                open.started_at = Some(at.clamp(created_at, now.wall.max(created_at)));
                self.attempts.set_state(attempt, state);
                self.attempts.move_task(attempt, TaskEvent::AttemptStarted);
                self.tally.count().started += u64::from(is_new);
                self.await_end(now, attempt);
                self.watch_run(now, attempt);
            }
        }
    }

    /// Sets the deadline for the end of an attempt whose job has a timeout.
    fn await_end(&mut self, now: Now, attempt: AttemptId) {
        let job = self.job_of(attempt);
        if let Some((timeout, grace)) = job.and_then(|job| Some((job.timeout?, job.grace))) {
            let at = now.uptime.saturating_add(timeout + grace + SLACK);
            // Executors may report a start again, which must not restart the timeout.
            self.attempts.set_deadlines(attempt, |deadlines| {
                deadlines.ends.get_or_insert(at);
            });
        }
    }

    /// Sets the deadline for the end of an attempt that is being stopped.
    pub(crate) fn await_stop(&mut self, now: Now, attempt: AttemptId) {
        if let Some(grace) = self.job_of(attempt).map(|job| job.grace) {
            let at = now.uptime.saturating_add(grace + SLACK);
            self.attempts.set_deadlines(attempt, |deadlines| deadlines.ends = Some(at));
        }
    }

    /// Abandons an attempt whose executor is connected and has not reported an end that is overdue.
    ///
    /// A disconnected executor is not affected: it reconnects or is lost. An attempt of a job that
    /// is exclusive across the cluster gets a stop request and stays open: as long as it may run,
    /// no other attempt may run.
    pub(crate) fn overdue(&mut self, now: Now, attempt: AttemptId, out: &mut Effects) {
        let Some(open) = self.attempts.at_step(attempt, Step::Sent) else { return };
        let Some(session) = self.fleet.session_at(open.life()) else { return };
        out.sends.push((session, Message::Stop(vec![open.held()])));
        if self.is_exclusive(open.row.job) {
            return;
        }
        let (end, message) = if self.attempts.is_stopping(attempt) {
            (End::Stopped, "its executor did not confirm that it ended")
        } else {
            (End::Failed(FailReason::TimedOut), "its executor did not report its end in time")
        };
        self.end_here(now, attempt, end, Some(message.to_owned()));
    }

    /// Handles an executor that starts to drain: it accepts no more attempts, and returns those
    /// that it has not entered.
    pub(crate) fn draining(
        &mut self,
        now: Now,
        session: SessionId,
        returned: Vec<AttemptId>,
        out: &mut Effects,
    ) {
        let Some(id) = self.fleet.drain(session) else { return };
        self.take_returned(now, id, returned, Duration::ZERO);
        self.unbind_from(now, id);
        self.dispatch_due(now, out);
    }

    /// Places attempts again that their executor will not run.
    pub(crate) fn returned(
        &mut self,
        now: Now,
        session: SessionId,
        returned: Vec<AttemptId>,
        out: &mut Effects,
    ) {
        let Some(id) = self.fleet.of_session(session) else { return };
        // Without a delay, an executor that does not drain could be picked again at once, and
        // return it again.
        let drains = self.fleet.get(id).is_some_and(Life::is_draining);
        let delay = if drains { Duration::ZERO } else { RETURNED };
        self.take_returned(now, id, returned, delay);
        self.dispatch_due(now, out);
    }

    fn take_returned(&mut self, now: Now, id: LifeId, returned: Vec<AttemptId>, delay: Duration) {
        for attempt in returned {
            let stopping = self.attempts.is_stopping(attempt);
            let here = |open: &&mut Open| open.life() == Some(id) && open.is_out();
            let Some(open) = self.attempts.get_mut(attempt).filter(here) else { continue };
            if stopping {
                self.end_here(now, attempt, End::Stopped, None);
                continue;
            }
            if !delay.is_zero() {
                open.rare_mut().due_in = Some(now.uptime + delay);
            }
            self.unplace(now, attempt);
        }
    }

    pub(crate) fn disconnected(&mut self, now: Now, session: SessionId, out: &mut Effects) {
        let Some(id) = self.fleet.disconnect(session, now.uptime) else { return };
        if self.fleet.get(id).is_some_and(|life| life.is_draining() && life.holds() == 0) {
            // It has exited, and everything that it held has ended or was returned.
            self.lose(now, id, GoneWhy::Stopped, out);
        }
    }

    pub(crate) fn lost_if_still_away(&mut self, now: Now, id: LifeId, out: &mut Effects) {
        let away = self.fleet.get(id).filter(|life| life.session().is_none());
        let Some(life) = away else { return };
        let seat = self.fleet.in_seat(life.service(), life.executor());
        // It kept exclusive attempts when another process took its seat.
        let why = if seat.is_some_and(|(holder, _)| holder != id) {
            GoneWhy::Restarted
        } else if life.is_draining() {
            GoneWhy::Stopped
        } else {
            GoneWhy::Disconnected
        };
        self.lose(now, id, why, out);
    }

    /// Abandons a life with everything it holds.
    fn lose(&mut self, now: Now, id: LifeId, why: GoneWhy, out: &mut Effects) {
        let Some(life) = self.fleet.remove(id) else { return };
        self.unbind(now, id, life.executor());
        self.abandon(id, &life_gone(&life, now, why), life.held(), out);
    }

    /// Ends attempts that are lost with their life, and reports it.
    fn abandon(&mut self, id: LifeId, gone: &Arc<Gone>, held: Vec<AttemptId>, out: &mut Effects) {
        let first = held.iter().filter_map(|attempt| self.named(*attempt)).take(NAMED_MOST);
        out.notices.push(Notice::Gone {
            gone: Arc::clone(gone),
            held: u32::try_from(held.len()).unwrap_or(u32::MAX),
            first: first.collect(),
        });
        self.chores.lose(id, Arc::clone(gone), held);
    }

    /// The task of an open attempt, and the path of its job.
    pub(super) fn named(&self, attempt: AttemptId) -> Option<(TaskId, JobPath)> {
        let task = self.attempts.get(attempt)?.row.task;
        Some((task, self.job_of(attempt)?.path()))
    }

    /// Replaces the executors that users drain. They keep what they hold. What waits for one of them
    /// only because it was planned there goes to others; what only that executor may run waits for it.
    pub(crate) fn set_drained(&mut self, now: Now, drained: Arc<DrainedSet>, out: &mut Effects) {
        let changed = self.fleet.set_drained(drained);
        if changed.is_empty() {
            return;
        }
        for id in changed {
            match self.fleet.get(id).is_some_and(Life::is_drained) {
                true => self.unbind_from(now, id),
                false => self.pump(now, id, out),
            }
        }
        self.dispatch_due(now, out);
    }

    /// Another process has taken the seat of a disconnected life, which may still be running.
    /// Attempts of jobs that are exclusive across the cluster are abandoned only when that life
    /// must have stopped them by itself.
    fn supersede(&mut self, now: Now, id: LifeId, out: &mut Effects) {
        let why = GoneWhy::Restarted;
        let Some(life) = self.fleet.get(id) else { return };
        let (gone, held) = (life_gone(life, now, why), life.held());
        let exclusive = |attempt: &AttemptId| {
            let open = self.attempts.get(*attempt).filter(|open| open.is_out());
            open.is_some_and(|open| self.is_exclusive(open.row.job))
        };
        let (exclusive, lost): (Vec<_>, Vec<_>) = held.into_iter().partition(exclusive);
        if exclusive.is_empty() {
            return self.lose(now, id, why, out);
        }
        self.fleet.leave_groups(id);
        self.unbind(now, id, &gone.executor);
        self.abandon(id, &gone, lost, out);
    }

    /// The job of an open attempt.
    pub(crate) fn job_of(&self, attempt: AttemptId) -> Option<&std::sync::Arc<Job>> {
        self.catalog.job(self.attempts.get(attempt)?.row.job)
    }
}

fn life_gone(life: &Life, now: Now, why: GoneWhy) -> Arc<Gone> {
    Arc::new(Gone {
        service: life.service().clone(),
        executor: life.executor().clone(),
        incarnation: life.incarnation().clone(),
        why,
        silent_for: life.silent_for(now.uptime),
    })
}
