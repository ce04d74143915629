//! A database that has lost transactions, or has a damaged journal.

use std::time::Duration;

use fastjob_core::{JobId, TaskId};

use super::{Fresh, id, moves_to, node};
use crate::store::{
    ClusterStore, Commit, CommitStore, Error, JobRow, Lease, LoadStore, Partition, RepairStore,
    RetentionStore, TaskFilter, TaskStore,
    postgres::Postgres,
    suite::{
        Home,
        rows::{at, base, end, head, job, plan, succeeded},
    },
};

const LEASE: Duration = Duration::from_secs(60);

/// A node that holds this partition.
async fn holder(home: &Fresh, partition: u32) -> Lease {
    home.store.commit(&[Commit { ids_until: None, ..base() }]).await.unwrap();
    home.store.beat(&node("a"), LEASE).await.unwrap();
    acquire(home, partition).await
}

async fn acquire(home: &Fresh, partition: u32) -> Lease {
    home.store.acquire(&id("a"), Partition(partition)).await.unwrap().unwrap()
}

fn task(lease: Lease, id: i64) -> Commit {
    Commit { lease, ..plan([head(id)]) }
}

/// The database continues without the last of four transactions that wrote a record.
const LOSE_ONE: &str = "delete from journal where partition = 1 and seq = 4; \
                        update partitions set seq = 3, commits = 3 where partition = 1";

async fn listed(store: &Postgres) -> Vec<i64> {
    let filter = TaskFilter { limit: 1_000, ..TaskFilter::default() };
    let mut ids: Vec<_> =
        store.task_ids(&filter).await.unwrap().ids().into_iter().map(|task| task.0).collect();
    ids.sort_unstable();
    ids
}

async fn open(home: &Fresh, partition: u32) -> Vec<i64> {
    let open = home.store.load(Partition(partition)).await.unwrap().open;
    open.iter().map(|open| open.planned.row.attempt.0).collect()
}

#[track_caller]
fn is_over(result: &Result<(), Error>, lease: Lease) {
    assert!(matches!(result, Err(Error::Fenced(over)) if *over == [lease]), "{result:?}");
}

#[tokio::test]
async fn an_engine_ends_when_the_database_has_lost_a_commit_without_a_record() {
    let home = Fresh::fresh().await;
    let lease = holder(&home, 1).await;
    home.store.commit(&[task(lease, 33)]).await.unwrap();
    home.store.commit(&[moves_to(lease, 7)]).await.unwrap();
    home.run("update partitions set watermark = null, commits = 1 where partition = 1").await;
    for _ in 0..2 {
        is_over(&home.store.commit(&[task(lease, 65)]).await, lease);
    }
    assert_eq!(open(&home, 1).await, [33]);
}

#[tokio::test]
async fn an_older_lease_that_is_released_does_not_hide_a_loss_from_a_newer_one() {
    let home = Fresh::fresh().await;
    let first = holder(&home, 1).await;
    let second = acquire(&home, 1).await;
    for id in [33, 65, 97, 129] {
        home.store.commit(&[task(second, id)]).await.unwrap();
    }
    home.store.release(&id("a"), first).await.unwrap();
    home.run(LOSE_ONE).await;
    is_over(&home.store.commit(&[task(second, 161)]).await, second);
}

#[tokio::test]
async fn lists_of_other_nodes_follow_a_database_that_has_lost_its_last_commits() {
    let home = Fresh::fresh().await;
    let lister = home.another().await;
    let lease = holder(&home, 1).await;
    for id in [33, 65, 97] {
        home.store.commit(&[task(lease, id)]).await.unwrap();
    }
    let outcome = |lease| Commit { lease, ..end([succeeded(33, 33)]) };
    home.store.commit(&[outcome(lease)]).await.unwrap();
    assert_eq!(listed(&lister).await, [33, 65, 97], "an ended one and two open ones");
    home.run("delete from tasks; delete from journal where partition = 1 and seq > 2").await;
    home.run("delete from index_segments; delete from index_blocks").await;
    home.run("update partitions set seq = 2, commits = 2 where partition = 1").await;
    assert_eq!(listed(&lister).await, [33, 65]);
    // As many new records as were lost, and the last one has the same content.
    let lease = acquire(&home, 1).await;
    home.store.commit(&[task(lease, 129)]).await.unwrap();
    home.store.commit(&[outcome(lease)]).await.unwrap();
    assert_eq!(listed(&lister).await, [33, 65, 129]);
    let found = lister.tasks_by_id(&[33, 65, 97, 129].map(TaskId)).await.unwrap();
    let found: Vec<_> = found.iter().map(|task| (task.task.0, task.ended_at.is_some())).collect();
    assert_eq!(found, [(129, false), (65, false), (33, true)]);
    // Nothing is left of the partition.
    home.run("delete from tasks; delete from journal").await;
    assert_eq!(listed(&lister).await, [0_i64; 0]);
}

#[tokio::test]
async fn lists_of_other_nodes_follow_a_repair() {
    let home = Fresh::fresh().await;
    let lister = home.another().await;
    let lease = holder(&home, 1).await;
    for id in [33, 65] {
        home.store.commit(&[task(lease, id)]).await.unwrap();
    }
    assert_eq!(listed(&lister).await, [33, 65]);
    home.run("update nodes set until = clock_timestamp() - interval '1 minute'").await;
    assert_eq!(home.store.set_back(at(0)).await.unwrap().attempts, 2);
    let shown = lister.task(TaskId(65)).await.unwrap().unwrap();
    assert_eq!(shown.attempts[0].due_at, at(0));
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let lease = acquire(&home, 1).await;
    home.store.commit(&[Commit { lease, ..end([succeeded(33, 33)]) }]).await.unwrap();
    let ended = lister.task(TaskId(33)).await.unwrap().unwrap();
    assert!(ended.ended_at.is_some());
}

