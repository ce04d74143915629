//! When an executor that leaves has its answer.

use fastjob_core::AttemptId;
use jiff::Timestamp;

use super::*;

const SESSION: SessionId = SessionId(1);
const LEASE: Lease = Lease { partition: Partition(1), term: 1 };

fn engines() -> (Engines, watch::Receiver<Health>) {
    let (_, health) = watch::channel(Health::Well);
    let facts = StoreFacts { cluster: "c".into(), partitions: 2, since: Timestamp::UNIX_EPOCH };
    let clock = Arc::new(Clock::start(crate::clock::Witness::Uptime));
    (Engines::new(facts, clock, Deadline::never(), health.clone()), health)
}

#[tokio::test]
async fn an_executor_that_leaves_is_answered_without_an_engine_and_by_one_that_has_ended() {
    let (engines, health) = engines();
    engines.leaving(SESSION, &[AttemptId(1)]).await;
    let (handle, inbox) = EngineHandle::new(health);
    engines.add(LEASE, CancellationToken::new());
    engines.start(LEASE, handle);
    let leaving = tokio::spawn(engines.leaving(SESSION, &[AttemptId(1)]));
    tokio::task::yield_now().await;
    assert!(!leaving.is_finished(), "the engine has not taken note");
    drop(inbox);
    leaving.await.unwrap();
}

#[tokio::test]
async fn an_executor_that_leaves_during_a_load_is_answered_when_it_was_asked_again() {
    let (engines, health) = engines();
    engines.add(LEASE, CancellationToken::new());
    let leaving = tokio::spawn(engines.leaving(SESSION, &[AttemptId(1)]));
    let (handle, _inbox) = EngineHandle::new(health);
    let loading = engines.start(LEASE, handle);
    tokio::task::yield_now().await;
    assert!(!leaving.is_finished(), "it has not been asked again");
    drop(loading);
    leaving.await.unwrap();
    // A load that ends without an engine.
    let next = Lease { term: 2, ..LEASE };
    engines.add(next, CancellationToken::new());
    let leaving = tokio::spawn(engines.leaving(SESSION, &[]));
    tokio::task::yield_now().await;
    assert!(!leaving.is_finished());
    engines.remove(next);
    leaving.await.unwrap();
}
