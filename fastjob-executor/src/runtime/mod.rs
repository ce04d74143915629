//! The executor's runtime: starts attempts, stops them, and reports their outcomes.
//!
//! An attempt is held from its arrival until its outcome is acknowledged, and remembered for some
//! time after that, so it never runs twice here. A job's attempts go through its lane, where the
//! block strategy decides about overlaps. An attempt whose turn it is waits until the executor has
//! a free place.

mod attempt;
mod control;
mod deliver;
mod drain;
mod early;
mod ends;
mod entering;
mod lane;
mod links;
mod message;
mod name;
mod outbox;
mod outcome;
mod owners;
mod remembered;
mod reporter;
mod reports;
mod run;
mod silence;
mod state;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastjob_core::{AttemptId, Lease, Partition};
use tokio::{runtime::Handle, sync::Notify, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{
    attempt::{Attempt, Turn},
    links::LinkId,
    message::{Holding, Message},
    name::{CreatedAt, Name},
    outcome::Outcome,
};
use self::{
    control::Control,
    entering::Entering,
    state::{Held, State},
};
use crate::{
    clock::{self, Clock},
    failure::Failures,
    guard::Guarded,
    logs::{Capture, LogError, LogPage, Logs},
    metrics::{self, ExecutorMetrics},
    registry::Registry,
};

/// Why an exclusive attempt is ended when its coordinator cannot be heard.
const UNHEARD: &str = "its executor lost contact with the coordinator, and no other attempt of \
                       the job may run at the same time";

/// Attempts that are accepted under one lock: the first ones start while the rest is accepted.
const TAKEN: usize = 32;

/// Maximum time between two checks for silence. A longer timer would not notice in time that the
/// machine was suspended.
const LOOK: Duration = Duration::from_millis(500);

/// The attempts of one executor. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runtime(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    logs: Logs,
    capture: Capture,
    failures: Failures,
    state: Mutex<State>,
    tasks: TaskTracker,
    /// The tokio runtime of the handlers.
    handlers: Handle,
    /// Something was acknowledged or ended.
    changed: Notify,
    /// A coordinator was heard.
    heard: Notify,
    entering: Entering,
}

/// An attempt whose handler is about to be entered.
struct Ready {
    attempt: Attempt,
    control: Arc<Control>,
}

/// What a link has to send.
pub(crate) struct Delivery {
    /// To be sent in this order, as soon as the stream accepts them.
    pub(crate) messages: Vec<Message>,
    /// Whether there are more: the next delivery follows at once.
    pub(crate) is_cut: bool,
    /// If there are no messages: when to check again.
    pub(crate) next_at: Option<Instant>,
}

impl Runtime {
    /// Creates the runtime of an executor that runs at most `capacity` attempts at a time, on the
    /// current tokio runtime.
    pub(crate) fn new(
        registry: Arc<Registry>,
        logs: Logs,
        capture: Capture,
        capacity: u32,
        clock: Clock,
    ) -> Self {
        let failures = logs.failures();
        Self(Arc::new(Inner {
            registry,
            logs,
            failures,
            capture,
            state: Mutex::new(State::new(capacity, clock)),
            tasks: TaskTracker::new(),
            handlers: Handle::current(),
            changed: Notify::new(),
            heard: Notify::new(),
            entering: Entering::default(),
        }))
    }

    /// Counts what ends in these metrics, which read what is held from here.
    pub(crate) fn count_in(&self, metrics: &ExecutorMetrics) {
        self.0.lock().metrics = metrics.clone();
        let inner = Arc::downgrade(&self.0);
        metrics.read_from(move || {
            let runtime = Self(inner.upgrade()?);
            let (running, waiting) = runtime.stat_counts();
            let outbox = runtime.0.lock().outbox.len() as u64;
            Some(metrics::Held { running, waiting, outbox })
        });
    }

    /// The notifier of a link: there is something to deliver.
    pub(crate) fn link(&self, link: LinkId) -> Arc<Notify> {
        self.0.lock().links.wake_of(link)
    }

    /// The number of partitions of the store, from a coordinator's welcome.
    pub(crate) fn partitions(&self, total: u32) {
        self.0.lock().owners.set_total(total);
    }

    /// The link's coordinator now acts on these partitions.
    pub(crate) fn take(&self, link: LinkId, leases: Vec<Lease>) {
        self.0.lock().take(link, leases);
        self.0.heard.notify_one();
    }

    /// Accepts attempts, unless their sender has lost their partition. In that case they are not
    /// returned to the sender: the new owner has learned from Holding that they are not here.
    pub(crate) fn start(&self, link: LinkId, lease: Lease, attempts: Vec<Attempt>) {
        let (mut left, mut ready) = (attempts.into_iter(), Vec::with_capacity(TAKEN));
        while left.len() > 0 {
            {
                let mut state = self.0.lock();
                if !state.owners.allows(link, lease) {
                    tracing::warn!(
                        partition = lease.partition.0,
                        term = lease.term,
                        attempts = left.len(),
                        "rejected attempts: their coordinator has lost the partition"
                    );
                    return;
                }
                for attempt in left.by_ref().take(TAKEN) {
                    if state.owners.partition(attempt.name.id) == lease.partition {
                        ready.extend(state.take_in(link, attempt));
                    }
                }
                state.wake(lease.partition);
            }
            for ready in ready.drain(..) {
                Inner::spawn(&self.0, ready);
            }
        }
    }

    /// Stops attempts. Waiting ones end at once; running ones get their stop token.
    pub(crate) fn stop(&self, link: LinkId, attempts: Vec<Name>) {
        let mut state = self.0.lock();
        for name in attempts {
            let meant = state.held.get(&name.id).is_some_and(|held| held.name().is(name));
            if meant && state.owners.has(link, name.id) {
                state.stop(name.id, "stopped while it waited");
            }
        }
    }

