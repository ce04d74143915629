//! Several coordinators on one PostgreSQL: all of them schedule, any of them can fail, and one that
//! has lost its partitions changes nothing.

mod calls;
mod paths;
mod takeovers;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fastjob_tests::{
    eventually,
    postgres::Postgres,
    process::{Coordinator, Process},
    proxy::Proxy,
    rest::Rest,
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{EXECUTOR, FASTJOB, soak};

/// The time after which an unresponsive node is taken over.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Coordinator>,
    postgres: Postgres,
    pub(crate) pool: PgPool,
    /// The connection of the first node to the database.
    proxy: Proxy,
}

impl Cluster {
    pub(crate) async fn start(nodes: usize) -> Self {
        Self::with(nodes, LEASE, |node| node).await
    }

    /// Starts a cluster; `change` configures each node first.
    pub(crate) async fn with(
        nodes: usize,
        lease: Duration,
        change: impl Fn(Coordinator) -> Coordinator,
    ) -> Self {
        let postgres = Postgres::start().await;
        let url = postgres.database("fastjob").await;
        let proxy = Proxy::to(postgres.address()).await;
        let over_proxy = url.replace(&postgres.address().to_string(), &proxy.address().to_string());
        let lease = format!("{}ms", lease.as_millis());
        let mut nodes: Vec<_> = (0..nodes)
            .map(|n| if n == 0 { &over_proxy } else { &url })
            .map(|url| Coordinator::prepare(FASTJOB).store_url(url).env("FASTJOB_LEASE", &lease))
            .map(change)
            .collect();
        // All at once: one of them creates the schema.
        nodes.iter_mut().for_each(Coordinator::begin);
        for node in &nodes {
            let rest = node.rest();
            eventually("a node is ready", Duration::from_secs(30), || async {
                rest.get("/readyz").await.ok().filter(|(status, _)| *status == 200).map(drop)
            })
            .await;
        }
        let pool = postgres.pool("fastjob").await;
        let cluster = Self { nodes, postgres, pool, proxy };
        cluster.all_held().await;
        cluster
    }

    /// Waits until every partition is owned, in fair shares.
    pub(crate) async fn all_held(&self) {
        let up = self.nodes.iter().filter(|node| node.is_up()).count();
        let (least, most) = (32 / up, 32_usize.div_ceil(up));
        eventually("all partitions are held in fair shares", LEASE * 5, || async {
            let held = self.held().await;
            let fair = |count: &usize| (least..=most).contains(count);
            (held.len() == up && held.values().sum::<usize>() == 32 && held.values().all(fair))
                .then_some(())
        })
        .await;
    }

    /// The number of partitions that each live node owns, by address.
    async fn held(&self) -> HashMap<String, usize> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select n.address, count(*) from partitions p join nodes n on n.id = p.node \
             where n.until > clock_timestamp() group by 1",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap_or_default();
        rows.into_iter().map(|(address, count)| (address, count as usize)).collect()
    }

    /// Starts an executor that is configured with the first node only.
    pub(crate) fn executor(&self, name: &str) -> Process {
        self.nodes[0].executor(EXECUTOR, name)
    }

    /// Cuts the first node off from the database.
    pub(crate) fn cut_off(&mut self) {
        self.proxy.cut();
    }

    /// Waits until the executors have a session with each running node.
    pub(crate) async fn connected(&self, executors: usize) {
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            node.rest().executors(executors).await;
        }
    }

    /// The number of open attempts.
    pub(crate) async fn open(&self) -> i64 {
        self.count("select sum(open)::bigint from partitions").await
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until each job has run for a fire after this call.
    async fn all_ran(&self, jobs: i64) {
        let since = fastjob_tests::now().as_millisecond();
        eventually("every job runs", Duration::from_secs(30), || async {
            let fired: i64 = sqlx::query_scalar(
                "select count(distinct job) from tasks where state = 3 and fire_at > $1",
            )
            .bind(since)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            (fired == jobs).then_some(())
        })
        .await;
    }

    /// Disables the jobs `j0` and up, and waits until every attempt has ended.
    pub(crate) async fn end(&self, rest: &Rest, jobs: usize) {
        for n in 0..jobs {
            rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
        }
        eventually("every attempt has ended", Duration::from_secs(60), || async {
            (self.open().await == 0).then_some(())
        })
        .await;
    }

    /// Checks that every second between the first and the last recorded fire of each job has
    /// exactly one task, or is covered by a record of missed fires.
    pub(crate) async fn every_second_is_there(&self, jobs: usize) {
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "select job, count(distinct fire_at), min(fire_at), max(fire_at) from tasks \
             where cause in (1, 2) and state <> 6 group by job",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert_eq!(rows.len(), jobs);
        let doubled = "select count(*) from (select 1 from tasks \
                       where cause in (1, 2) and state <> 6 \
                       group by job, fire_at having count(*) > 1) doubled";
        assert_eq!(self.count(doubled).await, 0, "a second has two tasks");
        for (job, count, first, last) in rows {
            let expected = (last - first) / 1_000 + 1;
            assert_eq!(count, expected, "job {job} from {first} to {last}");
        }
    }
}

pub(crate) async fn save_seconds(rest: &fastjob_tests::rest::Rest, jobs: usize) {
    for n in 0..jobs {
        rest.save(json!({"name": format!("j{n}"), "handler": "noop",
            "misfire": {"fire_all": {"max": 1000}}, "schedule": {"cron": "* * * * * ?"}}))
            .await;
    }
}
