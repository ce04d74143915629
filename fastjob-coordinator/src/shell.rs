//! The I/O around the engine: it reads the clocks, carries events in and effects out.
//!
//! One loop owns the engine, so it needs no locks. It takes in all that has come together, lets
//! time pass once, and hands over one commit: under load the batches grow by themselves.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cluster::Deadline,
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

/// The way to the engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineHandle {
    events: mpsc::UnboundedSender<Event>,
    health: watch::Receiver<Health>,
}

/// What the loop reads from; the other end of a handle.
pub(crate) struct Inbox(mpsc::UnboundedReceiver<Event>);

impl EngineHandle {
    /// A handle and the inbox of the loop that will own the engine.
    pub(crate) fn new(health: watch::Receiver<Health>) -> (Self, Inbox) {
        let (events, inbox) = mpsc::unbounded_channel();
        (Self { events, health }, Inbox(inbox))
    }

    /// Tells the engine what happened. Never waits; what senders may send is bounded by the
    /// capacity of executors and the number of connections.
    pub(crate) fn tell(&self, event: Event) {
        if self.events.send(event).is_err() {
            tracing::debug!("the coordinator is stopping, an event is dropped");
        }
    }

    /// Asks the engine and waits for the answer, which comes when what it says is durable.
    ///
    /// # Errors
    ///
    /// Fails with [`ops::Error::Unavailable`] if the store is away, or does not come back in time.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ops::Error> {
        self.ready()?;
        self.query(command).await
    }

    /// Asks for something that writes nothing.
    pub(crate) async fn query<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ops::Error> {
        let (answer, wait) = oneshot::channel();
        self.tell(Event::Command(command(answer)));
        match tokio::time::timeout(ANSWER, wait).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(ops::Error::Moved),
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

/// What an engine works with.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) clock: Arc<Clock>,
    pub(crate) writer: WriterHandle,
    pub(crate) sessions: Sessions,
    /// Until when the node may act.
    pub(crate) deadline: Deadline,
    pub(crate) lease: Lease,
}

/// How an engine's loop ends when it is told to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    /// At once: what is not written yet is for whoever carries on.
    pub(crate) lost: CancellationToken,
    /// In order: nothing new is taken on, and what was decided is written.
    pub(crate) retire: CancellationToken,
}

/// Runs the engine until it is told to end, or may not act any more.
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
            () = ending.lost.cancelled() => return around.lease,
            () = ending.retire.cancelled() => break,
            _ = events.recv_many(&mut batch, BATCH) => {}
            () = tokio::time::sleep(wait) => {}
        }
        let now = around.clock.now();
        if !around.deadline.holds(now.uptime) {
            return around.lease;
        }
        for event in batch.drain(..) {
            engine.handle(now, event, &mut effects);
        }
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        around.carry_out(&mut effects);
    }
    engine.flush(&mut effects);
    around.carry_out(&mut effects);
    while !engine.is_written() {
        let next = tokio::select! {
            () = ending.lost.cancelled() => return around.lease,
            next = events.recv() => next,
        };
        if let Some(Event::Committed(ids)) = next {
            engine.handle(around.clock.now(), Event::Committed(ids), &mut effects);
            effects.sends.clear();
            around.carry_out(&mut effects);
        }
    }
    around.lease
}

impl Around {
    fn carry_out(&self, effects: &mut Effects) {
        // Looked at just before: a node that was paused must not start what is another's by now.
        let may_act = effects.sends.is_empty() || self.deadline.holds(self.clock.now().uptime);
        for (session, message) in effects.sends.drain(..).filter(|_| may_act) {
            self.sessions.send(session, self.lease, message);
        }
        for (CommitId(id), commit) in effects.commits.drain(..) {
            self.writer.submit(id, commit);
        }
        for answer in effects.answers.drain(..) {
            answer.give();
        }
    }
}
