//! `kill -9` of executors and coordinator in turn, under load: every task ends, and no attempt runs
//! twice on one executor.
//!
//! `FASTJOB_SOAK=1` kills more often.

use std::time::Duration;

use fastjob_tests::eventually;
use serde_json::json;

use crate::{EXECUTOR, OPEN_IN_SQLITE, coordinator, soak};

#[tokio::test(flavor = "multi_thread")]
async fn executors_killed_under_load_leave_no_attempt_running() {
    let kills = if soak() { 30 } else { 6 };
    let mut coordinator = coordinator().await;
    let mut executors =
        [coordinator.executor(EXECUTOR, "e1"), coordinator.executor(EXECUTOR, "e2")];
    let rest = coordinator.rest();
    rest.executors(2).await;
    for n in 0..20 {
        // At the time of a kill, some attempts are in the handler and some wait in its lane.
        rest.save(json!({"name": format!("j{n}"), "handler": "slow", "param": "300",
            "retry": {"count": 10, "delay": "100ms", "max_delay": "200ms"},
            "misfire": {"fire_all": {"max": 1000}}, "schedule": {"cron": "* * * * * ?"}}))
            .await;
    }
    for kill in 0..kills {
        // Some attempts have started since the last kill.
        let before = coordinator.entered().len();
        eventually("ten more attempts have started", Duration::from_secs(30), || async {
            (coordinator.entered().len() >= before + 10).then_some(())
        })
        .await;
        match kill % 3 {
            2 => {
                coordinator.kill();
                coordinator.up().await;
            }
            dead => {
                executors[dead].kill();
                executors[dead] = coordinator.executor(EXECUTOR, ["e1", "e2"][dead]);
            }
        }
    }
    for n in 0..20 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(coordinator.store()).read_only(true);
    let store = sqlx::SqlitePool::connect_with(options).await.unwrap();
    eventually("every attempt has ended", Duration::from_secs(60), || async {
        let open: i64 = sqlx::query_scalar(OPEN_IN_SQLITE).fetch_one(&store).await.ok()?;
        (open == 0).then_some(())
    })
    .await;
    // Codes in the store: state 3 succeeded, 4 failed; reason 4 executor lost.
    let (tasks, succeeded): (i64, i64) =
        sqlx::query_as("select count(*), sum(state = 3) from tasks")
            .fetch_one(&store)
            .await
            .unwrap();
    let (lost, other): (i64, i64) = sqlx::query_as(
        "select sum(reason = 4), sum(reason <> 4) from ended_attempts where state = 4",
    )
    .fetch_one(&store)
    .await
    .unwrap();
    store.close().await;
    assert_eq!(succeeded, tasks, "each task was retried until it succeeded");
    assert!(lost > 0 && other == 0, "{lost} attempts were lost, {other} failed otherwise");
    let twice: Vec<_> = coordinator.entered().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "started twice: {twice:?}");
    for executor in rest.executors(2).await {
        assert_eq!(executor["attempts"], 0, "{executor}");
    }
}
