//! The I/O around the engine: it reads the clocks, carries events in and effects out.
//!
//! One loop owns the engine, so it needs no locks. It takes in all that has come together, lets
//! time pass once, and hands over one commit: under load the batches grow by themselves.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    engine::{Command, CommitId, Effects, Engine, Event},
    ops,
    sessions::Sessions,
    store::writer::{Health, WriterHandle},
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
            Ok(Err(_)) => Err(ops::Error::Unavailable("the coordinator is stopping".to_owned())),
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

    /// Says that these commits are durable.
    pub(crate) fn committed(&self, ids: &[u64]) {
        self.tell(Event::Committed(ids.iter().copied().map(CommitId).collect()));
    }
}

/// Runs the engine until told to stop.
pub(crate) async fn run(
    mut engine: Engine,
    clock: Arc<Clock>,
    Inbox(mut events): Inbox,
    writer: WriterHandle,
    sessions: Sessions,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut effects = Effects::default();
    loop {
        let wait = engine.wake_in(clock.now());
        tokio::select! {
            () = stop.cancelled() => return,
            _ = events.recv_many(&mut batch, BATCH) => {}
            () = tokio::time::sleep(wait) => {}
        }
        let now = clock.now();
        for event in batch.drain(..) {
            engine.handle(now, event, &mut effects);
        }
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        carry_out(&mut effects, &writer, &sessions);
    }
}

fn carry_out(effects: &mut Effects, writer: &WriterHandle, sessions: &Sessions) {
    for (session, message) in effects.sends.drain(..) {
        sessions.send(session, message);
    }
    for (CommitId(id), commit) in effects.commits.drain(..) {
        writer.submit(id, commit);
    }
    for answer in effects.answers.drain(..) {
        answer.give();
    }
}
