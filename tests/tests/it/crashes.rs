//! `kill -9` at any moment: no fire is lost or duplicated, no attempt runs twice or stays open.
//!
//! `FASTJOB_SOAK=1` kills more often and for longer.

use std::{collections::HashMap, time::Duration};

use fastjob_tests::{eventually, process::Coordinator};
use jiff::Timestamp;
use serde_json::json;
use sqlx::Row;

use crate::{EXECUTOR, OPEN_IN_SQLITE, coordinator};

fn soak() -> bool {
    std::env::var_os("FASTJOB_SOAK").is_some()
}

/// Waits until no attempt is open in the store, and returns the fires of each job.
async fn fires(coordinator: &Coordinator) -> HashMap<i64, Vec<i64>> {
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(coordinator.store()).read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("the store can be read");
    eventually("every attempt has ended", Duration::from_secs(60), || async {
        let open: i64 = sqlx::query_scalar(OPEN_IN_SQLITE).fetch_one(&pool).await.ok()?;
        (open == 0).then_some(())
    })
    .await;
    let rows = sqlx::query(
        "select job, fire_at from tasks where fire_at is not null \
         order by job, fire_at",
    )
    .fetch_all(&pool)
    .await
    .expect("the store can be read");
    pool.close().await;
    let mut fires: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in rows {
        fires.entry(row.get(0)).or_default().push(row.get(1));
    }
    fires
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_coordinator_loses_and_duplicates_nothing() {
    let (kills, jobs) = if soak() { (20, 200) } else { (5, 50) };
    let mut coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    for n in 0..jobs {
        rest.save(json!({"name": format!("j{n}"), "handler": "noop",
            "schedule": {"cron": "* * * * * ?"}, "misfire": {"fire_all": {"max": 1000}}}))
            .await;
    }
    let mut dice = 7_u64;
    for _ in 0..kills {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(300 + (dice >> 33) % 1_500)).await;
        coordinator.kill();
        coordinator.up().await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for n in 0..jobs {
        let path = format!("/api/v1/jobs/j{n}/disable");
        assert_eq!(rest.ask("POST", &path, None).await.unwrap().0, 200);
    }
    let fires = fires(&coordinator).await;
    assert_eq!(fires.len(), jobs);
    for (job, seconds) in &fires {
        for pair in seconds.windows(2) {
            let after = Timestamp::from_millisecond(pair[0]).unwrap();
            assert_eq!(pair[1] - pair[0], 1_000, "job {job}: wrong fire after {after}");
        }
    }
    let entered = coordinator.entered();
    assert!(entered.len() >= jobs * kills, "{} attempts were entered", entered.len());
    let twice: Vec<_> = entered.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "started twice: {twice:?}");
}

#[tokio::test]
async fn an_executor_delivers_outcomes_from_a_coordinator_outage() {
    let mut coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "s", "handler": "slow"})).await;
    let task = rest.start("s", json!({"param": 1_000})).await;
    rest.reaches(task, &["running"]).await;
    coordinator.kill();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    coordinator.up().await;
    let view = rest.ended(task).await;
    assert_eq!((&view["state"], &view["result"]), (&json!("succeeded"), &json!("slept")));
    assert_eq!(view["attempts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_store_of_a_cleanly_stopped_coordinator_is_one_file() {
    let mut coordinator = coordinator().await;
    let job = json!({"name": "one", "handler": "noop", "schedule": {"cron": "* * * * * ?"}});
    coordinator.rest().save(job).await;
    assert!(coordinator.stop().success());
    let beside = coordinator.store().with_extension("db-wal");
    let left = std::fs::metadata(&beside).map_or(0, |file| file.len());
    assert_eq!(left, 0, "{} still has data", beside.display());
}

#[tokio::test]
async fn attempts_of_a_killed_executor_are_lost_or_retried_and_none_stays_running() {
    let coordinator = coordinator().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.save(json!({"name": "once", "handler": "stubborn"})).await;
    rest.save(json!({"name": "again", "handler": "slow", "param": "500",
        "retry": {"count": 2, "delay": "100ms"}}))
        .await;
    let once = rest.start("once", json!({})).await;
    let again = rest.start("again", json!({"param": 60_000})).await;
    rest.reaches(once, &["running"]).await;
    rest.reaches(again, &["running"]).await;
    executor.kill();
    // A new process takes its name: attempts of the old one are lost at once.
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let view = rest.ended(once).await;
    assert_eq!(view["attempts"][0]["reason"], "executor lost");
    let view = eventually("the other task is retried", Duration::from_secs(20), || async {
        let view = rest.task(again).await;
        (view["attempts"][1]["state"] == "running").then_some(view)
    })
    .await;
    assert_eq!(view["attempts"][0]["reason"], "executor lost");
}

#[tokio::test]
async fn fires_that_came_due_while_the_coordinator_was_down_follow_the_misfire_strategy() {
    let mut coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    for (name, misfire) in [
        ("skips", json!("skip")),
        ("once", json!("fire_once")),
        ("all", json!({"fire_all": {"max": 100}})),
    ] {
        rest.save(json!({"name": name, "handler": "noop", "misfire": misfire,
            "schedule": {"cron": "* * * * * ?"}}))
            .await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    coordinator.kill();
    tokio::time::sleep(Duration::from_secs(9)).await;
    coordinator.up().await;
    let misfires = |name: &'static str| {
        let rest = rest.clone();
        eventually("misfires are recorded", Duration::from_secs(20), move || {
            let rest = rest.clone();
            async move {
                let path = format!("/api/v1/tasks?job={name}&limit=100");
                let (_, page) = rest.get(&path).await.ok()?;
                let items = page["items"].as_array()?.clone();
                let found: Vec<_> =
                    items.into_iter().filter(|task| task["cause"] == "misfire").collect();
                (!found.is_empty()).then_some(found)
            }
        })
    };
    let skips = misfires("skips").await;
    assert_eq!((skips.len(), &skips[0]["state"]), (1, &json!("skipped")));
    assert!(skips[0]["note"].as_str().is_some_and(|note| note.contains("were missed")));
    let once = misfires("once").await;
    assert_eq!(once.len(), 1);
    assert!(once[0]["note"].as_str().is_some_and(|note| note.contains("stands for")));
    assert!(misfires("all").await.len() >= 3);
}
