//! With many jobs, every fire of every second is recorded once.
//!
//! `FASTJOB_SOAK=1` runs 10,000 jobs for 20 s. `FASTJOB_RELEASE_BIN` names a `fastjob` binary to
//! use instead of the one built with the tests.

use std::time::Duration;

use fastjob_tests::{eventually, process::Coordinator};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{EXECUTOR, FASTJOB, soak};

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_fire_every_second_and_no_fire_is_missed_or_duplicated() {
    let (jobs, seconds) = if soak() { (10_000_i64, 20) } else { (1_000, 8) };
    let program = std::env::var("FASTJOB_RELEASE_BIN").unwrap_or_else(|_| FASTJOB.to_owned());
    let coordinator = Coordinator::start(program).await;
    let _executor = coordinator.executor_with(EXECUTOR, "e1", &[("FASTJOB_CAPACITY", "200000")]);
    let rest = coordinator.rest();
    rest.executors(1).await;
    let mut saving = JoinSet::new();
    for n in 0..jobs {
        let rest = rest.clone();
        saving.spawn(async move {
            let schedule = json!({"cron": "* * * * * ?"});
            rest.save(json!({"name": format!("j{n}"), "handler": "quick", "schedule": schedule}))
                .await;
        });
        if saving.len() >= 32 {
            saving.join_next().await.unwrap().unwrap();
        }
    }
    saving.join_all().await;
    // A saved job fires from the next whole second on. Skip one more for fires being planned.
    let from = (fastjob_tests::now().as_second() + 2) * 1_000;
    let until = from + seconds * 1_000;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(coordinator.store()).read_only(true);
    let store = sqlx::SqlitePool::connect_with(options).await.unwrap();
    eventually("the last second has ended", Duration::from_secs(90), || async {
        let later: i64 = sqlx::query_scalar("select count(*) from tasks where fire_at >= ?")
            .bind(until)
            .fetch_one(&store)
            .await
            .ok()?;
        (later >= jobs).then_some(())
    })
    .await;
    let (all, once, succeeded): (i64, i64, i64) = sqlx::query_as(
        "select count(*), count(distinct job * 4294967296 + fire_at / 1000), sum(state = 3) \
         from tasks where fire_at >= ? and fire_at < ?",
    )
    .bind(from)
    .bind(until)
    .fetch_one(&store)
    .await
    .unwrap();
    let per_second: Vec<(i64, i64)> = sqlx::query_as(
        "select fire_at, count(*) from tasks where fire_at >= ? and fire_at < ? \
         group by fire_at having count(*) <> ?",
    )
    .bind(from)
    .bind(until)
    .bind(jobs)
    .fetch_all(&store)
    .await
    .unwrap();
    store.close().await;
    assert_eq!(per_second, [], "seconds with a wrong number of fires");
    assert_eq!((all, once, succeeded), (jobs * seconds, jobs * seconds, jobs * seconds));
}
