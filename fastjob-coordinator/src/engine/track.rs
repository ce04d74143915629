//! Executors: who is connected, what they hold, and when they are lost.
//!
//! An executor's name is a seat; each start of its process is a life. A life that comes back is
//! asked what it holds: what it was sent and does not hold was never received, and is sent again.
//! A life that is gone, because another has taken its seat or because it stayed away too long,
//! takes what it held along: those attempts are lost, and the retry strategy decides.

use std::time::Duration;

use fastjob_core::{
    AttemptId, AttemptState, FailReason, Job, TaskState,
    attempt::{self, AttemptEvent, End},
    task::TaskEvent,
};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    Answer, Beat, ConnectAnswer, Connected, Declared, Effects, Engine, Held, Message, Now,
    SaveMode, SessionId, Watched,
    maps::Map,
    state::{Life, Open, Step},
};
use crate::record::{LifeId, LifeRow, Origin};

/// After how long an attempt is dispatched again that an executor returned which does not drain.
const RETURNED: Duration = Duration::from_secs(1);
/// How much later than it must an executor may report an end.
const SLACK: Duration = Duration::from_secs(5);

impl Engine {
    /// Executors of before the start: they have some time to come back.
    pub(super) fn load_lives(&mut self, rows: Vec<LifeRow>, now: Now) {
        for row in rows {
            let seat = (row.service.clone(), row.executor.clone());
            // Ids grow, so the newest life has the seat.
            let newest = self.seats.get(&seat).is_none_or(|other| *other < row.id);
            if newest {
                self.seats.insert(seat, row.id);
            }
            self.lives.insert(row.id, Life::new(&row, now.uptime));
            self.timers.set(Watched::Life(row.id), now.uptime + self.config.executor_lost);
        }
    }

    pub(super) fn connected(
        &mut self,
        now: Now,
        new: Connected,
        answer: oneshot::Sender<ConnectAnswer>,
        out: &mut Effects,
    ) {
        if self.sessions.contains_key(&new.session) {
            // Said again in one session: attempts may be under way that it did not hold yet.
            let welcome = ConnectAnswer::Welcome(Declared::default());
            out.answers.push(Answer::Connect(answer, welcome));
            return;
        }
        let seat = (new.service.clone(), new.executor.clone());
        let before = self.seats.get(&seat).copied();
        if let Some(why) = before.and_then(|id| self.is_taken(id, &new)) {
            out.answers.push(Answer::Connect(answer, ConnectAnswer::Taken { why }));
            return;
        }
        let same = before.filter(|id| {
            self.lives.get(id).is_some_and(|life| life.incarnation == new.incarnation)
        });
        let id = match same {
            Some(id) => {
                if let Some(old) = self.lives.get(&id).and_then(|life| life.session) {
                    self.sessions.remove(&old);
                    out.sends.push((old, Message::Close));
                }
                id
            }
            None => {
                if let Some(gone) = before {
                    self.supersede(now, gone);
                }
                self.new_life(now, &new)
            }
        };
        self.sessions.insert(new.session, id);
        if let Some(highest) = new.highest {
            self.lift_ids_above(highest);
        }
        let leaving = new.leaving;
        let (holding, declared) = self.take_seat(now, id, new);
        if leaving {
            self.unbind_from(now, id);
        }
        out.answers.push(Answer::Connect(answer, ConnectAnswer::Welcome(declared)));
        self.compare(now, id, &holding, out);
        self.pump(now, id, out);
    }

    /// Why the seat cannot be had, if another process or another address of the same one has it.
    fn is_taken(&self, id: LifeId, new: &Connected) -> Option<String> {
        let life = self.lives.get(&id).filter(|life| life.session.is_some())?;
        new.is_rejected_beside(&life.incarnation, life.link, &life.address)
    }

    fn new_life(&mut self, now: Now, new: &Connected) -> LifeId {
        let id = LifeId(self.next_life);
        self.next_life += self.config.step();
        self.seats.insert((new.service.clone(), new.executor.clone()), id);
        let row = LifeRow {
            id,
            service: new.service.clone(),
            executor: new.executor.clone(),
            incarnation: new.incarnation.clone(),
            since: now.wall,
        };
        self.lives.insert(id, Life::new(&row, now.uptime));
        self.commit.lives.push(row);
        id
    }

    /// Takes in what the executor said of itself; what it does not say here, as its last heartbeat,
    /// is kept until a newer one arrives. Returns what it holds, and what is left to do about the jobs
    /// that it declares.
    fn take_seat(&mut self, now: Now, id: LifeId, new: Connected) -> (Vec<Held>, Declared) {
        self.leave_groups(id);
        for handler in new.handlers.keys() {
            let group = self.groups.entry((new.service.clone(), handler.clone())).or_default();
            let at = group.partition_point(|other| {
                self.lives.get(other).is_some_and(|other| other.executor < new.executor)
            });
            group.insert(at, id);
        }
        self.timers.cancel(Watched::Life(id));
        if let Some(life) = self.lives.get_mut(&id) {
            life.link = new.link;
            life.session = Some(new.session);
            life.leaving = new.leaving;
            life.since = now.wall;
            life.address = new.address;
            life.version = new.version;
            life.capacity = new.capacity;
            life.labels = new.labels;
            life.handlers = new.handlers;
        }
        let mut declared = Declared::default();
        for job in new.jobs {
            if self.catalog.has_new_children(&job) {
                declared.parents.push(job);
                continue;
            }
            if let Err(err) = self.save(now, Job::clone(&job), SaveMode::Replace, Origin::Code) {
                declared.refused.push(format!("{}: {err}", job.name));
            }
        }
        (new.holding, declared)
    }

