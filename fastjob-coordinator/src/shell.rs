//! The I/O around the engine: reads the clocks, delivers events and applies effects.
//!
//! One loop owns the engine, so the engine needs no locks. Each iteration handles all events that
//! have arrived, advances time once, and submits one commit, so batches grow with load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fastjob_engine::{Command, CommitId, Effects, Engine, Event};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    losses::Losses,
    metrics::{Held, Metrics},
    permit::Permit,
    sessions::Sessions,
    store::{
        Lease,
        writer::{Health, WriterHandle},
    },
    traces::Traces,
};

/// Maximum number of events handled before time advances and a commit is submitted.
const BATCH: usize = 1_024;
/// With fewer events than this, the loop looks once more for others.
const FEW: usize = 64;
/// Most slices of due attempts that are sent before other events are handled.
const SLICES: usize = 16;
/// How long a call waits for the store before it fails with an unknown result.
const ANSWER: Duration = Duration::from_secs(20);

/// How long a call waits for a store that rejects writes to recover.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The engine ended before it handled the command; nothing was done.
    #[error("another node now owns the partition")]
    Moved,
    /// Temporarily unavailable; either nothing was done, or the result is unknown.
    #[error("{0}")]
    Unavailable(String),
}

/// Sends events and commands to the engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineHandle {
    events: mpsc::UnboundedSender<Delivery>,
    health: watch::Receiver<Health>,
}

/// The receiving end of an [`EngineHandle`], read by the loop.
pub(crate) struct Inbox(mpsc::UnboundedReceiver<Delivery>);

#[cfg(test)]
impl Inbox {
    /// The next event, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.0.try_recv().ok().map(Delivery::take)
    }
}

/// An event on its way to the engine.
struct Delivery {
    event: Event,
    /// Set when the engine handles the event: from then on it may have had an effect.
    taken: Option<Arc<AtomicBool>>,
    /// Released when the engine handles the event.
    spent: Option<Spent>,
}

/// Credit that a sender has spent on an event. It is released when every copy is dropped.
pub(crate) type Spent = Arc<dyn Send + Sync>;

impl Delivery {
    fn take(self) -> Event {
        drop(self.spent);
        if let Some(taken) = self.taken {
            taken.store(true, Ordering::Release);
        }
        self.event
    }
}

impl EngineHandle {
    /// A handle and the inbox of the loop that will own the engine.
    pub(crate) fn new(health: watch::Receiver<Health>) -> (Self, Inbox) {
        let (events, inbox) = mpsc::unbounded_channel();
        (Self { events, health }, Inbox(inbox))
    }

    /// Sends an event to the engine. Never waits: session events are bounded by credit, commands by
    /// the requests that wait for them.
    pub(crate) fn tell(&self, event: Event) {
        self.send(Delivery { event, taken: None, spent: None });
    }

    /// Like [`tell`](Self::tell), for an event that a session has spent credit on.
    pub(crate) fn tell_spent(&self, event: Event, spent: Option<Spent>) {
        self.send(Delivery { event, taken: None, spent });
    }

    fn send(&self, delivery: Delivery) {
        if self.events.send(delivery).is_err() {
            tracing::debug!("event dropped: the engine has ended");
        }
    }

