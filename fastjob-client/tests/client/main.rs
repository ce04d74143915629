//! The client against servers that are coordinators, that are not, and that fail.
#![cfg(feature = "http")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod changes;
mod errors;
mod events;
mod reruns;
mod server;
mod servers;

use std::{pin::pin, time::Duration};

use fastjob_client::{
    Client, ClientError,
    types::{Cause, Saved, TaskOrder, TaskState},
};
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};

use self::server::{Reply, Server};

const TOKEN: &str = "0123456789abcdef";
const LONG: Duration = Duration::from_secs(60);

fn client(server: &Server) -> Client {
    Client::builder(&server.url).token(TOKEN).build().unwrap()
}

fn task(state: &str) -> Value {
    let ended = matches!(state, "succeeded" | "failed");
    json!({
        "id": 42, "job": "report", "service": "billing", "state": state, "cause": "api",
        "fire_at": null, "created_at": "2026-11-23T00:00:00Z", "started_at": null,
        "ended_at": ended.then_some("2026-11-23T00:00:02Z"), "param": null, "result": null,
        "note": null, "attempts": [],
    })
}

fn job(name: &str) -> Value {
    json!({
        "id": 7, "revision": 2, "origin": "api", "next_fire_at": null,
        "created_at": "2026-11-23T00:00:00Z", "updated_at": "2026-11-23T00:00:01Z",
        "name": name, "service": "billing", "enabled": true,
    })
}

fn started() -> Reply {
    Reply::json(&json!({ "task": 42 }))
}

#[derive(Serialize)]
struct Month {
    month: &'static str,
}

#[tokio::test]
async fn a_start_sends_the_param_the_key_and_the_delay() {
    let server = Server::replying([started()]).await;
    let start = client(&server).job("billing.report").start();
    let start = start.param(&Month { month: "2026-11" }).key("2026-11").executor("e1").manual();
    let task = start.delay(Duration::from_millis(90_500)).send().await.unwrap();
    assert_eq!(task.id(), 42);
    let asked = server.asked();
    let head = "POST /api/v1/jobs/billing.report/start Bearer 0123456789abcdef ";
    let body: Value = serde_json::from_str(asked[0].strip_prefix(head).unwrap()).unwrap();
    let expected = json!({
        "param": { "month": "2026-11" }, "executor": "e1", "delay": body["delay"],
        "key": "2026-11", "cause": "manual",
    });
    assert_eq!(body, expected);
    let delay = fastjob_core::duration::parse(body["delay"].as_str().unwrap());
    assert_eq!(delay, Ok(Duration::from_millis(90_500)));
}

