//! The I/O around the engine: it reads the clocks, carries events in and effects out.
//!
//! One loop owns the engine, so it needs no locks. It takes in all that has come together, lets
//! time pass once, and hands over one commit: under load the batches grow by themselves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cluster::Permit,
    engine::{Command, CommitId, Effects, Engine, Event},
    ops,
    sessions::Sessions,
    store::{
        Lease,
        writer::{Health, WriterHandle},
    },
};

/// Most events that are taken in before time passes and a commit is handed over.
const BATCH: usize = 1_024;
/// How long a call waits for the store before it is told that the answer is not known.
const ANSWER: Duration = Duration::from_secs(20);

/// How long a call waits for a store that refuses to be written, and may take writes again.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineHandle {
    events: mpsc::UnboundedSender<Told>,
    health: watch::Receiver<Health>,
}

/// What the loop reads from; the other end of a handle.
pub(crate) struct Inbox(mpsc::UnboundedReceiver<Told>);

#[cfg(test)]
impl Inbox {
    /// The next event, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.0.try_recv().ok().map(Told::take)
    }
}

/// An event on its way to the engine.
struct Told {
    event: Event,
    /// Set when the engine takes it in: from then on something may have been done about it.
    taken: Option<Arc<AtomicBool>>,
    /// Returns when the engine takes it in.
    spent: Option<Spent>,
}

/// Credit that a sender has spent on an event; it returns when every copy is dropped.
pub(crate) type Spent = Arc<dyn Send + Sync>;

impl Told {
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

    /// Tells the engine what happened. Never waits: sessions are bounded by the credit that they
    /// spend, commands by the requests that wait for them.
    pub(crate) fn tell(&self, event: Event) {
        self.send(Told { event, taken: None, spent: None });
    }

    /// Tells the engine what a session has spent credit for.
    pub(crate) fn tell_spent(&self, event: Event, spent: Option<Spent>) {
        self.send(Told { event, taken: None, spent });
    }

    fn send(&self, told: Told) {
        if self.events.send(told).is_err() {
            tracing::debug!("the engine has ended, an event is dropped");
        }
    }

    /// Asks the engine and waits for the answer, which comes when what it says is durable.
    ///
    /// # Errors
    ///
    /// Fails with [`ops::Error::Moved`] if the engine has ended and nothing was done, and with
    /// [`ops::Error::Unavailable`] if the store is away, does not come back in time, or the engine
    /// ended before it knew whether what it did is durable.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ops::Error> {
        self.ask_with(|answer| Event::Command(command(answer))).await
    }

    /// Like [`ask`](Self::ask), with an event that brings more than the command.
    pub(crate) async fn ask_with<T>(
        &self,
        event: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, ops::Error> {
        self.ready()?;
        let refused = refuses_for(self.health.clone(), PATIENCE);
        tokio::select! {
            biased;
            answer = self.answer(event) => answer,
            why = refused => Err(ops::Error::Unavailable(format!(
                "the store cannot be written, so it is not known whether this was done: {why}"
            ))),
        }
    }

    /// Asks for something that writes nothing.
    pub(crate) async fn query<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ops::Error> {
        self.answer(|answer| Event::Command(command(answer))).await
    }

    async fn answer<T>(
        &self,
        event: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, ops::Error> {
        let (answer, wait) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let event = event(answer);
        self.send(Told { event, taken: Some(Arc::clone(&taken)), spent: None });
        match tokio::time::timeout(ANSWER, wait).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if !taken.load(Ordering::Acquire) => Err(ops::Error::Moved),
            // Its commit may have been under way: asked again, it might be done twice.
            Ok(Err(_)) => Err(ops::Error::Unavailable(
                "the partition moved to another node meanwhile: it is not known whether this was \
                 done"
                    .to_owned(),
            )),
            Err(_) => Err(ops::Error::Unavailable(
                "the store did not answer in time: it is not known whether this was done"
                    .to_owned(),
            )),
        }
    }

    /// Whether the store takes writes: the reason if not.
    pub(crate) fn ready(&self) -> Result<(), ops::Error> {
        match &*self.health.borrow() {
            Health::Well => Ok(()),
            Health::Failing { why, .. } => {
                Err(ops::Error::Unavailable(format!("the store cannot be written: {why}")))
            }
        }
    }
}

/// Returns why, once the store has refused to be written for so long without a break.
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

/// What an engine works with.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) clock: Arc<Clock>,
    pub(crate) writer: WriterHandle,
    pub(crate) sessions: Sessions,
    /// Until when this engine may act.
    pub(crate) permit: Permit,
    pub(crate) lease: Lease,
}

/// How an engine's loop ends when it is told to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    /// At once: what is not written yet is left to the next owner.
    pub(crate) lost: CancellationToken,
    /// In order: nothing new is taken on, and what was decided is written.
    pub(crate) retire: CancellationToken,
}

/// The engine may not act any more: what it decided was not carried out.
#[derive(Debug, PartialEq, Eq)]
struct Refused;

/// Runs the engine until it is told to end, or may not act any more. Then what it decided since its
/// last commit is dropped with it, as in a crash: the next owner continues from the store.
pub(crate) async fn run(
    mut engine: Engine,
    around: Around,
    Inbox(mut events): Inbox,
    ending: Ending,
) -> Lease {
    let mut batch = Vec::with_capacity(BATCH);
    let mut effects = Effects::default();
    loop {
        let wait = engine.wake_in(around.clock.now());
        tokio::select! {
            biased;
            () = ending.lost.cancelled() => return around.lease,
            () = ending.retire.cancelled() => break,
            _ = events.recv_many(&mut batch, BATCH) => {}
            () = tokio::time::sleep(wait) => {}
        }
        if !around.may_act() {
            return around.lease;
        }
        let now = around.clock.now();
        for told in batch.drain(..) {
            engine.handle(now, told.take(), &mut effects);
        }
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        if around.carry_out(&mut effects) == Err(Refused) {
            // The engine believes that it was done, so it must not decide anything any more.
            return around.lease;
        }
    }
    engine.retire(&mut effects);
    if around.carry_out(&mut effects) == Err(Refused) {
        return around.lease;
    }
    while !engine.is_written() {
        let next = tokio::select! {
            () = ending.lost.cancelled() => return around.lease,
            () = around.writer.ended() => return around.lease,
            next = events.recv() => next,
        };
        if let Some(Told { event: Event::Committed(ids), .. }) = next {
            engine.handle(around.clock.now(), Event::Committed(ids), &mut effects);
            // Nothing new is sent; the next owner finds it in the store. It asks the executor of a
            // placed attempt, learns that it did not get it, and sends it. Stops are sent for tasks
            // that are stopping, and outcomes are acknowledged when executors repeat them.
            effects.sends.clear();
            if around.carry_out(&mut effects) == Err(Refused) {
                return around.lease;
            }
        }
    }
    around.lease
}

impl Around {
    fn may_act(&self) -> bool {
        self.permit.holds(self.clock.elapsed())
    }

    /// Does what the engine decided: all of it, or nothing if the permit is over.
    fn carry_out(&self, effects: &mut Effects) -> Result<(), Refused> {
        // Looked at just before: a node that was paused must not start what may be another's now.
        // What is sent later than this, because the process is paused here, has a term that
        // executors refuse once they have heard of a newer one.
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
        Ok(())
    }
}

#[cfg(test)]
mod tests;
