//! What the executor does with attempts: start, stop, and what has become of them.
//!
//! An attempt is held from the moment it arrives until its outcome is acknowledged, and remembered
//! for some time after that: it never runs twice here. A job's attempts go through its lane, one at
//! a time; what happens to one that finds another there is for the job's block strategy.

mod lane;
mod outbox;
mod run;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastjob_core::wire::v1;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

pub(crate) use self::outbox::Outbox;
use self::{
    lane::{Lane, Verdict},
    outbox::Remembered,
    run::Control,
};
use crate::{
    clock,
    logs::{Capture, Logs},
    registry::Registry,
};

/// How long outcomes may take to be acknowledged when the process stops.
const FLUSH: Duration = Duration::from_secs(5);

/// The attempts of one executor. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runtime(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    logs: Logs,
    capture: Capture,
    state: Mutex<State>,
    tasks: TaskTracker,
    /// Something was acknowledged or ended.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Attempts that wait or run, by id.
    held: HashMap<i64, Held>,
    /// By job.
    lanes: HashMap<i64, Lane>,
    /// By link.
    outboxes: HashMap<u32, Arc<Notify>>,
    outbox: Outbox,
    remembered: Remembered,
    leaving: bool,
}

/// An attempt that waits or runs.
enum Held {
    Waiting { link: u32 },
    Running { link: u32, control: Arc<Control>, started_at: i64 },
}

/// An attempt that has arrived, and over which link.
pub(super) struct Arrived {
    link: u32,
    attempt: v1::Attempt,
}

impl Runtime {
    pub(crate) fn new(registry: Arc<Registry>, logs: Logs, capture: Capture) -> Self {
        Self(Arc::new(Inner {
            registry,
            logs,
            capture,
            state: Mutex::default(),
            tasks: TaskTracker::new(),
            changed: Notify::new(),
        }))
    }

    /// The wake-up call of a link: there is something to deliver.
    pub(crate) fn link(&self, link: u32) -> Arc<Notify> {
        Arc::clone(self.0.lock().outboxes.entry(link).or_default())
    }

    /// Takes attempts in.
    pub(crate) fn start(&self, link: u32, attempts: Vec<v1::Attempt>) {
        let mut ready = Vec::new();
        {
            let mut state = self.0.lock();
            for attempt in attempts {
                let arrived = Arrived { link, attempt };
                if let Some(begin) = state.take_in(arrived) {
                    ready.push(begin);
                }
            }
            state.wake(link);
        }
        for (arrived, control) in ready {
            let inner = Arc::clone(&self.0);
            self.0.tasks.spawn(async move { inner.lane(arrived, control).await });
        }
    }

    /// Stops attempts: those that wait end at once, those that run get their stop token.
    pub(crate) fn stop(&self, attempts: &[i64]) {
        let mut state = self.0.lock();
        for id in attempts {
            match state.held.get(id) {
                Some(Held::Running { control, .. }) => control.stop(run::Why::Asked),
                Some(Held::Waiting { link }) => {
                    let link = *link;
                    for lane in state.lanes.values_mut() {
                        lane.forget(*id);
                    }
                    state.ended(link, unentered(*id, v1::End::Stopped, "stopped while it waited"));
                    state.wake(link);
                }
                None => {}
            }
        }
    }

    /// Reads an attempt's log.
    pub(crate) async fn stat_log(&self, ask: &v1::StatLog) -> Result<v1::Log, String> {
        let id = fastjob_core::AttemptId(ask.attempt);
        let page = self.0.logs.read(id, ask.offset, ask.limit.max(4)).await;
        let page = page.map_err(|err| err.to_string())?;
        Ok(v1::Log {
            offset: page.offset,
            next_offset: page.next_offset,
            text: page.text,
            ended: page.ended,
        })
    }

