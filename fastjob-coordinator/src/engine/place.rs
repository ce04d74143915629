//! From due attempts to executors.
//!
//! Where an attempt goes is decided when it is planned and recorded with it. When it is due and
//! that executor is gone or full, it is placed anew, and sent when the new placement is durable:
//! so it is always known which executor to ask about it.

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
    maps::{IdMap, Map},
    state::{After, Life, Open, Step},
};
use crate::record::{LifeId, NOT_SPREAD, Placed};

/// Most attempts in one message: small enough that the first is entered while the rest travels.
const SEND_MOST: usize = 512;

/// What an attempt takes in a message beside its param and its checkpoint, in bytes.
const NAMES: usize = 512;

/// Attempts on their way out, by session.
#[derive(Default)]
pub(super) struct Outgoing(Map<SessionId, (Vec<StartAttempt>, usize)>);

impl Outgoing {
    fn add(&mut self, session: SessionId, start: StartAttempt, out: &mut Effects) {
        let (batch, bytes) = self.0.entry(session).or_default();
        let param = start.param.as_deref().or(start.job.param.as_deref()).map_or(0, str::len);
        *bytes += param + start.checkpoint.as_deref().map_or(0, str::len) + NAMES;
        batch.push(start);
        if batch.len() >= SEND_MOST || *bytes >= BATCH_BYTES {
            *bytes = 0;
            out.sends.push((session, Message::Start(std::mem::take(batch))));
        }
    }

    pub(super) fn send(self, out: &mut Effects) {
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
        let (job, memory) = self.catalog.get_mut(open.job)?.with_memory();
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
        let index = route::pick(&job.route, ask, &candidates, memory, |n| dice.random_range(0..n))?;
        memory.given(&job.route, &candidates, index);
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
        Self::unpromise_at(&mut self.lives, open);
    }

    fn unpromise_at(lives: &mut IdMap<LifeId, Life>, open: &mut Open) {
        if std::mem::take(&mut open.promised)
            && let Some(life) = open.life.and_then(|life| lives.get_mut(&life))
        {
            life.promised = life.promised.saturating_sub(1);
        }
    }

