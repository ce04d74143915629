//! Who may act: decided by the terms in the database, and its clock.

use std::time::{Duration, Instant};

use fastjob_core::JobId;
use sqlx::{Connection, PgConnection};

use super::{Fresh, id, moves_to, node, watermark};
use crate::store::{
    Alive, ClusterStore, Commit, CommitStore, Error, Lease, LoadStore, Partition, RepairStore,
    TaskStore,
    suite::{
        Home,
        rows::{JOB, at, base, head, job, plan},
    },
};

const LEASE: Duration = Duration::from_secs(60);
/// Enough for a statement or two on a busy machine.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_new_store_has_partitions_without_holders() {
    let home = Fresh::fresh().await;
    assert_eq!(home.store.facts().await.unwrap().partitions, 32);
    let view = home.store.beat(&node("a"), LEASE).await.unwrap();
    assert_eq!(view.nodes, [node("a")]);
    for (holding, partition) in view.partitions.iter().zip((0..32).map(Partition)) {
        assert_eq!(holding.lease, Lease { partition, term: 0 });
        assert_eq!(holding.holder, None);
    }
    assert_eq!(view.partitions.len(), 32);
}

#[tokio::test]
async fn a_partition_has_one_holder_at_a_time() {
    let home = Fresh::fresh().await;
    let (a, b) = (&home.store, home.another().await);
    a.beat(&node("a"), LEASE).await.unwrap();
    b.beat(&node("b"), LEASE).await.unwrap();
    for partition in (0..32).map(Partition) {
        let (a_id, b_id) = (id("a"), id("b"));
        let (first, second) =
            tokio::join!(a.acquire(&a_id, partition), b.acquire(&b_id, partition));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first.is_some() != second.is_some(), "{first:?} {second:?}");
        let lease = first.or(second).unwrap();
        assert!(lease.partition == partition && lease.term > 1_700_000_000, "{lease:?}");
    }
    let view = b.beat(&node("b"), LEASE).await.unwrap();
    assert!(view.partitions.iter().all(|held| matches!(held.holder, Some((_, Alive::Yes)))));
    assert_eq!(view.nodes, [node("a"), node("b")]);
    assert_eq!(b.acquire(&id("b"), Partition(99)).await.unwrap(), None, "there is none");
}