    fn leave_groups(&mut self, id: LifeId) {
        let Some(life) = self.lives.get(&id) else { return };
        for handler in life.handlers.keys() {
            let key = (life.service.clone(), handler.clone());
            if let Some(group) = self.groups.get_mut(&key) {
                group.retain(|other| *other != id);
                if group.is_empty() {
                    self.groups.remove(&key);
                }
            }
        }
    }

    /// Brings what the executor holds and what it was sent to the same.
    fn compare(&mut self, now: Now, id: LifeId, holding: &[Held], out: &mut Effects) {
        let holding: Map<_, _> = holding.iter().map(|held| (held.attempt, *held)).collect();
        let mine = self.lives.get(&id).map(Life::held).unwrap_or_default();
        let (mut stop, mut not_held) = (Vec::new(), Vec::new());
        for attempt in mine {
            let stopping = self.is_stopping(attempt);
            let Some(open) = self.open.get_mut(&attempt).filter(|open| open.is_out()) else {
                continue;
            };
            if holding.get(&attempt).is_some_and(|held| held.names(open.created_at)) {
                let named = open.named(attempt);
                if open.state == AttemptState::Planned {
                    open.state = AttemptState::Dispatched;
                }
                self.move_to(attempt, Step::Sent, Some(id));
                match stopping {
                    true => {
                        self.await_stop(now, attempt);
                        stop.push(named);
                    }
                    // It may wait there for its turn.
                    false => self.watch_start(now, attempt),
                }
            } else {
                // A handler that was entered is held until its outcome is acknowledged.
                self.move_to(attempt, Step::Unsure, Some(id));
                not_held.push(attempt);
            }
        }
        // Superseded attempts: abandoned here, so nothing waits for them.
        stop.extend(holding.values().filter(|held| {
            let here = |open: &Open| open.life == Some(id) && held.names(open.created_at);
            !self.open.get(&held.attempt).is_some_and(here)
                && !self.settling.contains(&held.attempt)
        }));
        let Some(session) = self.lives.get(&id).and_then(|life| life.session) else { return };
        if !stop.is_empty() {
            out.sends.push((session, Message::Stop(stop)));
        }
        self.chores.not_received(id, session, not_held);
        self.place_not_received(now);
    }

    pub(super) fn beat(&mut self, now: Now, session: SessionId, beat: Beat, out: &mut Effects) {
        let Some(id) = self.sessions.get(&session).copied() else { return };
        let Some(life) = self.lives.get_mut(&id) else { return };
        life.beat = Some(beat);
        life.beat_at = now.uptime;
        // Its figures may be what a task waits for.
        self.pump(now, id, out);
    }