    /// Sends a command and waits for its answer, which is sent once the result is durable.
    ///
    /// # Errors
    ///
    /// Fails with [`AskError::Moved`] if the engine ended before it handled the command. Fails
    /// with [`AskError::Unavailable`] if the store is unavailable or times out, or if the engine
    /// ended before the result was known to be durable.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, AskError> {
        self.ask_with(|answer| Event::Command(command(answer))).await
    }

    /// Like [`ask`](Self::ask), with an event that contains more than the command.
    pub(crate) async fn ask_with<T>(
        &self,
        event: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, AskError> {
        self.ready()?;
        let refused = refuses_for(self.health.clone(), PATIENCE);
        tokio::select! {
            biased;
            answer = self.answer(event) => answer,
            why = refused => Err(AskError::Unavailable(format!(
                "the store cannot be written, so it is not known whether this was done: {why}"
            ))),
        }
    }

    /// Like [`ask`](Self::ask), for a command that writes nothing.
    pub(crate) async fn query<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, AskError> {
        self.answer(|answer| Event::Command(command(answer))).await
    }

    async fn answer<T>(
        &self,
        event: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, AskError> {
        let (answer, wait) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let event = event(answer);
        self.send(Delivery { event, taken: Some(Arc::clone(&taken)), spent: None });
        match tokio::time::timeout(ANSWER, wait).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if !taken.load(Ordering::Acquire) => Err(AskError::Moved),
            // Its commit may have been in progress, so a retry could do it twice.
            Ok(Err(_)) => Err(AskError::Unavailable(
                "the partition moved to another node during the request: it is not known whether \
                 this was done"
                    .to_owned(),
            )),
            Err(_) => Err(AskError::Unavailable(
                "the store did not answer in time: it is not known whether this was done"
                    .to_owned(),
            )),
        }
    }

    /// Fails with the reason if the store does not accept writes.
    pub(crate) fn ready(&self) -> Result<(), AskError> {
        match &*self.health.borrow() {
            Health::Well => Ok(()),
            Health::Failing { why, .. } => {
                Err(AskError::Unavailable(format!("the store cannot be written: {why}")))
            }
        }
    }
}

/// Returns the reason once the store has rejected writes continuously for `patience`.
async fn refuses_for(mut health: watch::Receiver<Health>, patience: Duration) -> String {
    loop {
        let failing = health.wait_for(|health| *health != Health::Well).await;
        let failing = failing.map(|health| health.clone());
        let why = match failing {
            Ok(Health::Failing { why }) => why,
            Ok(Health::Well) => continue,
            // The writer has ended, and with it the engine.
            Err(_) => return std::future::pending().await,
        };
        let well = health.wait_for(|health| *health == Health::Well);
        if tokio::time::timeout(patience, well).await.is_err() {
            return why;
        }
    }
}

/// The engine's environment.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) clock: Arc<Clock>,
    pub(crate) writer: WriterHandle,
    pub(crate) sessions: Sessions,
    pub(crate) losses: Losses,
    pub(crate) traces: Traces,
    pub(crate) metrics: Metrics,
    /// The right of this engine to act.
    pub(crate) permit: Permit,
    pub(crate) lease: Lease,
}

/// Signals that end an engine's loop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    /// Immediate: unpersisted decisions are dropped, and the next owner continues from the store.
    pub(crate) lost: CancellationToken,
    /// Orderly: accepts nothing new and persists what was decided.
    pub(crate) retire: CancellationToken,
}

/// The permit has expired: the engine's effects were dropped.
#[derive(Debug, PartialEq, Eq)]
struct Refused;