#[tokio::test]
async fn a_trace_state_that_no_header_can_have_does_not_stop_a_call() {
    let server = Server::replying([started()]).await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace: fastjob_core::Trace = traceparent.parse().unwrap();
    let trace = fastjob_core::Trace { state: Some("a=\n".into()), ..trace };
    let client = Client::builder(&server.url).token(TOKEN).in_trace(trace).build().unwrap();
    client.job("a").start().send().await.unwrap();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_text_param_stays_a_text_and_none_keeps_the_param_of_the_job() {
    let server = Server::replying([started()]).await;
    let job = client(&server).job("a b/c");
    job.start().param("x").at("2026-12-01T08:00:00Z".parse().unwrap()).send().await.unwrap();
    job.start().param(&None::<Month>).send().await.unwrap();
    let asked = server.asked();
    let path = "POST /api/v1/jobs/a%20b%2Fc/start Bearer 0123456789abcdef";
    assert_eq!(asked[0], format!(r#"{path} {{"param":"x","at":"2026-12-01T08:00:00Z"}}"#));
    assert_eq!(asked[1], format!("{path} {{}}"));
}

#[tokio::test]
async fn a_param_that_is_not_json_is_an_error_and_nothing_is_sent() {
    let server = Server::replying([started()]).await;
    let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
    let start = client(&server).job("a").start().param(&odd);
    assert!(matches!(start.send().await, Err(ClientError::Unserializable { what: "param", .. })));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_name_that_a_url_would_drop_is_an_error_and_nothing_is_sent() {
    let server = Server::replying([started()]).await;
    for name in ["", ".", ".."] {
        let job = client(&server).job(name);
        assert!(matches!(job.delete().await, Err(ClientError::InvalidName { .. })), "{name}");
        let error = job.start().key("k").send().await.unwrap_err();
        assert_eq!(error.to_string(), format!("`{name}` cannot be the name of a job or a channel"));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_start_with_a_key_is_repeated_after_transient_errors() {
    let unavailable = Reply::problem(503, "unavailable", "starting");
    let server = Server::replying([Reply::Cut, unavailable, started()]).await;
    let task = client(&server).job("a").start().key("k").send().await.unwrap();
    assert_eq!(task.id(), 42);
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| *request == asked[0]), "{asked:?}");
}

#[tokio::test]
async fn a_start_without_a_key_is_never_repeated() {
    let server = Server::replying([Reply::Cut, started()]).await;
    let error = client(&server).job("a").start().send().await.unwrap_err();
    assert!(matches!(error, ClientError::Interrupted { .. }), "{error:?}");
    assert!(error.to_string().contains("may have had an effect"), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_start_with_a_key_is_not_repeated_after_a_rejection_or_if_that_is_disabled() {
    let server = Server::replying([Reply::problem(404, "not-found", "no job is named `a`")]).await;
    let error = client(&server).job("a").start().key("k").send().await.unwrap_err();
    assert!(matches!(error, ClientError::NotFound(_)), "{error:?}");
    assert_eq!(server.asked().len(), 1);

    let server = Server::replying([Reply::Cut, started()]).await;
    let client = Client::builder(&server.url).retry_for(Duration::ZERO).build().unwrap();
    assert!(client.job("a").start().key("k").send().await.is_err());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn waiting_ends_with_the_task_even_across_a_restart() {
    let server = Server::replying([
        started(),
        Reply::json(&task("queued")),
        Reply::Cut,
        Reply::problem(503, "unavailable", "starting"),
        Reply::json(&task("running")),
        Reply::json(&task("failed")),
    ])
    .await;
    let task = client(&server).job("report").start().send_and_wait(LONG).await.unwrap();
    assert_eq!(task.state, TaskState::Failed);
    assert_eq!(server.asked()[5], "GET /api/v1/tasks/42 Bearer 0123456789abcdef");
}

#[tokio::test]
async fn waiting_ends_at_the_timeout_and_at_permanent_errors() {
    let server = Server::replying([Reply::json(&task("running"))]).await;
    let error = client(&server).task(42).wait(Duration::from_millis(150)).await.unwrap_err();
    assert_eq!(error.to_string(), "task 42 has not ended after 150ms; it continues");

    let server = Server::replying([Reply::problem(404, "not-found", "there is no task 42")]).await;
    let error = client(&server).task(42).wait(LONG).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no task 42");
}

#[tokio::test]
async fn a_task_in_a_state_of_a_newer_release_has_ended_if_it_has_an_end() {
    let mut newer = task("succeeded");
    newer["state"] = "archived".into();
    let server = Server::replying([Reply::json(&newer)]).await;
    let task = client(&server).task(42).wait(LONG).await.unwrap();
    assert_eq!((task.state.as_str(), task.has_succeeded()), ("archived", false));
}

#[tokio::test]
async fn a_task_is_stopped() {
    let answer = json!({ "stopped": true, "state": "stopping" });
    let server = Server::replying([Reply::json(&answer)]).await;
    let answer = client(&server).task(42).stop().await.unwrap();
    assert!(answer.stopped && answer.state == TaskState::Stopping);
    assert_eq!(server.asked(), ["POST /api/v1/tasks/42/stop Bearer 0123456789abcdef {}"]);
}

/// A piece of the log of attempt 42 or 43, the first and second of their task.
fn piece(attempt: i64, offset: u64, text: &str, ended: bool) -> Reply {
    Reply::json(&json!({
        "attempt": attempt, "number": attempt - 41, "offset": offset, "next_offset": offset + text.len() as u64,
        "text": text, "ended": ended, "source": "executor",
    }))
}

#[tokio::test]
async fn a_log_is_followed_to_its_end_across_an_outage_and_a_retry() {
    let server = Server::replying([
        piece(42, 0, "one\n", false),
        Reply::Cut,
        piece(42, 4, "", false),
        // A disconnected executor: the log seems to be empty.
        piece(42, 0, "", false),
        piece(42, 4, "last words\n", true),
        piece(42, 15, "", true),
        piece(43, 0, "again\n", true),
        piece(43, 6, "", true),
        Reply::problem(404, "not-found", "task 42 has no attempt 3"),
    ])
    .await;
    let mut log = client(&server).task(42).log().follow();
    let mut text = String::new();
    while let Some(piece) = log.next().await.unwrap() {
        text.push_str(&piece.text);
    }
    assert_eq!(text, "one\nlast words\nagain\n");
    let token = "Bearer 0123456789abcdef";
    let asked = |offset: u64, attempt: u32| {
        format!(
            "GET /api/v1/tasks/42/log?offset={offset}&shard=0&attempt={attempt}&wait=20s {token}"
        )
    };
    assert_eq!(
        server.asked()[4..],
        [(4, 1), (15, 1), (0, 2), (6, 2), (0, 3)].map(|(o, a)| asked(o, a))
    );
    assert!(log.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_piece_of_a_log_is_read() {
    let server = Server::replying([piece(42, 5, "text", false)]).await;
    let log = client(&server).task(42).log().shard(1).attempt(2).offset(5).limit(100);
    let piece = log.read().await.unwrap();
    assert_eq!((piece.text.as_str(), piece.next_offset), ("text", 9));
    let path = "GET /api/v1/tasks/42/log?offset=5&shard=1&attempt=2&limit=100";
    assert_eq!(server.asked(), [format!("{path} Bearer 0123456789abcdef")]);
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let page = |names: &[&str], next: Option<&str>| {
        let items: Vec<_> = names.iter().map(|name| job(name)).collect();
        Reply::json(&json!({ "items": items, "next_cursor": next }))
    };
    let pages = [page(&["a", "b"], Some("b/c")), page(&["c"], None)];
    let server = Server::replying(pages.clone()).await;
    let jobs: Vec<_> = pin!(client(&server).jobs().page_size(2).stream())
        .map(|job| job.unwrap().job.name)
        .collect()
        .await;
    assert_eq!(jobs, ["a", "b", "c"]);
    let token = "Bearer 0123456789abcdef";
    let asked = ["?limit=2", "?limit=2&cursor=b%2Fc"];
    assert_eq!(server.asked(), asked.map(|query| format!("GET /api/v1/jobs{query} {token}")));

    let server = Server::replying(pages.clone()).await;
    assert_eq!(client(&server).jobs().all().await.unwrap().len(), 3);
    // At most as many as asked for, with the cursor of the rest.
    let server = Server::replying(pages.clone()).await;
    let first = client(&server).jobs().first(Some(2)).await.unwrap();
    assert_eq!((first.items.len(), first.next_cursor.as_deref()), (2, Some("b/c")));
    let server = Server::replying(pages).await;
    let mut pages = client(&server).jobs().pages();
    assert_eq!(pages.next().await.unwrap().unwrap().items.len(), 2);
    assert_eq!(pages.next().await.unwrap().unwrap().items.len(), 1);
    assert!(pages.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_list_continues_over_pages_whose_search_ended_early() {
    let early = |next: &str, at: &str| {
        Reply::json(&json!({ "items": [], "next_cursor": next, "searched_to": at }))
    };
    let pages = [
        early("50", "2026-11-22T00:00:00Z"),
        early("40", "2026-11-21T00:00:00Z"),
        Reply::json(&json!({ "items": [], "next_cursor": null })),
    ];
    let server = Server::replying(pages.clone()).await;
    assert!(client(&server).tasks().text("x").collect(20).await.unwrap().is_empty());
    assert_eq!(server.asked().len(), 3);

    let server = Server::replying(pages.clone()).await;
    let mut all = client(&server).tasks().text("x").pages();
    for expected in [Some("50"), Some("40"), None] {
        let page = all.next().await.unwrap().unwrap();
        assert_eq!(page.next_cursor.as_deref(), expected);
    }
    assert!(all.next().await.unwrap().is_none());

    let server = Server::replying(pages).await;
    let page = client(&server).tasks().text("x").search_limit(2).first(Some(20)).await.unwrap();
    let at = page.searched_to.map(|at| at.to_string());
    let expected = (Some("40"), Some("2026-11-21T00:00:00Z"));
    assert_eq!((page.next_cursor.as_deref(), at.as_deref()), expected);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_list_of_tasks_has_all_filters_of_the_api() {
    let server =
        Server::replying([Reply::json(&json!({ "items": [], "next_cursor": null }))]).await;
    let tasks = client(&server)
        .tasks()
        .job("a")
        .service("billing")
        .states([TaskState::Failed, TaskState::Running])
        .causes([Cause::Api])
        .executor("e1")
        .until("2026-11-23T00:00:00Z".parse().unwrap())
        .text("no route")
        .key("k")
        .min_run_time(Duration::from_secs(90))
        .order(TaskOrder::RunTime);
    assert!(tasks.collect(20).await.unwrap().is_empty());
    let path = "GET /api/v1/tasks?job=a&service=billing&state=failed%2Crunning&cause=api\
                &executor=e1&until=2026-11-23T00%3A00%3A00Z&text=no+route&key=k\
                &min_run_time=1m+30s&order=run_time&limit=20";
    assert_eq!(server.asked(), [format!("{path} Bearer 0123456789abcdef")]);
}

#[tokio::test]
async fn a_list_has_filters_and_the_last_of_each_counts() {
    let server =
        Server::replying([Reply::json(&json!({ "items": [], "next_cursor": null }))]).await;
    let tasks = client(&server).tasks().job("x").job("a").state(TaskState::Failed);
    let since = "2026-11-23T00:00:00Z".parse().unwrap();
    assert!(tasks.since(since).collect(20).await.unwrap().is_empty());
    let path = "GET /api/v1/tasks?job=a&state=failed&since=2026-11-23T00%3A00%3A00Z&limit=20";
    assert_eq!(server.asked(), [format!("{path} Bearer 0123456789abcdef")]);
}

#[tokio::test]
async fn a_job_is_saved_switched_and_deleted() {
    let saved = Reply::With(201, "fastjob-saved: created\r\n", job("a").to_string());
    let (job, gone) = (Reply::json(&job("a")), Reply::With(204, "", String::new()));
    let server = Server::replying([saved, job.clone(), job.clone(), job, gone]).await;
    let job = client(&server).job("billing.a");
    let draft = serde_json::from_value(json!({ "name": "a", "service": "billing" })).unwrap();
    let (saved, view) = job.save(&draft).await.unwrap();
    assert_eq!((saved, view.job.name.as_str()), (Saved::Created.into(), "a"));
    assert_eq!(job.get().await.unwrap().revision, 2);
    job.disable().await.unwrap();
    job.enable().await.unwrap();
    job.delete().await.unwrap();
    let asked = server.asked();
    let token = "Bearer 0123456789abcdef";
    let put = format!(r#"PUT /api/v1/jobs/billing.a {token} {{"name":"a","service":"billing"}}"#);
    assert_eq!(asked[0], put);
    assert_eq!(asked[4], format!("DELETE /api/v1/jobs/billing.a {token}"));
}

#[tokio::test]
async fn a_coordinator_says_whether_it_is_ready() {
    let ready = Reply::json(&json!({ "status": "ready" }));
    let away = Reply::problem(503, "unavailable", "the store cannot be written");
    let server = Server::replying([ready, away]).await;
    let client = client(&server);
    client.ready().await.unwrap();
    let error = client.ready().await.unwrap_err();
    assert!(matches!(error, ClientError::Unavailable(_)) && error.is_transient());
    assert_eq!(server.asked()[0], "GET /readyz Bearer 0123456789abcdef");
}
