//! The state of all attempts, under one lock: held attempts, lanes, and pending messages.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastjob_core::{
    AttemptId, JobId, Partition,
    attempt::End,
    id_map::{IdMap, IdSet},
};
use tokio::time::Instant;

use super::{
    Ready, UNHEARD,
    attempt::Attempt,
    control::{Control, Why},
    early::Early,
    lane::{Lane, Verdict},
    links::{LinkId, Links},
    name::Name,
    outbox::Outbox,
    outcome::{CUT_OFF, Outcome},
    owners::Owners,
    remembered::Remembered,
    reports::Reports,
    silence::Silence,
    watch::Watch,
};
use crate::{clock::Clock, metrics::ExecutorMetrics};

/// Maximum number of held attempts, including those with unacknowledged outcomes. Less than a
/// coordinator accepts in one Holding.
const HELD_MOST: usize = 500_000;
/// Maximum bytes of waiting attempts.
const WAITING_BYTES_MOST: usize = if cfg!(test) { 1 } else { 256 } * 1024 * 1024;

#[derive(Default)]
pub(super) struct State {
    /// Attempts that wait or run, by id.
    pub(super) held: IdMap<AttemptId, Held>,
    /// Bytes of the waiting ones.
    waiting_bytes: usize,
    /// Attempts that were reported as ended but still run: they keep their places and lanes.
    pub(super) stuck: IdSet<AttemptId>,
    pub(super) places: Places,
    /// By job.
    pub(super) lanes: IdMap<JobId, Lane>,
    pub(super) early: Early,
    pub(super) links: Links,
    pub(super) owners: Owners,
    pub(super) outbox: Outbox,
    pub(super) reports: Reports,
    pub(super) remembered: Remembered,
    pub(super) silence: Silence,
    pub(super) clock: Clock,
    pub(super) watch: Watch,
    pub(super) metrics: ExecutorMetrics,
    pub(super) leaving: bool,
    /// Partitions in which a coordinator may still rely on attempts that are not here any more. The
    /// executor does not end until their next owners have learned that from Holding.
    pub(super) unconfirmed: IdSet<Partition>,
    /// The next attempt that ends panics here.
    #[cfg(test)]
    pub(super) breaks: bool,
}

/// The executor's places. Each engine counts only the attempts that it has sent. If several share
/// an executor, they may together send more than it runs, and the rest waits here.
#[derive(Default)]
pub(super) struct Places {
    most: usize,
    pub(super) taken: usize,
    /// Attempts whose lanes let them run.
    pub(super) waiting: VecDeque<Attempt>,
}

/// An attempt that waits or runs.
pub(super) enum Held {
    Waiting(Waiting),
    Running(Running),
}

/// An attempt that waits until it is due, in its lane, or for a place.
pub(super) struct Waiting {
    pub(super) name: Name,
    pub(super) job: JobId,
    pub(super) exclusive: bool,
    bytes: usize,
    /// When it is due, if it waits for that.
    due_at: Option<Instant>,
}

/// A running attempt.
pub(super) struct Running {
    pub(super) control: Arc<Control>,
    /// Whether the start of its handler has been reported.
    pub(super) reported: bool,
    /// Whether its handler has reached an `.await`.
    pub(super) yielded: bool,
    /// When it is checked next; not used for a new one.
    pub(super) look_at: Option<Instant>,
}

impl Held {
    pub(super) fn name(&self) -> Name {
        match self {
            Self::Waiting(waiting) => waiting.name,
            Self::Running(running) => running.control.name,
        }
    }
}

impl Waiting {
    fn of(attempt: &Attempt) -> Self {
        let texts = attempt.job_name.len()
            + attempt.handler.len()
            + attempt.param.as_ref().map_or(0, String::len)
            + attempt.checkpoint.as_ref().map_or(0, |json| json.len());
        let bytes = size_of::<Attempt>() + texts;
        Self {
            name: attempt.name,
            job: attempt.job,
            exclusive: attempt.exclusive,
            bytes,
            due_at: None,
        }
    }

    /// An attempt that waits until it is due.
    pub(super) fn early(attempt: &Attempt, due_at: Instant) -> Self {
        Self { due_at: Some(due_at), ..Self::of(attempt) }
    }
}

