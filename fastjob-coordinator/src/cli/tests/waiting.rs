//! Commands that send several requests.

use serde_json::{Value, json};

use super::{
    fake::{Fake, problem, task},
    fastjob, fastjob_for,
};
use crate::cli::{error::Error, out::Reader};

fn started() -> (u16, &'static str, Value) {
    (200, "", json!({ "task": 42 }))
}

#[tokio::test]
async fn a_start_sends_the_param_as_text_and_prints_the_task() {
    let fake = Fake::answers([started()]).await;
    let args = ["--server", &fake.url, "start", "report", "-p", r#"{"n": 1}"#, "--delay", "5m"];
    assert_eq!(fastjob(&args).await.out(), "task 42 started\n");
    assert_eq!(fastjob(&[&args[..], &["--json"]].concat()).await.out(), "{\"task\":42}\n");
    let asked = fake.asked();
    let body = asked[0].strip_prefix("POST /api/v1/jobs/report/start ").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, json!({ "param": r#"{"n": 1}"#, "delay": "5m", "cause": "manual" }));
}

#[tokio::test]
async fn waiting_ends_with_the_task_even_across_a_restart() {
    let states = ["queued", "running", "succeeded"].map(|state| (200, "", task(state)));
    let [queued, running, succeeded] = states;
    let fake =
        Fake::answers([started(), queued, problem(503, "starting"), running, succeeded]).await;
    let out = fastjob(&["--server", &fake.url, "start", "report", "--wait"]).await.out();
    assert_eq!(out, "task 42 started\ntask 42 succeeded: done\n");
    assert_eq!(fake.asked().len(), 5);
    assert_eq!(fake.asked()[4], "GET /api/v1/tasks/42");
}

#[tokio::test]
async fn waiting_for_a_failed_task_fails() {
    let fake = Fake::answers([started(), (200, "", task("failed"))]).await;
    let ran = fastjob(&["--server", &fake.url, "start", "report", "--wait"]).await;
    assert!(matches!(ran.result, Err(Error::Reported)));
    assert_eq!(ran.out, "task 42 started\ntask 42 failed: timed_out: over time\n");

    let fake = Fake::answers([started(), (200, "", task("failed"))]).await;
    let ran = fastjob(&["--json", "--server", &fake.url, "start", "report", "--wait"]).await;
    assert!(matches!(ran.result, Err(Error::Reported)));
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), task("failed"));
}

#[tokio::test]
async fn waiting_ends_at_the_timeout() {
    let fake = Fake::answers([started(), (200, "", task("running"))]).await;
    let args = ["--server", &fake.url, "start", "report", "--wait", "--timeout", "150ms"];
    let failure = fastjob(&args).await.failure();
    assert_eq!(failure.title, "task 42 has not ended after 150ms; it continues");
}

fn piece(attempt: i64, offset: u64, text: &str, ended: bool) -> (u16, &'static str, Value) {
    let next = offset + text.len() as u64;
    let view = json!({
        "attempt": attempt, "number": 1, "offset": offset, "next_offset": next, "text": text, "ended": ended,
        "source": "executor",
    });
    (200, "", view)
}

#[tokio::test]
async fn a_log_cannot_control_the_terminal() {
    let log = "\u{1b}[2J\u{1b}]0;gone\u{7}\u{202e}one\n\ttwo\n";
    for (reader, shown) in [
        (Reader::Terminal, "\\u{1b}[2J\\u{1b}]0;gone\\u{7}\\u{202e}one\n\ttwo\n"),
        (Reader::Program, log),
    ] {
        let fake = Fake::answers([piece(42, 0, log, true), piece(42, 99, "", true)]).await;
        let args = ["--server", &fake.url, "task", "log", "42"];
        assert_eq!(fastjob_for(reader, [], &args).await.out(), shown, "{reader:?}");
    }
    let fake = Fake::answers([piece(42, 0, log, true), piece(42, 99, "", true)]).await;
    let args = ["--server", &fake.url, "--json", "task", "log", "42"];
    let out = fastjob_for(Reader::Terminal, [], &args).await.out();
    let read: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((read["text"].as_str(), out.contains('\u{202e}')), (Some(log), false), "{out}");
}

#[tokio::test]
async fn a_log_is_followed_until_it_has_ended() {
    let fake = Fake::answers([
        piece(42, 0, "one\n", false),
        piece(42, 4, "", false),
        problem(503, "away"),
        piece(42, 4, "two\n", true),
        piece(42, 8, "", true),
    ])
    .await;
    let args = ["--server", &fake.url, "task", "log", "42", "--follow", "--attempt", "1"];
    assert_eq!(fastjob(&args).await.out(), "one\ntwo\n");
    let asked = fake.asked();
    assert_eq!(asked[0], "GET /api/v1/tasks/42/log?offset=0&attempt=1&wait=20s");
    assert_eq!(asked[4], "GET /api/v1/tasks/42/log?offset=8&attempt=1&wait=20s");
}

#[tokio::test]
async fn a_log_is_read_to_the_end_of_its_attempt() {
    let fake = Fake::answers([
        piece(42, 0, "one\n", false),
        piece(42, 4, "two\n", true),
        piece(42, 8, "", true),
    ])
    .await;
    let out = fastjob(&["--server", &fake.url, "task", "log", "42"]).await.out();
    assert_eq!(out, "one\ntwo\n");
    assert_eq!(
        fake.asked(),
        [
            "GET /api/v1/tasks/42/log?offset=0",
            // A retry that starts meanwhile does not cut the log of this attempt.
            "GET /api/v1/tasks/42/log?offset=4&shard=0&attempt=1",
            "GET /api/v1/tasks/42/log?offset=8&shard=0&attempt=1",
            "GET /api/v1/tasks/42",
        ]
    );
}

#[tokio::test]
async fn the_log_of_a_retry_follows_that_of_the_attempt_before() {
    let retry = |offset, text: &str| {
        let mut piece = piece(43, offset, text, true);
        piece.2["number"] = 2.into();
        piece
    };
    let mut no_retry = problem(404, "task 42 has no attempt 3");
    no_retry.2["type"] = "urn:fastjob:problem:not-found".into();
    let fake = Fake::answers([
        piece(42, 0, "one\n", true),
        piece(42, 4, "", true),
        retry(0, "again\n"),
        retry(6, ""),
        no_retry,
    ])
    .await;
    let out = fastjob(&["--server", &fake.url, "task", "log", "42", "--follow"]).await.out();
    assert_eq!(out, "one\nagain\n");
    assert_eq!(
        fake.asked(),
        [
            "GET /api/v1/tasks/42/log?offset=0&wait=20s",
            "GET /api/v1/tasks/42/log?offset=4&shard=0&attempt=1&wait=20s",
            "GET /api/v1/tasks/42/log?offset=0&shard=0&attempt=2&wait=20s",
            "GET /api/v1/tasks/42/log?offset=6&shard=0&attempt=2&wait=20s",
            "GET /api/v1/tasks/42/log?offset=0&shard=0&attempt=3&wait=20s",
            "GET /api/v1/tasks/42",
        ]
    );
}

#[tokio::test]
async fn a_task_without_a_log_says_why_and_fails() {
    let log = |state: &str, change: fn(&mut Value)| {
        let mut view = task(state);
        change(&mut view);
        [piece(42, 0, "", true), (200, "", view)]
    };
    let lost = log("failed", |_| {});
    let queued = log("queued", |task| {
        task["started_at"] = Value::Null;
        task["ended_at"] = Value::Null;
        task["attempts"][0]["waits_for"] = "no executor".into();
    });
    for (answers, expected) in [
        (lost, "there is no log: task 42 failed: timed_out: over\ntime; it has logged"),
        (queued, "there is no log: task 42 is queued: it waits for no executor"),
    ] {
        let fake = Fake::answers(answers).await;
        let failure = fastjob(&["--server", &fake.url, "task", "log", "42"]).await.failure();
        assert!(failure.title.starts_with(expected), "{failure}");
    }
    let fake = Fake::answers(log("succeeded", |_| {})).await;
    assert_eq!(fastjob(&["--server", &fake.url, "task", "log", "42"]).await.out(), "");
}

/// A task that has succeeded, with these shards.
fn of_shards(shards: &[u32], total: u32) -> (u16, &'static str, Value) {
    let mut view = task("succeeded");
    let attempt = view["attempts"][0].take();
    let attempts = shards.iter().map(|shard| {
        let mut attempt = attempt.clone();
        (attempt["shard"], attempt["shards"]) = ((*shard).into(), total.into());
        attempt
    });
    view["attempts"] = attempts.collect();
    (200, "", view)
}

#[tokio::test]
async fn only_the_shards_that_a_rerun_has_are_printed() {
    let of = |shard: u32, text: &str| {
        let end = text.len() as u64;
        [piece(42, 0, text, true), piece(42, end, "", true)].map(|mut piece| {
            (piece.2["shard"], piece.2["shards"]) = (shard.into(), 5.into());
            piece
        })
    };
    let view = of_shards(&[2, 4], 5);
    let answers = [
        &of(2, "two\n")[..],
        std::slice::from_ref(&view),
        &of(4, "four\n"),
        std::slice::from_ref(&view),
    ]
    .concat();
    let fake = Fake::answers(answers).await;
    let out = fastjob(&["--server", &fake.url, "task", "log", "42"]).await.out();
    assert_eq!(out, "==> shard 2 of 5 <==\ntwo\n\n==> shard 4 of 5 <==\nfour\n");
    assert_eq!(
        fake.asked(),
        [
            "GET /api/v1/tasks/42/log?offset=0",
            "GET /api/v1/tasks/42/log?offset=4&shard=2&attempt=1",
            "GET /api/v1/tasks/42",
            "GET /api/v1/tasks/42/log?offset=0&shard=4",
            "GET /api/v1/tasks/42/log?offset=5&shard=4&attempt=1",
            "GET /api/v1/tasks/42",
        ]
    );
}

#[tokio::test]
async fn the_shards_of_a_task_are_printed_one_after_the_other() {
    let of = |shard: u32, mut piece: (u16, &'static str, Value)| {
        piece.2["shard"] = shard.into();
        piece.2["shards"] = 2.into();
        piece
    };
    let pieces = [
        of(0, piece(42, 0, "one\n", true)),
        of(0, piece(42, 4, "", true)),
        of_shards(&[0, 1], 2),
        of(1, piece(43, 0, "two\n", true)),
        of(1, piece(43, 4, "", true)),
        of_shards(&[0, 1], 2),
    ];
    let fake = Fake::answers(pieces.clone()).await;
    let log = ["--server", &fake.url, "task", "log", "42"];
    let expected = "==> shard 0 of 2 <==\none\n\n==> shard 1 of 2 <==\ntwo\n";
    assert_eq!(fastjob(&log).await.out(), expected);
    assert_eq!(
        fake.asked(),
        [
            "GET /api/v1/tasks/42/log?offset=0",
            "GET /api/v1/tasks/42/log?offset=4&shard=0&attempt=1",
            "GET /api/v1/tasks/42",
            "GET /api/v1/tasks/42/log?offset=0&shard=1",
            "GET /api/v1/tasks/42/log?offset=4&shard=1&attempt=1",
            "GET /api/v1/tasks/42",
        ]
    );

    let fake = Fake::answers(pieces[3..].to_vec()).await;
    let log = ["--server", &fake.url, "task", "log", "42", "--shard", "1"];
    assert_eq!(fastjob(&log).await.out(), "two\n");
    assert_eq!(fake.asked()[0], "GET /api/v1/tasks/42/log?offset=0&shard=1");
}
