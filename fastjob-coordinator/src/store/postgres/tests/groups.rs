//! How the writer handles a store that rejects something.

use std::sync::{Arc, Mutex};

use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Fresh, id, node};
use crate::store::{
    ClusterStore, Commit, Lease, NewAttempt, Partition, TaskStore,
    suite::{
        Home,
        rows::{base, head, plan},
    },
    writer::{Health, Listener, Writer},
};

/// Records notifications.
#[derive(Clone, Default)]
struct Heard {
    said: Arc<Mutex<Said>>,
    more: Arc<Notify>,
}

#[derive(Default)]
struct Said {
    durable: Vec<u64>,
    over: Vec<Lease>,
}

impl Heard {
    fn durable(&self) -> Vec<u64> {
        self.said.lock().unwrap().durable.clone()
    }

    fn over(&self) -> Vec<Lease> {
        self.said.lock().unwrap().over.clone()
    }

    async fn wait_for(&self, durable: usize, over: usize) {
        while self.durable().len() < durable || self.over().len() < over {
            self.more.notified().await;
        }
    }
}

impl Listener for Heard {
    fn durable(&self, commits: &[(Lease, u64)]) {
        self.said.lock().unwrap().durable.extend(commits.iter().map(|(_, id)| *id));
        self.more.notify_one();
    }

    fn over(&self, lease: Lease) {
        self.said.lock().unwrap().over.push(lease);
        self.more.notify_one();
    }
}

/// Submits commits and writes them; waits for this many notifications.
async fn write(home: &Fresh, commits: Vec<Commit>, durable: usize, over: usize) -> Heard {
    let heard = Heard::default();
    let (writer, handle) = Writer::new(home.store());
    for (id, commit) in (1..).zip(commits) {
        handle.submit(id, commit);
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone(), heard.clone()));
    heard.wait_for(durable, over).await;
    assert_eq!(*handle.health().borrow(), Health::Well);
    stop.cancel();
    running.await.unwrap().unwrap();
    heard
}

#[tokio::test]
async fn a_group_is_bounded_in_bytes() {
    let home = Fresh::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    let big: Arc<str> = "x".repeat(3 * 1024 * 1024).into();
    let commit = |id| plan([NewAttempt { param: Some(Arc::clone(&big)), ..head(id) }]);
    let heard = write(&home, (10..16).map(commit).collect(), 6, 0).await;
    assert_eq!(heard.durable(), [1, 2, 3, 4, 5, 6]);
    let mut connection = PgConnection::connect(home.database.url()).await.unwrap();
    let transactions: i64 = sqlx::query_scalar("select count(distinct xmin::text) from journal")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(transactions, 3, "two of 3 MiB in each");
}

#[tokio::test]
async fn a_permanently_rejected_commit_blocks_only_its_own_partition() {
    holds_up_its_own_partition_alone("alter table keys add check (task <> 98)").await;
}

#[tokio::test]
async fn a_commit_that_exceeds_a_limit_of_the_store_blocks_only_its_own_partition() {
    holds_up_its_own_partition_alone(
        "create function too_much() returns trigger language plpgsql as $$ begin \
           if new.task = 98 then raise exception using errcode = '57014'; end if; \
           return new; \
         end $$; \
         create trigger too_much before insert on keys for each row execute function too_much()",
    )
    .await;
}

/// What the store does with attempt 98 affects its partition, and no other.
async fn holds_up_its_own_partition_alone(refusal: &'static str) {
    let home = Fresh::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    home.store.beat(&node("a"), std::time::Duration::from_secs(60)).await.unwrap();
    let mut leases = Vec::new();
    for partition in (0..4).map(Partition) {
        leases.push(home.store.acquire(&id("a"), partition).await.unwrap().unwrap());
    }
    home.run(refusal).await;
    let keyed = |id: i64| NewAttempt { key: Some(format!("k{id}").into()), ..head(id) };
    let planned = |id: i64| Commit { lease: leases[(id % 32) as usize], ..plan([keyed(id)]) };
    // 98 belongs to partition 2, and later commits of that partition are useless without it.
    let commits = [64, 65, 66, 67, 98, 96, 97, 130, 99].map(planned);
    let heard = write(&home, commits.into(), 7, 1).await;
    assert_eq!(heard.durable(), [1, 2, 3, 4, 6, 7, 9], "in their order");
    assert_eq!(heard.over(), [leases[2]]);
    let ids = [66, 98, 130].map(fastjob_core::TaskId);
    let written = home.store.tasks_by_id(&ids).await.unwrap();
    assert_eq!(written.iter().map(|task| task.task.0).collect::<Vec<_>>(), [66]);
}
