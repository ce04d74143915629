//! When a draining executor gets its confirmation.

use fastjob_core::AttemptId;
use fastjob_engine::Connected;
use jiff::Timestamp;

use super::*;
use crate::store::ClusterKey;

const SESSION: SessionId = SessionId(1);
const LEASE: Lease = Lease { partition: Partition(1), term: 1 };

fn engines() -> (Engines, watch::Receiver<Health>) {
    let (_, health) = watch::channel(Health::Well);
    let facts = StoreFacts {
        cluster: "c".into(),
        partitions: 2,
        since: Timestamp::UNIX_EPOCH,
        key: ClusterKey::random(),
    };
    let clock = Arc::new(Clock::start(crate::clock::Witness::Uptime));
    (Engines::new(facts, clock, Deadline::never(), health.clone()), health)
}

#[tokio::test]
async fn only_an_engine_confirms_what_an_executor_returns() {
    let (engines, health) = engines();
    assert!(engines.leaving(SESSION, &[]).await, "it returns no attempts");
    assert!(!engines.leaving(SESSION, &[AttemptId(1)]).await, "the partition is on another node");
    let (handle, inbox) = EngineHandle::new(health);
    engines.add(LEASE, CancellationToken::new());
    engines.start(LEASE, handle);
    let leaving = tokio::spawn(engines.leaving(SESSION, &[AttemptId(1)]));
    tokio::task::yield_now().await;
    assert!(!leaving.is_finished(), "the engine has not confirmed it");
    drop(inbox);
    assert!(!leaving.await.unwrap(), "the engine has ended");
}

#[tokio::test]
async fn an_executor_that_drains_during_a_load_is_confirmed_after_it_was_asked_again() {
    let (engines, health) = engines();
    engines.add(LEASE, CancellationToken::new());
    let leaving = tokio::spawn(engines.leaving(SESSION, &[AttemptId(1)]));
    let (handle, _inbox) = EngineHandle::new(health);
    let loading = engines.start(LEASE, handle);
    tokio::task::yield_now().await;
    assert!(!leaving.is_finished(), "it has not been asked again");
    loading.unwrap().has_started();
    assert!(leaving.await.unwrap());
    // A load that ends without an engine.
    let next = Lease { term: 2, ..LEASE };
    engines.add(next, CancellationToken::new());
    let leaving = tokio::spawn(engines.leaving(SESSION, &[]));
    tokio::task::yield_now().await;
    assert!(!leaving.is_finished());
    engines.remove(next);
    assert!(!leaving.await.unwrap());
}

#[tokio::test]
async fn a_draining_executor_with_attempts_of_a_partition_that_has_moved_is_not_confirmed() {
    let (engines, health) = engines();
    let (handle, _inbox) = EngineHandle::new(health);
    engines.add(LEASE, CancellationToken::new());
    engines.start(LEASE, handle);
    let moved = Lease { term: 0, ..LEASE };
    let holding = Holding { leases: vec![moved], leaving: true, ..Holding::default() };
    let executor = Connected { leaving: true, ..Connected::with(SESSION) };
    assert!(engines.connect(&executor, &holding).await.is_err());
    let holding = Holding { leaving: false, ..holding };
    let executor = Connected { leaving: false, ..executor };
    let heard = engines.connect(&executor, &holding).await.unwrap();
    assert!(heard.leases.is_empty(), "no engine knows the executor");
}
