//! From due attempts to executors.
//!
//! Where an attempt goes is decided when it is planned and recorded with it. When it is due and
//! that executor is gone or full, it is placed anew, and sent when the new placement is durable:
//! so it is always known which executor to ask about it.

use std::collections::HashMap;

use fastjob_core::{
    AttemptId, AttemptState, JobId,
    attempt::{self, AttemptEvent, End},
    route::{self, Ask, Candidate, Figures, RouteStrategy},
    wire::BATCH_BYTES,
};
use rand::RngExt;

use super::{
    BURST, Effects, Engine, Message, Now, SessionId, StartAttempt,
    state::{After, Step, Timer, WaitKey},
};
use crate::record::{LifeId, Placed};

/// Most attempts in one message: small enough that the first is entered while the rest travels.
const SEND_MOST: usize = 512;

/// Attempts on their way out, by session.
#[derive(Default)]
pub(super) struct Outgoing(HashMap<SessionId, (Vec<StartAttempt>, usize)>);

impl Outgoing {
    fn add(&mut self, session: SessionId, start: StartAttempt, out: &mut Effects) {
        let (batch, bytes) = self.0.entry(session).or_default();
        *bytes += start.param.as_deref().or(start.job.param.as_deref()).map_or(0, str::len);
        batch.push(start);
        if batch.len() >= SEND_MOST || *bytes >= BATCH_BYTES {
            *bytes = 0;
            out.sends.push((session, Message::Start(std::mem::take(batch))));
        }
    }

    fn send(self, out: &mut Effects) {
        for (session, (batch, _)) in self.0 {
            if !batch.is_empty() {
                out.sends.push((session, Message::Start(batch)));
            }
        }
    }
}

impl Engine {
    /// Picks an executor for a job; with `sure`, only one that can take an attempt now.
    pub(super) fn pick(&mut self, id: JobId, sure: Option<Sure>) -> Option<LifeId> {
        let entry = self.jobs.get_mut(&id)?;
        let job = &entry.row.job;
        let group = self.groups.get(&(job.service.clone(), job.handler.clone()))?;
        let lives: Vec<_> =
            group.iter().filter_map(|life| Some((*life, self.lives.get(life)?))).collect();
        let candidates: Vec<_> = lives
            .iter()
            .map(|(_, life)| Candidate {
                name: &life.executor,
                has_place: match sure {
                    Some(Sure) => life.has_place(),
                    None => life.session.is_some() && !life.leaving,
                },
                figures: Figures {
                    running: life.beat.running,
                    waiting: life.beat.waiting,
                    holds: life.holds,
                    ..Figures::default()
                },
            })
            .collect();
        let ask = Ask { job: id, avoid: None };
        let dice = &mut self.dice;
        let index = route::pick(&job.route, ask, &candidates, &entry.memory, |below| {
            dice.random_range(0..below)
        })?;
        entry.memory.given(&job.route, &candidates, index);
        lives.get(index).map(|(life, _)| *life)
    }