impl State {
    /// The state of an executor that runs at most so many attempts at a time.
    pub(super) fn new(capacity: u32, clock: Clock) -> Self {
        let places = Places { most: capacity as usize, ..Places::default() };
        Self { places, clock, ..Self::default() }
    }

    /// Accepts an attempt that arrived over a link, and returns it if it can run now.
    ///
    /// Every attempt is answered: with its reports, with its outcome, or by returning it.
    pub(super) fn take_in(&mut self, link: LinkId, arrived: Attempt) -> Option<Ready> {
        let name = arrived.name;
        let is_new = self.owners.seen(name.id);
        if !is_new && self.is_known(name) {
            return None;
        }
        let in_use = !is_new && (self.stuck.contains(&name.id) || self.running(name.id).is_some());
        if in_use || self.leaving || !self.has_room(link, &arrived) {
            self.return_to(link, name.id);
            return None;
        }
        if !is_new {
            self.reuse(name.id);
        }
        match arrived.enter_at {
            Some(at) => {
                self.keep_until(at, arrived);
                None
            }
            None => self.arrive(arrived),
        }
    }

    /// Whether the attempt was here before. If so, its reports are sent again.
    fn is_known(&mut self, name: Name) -> bool {
        if let Some(held) = self.held.get_mut(&name.id)
            && held.name().is(name)
        {
            if let Held::Running(running) = held {
                running.reported = false;
                self.tell_started(name.id);
            }
            return true;
        }
        if self.outbox.resend_one(name) {
            return true;
        }
        let Some(outcome) = self.remembered.take(name) else { return false };
        self.outbox.add(self.owners.partition(name.id), outcome);
        true
    }

    /// Whether there is room for an attempt that may have to wait. A coordinator of an earlier
    /// release does not accept returned attempts, so its attempts are kept.
    fn has_room(&mut self, link: LinkId, arrived: &Attempt) -> bool {
        let bytes = self.waiting_bytes + Waiting::of(arrived).bytes;
        let fits = self.held.len() + self.outbox.len() < HELD_MOST && bytes <= WAITING_BYTES_MOST;
        fits || !self.links.session(link).is_some_and(|session| session.takes_returned())
    }

    /// Returns an attempt over the link that it arrived on.
    pub(super) fn return_to(&mut self, link: LinkId, id: AttemptId) {
        let leaving = self.leaving;
        let session = self.links.session(link);
        match session.filter(|session| leaving || session.takes_returned()) {
            Some(session) => session.give_back(id),
            // It still runs here, but was reported as ended so long ago that its outcome is
            // forgotten. The coordinator abandons it when this session ends.
            None => tracing::warn!(
                attempt.id = id.0,
                "cannot run a redispatched attempt, and its coordinator is too old to accept it \
                 back"
            ),
        }
        self.links.wake(link);
    }

    /// Removes what is left of another attempt with this id, from before a backup was restored.
    fn reuse(&mut self, id: AttemptId) {
        if let Some(Held::Waiting(waiting)) = self.remove(id) {
            self.forget(&HashMap::from([(id, waiting.job)]));
        }
        self.outbox.reuse(id);
        self.remembered.reuse(id);
    }

    /// Finds a place for a new attempt that is due.
    pub(super) fn arrive(&mut self, arrived: Attempt) -> Option<Ready> {
        let (name, job, task) = (arrived.name, arrived.job, arrived.task);
        let partition = self.owners.partition(name.id);
        if arrived.exclusive && self.silence.is_cut(partition, self.clock.elapsed()) {
            let outcome = Outcome::unentered(name, CUT_OFF, UNHEARD);
            self.ended(Outcome { checkpoint: arrived.checkpoint, ..outcome });
            return None;
        }
        let waiting = Waiting::of(&arrived);
        let may_enter = self.places.waiting.is_empty() && self.has_place();
        let lane = self.lanes.entry(job).or_default();
        match lane.arrive(arrived) {
            Verdict::Run(arrived) if may_enter => return Some(self.enter(arrived)),
            Verdict::Run(arrived) => {
                self.insert(Held::Waiting(waiting));
                self.places.waiting.push_back(arrived);
                return self.next_with_place();
            }
            Verdict::Wait => self.insert(Held::Waiting(waiting)),
            Verdict::Skip(why) => {
                if lane.is_empty() {
                    self.lanes.remove(&job);
                }
                self.ended(Outcome::unentered(name, End::Skipped, &why));
            }
            Verdict::Replaced(by) => {
                let why = format!("replaced by task {by}");
                self.ended(Outcome::unentered(name, End::Stopped, &why));
            }
            Verdict::Replace { running, waiting: others } => {
                let why = format!("replaced by task {task}");
                for old in others {
                    self.ended(Outcome::unentered(old.name, End::Stopped, &why));
                }
                self.insert(Held::Waiting(waiting));
                running.into_iter().for_each(|old| self.stop(old, &why));
            }
        }
        None
    }

