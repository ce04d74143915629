//! What the executor knows of its attempts, under one lock: what it holds, the lanes, and what is to
//! be told.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastjob_core::wire::v1::{self, from_executor::Message};
use tokio::{sync::Notify, time::Instant};

use super::{
    Delivery, Ready,
    control::{Control, Why},
    lane::{Lane, Verdict},
    outbox::{Outbox, Remembered},
    owners::Owners,
    reports::Reports,
    silence::{Cut, Silence},
    unentered,
    watch::Watch,
};

#[derive(Default)]
pub(super) struct State {
    /// Attempts that wait or run, by id.
    pub(super) held: HashMap<i64, Held>,
    /// Attempts that were reported as ended and have not: they keep their places and their lanes.
    pub(super) stuck: HashSet<i64>,
    places: Places,
    /// By job.
    lanes: HashMap<i64, Lane>,
    /// By link.
    pub(super) outboxes: HashMap<u32, Arc<Notify>>,
    pub(super) owners: Owners,
    /// By link, what its node has said to act on, to be answered.
    taken: HashMap<u32, Vec<v1::Lease>>,
    /// By link, when its node was heard last, and how much silence it allows.
    heard: HashMap<u32, (Instant, Duration)>,
    pub(super) outbox: Outbox,
    pub(super) reports: Reports,
    pub(super) remembered: Remembered,
    pub(super) silence: Silence,
    pub(super) watch: Watch,
    pub(super) leaving: bool,
}

/// The executor's capacity. Each engine counts what it has sent itself: where several share an
/// executor, together they may send more than it runs, and the rest waits here.
#[derive(Default)]
struct Places {
    most: usize,
    taken: usize,
    /// Those whose lanes let them run.
    waiting: VecDeque<v1::Attempt>,
}

/// An attempt that waits or runs.
pub(super) enum Held {
    Waiting { job: i64 },
    Running(Running),
}

/// An attempt that runs.
pub(super) struct Running {
    pub(super) control: Arc<Control>,
    /// That its handler was entered has been told.
    told: bool,
    /// Its handler has come to an `.await`.
    pub(super) yielded: bool,
    /// When it is looked at next; not told of one that is new.
    pub(super) look_at: Option<Instant>,
}

impl State {
    /// Of an executor that runs at most so many attempts at a time.
    pub(super) fn new(capacity: u32) -> Self {
        let places = Places { most: capacity as usize, ..Places::default() };
        Self { places, ..Self::default() }
    }

    /// Finds the place of an attempt; one that can run now is returned.
    pub(super) fn take_in(&mut self, arrived: v1::Attempt) -> Option<Ready> {
        let (id, job, task) = (arrived.attempt, arrived.job, arrived.task);
        if let Some(running) = self.running_mut(id) {
            running.told = false;
            self.tell_started(id);
            return None;
        }
        if self.held.contains_key(&id)
            || self.stuck.contains(&id)
            || self.outbox.resend_one(id)
            || self.remembered.has(id)
            || self.leaving
        {
            return None; // known already, or not held and so given to another
        }
        let lane = self.lanes.entry(job).or_default();
        match lane.arrive(arrived) {
            Verdict::Run(arrived) => {
                self.held.insert(id, Held::Waiting { job });
                self.places.waiting.push_back(arrived);
                return self.next_with_place();
            }
            Verdict::Wait => {
                self.held.insert(id, Held::Waiting { job });
            }
            Verdict::Skip(why) => {
                if lane.is_empty() {
                    self.lanes.remove(&job);
                }
                self.ended(unentered(id, v1::End::Skipped, &why));
            }
            Verdict::Replaced(by) => {
                self.ended(unentered(id, v1::End::Stopped, &format!("replaced by task {by}")));
            }
            Verdict::Replace { running, waiting } => {
                let why = format!("replaced by task {task}");
                for old in waiting {
                    self.ended(unentered(old.attempt, v1::End::Stopped, &why));
                }
                self.held.insert(id, Held::Waiting { job });
                running.into_iter().for_each(|old| self.stop(old, &why));
            }
        }
        None
    }

    /// The first that waits for a place, if there is one.
    fn next_with_place(&mut self) -> Option<Ready> {
        if self.places.taken >= self.places.most {
            return None;
        }
        let first = self.places.waiting.pop_front()?;
        self.places.taken += 1;
        Some(self.enter(first))
    }

