//! From due attempts to executors.
//!
//! The engine picks the executor of an attempt when it plans the attempt, and records both
//! together. If that executor is gone or full when the attempt is due, the engine picks another
//! one, and sends the attempt when the new placement is durable. So the store always shows which
//! executor to ask about an attempt.

use std::time::Duration;

use fastjob_core::{
    AttemptId, AttemptState,
    attempt::{self, AttemptEvent, End},
    route::{self, Ask, Candidate},
    shard::{Facts, ShardStrategy},
    wire::BATCH_BYTES,
};
use rand::RngExt;

use crate::{
    effect::{Effects, Message, StartAttempt},
    engine::Engine,
    event::{Now, SessionId},
    maps::Map,
    record::{LifeId, NOT_SPREAD, Placed},
    state::{
        attempts::{Open, Step},
        fleet::Life,
    },
};

/// The maximum number of due attempts that are sent before other events are handled, so that the
/// first attempts of a burst start while the last ones are still being sent.
pub(super) const BURST: usize = 512;
/// The maximum number of attempts in one message: small enough that the first one starts while the
/// executor still receives the others.
const SEND_MOST: usize = 512;
/// The bytes of an attempt in a message, without its param and its checkpoint.
const NAMES: usize = 512;

/// Which executors are candidates for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// For an attempt that is planned ahead: those that are connected.
    Connected,
    /// For a due attempt: those that can take it now.
    WithRoom,
}

/// Attempts to send, by session.
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

    pub(super) fn send(mut self, out: &mut Effects) {
        self.flush(out);
    }

    /// Adds what was gathered to the effects.
    fn flush(&mut self, out: &mut Effects) {
        for (session, (batch, _)) in self.0.drain() {
            if !batch.is_empty() {
                out.sends.push((session, Message::Start(batch)));
            }
        }
    }
}

impl Engine {
    /// Picks an executor for an attempt that is not open yet.
    pub(super) fn pick(&mut self, now: Now, open: &Open) -> Option<LifeId> {
        let Self { catalog, fleet, dice, .. } = self;
        let entry = catalog.get_mut(open.row.job)?;
        pick(entry, fleet, dice, now, open, Candidates::Connected)
    }

    /// Moves an attempt to a step and a life. The attempt leaves its current queue, and its
    /// executor counts it exactly while it may hold it or is about to be sent it.
    pub(super) fn move_to(&mut self, attempt: AttemptId, step: Step, life: Option<LifeId>) {
        if let Some(open) = self.attempts.move_to(attempt, step) {
            match step.is_held() {
                true => self.fleet.hold(attempt, &mut open.placement, life),
                false => self.fleet.place(attempt, &mut open.placement, life),
            }
        }
    }

    /// Continues with an attempt whose row is durable. It may have been cancelled or stopped in the
    /// meantime.
    pub(crate) fn recorded(&mut self, now: Now, attempt: AttemptId) {
        if let Some(open) = self.attempts.at_step(attempt, Step::Recording) {
            self.await_due(now, attempt, open.life());
        }
    }

    /// Lets an attempt wait until it is due, which may be now.
    pub(super) fn await_due(&mut self, now: Now, attempt: AttemptId, life: Option<LifeId>) {
        self.move_to(attempt, Step::NotDue, life);
        let Some(open) = self.attempts.get(attempt) else { return };
        match open.rare().due_in {
            Some(at) if at > now.uptime => {
                self.attempts.set_deadlines(attempt, |deadlines| deadlines.due = Some(at));
            }
            Some(_) => self.attempts.set_due(attempt, now.wall),
            None => {
                let at = self.leaves_at(open);
                self.attempts.set_due(attempt, at);
            }
        }
    }

    /// Sends due attempts, and those that leave early, up to [`BURST`] of them; the rest follows at
    /// the next tick.
    pub(crate) fn dispatch_due(&mut self, now: Now, out: &mut Effects) {
        let mut outgoing = Outgoing::default();
        for _ in 0..BURST {
            let Some(attempt) = self.attempts.pop_due(now.wall) else { break };
            if self.is_early(now, attempt) {
                self.dispatch_early(now, attempt, &mut outgoing, out);
            } else if let Some(open) = self.attempts.get_mut(attempt) {
                self.fleet.end_promise(attempt, &mut open.placement);
                self.dispatch(now, attempt, &mut outgoing, out);
            }
        }
        outgoing.send(out);
    }