    /// How many attempts run and how many wait.
    pub(crate) fn stat_counts(&self) -> (u32, u32) {
        let state = self.0.lock();
        let running =
            state.held.values().filter(|held| matches!(held, Held::Running { .. })).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(running), count(state.held.len() - running))
    }

    /// Everything that is held: what waits, runs, or has not been acknowledged.
    pub(crate) fn holding(&self) -> Vec<i64> {
        let state = self.0.lock();
        state.held.keys().copied().chain(state.outbox.attempts()).collect()
    }

    /// Begins the deliveries of a link anew: what was sent and not acknowledged is sent again.
    pub(crate) fn reconnected(&self, link: u32) {
        let mut state = self.0.lock();
        state.outbox.resend(link);
        let running: Vec<_> = state
            .held
            .iter()
            .filter_map(|(id, held)| match held {
                Held::Running { link: of, started_at, .. } if *of == link => {
                    Some((*id, *started_at))
                }
                Held::Running { .. } | Held::Waiting { .. } => None,
            })
            .collect();
        for (id, at) in running {
            state.outbox.started(link, id, at);
        }
        state.wake(link);
    }

    /// The next messages of a link: who started, and what ended.
    pub(crate) fn to_deliver(&self, link: u32) -> Option<(v1::Started, v1::Finished)> {
        self.0.lock().outbox.next(link)
    }

    /// These outcomes are in the store.
    pub(crate) fn recorded(&self, attempts: &[i64]) {
        let mut state = self.0.lock();
        let now = clock::now_ms();
        for id in attempts {
            if state.outbox.acknowledged(*id) {
                state.remembered.add(*id, now);
            }
        }
        drop(state);
        self.0.changed.notify_one();
    }

    /// Takes no more work.
    pub(crate) fn leave(&self) {
        self.0.lock().leaving = true;
    }

    /// Gives back what has not been entered, so that another executor can run it.
    pub(crate) fn give_back(&self, link: u32) -> Vec<i64> {
        let mut state = self.0.lock();
        let waiting: Vec<_> = state
            .held
            .iter()
            .filter(|(_, held)| matches!(held, Held::Waiting { link: of } if *of == link))
            .map(|(id, _)| *id)
            .collect();
        for id in &waiting {
            state.held.remove(id);
            for lane in state.lanes.values_mut() {
                lane.forget(*id);
            }
        }
        waiting
    }

    /// Lets what runs end: by itself for half of the grace, then by its stop token; then it is
    /// aborted. Returns when all outcomes are acknowledged, or could not be in time.
    pub(crate) async fn drain(&self, grace: Duration) {
        let by_itself = self.wait_until(grace / 2, |state| state.held.is_empty());
        if !by_itself.await {
            for held in self.0.lock().held.values() {
                if let Held::Running { control, .. } = held {
                    control.stop(run::Why::Leaving);
                }
            }
            if !self.wait_until(grace / 2, |state| state.held.is_empty()).await {
                for held in self.0.lock().held.values() {
                    if let Held::Running { control, .. } = held {
                        control.abort();
                    }
                }
            }
        }
        let done = |state: &State| state.held.is_empty() && state.outbox.is_empty();
        if !self.wait_until(FLUSH, done).await {
            let left = self.0.lock().outbox.attempts().count();
            tracing::warn!(outcomes = left, "the executor stops with outcomes nobody took");
        }
    }

    async fn wait_until(&self, deadline: Duration, done: impl Fn(&State) -> bool) -> bool {
        let wait = async {
            loop {
                if done(&self.0.lock()) {
                    return;
                }
                self.0.changed.notified().await;
            }
        };
        tokio::time::timeout(deadline, wait).await.is_ok()
    }
}

impl State {
    /// Finds the place of an attempt; one that can run now is returned with its control.
    fn take_in(&mut self, arrived: Arrived) -> Option<(Arrived, Arc<Control>)> {
        let (id, link) = (arrived.attempt.attempt, arrived.link);
        if let Some(Held::Running { started_at, .. }) = self.held.get(&id) {
            let at = *started_at;
            self.outbox.started(link, id, at);
            return None;
        }
        if self.held.contains_key(&id)
            || self.outbox.resend_one(id)
            || self.remembered.has(id)
            || self.leaving
        {
            return None; // known already, or not held and so given to another
        }
        let job = arrived.attempt.job;
        let lane = self.lanes.entry(job).or_default();
        match lane.arrive(arrived) {
            Verdict::Run(arrived) => {
                let control = Arc::new(Control::new(&arrived.attempt));
                self.enter(&arrived, &control);
                Some((arrived, control))
            }
            Verdict::Wait => {
                self.held.insert(id, Held::Waiting { link });
                None
            }
            Verdict::Skip(why) => {
                self.ended(link, unentered(id, v1::End::Skipped, &why));
                None
            }
            Verdict::Replace { running, waiting } => {
                if let Some(Held::Running { control, .. }) = self.held.get(&running) {
                    control.stop(run::Why::Asked);
                }
                for old in waiting {
                    let end = unentered(
                        old.attempt.attempt,
                        v1::End::Stopped,
                        "replaced by a newer attempt",
                    );
                    self.ended(old.link, end);
                    self.wake(old.link);
                }
                self.held.insert(id, Held::Waiting { link });
                None
            }
        }
    }

    fn enter(&mut self, arrived: &Arrived, control: &Arc<Control>) {
        let held = Held::Running {
            link: arrived.link,
            control: Arc::clone(control),
            started_at: clock::now_ms(),
        };
        self.held.insert(arrived.attempt.attempt, held);
    }

    fn ended(&mut self, link: u32, outcome: v1::Outcome) {
        self.held.remove(&outcome.attempt);
        self.outbox.add(link, outcome);
    }

    fn wake(&self, link: u32) {
        if let Some(link) = self.outboxes.get(&link) {
            link.notify_one();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an attempt, and then those that wait behind it.
    async fn lane(&self, mut arrived: Arrived, mut control: Arc<Control>) {
        loop {
            let job = arrived.attempt.job;
            let link = arrived.link;
            let outcome = self.run(arrived, &control).await;
            let mut state = self.lock();
            state.ended(link, outcome);
            state.wake(link);
            let next = state.lanes.get_mut(&job).and_then(Lane::leave);
            let next = next.map(|next| {
                let control = Arc::new(Control::new(&next.attempt));
                state.enter(&next, &control);
                (next, control)
            });
            if next.is_none() {
                state.lanes.remove(&job);
            }
            let leaving = state.leaving;
            drop(state);
            if leaving {
                self.changed.notify_one();
            }
            match next {
                Some((next, its_control)) => (arrived, control) = (next, its_control),
                None => return,
            }
        }
    }

    /// A handler did not come to its end at once.
    fn started(&self, link: u32, id: i64) {
        let mut state = self.lock();
        if let Some(Held::Running { started_at, .. }) = state.held.get(&id) {
            let at = *started_at;
            state.outbox.started(link, id, at);
            state.wake(link);
        }
    }
}

/// The outcome of an attempt whose handler was never entered.
fn unentered(attempt: i64, end: v1::End, message: &str) -> v1::Outcome {
    v1::Outcome {
        attempt,
        end: end.into(),
        result: None,
        message: message.to_owned(),
        started_at: 0,
        ended_at: clock::now_ms(),
        log_tail: String::new(),
    }
}