    fn enter(&mut self, arrived: v1::Attempt) -> Ready {
        let control = Arc::new(Control::new(&arrived));
        let partition = self.owners.partition(arrived.attempt);
        let now = Instant::now();
        if control.exclusive && self.silence.is_cut(partition, now) {
            control.stop(Why::CutOff);
        }
        let (told, yielded, look_at) = (false, false, None);
        let running = Running { control: Arc::clone(&control), told, yielded, look_at };
        self.held.insert(arrived.attempt, Held::Running(running));
        self.watch.add(arrived.attempt, now);
        Ready { attempt: arrived, control }
    }

    pub(super) fn running(&self, id: i64) -> Option<&Running> {
        match self.held.get(&id)? {
            Held::Running(running) => Some(running),
            Held::Waiting { .. } => None,
        }
    }

    pub(super) fn running_mut(&mut self, id: i64) -> Option<&mut Running> {
        match self.held.get_mut(&id)? {
            Held::Running(running) => Some(running),
            Held::Waiting { .. } => None,
        }
    }

    /// Tells that an attempt's handler was entered, if it was and nobody has said so.
    pub(super) fn tell_started(&mut self, id: i64) {
        let partition = self.owners.partition(id);
        let Some(running) = self.running_mut(id).filter(|running| !running.told) else { return };
        if let Some(at_ms) = running.control.entered().map(|entered| entered.at_ms) {
            running.told = true;
            self.outbox.started(partition, id, at_ms);
            self.wake(partition);
        }
    }

    fn running_of(&self, partition: u32) -> impl Iterator<Item = (i64, &Running)> {
        self.held.iter().filter_map(move |(id, held)| match held {
            Held::Running(running) if self.owners.partition(*id) == partition => {
                Some((*id, running))
            }
            Held::Running(_) | Held::Waiting { .. } => None,
        })
    }

    /// Stops an attempt: one that waits ends at once and says why, one that runs gets its stop
    /// token.
    pub(super) fn stop(&mut self, id: i64, why: &str) {
        match self.held.get(&id) {
            Some(Held::Running(running)) => {
                running.control.stop(Why::Asked);
                self.look_again(id, Some(Instant::now()));
            }
            Some(Held::Waiting { job }) => {
                let job = *job;
                self.forget(job, id);
                self.ended(unentered(id, v1::End::Stopped, why));
            }
            None => {}
        }
    }

    /// An attempt is over: its outcome is told.
    pub(super) fn ended(&mut self, outcome: v1::Outcome) {
        let id = outcome.attempt;
        if self.stuck.remove(&id) {
            tracing::info!(attempt.id = id, "an attempt that was given up has ended");
            self.places.taken -= 1;
        } else if let Some(Held::Running(_)) = self.report(outcome) {
            self.places.taken -= 1;
        }
    }

    /// An attempt is not held any more: its outcome is told.
    pub(super) fn report(&mut self, outcome: v1::Outcome) -> Option<Held> {
        let id = outcome.attempt;
        let partition = self.owners.partition(id);
        let held = self.held.remove(&id);
        if let Some(Held::Running(running)) = &held {
            self.reports.ended(partition, &running.control.said);
            self.unwatch(id, running.look_at);
        }
        self.outbox.add(partition, outcome);
        self.wake(partition);
        held
    }

    /// A node was heard to act on these partitions when what was sent at `at` was answered.
    pub(super) fn heard(&mut self, link: u32, at: Instant, limit: Duration, partitions: &[u32]) {
        self.heard.insert(link, (at, limit));
        for partition in partitions {
            if self.owners.link(*partition) == Some(link) {
                self.silence.heard(*partition, at, limit);
            }
        }
    }

    /// A node acts on these partitions from now on: all of them is told to it again.
    pub(super) fn take(&mut self, link: u32, leases: Vec<v1::Lease>) {
        let taken: Vec<_> =
            leases.into_iter().filter(|lease| self.owners.take(link, lease)).collect();
        for lease in &taken {
            if let Some((at, limit)) = self.heard.get(&link) {
                self.silence.heard(lease.partition, *at, *limit);
            }
            self.tell_again(lease.partition);
        }
        self.taken.entry(link).or_default().extend(taken);
        if let Some(outbox) = self.outboxes.get(&link) {
            outbox.notify_one();
        }
    }

    /// What was said in an earlier session of the link is not to be answered in a new one.
    pub(super) fn reconnected(&mut self, link: u32) {
        self.taken.remove(&link);
        self.owners.leave(link);
    }

    /// Everything of these partitions that is held.
    fn holding(&self, leases: &[v1::Lease]) -> Vec<i64> {
        let all = self.held.keys().copied().chain(self.outbox.attempts());
        let of = |id: &i64| {
            let partition = self.owners.partition(*id);
            leases.iter().any(|lease| lease.partition == partition)
        };
        all.filter(of).collect()
    }