    /// Sends a due attempt, places it again, or lets it wait.
    pub(super) fn dispatch(
        &mut self,
        now: Now,
        attempt: AttemptId,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        self.watch_start(now, attempt);
        let Some(open) = self.attempts.get(attempt) else { return };
        if self.catalog.get(open.row.job).is_some_and(|entry| entry.is_deleted()) {
            let message = "its job was deleted".to_owned();
            return self.end_here(now, attempt, End::Stopped, Some(message));
        }
        if open.row.shard == NOT_SPREAD {
            return self.spread_late(now, attempt);
        }
        let before = out.sends.len();
        if !self.let_through(now, attempt, out) {
            // It may stop attempts that were gathered: an executor ignores a stop that comes before
            // its attempt.
            if out.sends.len() > before {
                let stops = out.sends.split_off(before);
                outgoing.flush(out);
                out.sends.extend(stops);
            }
            return;
        }
        match self.executor_of_due(now, attempt) {
            Some((life, true)) => self.send(now, attempt, life, None, outgoing, out),
            Some((life, false)) => self.place_anew(attempt, life),
            None => self.wait(now, attempt),
        }
    }

    /// The executor that can take a due attempt now, and whether the attempt is placed there
    /// already.
    fn executor_of_due(&mut self, now: Now, attempt: AttemptId) -> Option<(LifeId, bool)> {
        let Self { catalog, fleet, dice, attempts, .. } = self;
        let open = attempts.get(attempt)?;
        let entry = catalog.get_mut(open.row.job)?;
        let job = entry.job();
        let hosts = |life: &Life| life.hosts(&job.service, &job.handler);
        let is_there =
            |life: &LifeId| fleet.get(*life).is_some_and(|life| life.is_live() && hosts(life));
        // A shard that is bound to an executor runs only there, while that executor is connected.
        let picked = if let Some(bound) = open.rare().bound.filter(is_there) {
            fleet.get(bound).is_some_and(Life::has_room).then_some(bound)?
        } else {
            let only = open.rare().wanted.as_ref().or(job.route.names());
            let stays = open.life().filter(|life| {
                fleet.get(*life).is_some_and(|life| {
                    life.has_room()
                        && hosts(life)
                        && !life.is_crowded()
                        && only.is_none_or(|name| name == life.executor())
                })
            });
            match stays {
                Some(life) => life,
                None => pick(entry, fleet, dice, now, open, Candidates::WithRoom)?,
            }
        };
        Some((picked, open.life() == Some(picked)))
    }

    fn place_anew(&mut self, attempt: AttemptId, life: LifeId) {
        // Its place counts as taken from now on, so that one executor is not promised a whole
        // burst.
        self.move_to(attempt, Step::Placing, Some(life));
        self.end_wait(attempt);
        self.journal.commit().placed.push(Placed { attempt, life: Some(life) });
        self.journal.follow_placed(attempt);
    }

    /// Resets an attempt that was placed or sent and did not arrive, so that it is placed again.
    pub(super) fn unplace(&mut self, now: Now, attempt: AttemptId) {
        self.attempts.set_state(attempt, AttemptState::Planned);
        let Some(open) = self.attempts.get_mut(attempt) else { return };
        open.started_at = None;
        let job = open.row.job;
        if self.catalog.job(job).is_some_and(|job| job.block.replaces_across_the_cluster()) {
            // Other tasks may have been admitted in the meantime: it must not replace them.
            open.rare_mut().was_placed = true;
        }
        self.attempts.end_deadlines(attempt, |deadlines| {
            (deadlines.no_executor, deadlines.ends, deadlines.runs_long) = (None, None, None);
        });
        self.displace(attempt);
        self.await_due(now, attempt, None);
        // It queues again, because others may have been admitted in the meantime.
        self.leave_lane(now, job, attempt);
    }

    /// Records that an attempt is on no executor, so that the next engine does not ask one about
    /// it.
    pub(super) fn displace(&mut self, attempt: AttemptId) {
        let Some(open) = self.attempts.get_mut(attempt) else { return };
        self.fleet.end_promise(attempt, &mut open.placement);
        if open.life().is_some() {
            let step = open.step();
            self.move_to(attempt, step, None);
            self.journal.commit().placed.push(Placed { attempt, life: None });
        }
    }

    /// Records that all attempts that were placed and not sent are on no executor, so that the next
    /// engine does not wait for executors that may be gone by then.
    pub(crate) fn displace_unsent(&mut self) {
        let unsent = |open: &&Open| open.life().is_some() && !open.is_out();
        let unsent: Vec<_> = self.attempts.iter().filter(unsent).map(Open::id).collect();
        for attempt in unsent {
            self.displace(attempt);
        }
    }

