//! How an engine ends, and which answers callers get.

use fastjob_core::{Job, JobDraft, TaskId};
use fastjob_engine::{
    Answer, Condition, Config, Connected, Limits, Message, SaveMode, SessionId, Start, StartAnswer,
    StopAnswer, Target, When,
};
use futures_util::FutureExt;
use tokio_stream::StreamExt;

use super::*;
use crate::{
    clock::Manual,
    permit::Deadline,
    sessions::Unsent,
    store::{Commit, CommitStore, LoadStore, Loaded, Origin, sqlite::Sqlite, writer::Writer},
};

/// A store that never completes a commit.
struct Never;

#[async_trait::async_trait]
impl CommitStore for Never {
    async fn commit(&self, _: &[Commit]) -> crate::store::Result<()> {
        std::future::pending().await
    }
    async fn close(&self) -> crate::store::Result<()> {
        Ok(())
    }
}

fn handle() -> (EngineHandle, Inbox) {
    let (_, health) = watch::channel(Health::Well);
    EngineHandle::new(health)
}

async fn stop(engine: &EngineHandle) -> Result<StopAnswer, AskError> {
    engine.ask(|answer| Command::Stop { task: TaskId(1), why: None, answer }).await
}

#[tokio::test]
async fn a_command_that_an_engine_never_handled_can_be_retried_at_another() {
    let (engine, inbox) = handle();
    let asked = tokio::spawn({
        let engine = engine.clone();
        async move { stop(&engine).await }
    });
    tokio::task::yield_now().await;
    drop(inbox);
    assert!(matches!(asked.await.unwrap(), Err(AskError::Moved)));
    assert!(matches!(stop(&engine).await, Err(AskError::Moved)), "it had already ended");
}

#[tokio::test]
async fn credit_is_released_when_the_engine_handles_its_event() {
    let (engine, Inbox(mut inbox)) = handle();
    let spent = Arc::new(());
    engine.tell_spent(Event::Tick, Some(Arc::clone(&spent) as Spent));
    let event = inbox.recv().await.unwrap();
    assert_eq!(Arc::strong_count(&spent), 2);
    assert!(matches!(event.take(), Event::Tick));
    assert_eq!(Arc::strong_count(&spent), 1);
    engine.tell_spent(Event::Tick, Some(Arc::clone(&spent) as Spent));
    drop(inbox);
    assert_eq!(Arc::strong_count(&spent), 1, "an engine that has ended releases it, too");
}