    pub(super) fn insert(&mut self, held: Held) {
        if let Held::Waiting(waiting) = &held {
            self.waiting_bytes += waiting.bytes;
        }
        if let Some(Held::Waiting(before)) = self.held.insert(held.name().id, held) {
            self.waiting_bytes -= before.bytes;
        }
    }

    pub(super) fn remove(&mut self, id: AttemptId) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Held::Waiting(waiting) = &held {
            self.waiting_bytes -= waiting.bytes;
            if let Some(at) = waiting.due_at {
                self.early.remove(at, id);
            }
        }
        Some(held)
    }

    /// Takes waiting attempts, as many as there are free places.
    pub(super) fn next_with_places(&mut self) -> Vec<Ready> {
        std::iter::from_fn(|| self.next_with_place()).collect()
    }

    /// The first attempt that waits for a place.
    fn next_with_place(&mut self) -> Option<Ready> {
        if !self.has_place() {
            return None;
        }
        let first = self.places.waiting.pop_front()?;
        Some(self.enter(first))
    }

    /// Whether another attempt may run.
    fn has_place(&self) -> bool {
        self.places.taken < self.places.most && !self.outbox.is_full()
    }

    fn enter(&mut self, arrived: Attempt) -> Ready {
        self.places.taken += 1;
        let control = Arc::new(Control::new(&arrived));
        let partition = self.owners.partition(arrived.name.id);
        let now = Instant::now();
        if control.exclusive && self.silence.is_cut(partition, self.clock.elapsed()) {
            control.stop(Why::CutOff);
        }
        let (reported, yielded, look_at) = (false, false, None);
        let running = Running { control: Arc::clone(&control), reported, yielded, look_at };
        self.insert(Held::Running(running));
        self.watch.add(arrived.name.id, now);
        Ready { attempt: arrived, control }
    }

    pub(super) fn running(&self, id: AttemptId) -> Option<&Running> {
        match self.held.get(&id)? {
            Held::Running(running) => Some(running),
            Held::Waiting(_) => None,
        }
    }

    /// Whether exactly this attempt runs, and not another one with its id.
    pub(super) fn is_running(&self, control: &Arc<Control>) -> bool {
        self.running(control.name.id).is_some_and(|running| Arc::ptr_eq(&running.control, control))
    }

    pub(super) fn running_mut(&mut self, id: AttemptId) -> Option<&mut Running> {
        match self.held.get_mut(&id)? {
            Held::Running(running) => Some(running),
            Held::Waiting(_) => None,
        }
    }

    pub(super) fn running_of(
        &self,
        partition: Partition,
    ) -> impl Iterator<Item = (AttemptId, &Running)> {
        self.held.iter().filter_map(move |(id, held)| match held {
            Held::Running(running) if self.owners.partition(*id) == partition => {
                Some((*id, running))
            }
            Held::Running(_) | Held::Waiting(_) => None,
        })
    }

    /// A node that acts on these partitions has answered a message that was sent at `at`.
    pub(super) fn heard(
        &mut self,
        link: LinkId,
        at: Duration,
        limit: Duration,
        partitions: &[Partition],
    ) {
        // This ends the silence, but attempts that were due to end must still end.
        self.cut_off(self.clock.elapsed());
        if let Some(session) = self.links.session(link) {
            session.heard = Some((at, limit));
        }
        for partition in partitions {
            if self.owners.link(*partition) == Some(link) {
                self.silence.heard(*partition, at, limit);
            }
        }
    }

    /// Wakes the owner's link: the partition has something to send.
    pub(super) fn wake(&self, partition: Partition) {
        if let Some(link) = self.owners.link(partition) {
            self.links.wake(link);
        }
    }
}