    /// Moves an attempt on its way to an executor. It leaves the queue that it stood in, and its
    /// executor counts it exactly while it may hold it or is about to be sent it.
    pub(super) fn move_to(&mut self, attempt: AttemptId, step: Step, life: Option<LifeId>) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let (step_before, life_before) = (open.step, open.life);
        (open.step, open.life) = (step, life);
        if step != step_before {
            self.leave_queue(attempt, step_before);
        }
        if step_before.is_held()
            && let Some(life) = life_before.and_then(|life| self.lives.get_mut(&life))
        {
            life.release(attempt);
        }
        if step.is_held()
            && let Some(life) = life.and_then(|life| self.lives.get_mut(&life))
        {
            life.hold(attempt);
        }
    }

    /// Takes an attempt out of the queue that those of its step stand in; a lane's queue is left
    /// with the lane.
    pub(super) fn leave_queue(&mut self, attempt: AttemptId, step: Step) {
        match step {
            Step::NotDue => self.due.remove(attempt),
            Step::Waiting => self.waiting.remove(attempt),
            Step::Recording | Step::Queued | Step::Placing | Step::Unsure | Step::Sent => {}
        }
    }

    /// An attempt's row is durable.
    pub(super) fn recorded(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return }; // taken back or stopped
        if open.step == Step::Recording {
            self.await_due(now, attempt, open.life);
        }
    }

    /// Lets an attempt wait until it is due, at once if it is by now.
    pub(super) fn await_due(&mut self, now: Now, attempt: AttemptId, life: Option<LifeId>) {
        self.move_to(attempt, Step::NotDue, life);
        let Some(open) = self.open.get(&attempt) else { return };
        match open.more().due_in {
            Some(at) if at > now.uptime => {
                self.set_deadline(attempt, |deadlines| deadlines.due = Some(at));
            }
            Some(_) => self.due.set(attempt, now.wall),
            None => self.due.set(attempt, open.due_at),
        }
    }

    /// The delay of an attempt is over, by uptime.
    pub(super) fn make_due(&mut self, now: Now, attempt: AttemptId) {
        if self.open.get(&attempt).is_some_and(|open| open.step == Step::NotDue) {
            self.due.set(attempt, now.wall);
        }
    }

    /// Sends what is due, up to [`BURST`] attempts; the rest follows at the next tick.
    pub(super) fn dispatch_due(&mut self, now: Now, out: &mut Effects) {
        let mut outgoing = Outgoing::default();
        for _ in 0..BURST {
            let Some(attempt) = self.due.pop(now.wall) else { break };
            if let Some(open) = self.open.get_mut(&attempt) {
                Self::unpromise_at(&mut self.lives, open);
                self.dispatch(now, attempt, &mut outgoing, out);
            }
        }
        outgoing.send(out);
    }

    /// Sends a due attempt, or has it placed again, or lets it wait.
    pub(super) fn dispatch(
        &mut self,
        now: Now,
        attempt: AttemptId,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        self.watch_start(now, attempt);
        let Some(open) = self.open.get(&attempt) else { return };
        let deleted = |entry: &super::JobEntry| entry.is_deleted();
        if self.catalog.get(open.job).is_some_and(deleted) {
            let message = "its job was deleted".to_owned();
            return self.end_here(now, attempt, End::Stopped, Some(message));
        }
        if open.shard == NOT_SPREAD {
            return self.spread_late(now, attempt);
        }
        if !self.let_through(now, attempt, out) {
            return;
        }
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.catalog.get(open.job) else { return };
        let job = entry.job();
        let hosts = |life: &Life| life.is_live() && life.hosts(&job.service, &job.handler);
        let bound = open.more().bound.filter(|life| self.lives.get(life).is_some_and(hosts));
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
        let Some(open) = self.take_out(attempt) else { return };
        let picked = self.pick(now, &open, Sure::Yes);
        let placed = open.life;
        self.enter(attempt, open);
        match picked {
            Some(life) if placed == Some(life) => self.send(attempt, life, outgoing, out),
            Some(life) => self.place_anew(attempt, Some(life)),
            None => self.wait(now, attempt),
        }
    }

    fn place_anew(&mut self, attempt: AttemptId, life: Option<LifeId>) {
        // Its place is taken from now on, so that a burst is not promised to one executor.
        self.move_to(attempt, Step::Placing, life);
        self.end_wait(attempt);
        self.commit.placed.push(Placed { attempt, life });
        match self.after.last_mut() {
            Some(After::Placed(attempts)) => attempts.push(attempt),
            _ => self.after.push(After::Placed(vec![attempt])),
        }
    }

    /// Takes back what was placed or sent and did not arrive, to be placed again.
    pub(super) fn unplace(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        open.state = AttemptState::Planned;
        open.started_at = None;
        let job = open.job;
        if self.catalog.get(job).is_some_and(|it| it.job().block.replaces_across_the_cluster()) {
            // Others may have been let through meanwhile, and are not to be replaced by it.
            open.more_mut().was_placed = true;
        }
        self.set_deadline_if_any(attempt, |deadlines| {
            (deadlines.no_executor, deadlines.ends, deadlines.runs_long) = (None, None, None);
        });
        self.displace(attempt);
        self.await_due(now, attempt, None);
        // It takes its turn again: others may have been let through meanwhile.
        self.leave_lane(now, job, attempt);
    }

    /// Records that an attempt is on no executor, so that the next engine does not ask one about it.
    pub(super) fn displace(&mut self, attempt: AttemptId) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        Self::unpromise_at(&mut self.lives, open);
        if open.life.is_some() {
            let step = open.step;
            self.move_to(attempt, step, None);
            self.commit.placed.push(Placed { attempt, life: None });
        }
    }

    /// Records of everything that was placed and not sent that it is on no executor: the next engine
    /// need not wait for executors that are gone by then.
    pub(super) fn displace_unsent(&mut self) {
        let unsent = |open: &Open| open.life.is_some() && !open.is_out();
        let unsent: Vec<_> =
            self.open.iter().filter(|(_, open)| unsent(open)).map(|(id, _)| *id).collect();
        for attempt in unsent {
            self.displace(attempt);
        }
    }

    /// It has an executor: the time that it may wait for one starts again if it loses that.
    fn end_wait(&mut self, attempt: AttemptId) {
        self.set_deadline_if_any(attempt, |deadlines| {
            (deadlines.no_executor, deadlines.displaced) = (None, None);
        });
    }

    /// Changes the deadlines of an attempt that has some.
    fn set_deadline_if_any(&mut self, attempt: AttemptId, set: impl FnOnce(&mut super::Deadlines)) {
        let has = |open: &Open| open.more().deadlines != super::Deadlines::NONE;
        if self.open.get(&attempt).is_some_and(has) {
            self.set_deadline(attempt, set);
        }
    }

    /// The new placement of these attempts is durable.
    pub(super) fn send_placed(&mut self, now: Now, attempts: Vec<AttemptId>, out: &mut Effects) {
        let mut outgoing = Outgoing::default();
        for attempt in attempts {
            // Stopped in the meantime, its place was given back then.
            let Some(open) = self.open.get(&attempt) else { continue };
            let (Step::Placing, Some(id)) = (open.step, open.life) else { continue };
            // In the meantime its executor may leave, and its job may have another handler.
            let job = self.catalog.job(open.job);
            let fits = |life: &Life| {
                life.is_live() && job.is_some_and(|job| life.hosts(&job.service, &job.handler))
            };
            match self.lives.get(&id).is_some_and(fits) {
                true => self.send(attempt, id, &mut outgoing, out),
                false => self.unplace(now, attempt),
            }
        }
        outgoing.send(out);
    }

    fn send(&mut self, attempt: AttemptId, id: LifeId, outgoing: &mut Outgoing, out: &mut Effects) {
        let Some(session) = self.lives.get(&id).and_then(|life| life.session) else { return };
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let Some(entry) = self.catalog.get(open.job) else { return };
        let Some(state) = attempt::next(open.state, AttemptEvent::Dispatched) else { return };
        open.state = state;
        let start = StartAttempt {
            attempt,
            created_at: open.created_at,
            task: open.task,
            job_id: open.job,
            job: std::sync::Arc::clone(entry.job()),
            number: open.number,
            shard: open.shard,
            cause: open.cause,
            fire_at: open.fire_at,
            param: open.param.clone(),
            checkpoint: open.more().checkpoint.clone(),
        };
        self.move_to(attempt, Step::Sent, Some(id));
        self.end_wait(attempt);
        outgoing.add(session, start, out);
    }
}

/// Whether only an executor that can take an attempt now will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    Yes,
    No,
}
