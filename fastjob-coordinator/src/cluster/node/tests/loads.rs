//! Guarantees while partitions are loading.

use fastjob_engine::{Command, Connected};
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;

use super::*;
use crate::{
    cluster,
    sessions::{Outbound, Unsent},
};

const LONG: Duration = Duration::from_secs(3_600);

fn start(home: &Home, stop: &CancellationToken) -> tokio::task::JoinHandle<Result<(), Ended>> {
    let (shared, me) = (Arc::clone(&home.shared) as _, home.me.clone());
    tokio::spawn(home.keeper().shared(shared, me, stop.clone()))
}

/// Waits until `loads` loads have begun.
async fn begun(home: &Home, loads: u64) {
    until("loads have begun", || home.loads.begun.load(Ordering::SeqCst) >= loads).await;
}

#[tokio::test(start_paused = true)]
async fn executors_learn_of_a_partitions_owner_before_it_is_loaded() {
    let home = home().await;
    *home.loads.takes.lock().unwrap() = Duration::from_millis(500);
    let _node = start(&home, &CancellationToken::new());
    begun(&home, 1).await;
    let began = Instant::now();
    begun(&home, 2).await;
    assert_eq!(home.engines.leases().len(), 2);
    assert!(home.engines.loaded().is_empty() && home.engines.at(Partition(0)).is_none());
    home.acts_on(2).await;
    assert!(began.elapsed() < Duration::from_millis(900), "they are loaded concurrently");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_does_not_wait_for_loads() {
    let home = home().await;
    *home.loads.takes.lock().unwrap() = LONG;
    let stop = CancellationToken::new();
    let node = start(&home, &stop);
    begun(&home, 2).await;
    let began = Instant::now();
    stop.cancel();
    assert_eq!(node.await.unwrap(), Ok(()));
    assert!(began.elapsed() < RETIRE, "{:?}", began.elapsed());
    assert!(home.engines.held().is_empty());
    assert!(home.shared.held().iter().all(|(holder, _)| holder.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_lease_expires_during_its_load_gets_no_engine() {
    let home = home().await;
    *home.loads.takes.lock().unwrap() = 3 * LEASE;
    let _node = start(&home, &CancellationToken::new());
    begun(&home, 2).await;
    home.shared.beats_are(Call::Fails);
    sleep(LEASE).await;
    assert!(home.engines.leases().is_empty() && home.engines.held().is_empty());
    sleep(3 * LEASE).await;
    assert!(home.engines.held().is_empty());
    home.shared.beats_are(Call::Works);
    let leases = home.acts_on(2).await;
    assert!(leases.iter().all(|lease| lease.term == 2), "{leases:?}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_another_node_acquires_during_its_load_gets_no_engine() {
    let home = home().await;
    *home.loads.takes.lock().unwrap() = LONG;
    let mut node = node(&home);
    node.acquire(Partition(0)).await.unwrap();
    begun(&home, 1).await;
    let theirs = home.shared.hold(&NodeId("other".to_owned()))[0];
    home.engines.end_superseded(&[Holding { lease: theirs, holder: None }]);
    let began = Instant::now();
    let ended = node.running.join_next_with_id().await.unwrap();
    assert!(matches!(node.ended(ended).await, Some(Engine::Ended(_))));
    assert!(began.elapsed() < LEASE && home.engines.held().is_empty() && node.ending.is_empty());
    assert!(!node.planner.refuses(Partition(0)));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_or_panics_releases_the_partition() {
    for (call, why) in [(Call::Fails, "read the store"), (Call::Panics, "injected")] {
        let home = home().await;
        *home.loads.are.lock().unwrap() = call;
        let mut node = node(&home);
        node.acquire(Partition(0)).await.unwrap();
        assert_eq!(home.engines.leases().len(), 1);
        let ended = node.running.join_next_with_id().await.unwrap();
        assert!(matches!(node.ended(ended).await, Some(Engine::Failed(_))));
        assert!(home.engines.held().is_empty() && node.ending.is_empty());
        assert!(node.planner.refuses(Partition(0)), "another node may acquire it first");
        assert_eq!(home.shared.held()[0].0, None);
        let (partition, reason) = home.map.unloaded().unwrap();
        assert!(partition == Partition(0) && reason.contains(why), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_panic_of_an_engine_is_handled_at_once_while_another_partition_loads() {
    let home = home().await;
    *home.loads.takes.lock().unwrap() = LONG;
    let mut node = node(&home);
    let broken = home.shared.hold(&home.me.id)[0];
    node.acquire(Partition(1)).await.unwrap();
    let _inbox = add(&home, &mut node, broken, |_| {
        Box::pin(async {
            sleep(Duration::from_secs(1)).await;
            breaks().await
        })
    });
    let (_seen, beats) = watch::channel(Seen::Nothing);
    let stop = CancellationToken::new();
    let stopping = async {
        until("its partition is released", || home.shared.held()[0].0.is_none()).await;
        stop.cancel();
    };
    let began = Instant::now();
    tokio::join!(node.run(beats, stop.clone()), stopping);
    assert!(began.elapsed() < LEASE, "{:?}", began.elapsed());
    assert_eq!(home.engines.held(), [Partition(1)]);
}

/// The leases that the executor receives next.
async fn claimed(unsent: &mut Unsent) -> Vec<Lease> {
    loop {
        let next = unsent.next().await.unwrap().unwrap();
        if let Outbound::Leases(leases) = next {
            return leases;
        }
        assert!(matches!(next, Outbound::Nodes(_)), "{next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_executor_that_reports_its_attempts_during_a_load_is_asked_again_after_it() {
    let home = home().await;
    *home.loads.takes.lock().unwrap() = LEASE;
    let executor = Connected::with(home.sessions.next_id());
    let (_queue, mut unsent) = home.sessions.open(Arc::new(executor.clone())).unwrap();
    let _node = start(&home, &CancellationToken::new());
    for _ in 0..2 {
        let leases = claimed(&mut unsent).await;
        assert!(home.engines.loaded().is_empty());
        let holding = cluster::Holding { leases, ..cluster::Holding::default() };
        // It does not wait for the load, so that the session is still read.
        let answer =
            tokio::time::timeout(Duration::ZERO, home.engines.connect(&executor, &holding));
        let heard = answer.await.unwrap().unwrap();
        assert!(heard.leases.is_empty(), "no engine knows the executor");
    }
    let (sessions, id) = (home.sessions.clone(), executor.session);
    let noted = home.engines.leaving(id, &[]);
    tokio::spawn(async move {
        noted.await;
        sessions.farewell(id);
    });
    home.acts_on(2).await;
    for _ in 0..2 {
        let leases = claimed(&mut unsent).await;
        let partition = leases[0].partition;
        let holding = cluster::Holding { leases: leases.clone(), ..cluster::Holding::default() };
        let heard = home.engines.connect(&executor, &holding).await.unwrap();
        assert_eq!(heard.leases, leases);
        let engine = home.engines.at(partition).unwrap();
        let known = engine.query(|answer| Command::Executors { answer }).await.unwrap();
        assert_eq!(known[0].session, Some(executor.session));
    }
    assert!(
        matches!(unsent.next().await, Some(Ok(Outbound::Farewell))),
        "after it was asked again"
    );
    let more = tokio::time::timeout(LEASE, unsent.next()).await;
    assert!(more.is_err(), "{more:?}");
}
