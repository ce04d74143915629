//! From due attempts to executors.
//!
//! Where an attempt goes is decided when it is planned and recorded with it. When it is due and
//! that executor is gone or full, it is placed anew, and sent when the new placement is durable:
//! so it is always known which executor to ask about it.

use std::collections::HashMap;

use fastjob_core::{
    AttemptId, AttemptState,
    attempt::{self, AttemptEvent, End},
    route::{self, Ask, Candidate},
    shard::{Facts, ShardStrategy},
    wire::BATCH_BYTES,
};
use rand::RngExt;

use super::{
    BURST, Effects, Engine, Message, Now, SessionId, StartAttempt,
    state::{After, Life, Open, Step, Timer, WaitKey},
};
use crate::record::{LifeId, NOT_SPREAD, Placed};

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
    /// Picks an executor for an attempt.
    pub(super) fn pick(&mut self, now: Now, open: &Open, sure: Sure) -> Option<LifeId> {
        let entry = self.jobs.get_mut(&open.job)?;
        let job = &entry.row.job;
        let group = self.groups.get(&(job.service.clone(), job.handler.clone()))?;
        let filter = match &job.shard {
            ShardStrategy::Dynamic(filter) => Some(filter),
            ShardStrategy::One | ShardStrategy::All | ShardStrategy::Count(_) => None,
        };
        let wanted = open.more().wanted.as_ref();
        let mut lives = Vec::with_capacity(group.len());
        let mut crowded = Vec::new();
        let mut candidates = Vec::with_capacity(group.len());
        for id in group {
            let Some(life) = self.lives.get(id).filter(|life| life.is_live()) else { continue };
            if wanted.is_some_and(|wanted| *wanted != life.executor) {
                continue;
            }
            let figures = life.figures(now.uptime);
            let facts = Facts { name: &life.executor, labels: &life.labels, figures: &figures };
            if filter.is_some_and(|filter| !filter.matches(&facts)) {
                continue;
            }
            let has_place = sure == Sure::No || life.has_place();
            if sure == Sure::Yes && has_place && life.is_crowded() {
                crowded.push(lives.len());
            }
            lives.push(*id);
            candidates.push(Candidate { name: &life.executor, has_place, figures });
        }
        if wanted.is_some() {
            return candidates.first().filter(|one| one.has_place).and_then(|_| lives.pop());
        }
        // What a beat said may be over: who is full by it is asked only if all are.
        if candidates.iter().filter(|one| one.has_place).count() > crowded.len() {
            crowded.into_iter().for_each(|index| candidates[index].has_place = false);
        }
        let ask = Ask { job: open.job, avoid: open.more().avoid.as_ref() };
        let dice = &mut self.dice;
        let index =
            route::pick(&job.route, ask, &candidates, &entry.memory, |n| dice.random_range(0..n))?;
        entry.memory.given(&job.route, &candidates, index);
        lives.get(index).copied()
    }

    /// Counts a planned attempt at the executor that it is planned for.
    pub(super) fn promise(&mut self, open: &mut Open, life: Option<LifeId>) {
        open.life = life;
        if let Some(life) = life.and_then(|life| self.lives.get_mut(&life)) {
            life.promised += 1;
            open.promised = true;
        }
    }

    pub(super) fn unpromise(&mut self, open: &mut Open) {
        if std::mem::take(&mut open.promised)
            && let Some(life) = open.life.and_then(|life| self.lives.get_mut(&life))
        {
            life.promised = life.promised.saturating_sub(1);
        }
    }

    /// An attempt's row is durable.
    pub(super) fn recorded(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return }; // taken back or stopped
        if open.step != Step::Recording {
            return;
        }
        open.step = Step::NotDue;
        match open.more().due_in {
            Some(at) if at > now.uptime => self.set_timer(at, Timer::Due { attempt }),
            Some(_) => self.due.entry(now.wall).or_default().push(attempt),
            None => self.due.entry(open.due_at).or_default().push(attempt),
        }
    }

    /// The delay of an attempt is over, by uptime.
    pub(super) fn make_due(&mut self, now: Now, attempt: AttemptId) {
        if self.open.get(&attempt).is_some_and(|open| open.step == Step::NotDue) {
            self.due.entry(now.wall).or_default().push(attempt);
        }
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
        let Some(open) = self.open.get_mut(&attempt) else { return };
        if std::mem::take(&mut open.promised)
            && let Some(life) = open.life.and_then(|life| self.lives.get_mut(&life))
        {
            life.promised = life.promised.saturating_sub(1);
        }
        let Some(entry) = self.jobs.get_mut(&open.job) else { return };
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
        self.watch_start(now, attempt);
        let Some(open) = self.open.get(&attempt) else { return };
        if open.shard == NOT_SPREAD {
            return self.spread_late(now, attempt);
        }
        if !self.let_through(now, attempt, out) {
            return;
        }
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let job = &entry.row.job;
        let bound =
            open.more().bound.filter(|life| self.lives.get(life).is_some_and(Life::is_live));
        let only = open.more().wanted.as_ref().or(job.route.names());
        let stays = bound.or(open.life).filter(|life| {
            self.lives.get(life).is_some_and(|life| {
                life.has_place()
                    && life.hosts(&job.service, &job.handler)
                    && (bound.is_some() || !life.is_crowded())
                    && (bound.is_some() || only.is_none_or(|name| *name == life.executor))
            })
        });
        if let Some(life) = stays {
            return match open.life == Some(life) {
                true => self.send(attempt, life, outgoing, out),
                false => self.place_anew(attempt, Some(life)),
            };
        }
        if bound.is_some() {
            return self.wait(now, attempt); // it is that executor's own shard
        }
        let Some(open) = self.open.remove(&attempt) else { return };
        let picked = self.pick(now, &open, Sure::Yes);
        let placed = open.life;
        self.open.insert(attempt, open);
        match picked {
            Some(life) if placed == Some(life) => self.send(attempt, life, outgoing, out),
            Some(life) => self.place_anew(attempt, Some(life)),
            None => self.wait(now, attempt),
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
        if let Some(more) = &mut open.more {
            more.waits_until = None;
        }
        let job = open.job;
        self.due.entry(now.wall).or_default().push(attempt);
        // It takes its turn anew: others may have been let through meanwhile.
        self.leave_lane(now, job, attempt);
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
            created_at: open.created_at,
            task: open.task,
            job_id: open.job,
            job: std::sync::Arc::clone(&entry.row.job),
            number: open.number,
            shard: open.shard,
            cause: open.cause,
            fire_at: open.fire_at,
            param: open.param.clone(),
            checkpoint: open.more().checkpoint.clone(),
        };
        outgoing.add(session, start, out);
    }

    pub(super) fn wait(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let Some(entry) = self.jobs.get(&open.job) else { return };
        let job = &entry.row.job;
        open.step = Step::Waiting;
        open.epoch = open.epoch.wrapping_add(1);
        let timer = Timer::NoExecutor { attempt, epoch: open.epoch };
        let bound = open.more().bound.and_then(|life| self.lives.get(&life));
        let bound = bound.filter(|life| life.is_live()).map(|life| &life.executor);
        let key = WaitKey {
            service: job.service.clone(),
            handler: job.handler.clone(),
            executor: bound.or(open.more().wanted.as_ref()).or(job.route.names()).cloned(),
        };
        let no_executor = job.no_executor;
        // Whoever looks again in vain has not begun to wait anew.
        let until = *open.more_mut().waits_until.get_or_insert(now.uptime + no_executor);
        self.waiting.entry(key).or_default().push_back(attempt);
        self.set_timer(until, timer);
    }

    /// Lets those look for another that waited for an executor that is gone.
    pub(super) fn unbind(&mut self, now: Now, gone: LifeId) {
        let waited: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| open.step == Step::Waiting && open.more().bound == Some(gone))
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in waited {
            self.unplace(now, attempt);
        }
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
        // Each once: one whose filter this executor does not meet waits again.
        let mut counts: Vec<_> = keys.iter().map(|key| self.waiting[key].len()).collect();
        // One of each kind at a time, so that none starves.
        while left && self.lives.get(&life).is_some_and(Life::has_place) {
            left = false;
            for (key, count) in keys.iter().zip(&mut counts) {
                let Some(queue) = self.waiting.get_mut(key).filter(|_| *count > 0) else {
                    continue;
                };
                *count -= 1;
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
        let only = open.more().wanted.as_ref().or(job.route.names());
        let message = match (only, hosts.map_or(0, |group| group.len())) {
            (Some(name), _) => format!("executor `{name}` could not take it for {waited}"),
            (None, n @ 1..) if open.shard == NOT_SPREAD => {
                format!("none of the {n} executors with the handler met the filter for {waited}")
            }
            (None, 0) => format!(
                "no executor of service `{}` with the handler `{}` was connected for {waited}",
                job.service, job.handler
            ),
            (None, 1) => {
                format!("the one executor with the handler `{}` was full for {waited}", job.handler)
            }
            (None, n) => format!(
                "all {n} executors with the handler `{}` were full for {waited}",
                job.handler
            ),
        };
        let end = End::Failed(fastjob_core::FailReason::NoExecutor);
        self.end_here(now, attempt, end, Some(message));
    }
}

/// Whether only an executor that can take an attempt now will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    Yes,
    No,
}