    /// The time since the start, including the time that the machine was suspended.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.lock().clock.elapsed()
    }

    /// A coordinator that acts on these partitions has answered a message that was sent at `at`. It
    /// cannot abandon this executor until `limit` has passed since then. Zero means that there is
    /// no limit.
    pub(crate) fn heard(
        &self,
        link: LinkId,
        at: Duration,
        limit: Duration,
        partitions: &[Partition],
    ) {
        self.0.lock().heard(link, at, limit, partitions);
        self.0.heard.notify_one();
    }

    /// Ends exclusive attempts whose coordinators cannot be heard, until `stop` fires.
    pub(crate) async fn watch_silence(&self, stop: CancellationToken) {
        loop {
            let wait = {
                let mut state = self.0.lock();
                let now = state.clock.elapsed();
                state.cut_off(now).map(|at| at.saturating_sub(now).min(LOOK))
            };
            let next = wait.map(|wait| Instant::now() + wait);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.heard.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Watches attempts that do not end at once, until `stop` fires.
    pub(crate) async fn watch_attempts(&self, stop: CancellationToken) {
        let sooner = Arc::clone(&self.0.lock().watch.sooner);
        loop {
            let (next, leaving) = {
                let mut state = self.0.lock();
                (state.look_after(Instant::now()), state.leaving)
            };
            if leaving {
                self.0.changed.notify_one();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sooner.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Reads an attempt's log.
    pub(crate) async fn stat_log(
        &self,
        attempt: AttemptId,
        offset: u64,
        limit: u32,
    ) -> Result<LogPage, LogError> {
        self.0.logs.read(attempt, offset, limit).await
    }

    /// The number of running attempts, and of those that are due and wait.
    pub(crate) fn stat_counts(&self) -> (u32, u32) {
        let state = self.0.lock();
        let running = state.held.values().filter(|held| matches!(held, Held::Running(_))).count();
        let waiting = state.held.len() - running - state.early.len();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(running + state.stuck.len()), count(waiting))
    }

    /// Everything that is held: attempts that wait, run, or are not acknowledged.
    pub(crate) fn holding(&self) -> Vec<AttemptId> {
        let state = self.0.lock();
        state.names().map(|name| name.id).collect()
    }

    /// The link has a session. Nothing of a partition is delivered over it until its coordinator
    /// has claimed the partition.
    pub(crate) fn session_began(&self, link: LinkId, says_farewell: bool) {
        self.0.lock().session_began(link, says_farewell);
    }

    /// The link's session has ended.
    pub(crate) fn session_ended(&self, link: LinkId) {
        self.0.lock().session_ended(link);
        self.0.changed.notify_one();
    }

    /// The link no longer exists.
    pub(crate) fn forget_link(&self, link: LinkId) {
        let mut state = self.0.lock();
        state.session_ended(link);
        state.links.remove(link);
    }

    /// What a link has to send next: starts, reports and outcomes.
    pub(crate) fn to_deliver(&self, link: LinkId) -> Delivery {
        let delivery = self.0.lock().deliver(link, Instant::now());
        if !delivery.messages.is_empty() {
            // The drain may be waiting for this.
            self.0.changed.notify_one();
        }
        delivery
    }

    /// These outcomes are persisted.
    pub(crate) fn recorded(&self, attempts: Vec<Name>) {
        let mut state = self.0.lock();
        let now = clock::now_ms();
        for name in attempts {
            if let Some(outcome) = state.outbox.acknowledged(name) {
                state.remembered.add(outcome, now);
            }
        }
        // Attempts may have waited for space in the outbox.
        let ready = state.next_with_places();
        drop(state);
        for ready in ready {
            Inner::spawn(&self.0, ready);
        }
        self.0.changed.notify_one();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(inner: &Arc<Self>, ready: Ready) {
        let (lane, failures) = (Arc::clone(inner), inner.failures.clone());
        let entering = inner.entering.begin();
        let run = async move {
            drop(entering);
            let lane = Guarded::new(Box::pin(lane.lane(ready)));
            if let Err(why) = lane.await {
                failures.raise("the attempt bookkeeping", why);
            }
        };
        inner.tasks.spawn_on(run, &inner.handlers);
    }

    /// Runs an attempt, then the attempts that wait behind it.
    async fn lane(self: Arc<Self>, mut ready: Ready) {
        loop {
            let (id, job) = (ready.attempt.name.id, ready.attempt.job);
            let control = Arc::clone(&ready.control);
            let run = Guarded::new(Box::pin(Self::run(&self, ready))).await;
            let outcome = run.unwrap_or_else(|why| run::panicked(&control, why));
            let mut state = self.lock();
            state.ended(outcome);
            let next = state.next_to_run(job, id);
            let leaving = state.leaving;
            drop(state);
            if leaving {
                self.changed.notify_one();
            }
            let mut next = next.into_iter();
            let (Some(first), second) = (next.next(), next.next()) else { return };
            let Some(second) = second else {
                ready = first;
                continue;
            };
            // Each in its own task: an attempt that blocks this thread would hide the others.
            [first, second].into_iter().chain(next).for_each(|next| Self::spawn(&self, next));
            return;
        }
    }

    /// A handler reached an `.await` without completing.
    fn yielded(&self, id: AttemptId) {
        let mut state = self.lock();
        state.tell_started(id);
        if let Some(running) = state.running_mut(id) {
            running.yielded = true;
        }
    }
}

/// Waits until then, or forever.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
