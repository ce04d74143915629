//! Guarantees when leases expire, engines fail and parts of a node end.

use std::sync::atomic::Ordering;

use fastjob_engine::Event;
use tokio::sync::watch;

use super::*;
use crate::{
    cluster::{
        children,
        testing::{Call, Home, LEASE, Shared, until},
    },
    parts::Ended,
    shell::{EngineHandle, Inbox},
    store::{ChildStart, NodeId},
};

mod loads;

async fn home() -> Home {
    Home::new(Shared::new()).await
}

/// A node that may act, without its other loops.
fn node(home: &Home) -> Node {
    home.deadline.begin(home.clock.elapsed() + Duration::from_secs(3_600));
    Node::new(home.keeper(), Arc::clone(&home.shared) as _, home.me.clone())
}

/// Adds a fake engine.
fn add(home: &Home, node: &mut Node, lease: Lease, work: impl FnOnce(Ending) -> Work) -> Inbox {
    let ending = Ending::default();
    let (handle, inbox) = EngineHandle::new(home.engines.health().clone());
    home.engines.add(lease, ending.lost.clone());
    home.engines.start(lease, handle);
    let work = work(ending.clone());
    node.spawn(lease, ending, async { Ok(work.await) });
    inbox
}

async fn breaks() -> Lease {
    panic!("injected")
}

type Work = std::pin::Pin<Box<dyn Future<Output = Lease> + Send>>;

