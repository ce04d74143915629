//! Executors: who is connected, what they hold, and when they are lost.
//!
//! An executor's name is a seat; each start of its process is a life. A life that comes back is
//! asked what it holds: what it was sent and does not hold was never received, and is sent again.
//! A life that is gone, because another has taken its seat or because it stayed away too long,
//! takes what it held along: those attempts are lost, and the retry strategy decides.

use std::{collections::HashSet, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, ExecutorName, FailReason, Job, JobId, TaskState,
    attempt::{self, AttemptEvent, End},
    route::Smoothed,
    task::TaskEvent,
};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    Answer, Beat, ConnectAnswer, Connected, Effects, Engine, Message, Now, SaveMode, SessionId,
    state::{Life, Step, Timer},
};
use crate::record::{LifeId, LifeRow, Origin};

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
            self.lives.insert(
                row.id,
                Life {
                    service: row.service,
                    executor: row.executor,
                    incarnation: row.incarnation,
                    link: 0,
                    session: None,
                    leaving: false,
                    epoch: 1,
                    since: row.since,
                    address: String::new(),
                    version: String::new(),
                    capacity: 0,
                    holds: 0,
                    promised: 0,
                    labels: Default::default(),
                    handlers: Default::default(),
                    beat: None,
                    beat_at: now.uptime,
                    round_trip: Smoothed::default(),
                    run_time: Smoothed::default(),
                    answered_at: now.uptime,
                },
            );
            let until = now.uptime + self.config.executor_lost;
            self.set_timer(until, Timer::Lost { life: row.id, epoch: 1 });
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
            out.answers.push(Answer::Connect(answer, ConnectAnswer::Welcome));
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
                    self.supersede(now, gone, out);
                }
                self.new_life(now, &new)
            }
        };
        self.sessions.insert(new.session, id);
        let (holding, refused) = self.take_seat(now, id, new);
        let welcome = match refused.is_empty() {
            true => ConnectAnswer::Welcome,
            false => ConnectAnswer::WithoutJobs { refused },
        };
        out.answers.push(Answer::Connect(answer, welcome));
        self.compare(now, id, &holding, out);
        self.pump(now, id, out);
    }

    /// Why the seat cannot be had, if another process or another address of the same one has it.
    fn is_taken(&self, id: LifeId, new: &Connected) -> Option<String> {
        let life = self.lives.get(&id).filter(|life| life.session.is_some())?;
        if life.incarnation == new.incarnation {
            return (life.link != new.link).then(|| {
                format!(
                    "executor `{}` has a session with this coordinator over another of its \
                     addresses",
                    new.executor
                )
            });
        }
        Some(format!(
            "an executor named `{}` of service `{}` is connected already{}: give each process a \
             name of its own",
            new.executor,
            new.service,
            if life.address.is_empty() { String::new() } else { format!(" from {}", life.address) }
        ))
    }

    fn new_life(&mut self, now: Now, new: &Connected) -> LifeId {
        let id = LifeId(self.next_life);
        self.next_life += self.config.step();
        self.seats.insert((new.service.clone(), new.executor.clone()), id);
        self.commit.lives.push(LifeRow {
            id,
            service: new.service.clone(),
            executor: new.executor.clone(),
            incarnation: new.incarnation.clone(),
            since: now.wall,
        });
        id
    }

    /// Takes in what the executor said of itself. Returns what it holds, and why jobs that it
    /// declares were not saved.
    fn take_seat(
        &mut self,
        now: Now,
        id: LifeId,
        new: Connected,
    ) -> (HashSet<AttemptId>, Vec<String>) {
        let jobs = new.jobs;
        // Of a life that has come back all that was known holds on: what it said of itself is as old
        // as it was, but better than nothing for filters, until it says it anew.
        let before = self.lives.remove(&id);
        let (epoch, holds, promised) = before
            .as_ref()
            .map_or((0, 0, 0), |life| (life.epoch.wrapping_add(1), life.holds, life.promised));
        let (beat, beat_at) =
            before.as_ref().map_or((None, now.uptime), |life| (life.beat, life.beat_at));
        let (round_trip, run_time, answered_at) = before
            .map(|life| (life.round_trip, life.run_time, life.answered_at))
            .unwrap_or((Smoothed::default(), Smoothed::default(), now.uptime));
        self.leave_groups(id);
        for handler in new.handlers.keys() {
            let group = self.groups.entry((new.service.clone(), handler.clone())).or_default();
            let at = group.partition_point(|other| {
                self.lives.get(other).is_some_and(|other| other.executor < new.executor)
            });
            group.insert(at, id);
        }
        self.lives.insert(
            id,
            Life {
                service: new.service,
                executor: new.executor,
                incarnation: new.incarnation,
                link: new.link,
                session: Some(new.session),
                leaving: false,
                epoch,
                since: now.wall,
                address: new.address,
                version: new.version,
                capacity: new.capacity,
                holds,
                promised,
                labels: new.labels,
                handlers: new.handlers,
                beat,
                beat_at,
                round_trip,
                run_time,
                answered_at,
            },
        );
        let mut refused = Vec::new();
        for job in jobs {
            if let Err(err) = self.save(now, Job::clone(&job), SaveMode::Replace, Origin::Code) {
                refused.push(format!("{}: {err}", job.name));
            }
        }
        (new.holding.into_iter().collect(), refused)
    }

    fn leave_groups(&mut self, id: LifeId) {
        self.groups.retain(|_, group| {
            group.retain(|life| *life != id);
            !group.is_empty()
        });
    }

    /// Brings what the executor holds and what it was sent to the same.
    fn compare(&mut self, now: Now, id: LifeId, holding: &HashSet<AttemptId>, out: &mut Effects) {
        let mine: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| open.life == Some(id) && open.is_out())
            .map(|(attempt, _)| *attempt)
            .collect();
        let mut holds = 0;
        let mut stop = Vec::new();
        for attempt in mine {
            let stopping = self.is_stopping(attempt);
            let Some(open) = self.open.get_mut(&attempt) else { continue };
            if holding.contains(&attempt) {
                holds += 1;
                open.step = Step::Sent;
                if open.state == AttemptState::Planned {
                    open.state = AttemptState::Dispatched;
                }
                if stopping {
                    stop.push(attempt);
                }
            } else if stopping {
                self.end_here(now, attempt, End::Stopped, None);
            } else {
                // A handler that was entered is held until its outcome is acknowledged.
                self.unplace(now, attempt);
            }
        }
        let placing =
            self.open.values().filter(|open| open.life == Some(id) && open.step == Step::Placing);
        let placing = u32::try_from(placing.count()).unwrap_or(u32::MAX);
        if let Some(life) = self.lives.get_mut(&id) {
            life.holds = holds + placing;
        }
        // Superseded attempts: given up here, so nobody waits for them.
        stop.extend(holding.iter().filter(|held| {
            self.open.get(held).is_none_or(|open| open.life != Some(id))
                && !self.settling.contains(held)
        }));
        let session = self.lives.get(&id).and_then(|life| life.session);
        if let (Some(session), false) = (session, stop.is_empty()) {
            out.sends.push((session, Message::Stop(stop)));
        }
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
        attempts: Vec<(AttemptId, Timestamp)>,
    ) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (attempt, at) in attempts {
            let Some(open) = self.open.get_mut(&attempt) else { continue };
            if open.life != Some(life) || !open.is_out() {
                continue;
            }
            if let Some(state) = attempt::next(open.state, AttemptEvent::Started) {
                open.state = state;
                open.started_at = Some(at);
                self.move_task(attempt, TaskEvent::AttemptStarted);
                self.await_end(now, attempt);
                self.watch_run(now, attempt);
            }
        }
    }

    fn is_stopping(&self, attempt: AttemptId) -> bool {
        self.open.get(&attempt).is_some_and(|open| self.task_state(open) == TaskState::Stopping)
    }

    /// Waits for the end of an attempt whose job has a time limit.
    fn await_end(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let job = &entry.row.job;
        if let Some(timeout) = job.timeout {
            open.epoch = open.epoch.wrapping_add(1);
            let at = now.uptime.saturating_add(timeout + job.grace + SLACK);
            let epoch = open.epoch;
            self.set_timer(at, Timer::Overdue { attempt, epoch });
        }
    }

    /// Waits for the end of an attempt that was told to stop.
    pub(super) fn await_stop(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        open.epoch = open.epoch.wrapping_add(1);
        let at = now.uptime.saturating_add(entry.row.job.grace + SLACK);
        let epoch = open.epoch;
        self.set_timer(at, Timer::Overdue { attempt, epoch });
    }

    /// Gives up an attempt whose executor is there and does not report what it must have ended.
    ///
    /// An executor that is away is another matter: it comes back or is lost. An attempt of a job
    /// that is exclusive across the cluster is told to stop and stays open, for as long as it may
    /// run no other may.
    pub(super) fn overdue(&mut self, now: Now, attempt: AttemptId, epoch: u32, out: &mut Effects) {
        let Some(open) = self.open.get(&attempt) else { return };
        if open.step != Step::Sent || open.epoch != epoch {
            return;
        }
        let life = open.life.and_then(|life| self.lives.get(&life));
        let Some(session) = life.and_then(|life| life.session) else { return };
        out.sends.push((session, Message::Stop(vec![attempt])));
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
        for attempt in returned {
            let Some(open) = self.open.get(&attempt) else { continue };
            if open.life != Some(id) || open.step != Step::Sent {
                continue;
            }
            if let Some(life) = self.lives.get_mut(&id) {
                life.holds = life.holds.saturating_sub(1);
            }
            if self.is_stopping(attempt) {
                self.end_here(now, attempt, End::Stopped, None);
            } else {
                self.unplace(now, attempt);
            }
        }
        self.dispatch_due(now, out);
    }

    pub(super) fn disconnected(&mut self, now: Now, session: SessionId, out: &mut Effects) {
        let Some(id) = self.sessions.remove(&session) else { return };
        let Some(life) = self.lives.get_mut(&id) else { return };
        life.session = None;
        life.epoch = life.epoch.wrapping_add(1);
        let (epoch, leaving) = (life.epoch, life.leaving);
        if leaving {
            // It said so, and has reported what it could.
            self.lose(now, id, "its executor stopped before it ended", out);
        } else {
            let until = now.uptime + self.config.executor_lost;
            self.set_timer(until, Timer::Lost { life: id, epoch });
        }
    }

    pub(super) fn lost_if_still_away(
        &mut self,
        now: Now,
        id: LifeId,
        epoch: u32,
        out: &mut Effects,
    ) {
        if self.lives.get(&id).is_some_and(|life| life.epoch == epoch && life.session.is_none()) {
            self.lose(now, id, "its executor went away and did not come back", out);
        }
    }

    /// Gives a life up with everything it holds.
    fn lose(&mut self, now: Now, id: LifeId, why: &str, out: &mut Effects) {
        let Some(life) = self.lives.remove(&id) else { return };
        self.leave_groups(id);
        let seat = (life.service, life.executor);
        if self.seats.get(&seat) == Some(&id) {
            self.seats.remove(&seat);
        }
        if let Some(session) = life.session {
            self.sessions.remove(&session);
            out.sends.push((session, Message::Close));
        }
        self.lose_attempts(now, (id, &seat.1), why, |_| true);
        self.unbind(now, id);
    }

    /// Another process has taken the seat of one that is away, which may still be running: what is
    /// exclusive across the cluster is given up only when it must have stopped by itself.
    fn supersede(&mut self, now: Now, id: LifeId, out: &mut Effects) {
        let why = "its executor was started anew";
        let holds_on = self
            .open
            .values()
            .any(|open| open.life == Some(id) && open.is_out() && self.is_exclusive(open.job));
        if !holds_on {
            return self.lose(now, id, why, out);
        }
        self.leave_groups(id);
        let Some(executor) = self.lives.get(&id).map(|life| life.executor.clone()) else { return };
        let exclusive: HashSet<_> = self
            .jobs
            .iter()
            .filter(|(_, entry)| entry.row.job.block.is_exclusive())
            .map(|(job, _)| *job)
            .collect();
        self.lose_attempts(now, (id, &executor), why, |job| !exclusive.contains(&job));
        self.unbind(now, id);
    }

    fn lose_attempts(
        &mut self,
        now: Now,
        (id, executor): (LifeId, &ExecutorName),
        why: &str,
        which: impl Fn(JobId) -> bool,
    ) {
        let held: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| open.life == Some(id) && open.is_out() && which(open.job))
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in held {
            if let Some(open) = self.open.get_mut(&attempt) {
                // Its life may be forgotten by now.
                open.more_mut().avoid = Some(executor.clone());
            }
            let stopping = self.is_stopping(attempt);
            let end = if stopping { End::Stopped } else { End::Failed(FailReason::ExecutorLost) };
            self.end_here(now, attempt, end, Some(why.to_owned()));
        }
    }
}