#[tokio::test]
async fn a_silent_node_loses_its_partitions_when_its_lease_ends() {
    let home = Fresh::fresh().await;
    let began = Instant::now();
    home.store.beat(&node("a"), SHORT).await.unwrap();
    home.store.beat(&node("b"), LEASE).await.unwrap();
    let held = home.store.acquire(&id("a"), Partition(3)).await.unwrap().unwrap();
    let taken = loop {
        if let Some(lease) = home.store.acquire(&id("b"), Partition(3)).await.unwrap() {
            break lease;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(began.elapsed() >= SHORT, "not before its lease has ended");
    assert!(taken.partition == Partition(3) && taken.term > held.term, "{taken:?}");
    // It is back, and has to find out.
    let view = home.store.beat(&node("a"), LEASE).await.unwrap();
    assert_eq!(view.partitions[3].lease, taken);
    assert_eq!(home.store.acquire(&id("a"), Partition(3)).await.unwrap(), None);
    let late = home.store.commit(&[moves_to(held, 5)]).await;
    assert!(matches!(late, Err(Error::Fenced(over)) if over == [held]));
    home.store.release(&id("a"), held).await.unwrap();
    home.store.commit(&[moves_to(taken, 6)]).await.unwrap();
    assert_eq!(watermark(&home.store, 3).await, Some(at(6)));
}

#[tokio::test]
async fn a_node_that_takes_its_own_partition_again_ends_its_older_lease() {
    let home = Fresh::fresh().await;
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let first = home.store.acquire(&id("a"), Partition(0)).await.unwrap().unwrap();
    let second = home.store.acquire(&id("a"), Partition(0)).await.unwrap().unwrap();
    let both = [moves_to(first, 5), moves_to(second, 6)];
    let refused = home.store.commit(&both).await;
    assert!(matches!(refused, Err(Error::Fenced(over)) if over == [first]));
    assert_eq!(watermark(&home.store, 0).await, None);
    home.store.commit(&both[1..]).await.unwrap();
}

#[tokio::test]
async fn a_released_partition_is_free_at_once() {
    let home = Fresh::fresh().await;
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let lease = home.store.acquire(&id("a"), Partition(1)).await.unwrap().unwrap();
    home.store.release(&id("b"), lease).await.unwrap();
    home.store.release(&id("a"), Lease { term: lease.term - 1, ..lease }).await.unwrap();
    assert_eq!(home.store.acquire(&id("b"), Partition(1)).await.unwrap(), None, "it is not b's");
    home.store.release(&id("a"), lease).await.unwrap();
    // It has no holder, and earlier decisions are still written.
    home.store.commit(&[moves_to(lease, 5)]).await.unwrap();
    let next = home.store.acquire(&id("b"), Partition(1)).await.unwrap().unwrap();
    assert!(next.term > lease.term, "{next:?}");
    home.store.commit(&[moves_to(lease, 6)]).await.unwrap_err();
    assert_eq!(watermark(&home.store, 1).await, Some(at(5)));
}

#[tokio::test]
async fn a_node_that_leaves_releases_everything() {
    let home = Fresh::fresh().await;
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let mut before = Vec::new();
    for partition in [1, 2].map(Partition) {
        before.push(home.store.acquire(&id("a"), partition).await.unwrap().unwrap());
    }
    home.store.leave(&id("a")).await.unwrap();
    let view = home.store.beat(&node("b"), LEASE).await.unwrap();
    assert_eq!(view.nodes, [node("b")]);
    assert!(view.partitions.iter().all(|held| held.holder.is_none()));
    for before in before {
        let lease = home.store.acquire(&id("b"), before.partition).await.unwrap().unwrap();
        assert!(lease.term > before.term, "{lease:?}");
    }
}

#[tokio::test]
async fn nodes_that_were_silent_for_a_day_are_removed() {
    let home = Fresh::fresh().await;
    home.store.beat(&node("a"), LEASE).await.unwrap();
    home.store.beat(&node("b"), LEASE).await.unwrap();
    home.run(
        "update nodes set until = clock_timestamp() - \
         case id when 'a' then interval '25 hours' else interval '23 hours' end",
    )
    .await;
    assert_eq!(home.store.beat(&node("c"), LEASE).await.unwrap().nodes, [node("c")]);
    let mut connection = PgConnection::connect(home.database.url()).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select id from nodes order by id")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(left, ["b", "c"]);
}

#[tokio::test]
async fn a_store_is_not_repaired_while_a_node_is_alive() {
    let home = Fresh::fresh().await;
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let lease = home.store.acquire(&id("a"), Partition(0)).await.unwrap().unwrap();
    home.store.commit(&[moves_to(lease, 9_000)]).await.unwrap();
    let alive = ["http://a".to_owned()];
    let refused = home.store.set_back(at(1_000)).await;
    assert!(matches!(&refused, Err(Error::Alive(nodes)) if *nodes == alive), "{refused:?}");
    let refused = home.store.lift_ids(1_000).await;
    assert!(matches!(&refused, Err(Error::Alive(nodes)) if *nodes == alive), "{refused:?}");
    assert!(home.store.survey(at(1_000)).await.unwrap().clock.is_some());
    assert_eq!(watermark(&home.store, 0).await, Some(at(9_000)));
    // It is silent, and may not know that it was considered dead.
    home.run("update nodes set until = clock_timestamp() - interval '1 minute'").await;
    home.store.set_back(at(1_000)).await.unwrap();
    let late = home.store.commit(&[moves_to(lease, 9_001)]).await;
    assert!(matches!(late, Err(Error::Fenced(over)) if over == [lease]));
    assert_eq!(watermark(&home.store, 0).await, Some(at(1_000)));
}

#[tokio::test]
async fn a_group_with_an_ended_lease_is_rejected_as_a_whole() {
    let home = Fresh::fresh().await;
    home.store.beat(&node("a"), LEASE).await.unwrap();
    home.store.beat(&node("b"), LEASE).await.unwrap();
    let mut leases = Vec::new();
    for partition in (0..4).map(Partition) {
        leases.push(home.store.acquire(&id("a"), partition).await.unwrap().unwrap());
    }
    for lost in &leases[1..3] {
        home.store.release(&id("a"), *lost).await.unwrap();
        home.store.acquire(&id("b"), lost.partition).await.unwrap().unwrap();
    }
    let group: Vec<_> = leases
        .iter()
        .zip(10..)
        .map(|(lease, id)| Commit {
            lease: *lease,
            watermark: Some(at(7)),
            ids_until: Some(100),
            ..plan([head(id)])
        })
        .collect();
    home.store.commit(&[base()]).await.unwrap_err();
    let refused = home.store.commit(&group).await;
    assert!(matches!(refused, Err(Error::Fenced(over)) if over == leases[1..3]));
    for partition in 0..4 {
        assert_eq!(watermark(&home.store, partition).await, None);
    }
    let ids = [10, 11, 12, 13].map(fastjob_core::TaskId);
    assert_eq!(home.store.tasks_by_id(&ids).await.unwrap(), []);
    // The rest is accepted on the same connection.
    home.store.commit(&[group[0].clone(), group[3].clone()]).await.unwrap();
    assert_eq!(watermark(&home.store, 3).await, Some(at(7)));
}

#[tokio::test]
async fn a_takeover_waits_for_a_commit_in_progress() {
    let home = Fresh::fresh().await;
    let other = home.another().await;
    home.store.beat(&node("a"), SHORT).await.unwrap();
    other.beat(&node("b"), LEASE).await.unwrap();
    let lease = home.store.acquire(&id("a"), Partition(5)).await.unwrap().unwrap();

    // The commit blocks at a row that another transaction has locked.
    let mut holder = PgConnection::connect(home.database.url()).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    let hold = "update counters set value = value where name = 'alarms'";
    sqlx::query(hold).execute(&mut *held).await.unwrap();
    let change = Commit {
        alarms: vec![crate::store::suite::rows::alarm(1, None, crate::store::AlarmKind::Failed)],
        ..moves_to(lease, 5)
    };
    let store = std::sync::Arc::clone(&home.store);
    let commit = tokio::spawn(async move { store.commit(&[change]).await });
    tokio::time::sleep(SHORT * 2).await;

    let b = id("b");
    assert_eq!(other.acquire(&b, Partition(5)).await.unwrap(), None, "not while it is in progress");
    assert!(!commit.is_finished());
    let acquire = other.acquire(&b, Partition(5));
    tokio::pin!(acquire);
    let early = tokio::time::timeout(SHORT, &mut acquire).await;
    assert!(early.is_err(), "it waits a moment: {early:?}");
    held.commit().await.unwrap();
    let taken = match acquire.await.unwrap() {
        Some(taken) => taken,
        // The wait timed out first.
        None => loop {
            if let Some(taken) = other.acquire(&b, Partition(5)).await.unwrap() {
                break taken;
            }
        },
    };
    commit.await.unwrap().unwrap();
    assert!(taken.term > lease.term, "{taken:?}");
    assert_eq!(watermark(&other, 5).await, Some(at(5)), "the commit in progress was written");
    home.store.commit(&[moves_to(lease, 6)]).await.unwrap_err();
}

#[tokio::test]
async fn a_partition_is_loaded_with_its_own_data_only() {
    let home = Fresh::fresh().await;
    let jobs = vec![job(JOB, "a"), job(JobId(1), "b")];
    let rows = Commit { jobs, ids_until: None, ..base() };
    home.store.commit(&[rows]).await.unwrap();
    home.store.beat(&node("a"), LEASE).await.unwrap();
    for (partition, ids) in [(1, &[33, 65][..]), (2, &[34])] {
        let lease = home.store.acquire(&id("a"), Partition(partition)).await.unwrap().unwrap();
        let tasks = Commit { lease, ..plan(ids.iter().copied().map(head)) };
        home.store.commit(&[tasks]).await.unwrap();
    }
    let loaded = home.store.load(Partition(1)).await.unwrap();
    let open: Vec<_> = loaded.open.iter().map(|open| open.planned.row.attempt.0).collect();
    assert_eq!(open, [33, 65]);
    let jobs: Vec<_> = loaded.jobs.rows().map(|job| job.id.0).collect();
    assert_eq!(jobs, [1]);
    assert!(loaded.next_life > 2, "above all lives");
    assert!(home.store.load(Partition(3)).await.unwrap().jobs.is_empty());
}