    /// Ends the wait of an attempt that has an executor. If it loses that one, its timeout starts
    /// again.
    fn end_wait(&mut self, attempt: AttemptId) {
        self.attempts.end_deadlines(attempt, |deadlines| {
            (deadlines.no_executor, deadlines.displaced) = (None, None);
        });
    }

    /// Sends attempts whose new placement is durable.
    pub(crate) fn send_placed(&mut self, now: Now, attempts: Vec<AttemptId>, out: &mut Effects) {
        let mut outgoing = Outgoing::default();
        for attempt in attempts {
            // If it was stopped in the meantime, its place is free already.
            let Some(open) = self.attempts.at_step(attempt, Step::Placing) else { continue };
            let Some(id) = open.life() else { continue };
            // Its executor may be draining meanwhile, and its job may have another handler.
            let job = self.catalog.job(open.row.job);
            let fits = |life: &Life| {
                life.is_live() && job.is_some_and(|job| life.hosts(&job.service, &job.handler))
            };
            match self.fleet.get(id).is_some_and(fits) {
                true => self.send(now, attempt, id, None, &mut outgoing, out),
                false => self.unplace(now, attempt),
            }
        }
        outgoing.send(out);
    }

    /// Sends an attempt that is placed on this life. It is entered at once, or at this uptime.
    pub(super) fn send(
        &mut self,
        now: Now,
        attempt: AttemptId,
        id: LifeId,
        enter_at: Option<Duration>,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        let Some(session) = self.fleet.session_at(Some(id)) else { return };
        let trace = self.attempts.get(attempt).and_then(|open| self.trace_below(open));
        let Some(open) = self.attempts.get_mut(attempt) else { return };
        let Some(job) = self.catalog.job(open.row.job) else { return };
        let Some(state) = attempt::next(open.state, AttemptEvent::Dispatched) else { return };
        open.state = state;
        self.tally.count().dispatched += 1;
        if trace.is_some() {
            open.rare_mut().sent_at = Some(now.wall);
        }
        let start = StartAttempt {
            row: open.row,
            job: std::sync::Arc::clone(job),
            param: open.param.clone(),
            checkpoint: open.rare().checkpoint.clone(),
            enter_at,
            trace,
        };
        self.move_to(attempt, Step::Sent, Some(id));
        self.end_wait(attempt);
        outgoing.add(session, start, out);
    }
}

/// Picks an executor by the job's route.
fn pick(
    entry: &mut crate::state::catalog::JobEntry,
    fleet: &crate::state::fleet::Fleet,
    dice: &mut rand::rngs::SmallRng,
    now: Now,
    open: &Open,
    among: Candidates,
) -> Option<LifeId> {
    let (job, memory) = entry.with_memory();
    let filter = match &job.shard {
        ShardStrategy::Dynamic(filter) => Some(filter),
        ShardStrategy::One | ShardStrategy::All | ShardStrategy::Count(_) => None,
    };
    let wanted = open.rare().wanted.as_ref();
    let hosts = fleet.live_hosts(&job.service, &job.handler);
    let most = hosts.size_hint().1.unwrap_or_default();
    let (mut lives, mut candidates) = (Vec::with_capacity(most), Vec::with_capacity(most));
    let mut crowded = Vec::new();
    for (id, life) in hosts {
        if wanted.is_some_and(|wanted| wanted != life.executor()) {
            continue;
        }
        let figures = life.figures(now.uptime);
        let facts = Facts { name: life.executor(), labels: life.labels(), figures: &figures };
        if filter.is_some_and(|filter| !filter.matches(&facts)) {
            continue;
        }
        let has_place = among == Candidates::Connected || life.has_room();
        if among == Candidates::WithRoom && has_place && life.is_crowded() {
            crowded.push(lives.len());
        }
        lives.push(id);
        candidates.push(Candidate { name: life.executor(), has_place, figures });
    }
    if wanted.is_some() {
        return candidates.first().filter(|one| one.has_place).and_then(|_| lives.pop());
    }
    // A heartbeat may be outdated: crowded executors are candidates only if all are crowded.
    if candidates.iter().filter(|one| one.has_place).count() > crowded.len() {
        crowded.into_iter().for_each(|index| candidates[index].has_place = false);
    }
    let ask = Ask { job: open.row.job, avoid: open.rare().avoid.as_ref() };
    let index = route::pick(&job.route, ask, &candidates, memory, |n| dice.random_range(0..n))?;
    memory.given(&job.route, &candidates, index);
    lives.get(index).copied()
}
