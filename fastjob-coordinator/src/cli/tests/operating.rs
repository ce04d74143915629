//! What an operator asks: when, how late, why, and what has not run.

use serde_json::{Value, json};

use super::{
    fake::{Fake, task},
    fastjob,
};

/// The cells of a row.
fn words(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[tokio::test]
async fn instants_are_read_and_shown_in_the_zone() {
    let page = json!({ "items": [task("succeeded")], "next_cursor": null });
    let fake = Fake::answering(page).await;
    let args = ["--server", &fake.url, "--tz", "Asia/Shanghai", "task", "list"];
    let since = ["--since", "2026-11-23 08:00", "--label", "team=billing", "--label", "tier"];
    let out = fastjob(&[&args[..], &since].concat()).await.out();
    assert!(out.contains("2026-11-23T08:00:00+08:00"), "{out}");
    assert_eq!(
        fake.asked(),
        [
            "GET /api/v1/tasks?label=team%3Dbilling&label=tier&since=2026-11-23T00%3A00%3A00Z&limit=50"
        ]
    );
}

#[tokio::test]
async fn an_open_task_says_how_late_it_is_and_what_it_waits_for() {
    let mut queued = task("queued");
    (queued["started_at"], queued["ended_at"]) = (Value::Null, Value::Null);
    queued["attempts"][0]["waits_for"] = "its turn: task 7 runs".into();
    let mut running = task("running");
    running["ended_at"] = Value::Null;
    running["attempts"][0]["progress"] = json!({ "done": 3, "total": 12, "note": "rows" });
    let page = json!({ "items": [queued, running], "next_cursor": null });
    let fake = Fake::answers([(200, "", page), (200, "", running)]).await;
    let out = fastjob(&["--server", &fake.url, "task", "list"]).await.out();
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].ends_with("WAITS FOR") && lines[0].contains("LATE"), "{out}");
    assert!(lines[1].ends_with("its turn: task 7 runs"), "{out}");
    assert!(lines[2].contains('…'), "it still runs: {out}");
    let out = fastjob(&["--server", &fake.url, "task", "show", "42"]).await.out();
    assert!(out.contains("3 of 12 (25 %): rows"), "{out}");
}

#[tokio::test]
async fn the_schedule_of_all_jobs_is_listed_by_time() {
    let view = json!({
        "from": "2026-11-30T18:00:00Z", "until": "2026-12-01T06:00:00Z",
        "items": [
            { "at": "2026-11-30T18:00:00Z", "job": "a", "service": "s", "zone": "Asia/Tokyo",
              "more": true },
            { "at": "2026-11-30T19:00:00Z", "job": "b", "service": "s" },
        ],
        "cut_at": "2026-11-30T20:00:00Z",
    });
    let fake = Fake::answering(view).await;
    let args =
        ["--server", &fake.url, "schedule", "--from", "2026-11-30 18:00", "--until", "06:00"];
    let out = fastjob(&[&args[..], &["--per-job", "1", "--label", "x"]].concat()).await.out();
    let rows: Vec<_> = out.lines().map(words).collect();
    assert_eq!(
        rows[1],
        ["2026-11-30T18:00:00Z (Tue 03:00:00 Asia/Tokyo)", "s.a", "and more often"]
    );
    assert_eq!(rows[2], ["2026-11-30T19:00:00Z", "s.b"]);
    assert_eq!(
        fake.asked(),
        ["GET /api/v1/schedule?from=2026-11-30T18%3A00%3A00Z&until=2026-12-01T06%3A00%3A00Z\
          &per_job=1&limit=500&label=x"]
    );
}

#[tokio::test]
async fn jobs_that_have_not_run_are_listed() {
    let fake = Fake::answering(json!({ "items": [], "next_cursor": null })).await;
    let list = ["--server", &fake.url, "job", "list"];
    for (options, query) in [
        (&["--never-run", "--service", "s"][..], "service=s&idle_since=ever"),
        (&["--idle-since", "release"], "idle_since=release"),
        (&["--idle-since", "2026-11-23"], "idle_since=2026-11-23T00%3A00%3A00Z"),
    ] {
        fastjob(&[&list[..], options].concat()).await.out();
        let asked = fake.asked().pop().unwrap();
        assert_eq!(asked, format!("GET /api/v1/jobs?ends=1&{query}&limit=500"));
    }
}