#[tokio::test]
async fn a_partition_is_listed_again_once_its_journal_can_be_read() {
    let home = Fresh::fresh().await;
    let lease = holder(&home, 1).await;
    let other = acquire(&home, 2).await;
    for commit in [task(lease, 33), task(lease, 65), task(other, 34)] {
        home.store.commit(&[commit]).await.unwrap();
    }
    home.run("create table kept as select * from journal").await;
    let repair = "update journal j set record = k.record from kept k \
                  where k.partition = j.partition and k.seq = j.seq";
    for (damage, repair) in [
        // In the middle: its last bytes are the same before and after.
        (
            "update journal set record = set_byte(record, 6, 99) where partition = 1 and seq = 1",
            repair,
        ),
        ("update journal set record = '\\x02' where partition = 1 and seq = 2", repair),
        (
            "delete from journal where partition = 1 and seq = 1; \
             update journal set record = '\\x02' where partition = 1 and seq = 2",
            "delete from journal where partition = 1; insert into journal select * from kept \
             where partition = 1",
        ),
    ] {
        home.run(damage).await;
        let lister = home.another().await;
        assert_eq!(listed(&lister).await, [34]);
        // It has no task 35, but it cannot know that of 33.
        let asked = lister.tasks_by_id(&[34, 35, 33].map(TaskId)).await;
        assert!(matches!(asked, Err(Error::Corrupt { .. })), "{asked:?}");
        assert_eq!(lister.tasks_by_id(&[34, 35].map(TaskId)).await.unwrap().len(), 1);
        home.run(repair).await;
        assert_eq!(listed(&lister).await, [33, 34, 65], "{damage}");
    }
}

#[tokio::test]
async fn deleted_jobs_are_removed_although_the_journal_of_others_is_damaged() {
    let home = Fresh::fresh().await;
    let lease = holder(&home, 1).await;
    let deleted = |id: i64| JobRow {
        deleted_at: Some(at(5)),
        updated_at: at(5),
        ..job(JobId(id), &format!("j{id}"))
    };
    let jobs = vec![deleted(33), deleted(34)];
    home.store.commit(&[Commit { jobs, ..task(lease, 65) }]).await.unwrap();
    home.run("update journal set record = '\\x02' where partition = 1").await;
    assert!(home.store.remove_deleted_jobs(Partition(1), at(100), 10).await.is_err());
    let removed = home.store.remove_deleted_jobs(Partition(2), at(100), 10).await.unwrap();
    assert_eq!(removed, [JobId(34)]);
}

#[tokio::test]
async fn an_engine_ends_when_the_database_has_lost_its_last_commits() {
    let home = Fresh::fresh().await;
    home.store.commit(&[Commit { ids_until: None, ..base() }]).await.unwrap();
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let lease = home.store.acquire(&id("a"), Partition(1)).await.unwrap().unwrap();
    let task = |id| Commit { lease, ..plan([head(id)]) };
    home.store.commit(&[task(33)]).await.unwrap();
    home.store.commit(&[task(65)]).await.unwrap();
    // A replica that was behind became the database.
    home.run("delete from journal where seq = 2").await;
    home.run("update partitions set seq = 1 where partition = 1").await;
    let refused = home.store.commit(&[task(97)]).await;
    assert!(matches!(&refused, Err(Error::Fenced(over)) if *over == [lease]), "{refused:?}");
    let open = home.store.load(Partition(1)).await.unwrap().open;
    assert_eq!(open.iter().map(|o| o.planned.row.attempt.0).collect::<Vec<_>>(), [33]);
    let lease = home.store.acquire(&id("a"), Partition(1)).await.unwrap().unwrap();
    home.store.commit(&[Commit { lease, ..plan([head(97)]) }]).await.unwrap();
    assert_eq!(home.store.load(Partition(1)).await.unwrap().open.len(), 2);
}

#[tokio::test]
async fn a_damaged_journal_ends_its_own_engine_only() {
    let home = Fresh::fresh().await;
    home.store.commit(&[Commit { ids_until: None, ..base() }]).await.unwrap();
    home.store.beat(&node("a"), LEASE).await.unwrap();
    let mut leases = Vec::new();
    for partition in [1, 2].map(Partition) {
        let lease = home.store.acquire(&id("a"), partition).await.unwrap().unwrap();
        let task = i64::from(partition.0) + 32;
        home.store.commit(&[Commit { lease, ..plan([head(task)]) }]).await.unwrap();
        leases.push(lease);
    }
    home.run("update journal set record = record || '\\x00' where partition = 1").await;
    assert!(home.store.load(Partition(1)).await.is_err());
    // The next lease has to replay it.
    let damaged = home.store.acquire(&id("a"), Partition(1)).await.unwrap().unwrap();
    let both = [damaged, leases[1]].map(|lease| Commit { lease, ..Commit::default() });
    let refused = home.store.commit(&both).await;
    assert!(matches!(&refused, Err(Error::Fenced(over)) if *over == [damaged]), "{refused:?}");
    home.store.commit(&both[1..]).await.unwrap();
    // Lists have the tasks of other partitions.
    let filter = crate::store::TaskFilter { limit: 10, ..Default::default() };
    let listed = home.store.task_ids(&filter).await.unwrap().ids();
    assert_eq!(listed, [fastjob_core::TaskId(34)]);
    assert!(home.store.task(fastjob_core::TaskId(34)).await.unwrap().is_some());
    let unknown = home.store.task(fastjob_core::TaskId(33)).await;
    assert!(matches!(unknown, Err(Error::Corrupt { .. })), "it is not 404: {unknown:?}");
}