    /// An attempt that ran has left its lane: those whose turn it is.
    pub(super) fn next_to_run(&mut self, job: i64, id: i64) -> Vec<Ready> {
        self.leave_lane(job, id);
        std::iter::from_fn(|| self.next_with_place()).collect()
    }

    /// Those that were behind it in its lane wait for a place now.
    fn leave_lane(&mut self, job: i64, id: i64) {
        let Some(lane) = self.lanes.get_mut(&job) else { return };
        self.places.waiting.extend(lane.leave(id));
        if lane.is_empty() {
            self.lanes.remove(&job);
        }
    }

    /// Gives back what waits.
    pub(super) fn give_back(&mut self, link: u32) -> Vec<i64> {
        let waiting: Vec<_> = self
            .held
            .iter()
            .filter_map(|(id, held)| match held {
                Held::Waiting { job } if self.owners.has(link, *id) => Some((*id, *job)),
                Held::Waiting { .. } | Held::Running(_) => None,
            })
            .collect();
        for (id, job) in &waiting {
            self.held.remove(id);
            self.forget(*job, *id);
        }
        waiting.into_iter().map(|(id, _)| id).collect()
    }

    /// One that waits, in its lane or for a place, is not to run.
    fn forget(&mut self, job: i64, id: i64) {
        if let Some(at) = self.places.waiting.iter().position(|other| other.attempt == id) {
            self.places.waiting.remove(at);
            self.leave_lane(job, id);
        } else if let Some(lane) = self.lanes.get_mut(&job) {
            lane.forget(id);
        }
    }

    /// Whoever acts on the partition knows nothing of it.
    fn tell_again(&mut self, partition: u32) {
        self.outbox.resend(partition);
        let running: Vec<_> = self
            .running_of(partition)
            .map(|(id, running)| (id, Arc::clone(&running.control.said)))
            .collect();
        for (id, _) in &running {
            if let Some(running) = self.running_mut(*id) {
                running.told = false;
                self.tell_started(*id);
            }
        }
        self.reports.again(partition, running.iter().map(|(_, said)| said));
    }

    /// What a link is to say next. An outcome comes after all else that its attempt has to say.
    pub(super) fn deliver(&mut self, link: u32, now: Instant) -> Delivery {
        let (mut messages, mut next_at) = (Vec::new(), None);
        let taken = self.taken.remove(&link).unwrap_or_default();
        if !taken.is_empty() {
            let attempts = self.holding(&taken);
            messages.push(Message::Holding(v1::Holding {
                leases: taken,
                attempts,
                ..v1::Holding::default()
            }));
        }
        for partition in self.owners.partitions(link) {
            self.deliver_of(partition, now, &mut messages);
            let at = self.reports.due_at(partition, now);
            next_at = [next_at, at].into_iter().flatten().min();
        }
        Delivery { messages, next_at }
    }

    fn deliver_of(&mut self, partition: u32, now: Instant, messages: &mut Vec<Message>) {
        let (checkpoints, progress) = self.reports.next(partition, now);
        let (started, finished) = self.outbox.next(partition).unwrap_or_default();
        if !started.attempts.is_empty() {
            messages.push(Message::Started(started));
        }
        if !checkpoints.attempts.is_empty() {
            messages.push(Message::Checkpoints(checkpoints));
        }
        if !progress.attempts.is_empty() {
            messages.push(Message::Progress(progress));
        }
        if !finished.outcomes.is_empty() {
            messages.push(Message::Finished(finished));
        }
    }

    /// Ends what must not run any more because its coordinator is not heard; returns when to look
    /// again.
    pub(super) fn cut_off(&mut self, now: Instant) -> Option<Instant> {
        for (partition, cut) in self.silence.due(now) {
            let mut count = 0;
            for (_, running) in self.running_of(partition).filter(|(_, run)| run.control.exclusive)
            {
                running.control.stop(Why::CutOff);
                if cut == Cut::Abort {
                    running.control.abort();
                }
                count += 1;
            }
            if count > 0 {
                tracing::warn!(
                    attempts = count,
                    aborted = cut == Cut::Abort,
                    "the coordinator is not heard, exclusive attempts are ended"
                );
            }
        }
        self.silence.next()
    }

    /// Something of the partition is to be told.
    pub(super) fn wake(&self, partition: u32) {
        let link = self.owners.link(partition);
        if let Some(outbox) = link.and_then(|link| self.outboxes.get(&link)) {
            outbox.notify_one();
        }
    }
}