#[tokio::test]
async fn the_result_is_unknown_if_the_engine_ends_before_it_answers() {
    let (engine, Inbox(mut inbox)) = handle();
    let asked = tokio::spawn(async move { stop(&engine).await });
    let event = inbox.recv().await.unwrap().take();
    drop(event); // as when the engine ends
    let answer = asked.await.unwrap();
    let Err(AskError::Unavailable(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("not known"), "{why}");
}

/// Whether nothing is waiting to be sent.
fn is_silent(stream: &mut Unsent) -> bool {
    stream.next().now_or_never().flatten().is_none()
}

/// An engine with an executor and a started task, before anything is persisted.
struct Started {
    engine: Engine,
    around: Around,
    effects: Effects,
    machine: Manual,
    /// The messages to the executor.
    stream: Unsent,
    task: oneshot::Receiver<StartAnswer>,
}

fn started(permit: Permit, writer: WriterHandle) -> Started {
    let (clock, machine) = Clock::manual();
    let sessions = Sessions::default();
    let lease = Lease::default();
    let around = Around {
        traces: Traces::default(),
        clock: Arc::clone(&clock),
        writer,
        sessions: sessions.clone(),
        losses: crate::losses::Losses::new(std::time::Duration::ZERO),
        metrics: crate::metrics::Metrics::default(),
        permit,
        lease,
    };
    let config = Config::alone(Duration::from_secs(10), 1);
    let mut engine = Engine::new(config, Limits::default(), Loaded::default(), clock.now());
    let connected = Connected::with(sessions.next_id());
    let (_, stream) = sessions.open(Arc::new(connected.clone())).unwrap();
    let mut effects = Effects::default();
    let (answer, _wait) = oneshot::channel();
    engine.handle(clock.now(), Event::Connected(Box::new(connected), answer), &mut effects);
    let job = serde_json::from_str::<JobDraft>(r#"{"name": "m", "handler": "h"}"#).unwrap();
    let job = Box::new(Job::try_from(job).unwrap());
    let (answer, _wait) = oneshot::channel();
    let (mode, origin) = (SaveMode::Replace, Origin::Api);
    let save = Command::Save { job, mode, origin, condition: Condition::default(), answer };
    engine.handle(clock.now(), Event::Command(save), &mut effects);
    let ask = Start {
        job: Target::Path("m".parse().unwrap()),
        cause: fastjob_core::Cause::Api,
        param: None,
        at: When::Now,
        executor: None,
        key: None,
        trace: None,
    };
    let (answer, task) = oneshot::channel();
    engine.handle(clock.now(), Event::Command(Command::Start { ask, answer }), &mut effects);
    Started { engine, around, effects, machine, stream, task }
}

/// The same, after it has decided to send the attempt.
fn about_to_send(permit: Permit) -> Started {
    let (_, writer) = Writer::new(Arc::new(Never));
    let mut started = started(permit, writer);
    let Started { engine, around, effects, .. } = &mut started;
    engine.flush(effects);
    let ids: Vec<_> = effects.commits.drain(..).map(|(id, _)| id).collect();
    effects.answers.clear();
    engine.handle(around.clock.now(), Event::Committed(ids), effects);
    engine.handle(around.clock.now(), Event::Tick, effects);
    engine.flush(effects);
    assert_eq!(effects.sends.len(), 1);
    started
}

#[test]
fn effects_are_dropped_once_the_deadline_has_passed() {
    let deadline = Deadline::passed();
    deadline.begin(Duration::from_secs(60));
    let Started { around, mut effects, machine, mut stream, .. } = about_to_send(deadline.permit());
    machine.sleep(Duration::from_secs(60));
    let (answer, mut wait) = oneshot::channel();
    effects.answers.push(Answer::Stop(answer, None));
    assert_eq!(around.carry_out(&mut effects), Err(Refused));
    assert!(is_silent(&mut stream) && effects.sends.is_empty());
    assert!(wait.try_recv().is_err(), "no caller gets an answer");
    // A late heartbeat begins a new generation; this engine belongs to the old one.
    deadline.begin(Duration::from_secs(3_600));
    assert_eq!(around.carry_out(&mut effects), Err(Refused));
}

#[tokio::test(start_paused = true)]
async fn an_engine_whose_effects_were_dropped_ends() {
    let deadline = Deadline::passed();
    deadline.begin(Duration::from_secs(60));
    let Started { engine, around, machine, mut stream, .. } = about_to_send(deadline.permit());
    // The deadline passes between the two checks of one iteration, while the engine decides.
    let (_handle, inbox) = handle();
    machine.each_look_takes(Duration::from_millis(100));
    let lease = tokio::time::timeout(
        Duration::from_secs(3_600),
        run(engine, around, inbox, Ending::default()),
    );
    assert_eq!(lease.await.unwrap(), Lease::default());
    assert!(!deadline.holds(Duration::ZERO), "it cannot be extended");
    assert!(is_silent(&mut stream));
}

#[tokio::test]
async fn a_start_that_a_retiring_engine_did_not_send_is_sent_by_the_next_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&folder.path().join("s.db")).await.unwrap());
    let (writer, handed) = Writer::new(Arc::clone(&store) as _);
    let Started { engine, around, mut stream, task, .. } =
        started(Permit::unlimited(), handed.clone());
    let clock = Arc::clone(&around.clock);
    // It is asked to end before its commit is durable; the commit is persisted while it ends.
    let (events, inbox) = EngineHandle::new(handed.health());
    let ending = Ending::default();
    ending.retire.cancel();
    struct Tell(EngineHandle);
    impl crate::store::writer::Listener for Tell {
        fn durable(&self, commits: &[(Lease, u64)]) {
            let ids = commits.iter().map(|(_, id)| CommitId(*id)).collect();
            self.0.tell(Event::Committed(ids));
        }
        fn over(&self, _: Lease) {}
    }
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone(), Tell(events)));
    run(engine, around, inbox, ending).await;
    let task = task.await.unwrap().unwrap();
    assert!(is_silent(&mut stream), "a retiring engine sends nothing");
    stop.cancel();
    writing.await.unwrap().unwrap();

    let loaded = store.load(crate::store::Partition(0)).await.unwrap();
    let config = Config::alone(Duration::from_secs(10), 1);
    let mut next = Engine::new(config, Limits::default(), loaded, clock.now());
    let mut effects = Effects::default();
    let (answer, _wait) = oneshot::channel();
    let back = Connected::with(SessionId(2));
    next.handle(clock.now(), Event::Connected(Box::new(back), answer), &mut effects);
    // It is placed again, and sent once that is durable.
    for _ in 0..3 {
        next.handle(clock.now(), Event::Tick, &mut effects);
        next.flush(&mut effects);
        let written = effects.commits.drain(..).map(|(id, _)| id).collect();
        next.handle(clock.now(), Event::Committed(written), &mut effects);
    }
    let sent = effects.sends.iter().any(
        |(_, message)| matches!(message, Message::Start(starts) if starts[0].row.task == task.task),
    );
    assert!(sent, "{:?}", effects.sends);
}

#[tokio::test(start_paused = true)]
async fn a_call_fails_soon_after_the_store_begins_to_reject_writes() {
    let (health, watch) = watch::channel(Health::Well);
    let (engine, inbox) = EngineHandle::new(watch);
    let asked = tokio::spawn(async move {
        engine.ask(|answer| Command::Stop { task: TaskId(1), why: None, answer }).await
    });
    tokio::task::yield_now().await;
    health.send_replace(Health::Failing { why: "the disk is full".to_owned() });
    let answer = asked.await.unwrap();
    let Err(AskError::Unavailable(why)) = answer else { panic!("{answer:?}") };
    assert!(why.ends_with("not known whether this was done: the disk is full"), "{why}");
    drop(inbox);
}

#[tokio::test(start_paused = true)]
async fn a_short_store_failure_does_not_fail_a_call() {
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