#[tokio::test(start_paused = true)]
async fn a_node_that_was_suspended_past_its_lease_restarts_its_engines_in_new_terms() {
    let home = home().await;
    let stop = CancellationToken::new();
    let (shared, me) = (Arc::clone(&home.shared) as _, home.me.clone());
    let running = tokio::spawn(home.keeper().shared(shared, me, stop.clone()));
    let before = home.acts_on(2).await;
    // No heartbeat fails; the next one is only late.
    home.machine.sleep(10 * LEASE);
    assert!(home.engines.leases().is_empty(), "it holds nothing after the deadline");
    let after = home.acts_on(2).await;
    for (before, after) in before.iter().zip(&after) {
        assert!(after.term > before.term, "{before:?} {after:?}");
    }
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ok(()));
    assert!(home.shared.held().iter().all(|(holder, _)| holder.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_begins_once_the_last_engine_of_the_old_one_has_ended() {
    let home = home().await;
    let mut node = node(&home);
    let lease = home.shared.hold(&home.me.id)[0];
    let (ended, slow) = tokio::sync::oneshot::channel::<()>();
    let _inbox = add(&home, &mut node, lease, |ending| {
        Box::pin(async move {
            ending.lost.cancelled().await;
            slow.await.unwrap();
            lease
        })
    });
    let old = home.deadline.permit();
    home.machine.sleep(Duration::from_secs(7_200));
    let until = home.clock.elapsed() + Duration::from_secs(3_600);
    let mut begin = std::pin::pin!(node.begin(until));
    let early = tokio::time::timeout(Duration::from_secs(5), begin.as_mut()).await;
    assert!(
        early.is_err() && !home.engines.may_act(),
        "an engine of the old generation still runs"
    );
    ended.send(()).unwrap();
    begin.await;
    assert!(home.engines.may_act());
    assert!(!old.holds(Duration::ZERO), "the old permit stays expired");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_panics_interrupts_only_its_own_partition() {
    let home = home().await;
    let mut node = node(&home);
    let leases = home.shared.hold(&home.me.id);
    let (broken, whole) = (leases[0], leases[1]);
    let _first = add(&home, &mut node, broken, |_| Box::pin(breaks()));
    let _other = add(&home, &mut node, whole, |_| Box::pin(std::future::pending()));
    let (_seen, beats) = watch::channel(Seen::Nothing);
    let stop = CancellationToken::new();
    let stopping = async {
        until("its partition is released", || home.shared.held()[0].0.is_none()).await;
        stop.cancel();
    };
    tokio::join!(node.run(beats, stop.clone()), stopping);
    assert_eq!(home.engines.leases(), [whole]);
    assert_eq!(node.ending.keys().collect::<Vec<_>>(), [&whole]);
    assert!(node.planner.refuses(broken.partition), "another node may acquire it first");
    let (partition, why) = home.map.unloaded().unwrap();
    assert!(partition == broken.partition && why.contains("injected"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_panics_while_it_ends_does_not_keep_its_partition() {
    let home = home().await;
    let mut node = node(&home);
    let leases = home.shared.hold(&home.me.id);
    let _inbox = add(&home, &mut node, leases[0], |ending| {
        Box::pin(async move {
            ending.retire.cancelled().await;
            breaks().await
        })
    });
    let began = tokio::time::Instant::now();
    node.release(vec![leases[0].partition]).await;
    assert!(began.elapsed() < RETIRE, "it does not wait for an engine that has ended");
    assert!(home.engines.held().is_empty() && node.ending.is_empty());
    assert_eq!(home.shared.held()[0].0, None);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ends_unexpectedly_during_a_release_is_handled() {
    let home = home().await;
    let mut node = node(&home);
    let leases = home.shared.hold(&home.me.id);
    let (released, other) = (leases[0], leases[1]);
    let _first = add(&home, &mut node, released, |ending| {
        Box::pin(async move {
            ending.retire.cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            released
        })
    });
    let _second = add(&home, &mut node, other, |_| Box::pin(std::future::ready(other)));
    node.release(vec![released.partition]).await;
    assert!(home.engines.held().is_empty() && node.ending.is_empty());
    assert_eq!(home.shared.held()[0].0, None);
    assert_eq!(home.shared.held()[1].0, Some(home.me.id.clone()), "it was not released");
}

async fn runs_until_it_fails(home: &Home) -> Result<(), Ended> {
    let (shared, me) = (Arc::clone(&home.shared) as _, home.me.clone());
    home.keeper().shared(shared, me, CancellationToken::new()).await
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_heartbeat_panics_releases_everything_and_reports_it() {
    let home = home().await;
    let breaks = async {
        home.acts_on(2).await;
        home.shared.beats_are(Call::Panics);
    };
    let (ended, ()) = tokio::join!(runs_until_it_fails(&home), breaks);
    let panic = Some("injected".to_owned());
    assert_eq!(ended, Err(Ended { part: "heartbeat", panic }));
    assert!(home.shared.held().iter().all(|(holder, _)| holder.is_none()));
    assert!(home.engines.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_child_starter_ends_releases_everything_and_reports_it() {
    let home = home().await;
    let breaks = async {
        home.acts_on(2).await;
        home.shared.reads_of_children_are(Call::Panics);
    };
    let (ended, ()) = tokio::join!(runs_until_it_fails(&home), breaks);
    assert_eq!(ended.map_err(|ended| ended.part), Err("child starter"));
    assert!(home.shared.held().iter().all(|(holder, _)| holder.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_node_sends_no_more_heartbeats() {
    let home = home().await;
    let (shared, me) = (Arc::clone(&home.shared) as _, home.me.clone());
    let keeper = tokio::spawn(home.keeper().shared(shared, me, CancellationToken::new()));
    home.acts_on(2).await;
    keeper.abort();
    assert!(keeper.await.unwrap_err().is_cancelled());
    let beats = home.shared.beats.load(Ordering::SeqCst);
    tokio::time::sleep(10 * LEASE).await;
    let after = home.shared.beats.load(Ordering::SeqCst);
    assert!(after <= beats + 1, "{beats} {after}");
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_heartbeats_fail_acts_no_longer_than_its_lease() {
    let home = home().await;
    let stop = CancellationToken::new();
    let (shared, me) = (Arc::clone(&home.shared) as _, home.me.clone());
    let running = tokio::spawn(home.keeper().shared(shared, me, stop.clone()));
    home.acts_on(2).await;
    home.shared.beats_are(Call::Fails);
    tokio::time::sleep(LEASE).await;
    assert!(!home.engines.may_act() && home.engines.held().is_empty());
    home.shared.beats_are(Call::Works);
    home.acts_on(2).await;
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_another_node_has_taken_loses_its_engine_with_the_next_heartbeat() {
    let home = home().await;
    let stop = CancellationToken::new();
    let (shared, me) = (Arc::clone(&home.shared) as _, home.me.clone());
    let running = tokio::spawn(home.keeper().shared(shared, me, stop.clone()));
    let before = home.acts_on(2).await;
    home.shared.hold(&NodeId("other".to_owned()));
    tokio::time::sleep(LEASE / 6 + Duration::from_millis(100)).await;
    // The other node sends no heartbeats, so they return, in later terms.
    let after = home.acts_on(2).await;
    assert!(before.iter().zip(&after).all(|(b, a)| a.term == b.term + 2), "{before:?} {after:?}");
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_one_node_cannot_load_goes_to_another_and_stays_there() {
    let shared = Shared::new();
    let (a, b) = (Home::new(Arc::clone(&shared)).await, Home::new(Arc::clone(&shared)).await);
    let start = |home: &Home| {
        let (cluster, me) = (Arc::clone(&shared) as _, home.me.clone());
        tokio::spawn(home.keeper().shared(cluster, me, CancellationToken::new()))
    };
    let _a = start(&a);
    a.acts_on(2).await;
    *b.loads.unreadable.lock().unwrap() = vec![Partition(1)];
    let _b = start(&b);
    a.acts_on(1).await;
    until("it has tried to load", || b.loads.begun.load(Ordering::SeqCst) > 0).await;
    assert!(b.engines.held().is_empty(), "a node that cannot load it does not hold it");
    let began = tokio::time::Instant::now();
    let leases = a.acts_on(2).await;
    assert!(began.elapsed() < 2 * LEASE, "{:?}", began.elapsed());
    for _ in 0..100 {
        tokio::time::sleep(LEASE / 6).await;
        assert_eq!(a.engines.leases(), leases);
    }
}

#[tokio::test(start_paused = true)]
async fn if_no_node_can_load_a_partition_they_pause_between_attempts() {
    let shared = Shared::new();
    let (a, b) = (Home::new(Arc::clone(&shared)).await, Home::new(Arc::clone(&shared)).await);
    let mut nodes = JoinSet::new();
    for home in [&a, &b] {
        *home.loads.unreadable.lock().unwrap() = vec![Partition(1)];
        let (cluster, me) = (Arc::clone(&shared) as _, home.me.clone());
        nodes.spawn(home.keeper().shared(cluster, me, CancellationToken::new()));
    }
    tokio::time::sleep(Duration::from_secs(100)).await;
    for home in [&a, &b] {
        let loads = home.loads.begun.load(Ordering::SeqCst);
        assert!((5..=12).contains(&loads), "{loads}");
    }
    assert_eq!(a.engines.held().len() + b.engines.held().len(), 1, "the other partition is held");
}

#[tokio::test(start_paused = true)]
async fn a_database_clock_that_is_set_forward_moves_no_partition() {
    let shared = Shared::new();
    let (a, b) = (Home::new(Arc::clone(&shared)).await, Home::new(Arc::clone(&shared)).await);
    let mut nodes = JoinSet::new();
    for home in [&a, &b] {
        nodes.spawn(home.keeper().shared(
            Arc::clone(&shared) as _,
            home.me.clone(),
            CancellationToken::new(),
        ));
    }
    until("each has one partition", || {
        (a.engines.leases().len(), b.engines.leases().len()) == (1, 1)
    })
    .await;
    let before = shared.held();
    shared.step(3_600_000);
    for _ in 0..1_000 {
        tokio::time::sleep(LEASE / 100).await;
        assert_eq!(shared.held(), before);
    }
    assert_eq!((a.engines.leases().len(), b.engines.leases().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_database_clock_that_is_set_back_does_not_keep_partitions_of_a_dead_node() {
    let shared = Shared::new();
    let (a, b) = (Home::new(Arc::clone(&shared)).await, Home::new(Arc::clone(&shared)).await);
    let start = |home: &Home| {
        let (cluster, me) = (Arc::clone(&shared) as _, home.me.clone());
        tokio::spawn(home.keeper().shared(cluster, me, CancellationToken::new()))
    };
    let (dies, _lives) = (start(&a), start(&b));
    until("each has one partition", || {
        (a.engines.leases().len(), b.engines.leases().len()) == (1, 1)
    })
    .await;
    dies.abort();
    assert!(dies.await.unwrap_err().is_cancelled());
    shared.step(-3_600_000);
    tokio::time::sleep(2 * LEASE).await;
    assert_eq!(b.engines.leases().len(), 2, "{:?}", shared.held());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_read_for_one_engine_is_not_started_by_the_next() {
    let home = home().await;
    home.deadline.begin(Duration::from_secs(3_600));
    let child = ChildStart {
        id: 7,
        partition: Partition(0),
        job: fastjob_core::JobId(2),
        parent: fastjob_core::TaskId(1),
        lineage: None,
        trace: None,
        param: None,
    };
    *home.shared.children.lock().unwrap() = vec![child];
    let gate = Arc::new(tokio::sync::Notify::new());
    *home.shared.read.lock().unwrap() = Some(Arc::clone(&gate));
    let engine = |term| {
        let lease = Lease { partition: Partition(0), term };
        let (handle, mut inbox) = EngineHandle::new(home.engines.health().clone());
        home.engines.add(lease, CancellationToken::new());
        home.engines.start(lease, handle);
        assert!(matches!(inbox.try_next(), Some(Event::Drained(_))), "it is the first event");
        (lease, inbox)
    };
    let (old, mut old_inbox) = engine(1);
    let stop = CancellationToken::new();
    let shared = Arc::clone(&home.shared) as _;
    let looking = tokio::spawn(children::run(shared, home.engines.clone(), stop.clone()));
    home.shared.reading.notified().await;
    // The old engine started the child and marked it as started; the new one loaded the rest.
    home.engines.remove(old);
    let (_, mut new_inbox) = engine(2);
    home.shared.children.lock().unwrap().clear();
    gate.notify_one();
    home.shared.reading.notified().await;
    assert!(old_inbox.try_next().is_none() && new_inbox.try_next().is_none());
    // Children that are read while an engine runs are handed to it.
    let next = ChildStart {
        id: 9,
        partition: Partition(0),
        job: fastjob_core::JobId(2),
        parent: fastjob_core::TaskId(1),
        lineage: None,
        trace: None,
        param: None,
    };
    *home.shared.children.lock().unwrap() = vec![next];
    gate.notify_one();
    home.shared.reading.notified().await;
    gate.notify_one();
    home.shared.reading.notified().await;
    match new_inbox.try_next() {
        Some(Event::ChildStarts(children, _)) => assert_eq!(children[0].id, 9),
        other => panic!("{other:?}"),
    }
    stop.cancel();
    gate.notify_one();
    looking.await.unwrap();
}
