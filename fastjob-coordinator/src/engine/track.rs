//! Executors: who is connected, what they hold, and when they are lost.
//!
//! An executor's name is a seat; each start of its process is a life. A life that comes back is
//! asked what it holds: what it was sent and does not hold was never received, and is sent again.
//! A life that is gone, because another has taken its seat or because it stayed away too long,
//! takes what it held along: those attempts are lost, and the retry strategy decides.

use std::collections::HashSet;

use fastjob_core::{
    AttemptId, AttemptState, FailReason, TaskState,
    attempt::{self, AttemptEvent, End},
};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    Answer, Beat, ConnectAnswer, Connected, Effects, Engine, Message, Now, SaveMode, SessionId,
    state::{Life, Step, Timer},
};
use crate::record::{LifeId, LifeRow, Origin};

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
                    labels: Default::default(),
                    handlers: Default::default(),
                    beat: Beat::default(),
                    beat_at: now.uptime,
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
                    self.lose(now, gone, "its executor was started anew", out);
                }
                self.new_life(now, &new)
            }
        };
        self.sessions.insert(new.session, id);
        out.answers.push(Answer::Connect(answer, ConnectAnswer::Welcome));
        let holding = self.take_seat(now, id, new);
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
        self.next_life += 1;
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

    /// Writes down what the executor said of itself and returns what it holds.
    fn take_seat(&mut self, now: Now, id: LifeId, new: Connected) -> HashSet<AttemptId> {
        let jobs = new.jobs;
        let (epoch, holds) =
            self.lives.get(&id).map_or((0, 0), |life| (life.epoch.wrapping_add(1), life.holds));
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
                labels: new.labels,
                handlers: new.handlers,
                beat: Beat::default(),
                beat_at: now.uptime,
            },
        );
        for job in jobs {
            // What code says of a job is no answer to anybody.
            drop(self.save(now, job, SaveMode::Replace, Origin::Code));
        }
        new.holding.into_iter().collect()
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
            .filter(|(_, open)| {
                open.life == Some(id) && matches!(open.step, Step::Sent | Step::Unsure)
            })
            .map(|(attempt, _)| *attempt)
            .collect();
        let mut holds = 0;
        let mut stop = Vec::new();
        for attempt in mine {
            let Some(open) = self.open.get_mut(&attempt) else { continue };
            let stopping = open.task_state == TaskState::Stopping;
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
        let life = self.sessions.get(&session).and_then(|id| self.lives.get_mut(id));
        if let Some(life) = life {
            life.beat = beat;
            life.beat_at = now.uptime;
            // The answer tells an idle executor that the coordinator lives.
            out.sends.push((session, Message::Recorded(Vec::new())));
        }
    }

    pub(super) fn started(&mut self, session: SessionId, attempts: Vec<(AttemptId, Timestamp)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (attempt, at) in attempts {
            let Some(open) = self.open.get_mut(&attempt) else { continue };
            if open.life != Some(life) {
                continue;
            }
            if let Some(state) = attempt::next(open.state, AttemptEvent::Started) {
                open.state = state;
                open.started_at = Some(at);
                let event = fastjob_core::task::TaskEvent::AttemptStarted;
                open.task_state =
                    fastjob_core::task::next(open.task_state, event).unwrap_or(open.task_state);
            }
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
            if open.task_state == TaskState::Stopping {
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
        let held: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| {
                open.life == Some(id) && matches!(open.step, Step::Sent | Step::Unsure)
            })
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in held {
            let stopping =
                self.open.get(&attempt).is_some_and(|open| open.task_state == TaskState::Stopping);
            let end = if stopping { End::Stopped } else { End::Failed(FailReason::ExecutorLost) };
            self.end_here(now, attempt, end, Some(why.to_owned()));
        }
    }
}