/// Runs the engine until it is asked to end or its permit expires. When the permit has expired,
/// decisions since the last commit are dropped, as in a crash, and the next owner continues from
/// the store.
pub(crate) async fn run(
    mut engine: Engine,
    around: Around,
    Inbox(mut events): Inbox,
    ending: Ending,
) -> Lease {
    let mut batch = Vec::with_capacity(BATCH);
    let mut effects = Effects::default();
    // While this exists, what the engine holds counts.
    let held = around.metrics.engines.enter(&engine.gauges());
    loop {
        // What is due leaves before anything else is handled.
        for _ in 0..SLICES {
            let now = around.clock.now();
            if !engine.is_due(now) || ending.retire.is_cancelled() {
                break;
            }
            if !around.may_act() {
                return around.lease;
            }
            engine.send_due(now, &mut effects);
            engine.flush(&mut effects);
            if around.carry_out(&mut effects) == Err(Refused) {
                return around.lease;
            }
            around.count(&mut engine, &held);
            // The sessions encode one slice while the engine decides about the next.
            tokio::task::yield_now().await;
            if ending.lost.is_cancelled() {
                return around.lease;
            }
        }
        let wait = engine.wake_in(around.clock.now());
        tokio::select! {
            biased;
            () = ending.lost.cancelled() => return around.lease,
            () = ending.retire.cancelled() => break,
            _ = events.recv_many(&mut batch, BATCH) => {}
            () = pause(wait) => {}
        }
        if !batch.is_empty() && batch.len() < FEW {
            // Many callers send one event each: those that can run do so before the engine decides,
            // so that their commits become one.
            tokio::task::yield_now().await;
            while batch.len() < BATCH
                && let Ok(next) = events.try_recv()
            {
                batch.push(next);
            }
            if ending.lost.is_cancelled() {
                return around.lease;
            }
        }
        if !around.may_act() {
            return around.lease;
        }
        let now = around.clock.now();
        for delivery in batch.drain(..) {
            engine.handle(now, delivery.take(), &mut effects);
        }
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        if around.carry_out(&mut effects) == Err(Refused) {
            // The engine assumes that its effects were applied, so it must not decide anything
            // else.
            return around.lease;
        }
        // What was refused has not happened, and does not count.
        around.count(&mut engine, &held);
    }
    // Changes that wait are carried out: an engine that ended first could not say that they were not.
    let settled = pause(engine.settles_in(around.clock.now()));
    tokio::select! {
        biased;
        () = ending.lost.cancelled() => return around.lease,
        () = settled => {}
    }
    if !around.may_act() {
        return around.lease;
    }
    engine.retire(around.clock.now(), &mut effects);
    if around.carry_out(&mut effects) == Err(Refused) {
        return around.lease;
    }
    around.count(&mut engine, &held);
    while !engine.is_written() {
        let next = tokio::select! {
            () = ending.lost.cancelled() => return around.lease,
            () = around.writer.ended() => return around.lease,
            next = events.recv() => next,
        };
        if let Some(Delivery { event: Event::Committed(ids), .. }) = next {
            engine.handle(around.clock.now(), Event::Committed(ids), &mut effects);
            // Nothing new is sent; the next owner finds it in the store. For a placed attempt, it
            // asks the executor, learns that the attempt did not arrive, and sends it. It sends
            // stops for tasks in the state `stopping`, and acknowledges outcomes when executors
            // repeat them.
            effects.sends.clear();
            if around.carry_out(&mut effects) == Err(Refused) {
                return around.lease;
            }
        }
    }
    around.lease
}

/// Waits that long. Without a time to wait, only lets other tasks run: a timer would take a
/// millisecond.
async fn pause(wait: Duration) {
    match wait.is_zero() {
        true => tokio::task::yield_now().await,
        false => tokio::time::sleep(wait).await,
    }
}

impl Around {
    fn may_act(&self) -> bool {
        self.permit.holds(self.clock.elapsed())
    }

    /// Adds what the engine has counted since the last call to the metrics of the node.
    fn count(&self, engine: &mut Engine, held: &Held) {
        self.metrics.take(engine.tally());
        held.set(&engine.gauges());
    }

    /// Applies all effects of the engine, or none if the permit has expired.
    fn carry_out(&self, effects: &mut Effects) -> Result<(), Refused> {
        // Checked right before sending: a node that was suspended must not start what another node
        // may now own. If the process is suspended after this check, executors that know a newer
        // term reject what it sends.
        if !self.may_act() {
            *effects = Effects::default();
            return Err(Refused);
        }
        for (session, message) in effects.sends.drain(..) {
            self.sessions.send(session, self.lease, message);
        }
        for (CommitId(id), commit) in effects.commits.drain(..) {
            self.writer.submit(id, commit);
        }
        for answer in effects.answers.drain(..) {
            answer.give();
        }
        self.losses.report(effects.notices.drain(..));
        self.traces.report(effects.spans.drain(..));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