    pub(super) fn started(
        &mut self,
        now: Now,
        session: SessionId,
        attempts: Vec<(Held, Timestamp)>,
    ) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (held, at) in attempts {
            let attempt = held.attempt;
            let Some(open) = self.open.get_mut(&attempt) else { continue };
            if open.life != Some(life) || !open.is_out() || !held.names(open.created_at) {
                continue;
            }
            if let Some(state) = attempt::next(open.state, AttemptEvent::Started) {
                open.state = state;
                open.started_at = Some(at.clamp(open.created_at, now.wall.max(open.created_at)));
                self.move_task(attempt, TaskEvent::AttemptStarted);
                self.await_end(now, attempt);
                self.watch_run(now, attempt);
            }
        }
    }

    pub(super) fn is_stopping(&self, attempt: AttemptId) -> bool {
        self.open.get(&attempt).is_some_and(|open| self.task_state(open) == TaskState::Stopping)
    }

    /// Waits for the end of an attempt whose job has a time limit.
    fn await_end(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.catalog.get(open.job) else { return };
        let job = entry.job();
        if let Some(timeout) = job.timeout {
            let at = now.uptime.saturating_add(timeout + job.grace + SLACK);
            // Executors say again what they have started: that does not restart the wait.
            self.set_deadline(attempt, |deadlines| {
                deadlines.ends.get_or_insert(at);
            });
        }
    }

    /// Waits for the end of an attempt that was told to stop.
    pub(super) fn await_stop(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.catalog.get(open.job) else { return };
        let at = now.uptime.saturating_add(entry.job().grace + SLACK);
        self.set_deadline(attempt, |deadlines| deadlines.ends = Some(at));
    }

    /// Gives up an attempt whose executor is there and does not report what it must have ended.
    ///
    /// An executor that is away is another matter: it comes back or is lost. An attempt of a job
    /// that is exclusive across the cluster is told to stop and stays open, for as long as it may
    /// run no other may.
    pub(super) fn overdue(&mut self, now: Now, attempt: AttemptId, out: &mut Effects) {
        let Some(open) = self.open.get(&attempt) else { return };
        if open.step != Step::Sent {
            return;
        }
        let life = open.life.and_then(|life| self.lives.get(&life));
        let Some(session) = life.and_then(|life| life.session) else { return };
        out.sends.push((session, Message::Stop(vec![open.named(attempt)])));
        if self.is_exclusive(open.job) {
            return;
        }
        let (end, message) = if self.is_stopping(attempt) {
            (End::Stopped, "its executor did not confirm that it ended")
        } else {
            (End::Failed(FailReason::TimedOut), "its executor did not report its end in time")
        };
        self.end_here(now, attempt, end, Some(message.to_owned()));
    }

    pub(super) fn round_trip(&mut self, now: Now, session: SessionId, took: Duration) {
        let life = self.sessions.get(&session).and_then(|id| self.lives.get_mut(id));
        if let Some(life) = life {
            life.round_trip.add(took.as_secs_f64() * 1_000.0);
            life.answered_at = now.uptime;
        }
    }

    pub(super) fn leaving(
        &mut self,
        now: Now,
        session: SessionId,
        returned: Vec<AttemptId>,
        out: &mut Effects,
    ) {
        let Some(id) = self.sessions.get(&session).copied() else { return };
        if let Some(life) = self.lives.get_mut(&id) {
            life.leaving = true;
        }
        self.take_returned(now, id, returned, Duration::ZERO);
        self.unbind_from(now, id);
        self.dispatch_due(now, out);
    }

    /// Places attempts again that their executor will not run.
    pub(super) fn returned(
        &mut self,
        now: Now,
        session: SessionId,
        returned: Vec<AttemptId>,
        out: &mut Effects,
    ) {
        let Some(id) = self.sessions.get(&session).copied() else { return };
        // One that does not drain may be picked again at once, and return it again.
        let drains = self.lives.get(&id).is_some_and(|life| life.leaving);
        let delay = if drains { Duration::ZERO } else { RETURNED };
        self.take_returned(now, id, returned, delay);
        self.dispatch_due(now, out);
    }

    fn take_returned(&mut self, now: Now, id: LifeId, returned: Vec<AttemptId>, delay: Duration) {
        for attempt in returned {
            let Some(open) = self.open.get(&attempt) else { continue };
            if open.life != Some(id) || !open.is_out() {
                continue;
            }
            if self.is_stopping(attempt) {
                self.end_here(now, attempt, End::Stopped, None);
                continue;
            }
            if !delay.is_zero()
                && let Some(open) = self.open.get_mut(&attempt)
            {
                open.more_mut().due_in = Some(now.uptime + delay);
            }
            self.unplace(now, attempt);
        }
    }

    pub(super) fn disconnected(&mut self, now: Now, session: SessionId) {
        let Some(id) = self.sessions.remove(&session) else { return };
        let Some(life) = self.lives.get_mut(&id) else { return };
        life.session = None;
        if life.leaving && life.holds() == 0 {
            // It has stopped, and everything that it held has ended or was returned.
            self.lose(now, id, "its executor stopped before it ended");
        } else {
            self.timers.set(Watched::Life(id), now.uptime + self.config.executor_lost);
        }
    }

    pub(super) fn lost_if_still_away(&mut self, now: Now, id: LifeId) {
        let Some(life) = self.lives.get(&id).filter(|life| life.session.is_none()) else { return };
        let why = match life.leaving {
            true => "its executor stopped before it ended",
            false => "its executor went away and did not come back",
        };
        self.lose(now, id, why);
    }

    /// Abandons a life with everything it holds.
    fn lose(&mut self, now: Now, id: LifeId, why: &'static str) {
        self.leave_groups(id);
        let Some(life) = self.lives.remove(&id) else { return };
        self.timers.cancel(Watched::Life(id));
        let held = life.held();
        let seat = (life.service, life.executor);
        if self.seats.get(&seat) == Some(&id) {
            self.seats.remove(&seat);
        }
        self.unbind(now, id, &seat.1);
        self.chores.lose(id, seat.1, why, held);
    }

    /// Another process has taken the seat of one that is away, which may still be running: what is
    /// exclusive across the cluster is abandoned only when it must have stopped by itself.
    fn supersede(&mut self, now: Now, id: LifeId) {
        let why = "its executor was restarted";
        let Some(life) = self.lives.get(&id) else { return };
        let (executor, held) = (life.executor.clone(), life.held());
        let exclusive = |attempt: &AttemptId| {
            let open = self.open.get(attempt).filter(|open| open.is_out());
            open.is_some_and(|open| self.is_exclusive(open.job))
        };
        let (exclusive, lost): (Vec<_>, Vec<_>) = held.into_iter().partition(exclusive);
        if exclusive.is_empty() {
            return self.lose(now, id, why);
        }
        self.leave_groups(id);
        self.unbind(now, id, &executor);
        self.chores.lose(id, executor, why, lost);
    }
}