    /// An attempt's row is durable.
    pub(super) fn recorded(&mut self, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return }; // taken back or stopped
        if open.step != Step::Recording {
            return;
        }
        open.step = Step::NotDue;
        self.due.entry(open.due_at).or_default().push(attempt);
    }

    /// Sends what is due, up to [`BURST`] attempts; the rest follows at the next tick.
    pub(super) fn dispatch_due(&mut self, now: Now, out: &mut Effects) {
        let mut outgoing = Outgoing::default();
        let mut left = BURST;
        while left > 0
            && let Some(mut entry) = self.due.first_entry().filter(|entry| *entry.key() <= now.wall)
        {
            let attempts = entry.get_mut();
            let burst: Vec<_> = attempts.drain(..attempts.len().min(left)).collect();
            left -= burst.len();
            if attempts.is_empty() {
                entry.remove();
            }
            for attempt in burst {
                let not_due = |open: &super::state::Open| open.step == Step::NotDue;
                if self.open.get(&attempt).is_some_and(not_due) {
                    self.forget_planned(attempt);
                    self.dispatch(now, attempt, &mut outgoing, out);
                }
            }
        }
        outgoing.send(out);
    }

    fn forget_planned(&mut self, attempt: AttemptId) {
        let Some(job) = self.open.get(&attempt).map(|open| open.job) else { return };
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        if let Some(index) = entry.planned.iter().position(|planned| *planned == attempt) {
            entry.planned.swap_remove(index);
        }
    }

    /// Sends a due attempt, or has it placed anew, or lets it wait.
    fn dispatch(
        &mut self,
        now: Now,
        attempt: AttemptId,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let job = &entry.row.job;
        let stays = open.life.filter(|life| {
            self.lives.get(life).is_some_and(|life| {
                life.has_place()
                    && life.hosts(&job.service, &job.handler)
                    && !matches!(&job.route, RouteStrategy::Specific(name) if *name != life.executor)
            })
        });
        match stays {
            Some(life) => self.send(attempt, life, outgoing, out),
            None => match self.pick(open.job, Some(Sure)) {
                Some(life) => self.place_anew(attempt, Some(life)),
                None => self.wait(now, attempt),
            },
        }
    }

    fn place_anew(&mut self, attempt: AttemptId, life: Option<LifeId>) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        open.life = life;
        open.step = Step::Placing;
        if let Some(life) = life.and_then(|life| self.lives.get_mut(&life)) {
            // Its place is taken from now on, so that a burst is not promised to one executor.
            life.holds += 1;
        }
        self.commit.placed.push(Placed { attempt, life });
        match self.after.last_mut() {
            Some(After::Placed(attempts)) => attempts.push(attempt),
            _ => self.after.push(After::Placed(vec![attempt])),
        }
    }

    /// Gives back what was placed and not sent, to be placed anew.
    pub(super) fn unplace(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        open.step = Step::NotDue;
        open.state = AttemptState::Planned;
        open.started_at = None;
        let due_at = open.due_at.max(now.wall);
        self.due.entry(due_at).or_default().push(attempt);
    }

    /// The new placement of these attempts is durable.
    pub(super) fn send_placed(&mut self, now: Now, attempts: Vec<AttemptId>, out: &mut Effects) {
        let mut outgoing = Outgoing::default();
        for attempt in attempts {
            // Stopped in the meantime, its place was given back then.
            let Some(open) = self.open.get(&attempt) else { continue };
            let (Step::Placing, Some(id)) = (open.step, open.life) else { continue };
            match self.lives.get_mut(&id) {
                Some(life) => {
                    life.holds = life.holds.saturating_sub(1);
                    if life.session.is_some() && !life.leaving {
                        self.send(attempt, id, &mut outgoing, out);
                    } else {
                        self.unplace(now, attempt);
                    }
                }
                None => self.unplace(now, attempt),
            }
        }
        outgoing.send(out);
    }

    fn send(
        &mut self,
        attempt: AttemptId,
        life: LifeId,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let Some(life) = self.lives.get_mut(&life) else { return };
        let Some(session) = life.session else { return };
        let Some(state) = attempt::next(open.state, AttemptEvent::Dispatched) else { return };
        open.state = state;
        open.step = Step::Sent;
        life.holds += 1;
        let start = StartAttempt {
            attempt,
            task: open.task,
            job_id: open.job,
            job: std::sync::Arc::clone(&entry.row.job),
            number: open.number,
            cause: open.cause,
            fire_at: open.fire_at,
            param: open.param.clone(),
            shard: fastjob_core::Shard::WHOLE,
            checkpoint: None,
        };
        outgoing.add(session, start, out);
    }

    fn wait(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let job = &entry.row.job;
        open.step = Step::Waiting;
        open.epoch = open.epoch.wrapping_add(1);
        let timer = Timer::NoExecutor { attempt, epoch: open.epoch };
        let key = WaitKey {
            service: job.service.clone(),
            handler: job.handler.clone(),
            executor: job.route.names().cloned(),
        };
        let until = now.uptime + job.no_executor;
        self.waiting.entry(key).or_default().push_back(attempt);
        self.set_timer(until, timer);
    }

    /// Gives an executor that has places what waits for it.
    pub(super) fn pump(&mut self, now: Now, life: LifeId, out: &mut Effects) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(seat) = self.lives.get(&life) else { return };
        let keys: Vec<_> = seat
            .handlers
            .keys()
            .flat_map(|handler| {
                [None, Some(seat.executor.clone())].map(|executor| WaitKey {
                    service: seat.service.clone(),
                    handler: handler.clone(),
                    executor,
                })
            })
            .filter(|key| self.waiting.contains_key(key))
            .collect();
        let mut outgoing = Outgoing::default();
        let mut left = true;
        // One of each kind at a time, so that none starves.
        while left && self.lives.get(&life).is_some_and(super::state::Life::has_place) {
            left = false;
            for key in &keys {
                let Some(queue) = self.waiting.get_mut(key) else { continue };
                let next = queue.pop_front();
                if queue.is_empty() {
                    self.waiting.remove(key);
                }
                let Some(attempt) = next else { continue };
                left = true;
                let waits = |open: &super::state::Open| open.step == Step::Waiting;
                if self.open.get(&attempt).is_some_and(waits) {
                    self.dispatch(now, attempt, &mut outgoing, out);
                }
            }
        }
        outgoing.send(out);
    }

    /// Fails an attempt that has waited for an executor as long as its job allows.
    pub(super) fn give_up_waiting(&mut self, now: Now, attempt: AttemptId, epoch: u32) {
        let Some(open) = self.open.get(&attempt) else { return };
        if open.step != Step::Waiting || open.epoch != epoch {
            return;
        }
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let job = &entry.row.job;
        let waited = fastjob_core::duration::to_text(job.no_executor);
        let hosts = self.groups.get(&(job.service.clone(), job.handler.clone()));
        let message = match (&job.route, hosts.map_or(0, |group| group.len())) {
            (RouteStrategy::Specific(name), _) => {
                format!("executor `{name}` could not take it for {waited}")
            }
            (_, 0) => format!(
                "no executor of service `{}` with the handler `{}` was connected for {waited}",
                job.service, job.handler
            ),
            (_, 1) => {
                format!("the one executor with the handler `{}` was full for {waited}", job.handler)
            }
            (_, n) => format!(
                "all {n} executors with the handler `{}` were full for {waited}",
                job.handler
            ),
        };
        let end = End::Failed(fastjob_core::FailReason::NoExecutor);
        self.end_here(now, attempt, end, Some(message));
    }
}

/// Only an executor that can take an attempt now will do.
#[derive(Clone, Copy)]
pub(super) struct Sure;
