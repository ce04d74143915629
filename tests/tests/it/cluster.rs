//! Several coordinators on one PostgreSQL: all of them schedule, any of them can go away, and none
//! that has lost its partitions changes anything.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fastjob_tests::{
    eventually,
    postgres::Postgres,
    process::{Coordinator, Process},
    proxy::Proxy,
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{EXECUTOR, FASTJOB, soak};

/// After how long a node that is not heard of is taken over.
const LEASE: Duration = Duration::from_secs(2);

struct Cluster {
    nodes: Vec<Coordinator>,
    postgres: Postgres,
    pool: PgPool,
    /// The way of the first node to the database.
    proxy: Proxy,
}

impl Cluster {
    async fn start(nodes: usize) -> Self {
        let postgres = Postgres::start().await;
        let url = postgres.database("fastjob").await;
        let proxy = Proxy::to(postgres.address()).await;
        let over_proxy = url.replace(&postgres.address().to_string(), &proxy.address().to_string());
        let lease = format!("{}ms", LEASE.as_millis());
        let mut nodes: Vec<_> = (0..nodes)
            .map(|n| if n == 0 { &over_proxy } else { &url })
            .map(|url| Coordinator::prepare(FASTJOB).store_url(url).env("FASTJOB_LEASE", &lease))
            .collect();
        // All at once: the schema is made by one of them.
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

    /// Waits until every partition is held, in fair shares.
    async fn all_held(&self) {
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

    /// How many partitions the living nodes hold, by address.
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

    /// An executor that is told of the first node alone.
    fn executor(&self, name: &str) -> Process {
        self.nodes[0].executor(EXECUTOR, name)
    }

    /// Whether the executors have a session with each node that is up.
    async fn connected(&self, executors: usize) {
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            node.rest().executors(executors).await;
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Each of the jobs has run for a second that has come since this was called.
    async fn all_ran(&self, jobs: i64) {
        let since = fastjob_tests::now().as_millisecond();
        eventually("every job runs", Duration::from_secs(30), || async {
            let fired: i64 = sqlx::query_scalar(
                "select count(distinct job) from attempts \
                 where id = task and task_state = 3 and fire_at > $1",
            )
            .bind(since)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            (fired == jobs).then_some(())
        })
        .await;
    }

    /// Every second of every job between the first and the last that was recorded has exactly one
    /// task, or is covered by a record of missed fires.
    async fn every_second_is_there(&self, jobs: usize) {
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "select job, count(distinct fire_at), min(fire_at), max(fire_at) from attempts \
             where id = task and cause in (1, 2) and task_state <> 6 group by job",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert_eq!(rows.len(), jobs);
        let doubled = "select count(*) from (select 1 from attempts where id = task \
                       and cause in (1, 2) and task_state <> 6 \
                       group by job, fire_at having count(*) > 1) doubled";
        assert_eq!(self.count(doubled).await, 0, "a second has two tasks");
        for (job, count, first, last) in rows {
            let expected = (last - first) / 1_000 + 1;
            assert_eq!(count, expected, "job {job} from {first} to {last}");
        }
    }
}

async fn save_seconds(rest: &fastjob_tests::rest::Rest, jobs: usize) {
    for n in 0..jobs {
        rest.save(json!({"name": format!("j{n}"), "handler": "noop",
            "misfire": {"fire_all": {"max": 1000}}, "schedule": {"cron": "* * * * * ?"}}))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_takes_any_call_and_a_job_runs_wherever_it_is_owned() {
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = |n: usize| cluster.nodes[n % 3].rest();
    let mut tasks = Vec::new();
    for n in 0..12 {
        rest(n).save(json!({"name": format!("j{n}"), "handler": "echo"})).await;
        tasks.push(rest(n + 1).start(&format!("j{n}"), json!({"param": "hello"})).await);
    }
    for (n, task) in tasks.into_iter().enumerate() {
        let ended = rest(n + 2).ended(task).await;
        assert_eq!(
            (ended["state"].as_str(), ended["result"].as_str()),
            (Some("succeeded"), Some("hello"))
        );
    }
    let partitions = cluster.count("select count(distinct id % 32) from jobs").await;
    assert!(partitions > 3, "the jobs are in {partitions} partitions");

    // Known to all as soon as the answer is there.
    let (status, problem) = rest(0).ask("POST", "/api/v1/jobs/none/start", None).await.unwrap();
    assert_eq!(status, 404, "{problem}");
    let again = json!({"name": "j0", "handler": "echo"}).to_string();
    for n in 0..3 {
        let (status, problem) =
            rest(n).ask("POST", "/api/v1/jobs", Some(again.clone())).await.unwrap();
        assert_eq!(status, 409, "{problem}");
    }
    let (_, listed) = rest(1).get("/api/v1/tasks?limit=100").await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_runs_is_seen_and_stopped_through_any_node() {
    let cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    for n in 0..4 {
        let rest = cluster.nodes[n % 2].rest();
        rest.save(json!({"name": format!("long{n}"), "handler": "slow", "param": "60000"})).await;
        let task = rest.start(&format!("long{n}"), json!({})).await;
        for node in &cluster.nodes {
            let rest = node.rest();
            rest.reaches(task, &["running"]).await;
            let (_, listed) = rest.get("/api/v1/tasks?state=running").await.unwrap();
            let ids: Vec<_> =
                listed["items"].as_array().unwrap().iter().map(|t| &t["id"]).collect();
            assert!(ids.contains(&&json!(task)), "{listed}");
        }
        let other = cluster.nodes[(n + 1) % 2].rest();
        other.post(&format!("/api/v1/tasks/{task}/stop")).await;
        assert_eq!(other.ended(task).await["state"], "stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_runs_no_more_at_a_time_than_it_has_places_whatever_the_nodes_send() {
    let cluster = Cluster::start(2).await;
    let places = [("FASTJOB_CAPACITY", "2")];
    let _executor = cluster.nodes[0].executor_with(EXECUTOR, "e1", &places);
    cluster.connected(1).await;
    let mut tasks = Vec::new();
    for n in 0..12 {
        let rest = cluster.nodes[n % 2].rest();
        rest.save(json!({"name": format!("j{n}"), "handler": "slow", "param": "200"})).await;
    }
    for n in 0..12 {
        let rest = cluster.nodes[n % 2].rest();
        tasks.push(rest.start(&format!("j{n}"), json!({})).await);
    }
    for task in tasks {
        assert_eq!(cluster.nodes[0].rest().ended(task).await["state"], "succeeded");
    }
    // At each start: itself, and those that had begun and not ended.
    let most = cluster.count(
        "select max((select count(*) from attempts b \
         where b.started_at <= a.started_at and b.ended_at > a.started_at)) from attempts a",
    );
    assert_eq!(most.await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_other_partitions_are_started_once_and_circles_are_refused_at_any_node() {
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = |n: usize| cluster.nodes[n % 3].rest();
    let children: Vec<_> = (0..8).map(|n| format!("child{n}")).collect();
    for (n, child) in children.iter().enumerate() {
        rest(n).save(json!({"name": child, "handler": "echo"})).await;
    }
    let all: Vec<Value> =
        children.iter().map(|job| json!({"job": job, "pass_result": true})).collect();
    rest(1).save(json!({"name": "parent", "handler": "echo", "param": "p", "children": all})).await;
    let circle = json!({"name": "child3", "handler": "echo", "children": [{"job": "parent"}]});
    let (status, problem) =
        rest(2).ask("PUT", "/api/v1/jobs/child3", Some(circle.to_string())).await.unwrap();
    assert_eq!(status, 422, "{problem}");
    let (status, problem) = rest(0).ask("DELETE", "/api/v1/jobs/child5", None).await.unwrap();
    assert_eq!(status, 409, "{problem}");

    let task = rest(0).start("parent", json!({})).await;
    let started = || async {
        let sql = "select count(*) from attempts where id = task and parent = $1 \
                   and task_state = 3 and param = 'p'";
        sqlx::query_scalar::<_, i64>(sql).bind(task).fetch_one(&cluster.pool).await.unwrap()
    };
    eventually("each child has succeeded", Duration::from_secs(20), || async {
        (started().await == 8).then_some(())
    })
    .await;
    let all = cluster.count("select count(*) from attempts where id = task and parent is not null");
    assert_eq!(all.await, 8, "each is started once");
    let waiting = cluster.count("select count(*) from child_starts").await;
    assert_eq!(waiting, 0, "none is left to be started");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_parent_over_starts_its_children_in_other_partitions() {
    let mut cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = cluster.nodes[1].rest();
    let children: Vec<_> = (0..4).map(|n| format!("child{n}")).collect();
    for child in &children {
        rest.save(json!({"name": child, "handler": "noop"})).await;
    }
    let all: Vec<Value> = children.iter().map(|job| json!({"job": job})).collect();
    for n in 0..8 {
        let parent = json!({"name": format!("parent{n}"), "handler": "noop", "children": all});
        rest.save(parent).await;
    }
    assert!(cluster.nodes[0].stop().success());
    cluster.all_held().await;
    for n in 0..8 {
        rest.start(&format!("parent{n}"), json!({})).await;
    }
    let started = "select count(*) from attempts where id = task and parent is not null \
                   and task_state = 3";
    eventually("each child has succeeded", Duration::from_secs(20), || async {
        (cluster.count(started).await == 8 * 4).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_killed_are_taken_over_and_no_second_is_lost_or_doubled() {
    let (jobs, kills) = if soak() { (3_000, 9) } else { (300, 3) };
    let mut cluster = Cluster::start(3).await;
    let _executors = [cluster.executor("e1"), cluster.executor("e2")];
    cluster.connected(2).await;
    save_seconds(&cluster.nodes[0].rest(), jobs).await;
    let pause = if soak() { Duration::from_secs(20) } else { LEASE * 2 };
    for kill in 0..kills {
        tokio::time::sleep(pause).await; // the load is the condition
        let dead = kill % 3;
        cluster.nodes[dead].kill();
        let killed = Instant::now();
        cluster.all_held().await;
        let took = killed.elapsed();
        assert!(took < LEASE * 3, "taken over after {took:?}");
        eprintln!("kill {kill}: all partitions are held again after {took:?}");
        cluster.nodes[dead].up().await;
        cluster.all_held().await;
    }
    let rest = cluster.nodes[1].rest();
    for n in 0..jobs {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(60), || async {
        (cluster.count("select count(*) from attempts where state = 0").await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(jobs).await;
    let skipped = "select count(*) from attempts where task_state = 6";
    assert_eq!(cluster.count(skipped).await, 0, "none is older than what is made up for");
    let failed = "select count(*) from attempts where state = 4";
    assert_eq!(cluster.count(failed).await, 0, "no attempt was lost with a coordinator");
    for node in &cluster.nodes {
        let twice: Vec<_> = node.entered().into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(twice.is_empty(), "entered twice: {twice:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_sleeps_longer_than_its_lease_changes_nothing_when_it_wakes() {
    let cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[0].rest(), 100).await;
    let before = cluster.count("select sum(term)::bigint from partitions").await;
    cluster.nodes[0].signal("STOP");
    eventually("the other has taken everything over", LEASE * 5, || async {
        let held = cluster.held().await;
        (held.get(&cluster.nodes[1].url()) == Some(&32)).then_some(())
    })
    .await;
    cluster.all_ran(100).await; // it sleeps on
    cluster.nodes[0].signal("CONT");
    cluster.all_held().await;
    assert!(cluster.count("select sum(term)::bigint from partitions").await > before);
    cluster.all_ran(100).await;
    let rest = cluster.nodes[0].rest();
    for n in 0..100 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.count("select count(*) from attempts where state = 0").await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(100).await;
    let twice: Vec<_> =
        cluster.nodes[0].entered().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "entered twice: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_from_the_database_is_taken_over_and_comes_back() {
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[1].rest(), 100).await;
    cluster.proxy.cut();
    let cut_off = cluster.nodes[0].rest();
    eventually("the node says that it cannot work", LEASE * 4, || async {
        let (status, _) = cut_off.get("/readyz").await.ok()?;
        (status == 503).then_some(())
    })
    .await;
    eventually("the others have everything", LEASE * 4, || async {
        let held = cluster.held().await;
        (held.len() == 2 && held.values().sum::<usize>() == 32).then_some(())
    })
    .await;
    // The executor still has its session with it, and must not take anything from it.
    tokio::time::sleep(LEASE * 2).await;
    cluster.proxy.mend();
    cluster.all_held().await;
    eventually("the node works again", LEASE * 4, || async {
        let (status, _) = cut_off.get("/readyz").await.ok()?;
        (status == 200).then_some(())
    })
    .await;
    cluster.all_ran(100).await;
    for n in 0..100 {
        cut_off.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.count("select count(*) from attempts where state = 0").await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(100).await;
    let twice: Vec<_> =
        cluster.nodes[0].entered().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "entered twice: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_database_is_away_executors_go_on_and_nothing_is_forgotten() {
    let mut cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[0].rest(), 50).await;
    cluster.nodes[0].rest().save(json!({"name": "long", "handler": "slow", "param": "3000"})).await;
    let long = cluster.nodes[1].rest().start("long", json!({})).await;
    cluster.nodes[0].rest().reaches(long, &["running"]).await;
    cluster.postgres.kill();
    eventually("the nodes say that they cannot work", LEASE * 3, || async {
        let (status, _) = cluster.nodes[0].rest().get("/readyz").await.ok()?;
        (status == 503).then_some(())
    })
    .await;
    tokio::time::sleep(LEASE * 2).await; // the lease of both is over, the handler ends
    cluster.postgres.up().await;
    cluster.all_held().await;
    // Its outcome waited at the executor.
    let ended = cluster.nodes[1].rest().ended(long).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["attempts"].as_array().unwrap().len(), 1, "{ended}");
    cluster.all_ran(50).await;
    let rest = cluster.nodes[0].rest();
    for n in 0..50 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.count("select count(*) from attempts where state = 0").await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_in_order_hands_over_at_once() {
    let mut cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[0].rest(), 60).await;
    cluster.all_ran(60).await;
    // Also the one that the executor was told of.
    for leaves in [1, 0] {
        let stopped = Instant::now();
        assert!(cluster.nodes[leaves].stop().success());
        cluster.all_held().await;
        eprintln!("handed over after {:?}", stopped.elapsed());
        cluster.all_ran(60).await;
    }
    let rest = cluster.nodes[2].rest();
    for n in 0..60 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.count("select count(*) from attempts where state = 0").await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(60).await;
}

/// What a person has done to a job last, and when it was acknowledged.
enum Done {
    Disabled(i64),
    Deleted(i64),
    /// Its param is another one.
    Edited(i64, String),
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_follow_what_is_done_through_any_node_and_nothing_fires_after_it_was_switched_off() {
    let jobs = if soak() { 200 } else { 40 };
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let draft = |name: &str, param: &str| {
        json!({"name": name, "handler": "echo", "param": param,
            "schedule": {"cron": "* * * * * ?"}})
    };
    for n in 0..jobs {
        cluster.nodes[n % 3].rest().save(draft(&format!("j{n}"), "first")).await;
    }
    let mut done = HashMap::new();
    for round in 0..5_usize {
        for n in 0..jobs {
            let rest = cluster.nodes[(n * 7 + round) % 3].rest();
            let name = format!("j{n}");
            if matches!(done.get(&name), Some(Done::Deleted(_))) {
                let (status, gone) =
                    rest.get(&format!("/api/v1/jobs/{name}")).await.expect("it answers");
                assert_eq!(status, 404, "{gone}");
                continue;
            }
            let now = || fastjob_tests::now().as_millisecond();
            match (n + round) % 5 {
                0 => {
                    rest.post(&format!("/api/v1/jobs/{name}/disable")).await;
                    done.insert(name, Done::Disabled(now()));
                }
                1 => {
                    done.remove(&name);
                    rest.post(&format!("/api/v1/jobs/{name}/enable")).await;
                }
                2 => {
                    let param = format!("of round {round}");
                    let text = draft(&name, &param).to_string();
                    let path = format!("/api/v1/jobs/{name}");
                    let (status, said) = rest.ask("PUT", &path, Some(text)).await.unwrap();
                    assert_eq!(status, 200, "{said}");
                    done.insert(name, Done::Edited(now(), param));
                }
                3 if n % 3 == 0 => {
                    let path = format!("/api/v1/jobs/{name}");
                    let (status, said) = rest.ask("DELETE", &path, None).await.unwrap();
                    assert_eq!(status, 204, "{said}");
                    done.insert(name, Done::Deleted(now()));
                }
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await; // some fires pass
    }
    tokio::time::sleep(Duration::from_secs(3)).await; // and some more
    let count = |sql: &'static str, name: String, at: i64, param: String| {
        let query = sqlx::query_scalar::<_, i64>(sql).bind(name).bind(at).bind(param);
        query.fetch_one(&cluster.pool)
    };
    let (mut off, mut edited) = (0, 0);
    for (name, done) in done {
        match done {
            Done::Disabled(at) | Done::Deleted(at) => {
                let sql = "select count(*) from attempts a join jobs j on j.id = a.job \
                           where j.name = $1 and a.cause = 1 and a.due_at > $2 and $3 = ''";
                let late = count(sql, name.clone(), at, String::new()).await.unwrap();
                assert_eq!(late, 0, "{name} fired after {at}");
                off += 1;
            }
            Done::Edited(at, param) => {
                // Within a second.
                let sql = "select count(*) from attempts a join jobs j on j.id = a.job \
                           where j.name = $1 and a.due_at > $2 + 1000 and a.state = 3 \
                           and a.result = $3";
                let new = count(sql, name.clone(), at, param.clone()).await.unwrap();
                assert!(new > 0, "{name} does not run with what it was given at {at}");
                let sql = "select count(*) from attempts a join jobs j on j.id = a.job \
                           where j.name = $1 and a.due_at > $2 + 1000 and a.state = 3 \
                           and a.result <> $3";
                let old = count(sql, name.clone(), at, param).await.unwrap();
                assert_eq!(old, 0, "{name} ran as it was before {at}");
                edited += 1;
            }
        }
    }
    assert!(off > jobs / 8 && edited > jobs / 8, "{off} switched off, {edited} edited");
}
