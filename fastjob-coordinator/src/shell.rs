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
        self.ready()?;
        let refused = refuses_for(self.health.clone(), PATIENCE);
        tokio::select! {
            biased;
            answer = self.query(command) => answer,
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
        let (answer, wait) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let event = Event::Command(command(answer));
        self.send(Told { event, taken: Some(Arc::clone(&taken)), spent: None });
        match tokio::time::timeout(ANSWER, wait).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if !taken.load(Ordering::Acquire) => Err(ops::Error::Moved),
            // Its commit may have been under way: asked again, it might be done twice.
            Ok(Err(_)) => Err(ops::Error::Unavailable(
                "another node has taken over meanwhile: it is not known whether this was done"
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
        for told in batch.drain(..) {
            engine.handle(now, told.take(), &mut effects);
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
        if let Some(Told { event: Event::Committed(ids), .. }) = next {
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

#[cfg(test)]
mod tests {
    use fastjob_core::TaskId;

    use super::*;
    use crate::engine::StopAnswer;

    fn handle() -> (EngineHandle, Inbox) {
        let (_, health) = watch::channel(Health::Well);
        EngineHandle::new(health)
    }

    async fn stop(engine: &EngineHandle) -> Result<StopAnswer, ops::Error> {
        engine.ask(|answer| Command::Stop { task: TaskId(1), answer }).await
    }

    #[tokio::test]
    async fn what_an_engine_never_took_in_can_be_asked_of_another() {
        let (engine, inbox) = handle();
        let asked = tokio::spawn({
            let engine = engine.clone();
            async move { stop(&engine).await }
        });
        tokio::task::yield_now().await;
        drop(inbox);
        assert!(matches!(asked.await.unwrap(), Err(ops::Error::Moved)));
        assert!(matches!(stop(&engine).await, Err(ops::Error::Moved)), "it has ended before");
    }

    #[tokio::test]
    async fn what_a_session_has_spent_returns_when_the_engine_takes_its_event_in() {
        let (engine, Inbox(mut inbox)) = handle();
        let spent = Arc::new(());
        engine.tell_spent(Event::Tick, Some(Arc::clone(&spent) as Spent));
        let told = inbox.recv().await.unwrap();
        assert_eq!(Arc::strong_count(&spent), 2);
        assert!(matches!(told.take(), Event::Tick));
        assert_eq!(Arc::strong_count(&spent), 1);
        engine.tell_spent(Event::Tick, Some(Arc::clone(&spent) as Spent));
        drop(inbox);
        assert_eq!(Arc::strong_count(&spent), 1, "nor does an engine that has ended keep it");
    }

    #[tokio::test]
    async fn whether_something_was_done_is_not_known_when_its_engine_ends_before_the_answer() {
        let (engine, Inbox(mut inbox)) = handle();
        let asked = tokio::spawn(async move { stop(&engine).await });
        let event = inbox.recv().await.unwrap().take();
        drop(event); // as with the engine
        let answer = asked.await.unwrap();
        let Err(ops::Error::Unavailable(why)) = answer else { panic!("{answer:?}") };
        assert!(why.contains("not known"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_answered_soon_after_the_store_begins_to_refuse() {
        let (health, watch) = watch::channel(Health::Well);
        let (engine, inbox) = EngineHandle::new(watch);
        let asked = tokio::spawn(async move {
            engine.ask(|answer| Command::Stop { task: TaskId(1), answer }).await
        });
        tokio::task::yield_now().await;
        health.send_replace(Health::Failing { why: "the disk is full".to_owned() });
        let answer = asked.await.unwrap();
        let Err(ops::Error::Unavailable(why)) = answer else { panic!("{answer:?}") };
        assert!(why.ends_with("not known whether this was done: the disk is full"), "{why}");
        drop(inbox);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_for_a_moment_keeps_nobody_from_the_answer() {
        let (health, watch) = watch::channel(Health::Well);
        let refused = tokio::spawn(refuses_for(watch, PATIENCE));
        let failing = |why: &str| Health::Failing { why: why.to_owned() };
        health.send_replace(failing("it is busy"));
        tokio::task::yield_now().await;
        tokio::time::advance(PATIENCE / 2).await;
        health.send_replace(Health::Well);
        tokio::task::yield_now().await;
        tokio::time::advance(PATIENCE * 2).await;
        tokio::task::yield_now().await;
        assert!(!refused.is_finished());
        health.send_replace(failing("it is full"));
        assert_eq!(refused.await.unwrap(), "it is full");
    }
}
