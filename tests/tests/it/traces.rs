//! Traces by OTLP: a task is one trace, from its caller over its attempts to its handlers and
//! children, and a collector that fails changes nothing else.

mod collector;

use std::time::{Duration, Instant};

use fastjob_client::{Trace, TraceContext};
use fastjob_core::{AttemptId, TaskId};
use fastjob_tests::{
    eventually,
    process::{Coordinator, Process},
    rest::Rest,
};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

use self::collector::{Collector, Received};
use crate::{EXECUTOR, FASTJOB};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

fn context() -> TraceContext {
    traceparent().parse().unwrap()
}

/// A coordinator that exports to this address.
async fn exporting(url: &str) -> Coordinator {
    let coordinator = Coordinator::prepare(FASTJOB).env("FASTJOB_TRACES_ENDPOINT", url);
    let mut coordinator = coordinator.env("FASTJOB_TRACES_TIMEOUT", "2s");
    coordinator.up().await;
    coordinator
}

/// An executor with its own set-up of OpenTelemetry.
fn traced_executor(coordinator: &Coordinator, name: &str, collector: &Collector) -> Process {
    let (url, server) = (collector.url(), coordinator.url());
    let env = [("TEST_OTLP", &*url), ("TEST_SERVER", &*server)];
    coordinator.executor_with(EXECUTOR, name, &env)
}

async fn start_in(rest: &Rest, job: &str, traceparent: &str) -> i64 {
    let start = rest.client().job(job).start().traceparent(traceparent, Some("vendor=1"));
    start.send().await.unwrap().id()
}

/// The span of the coordinator with this name.
async fn of_coordinator(collector: &Collector, name: &str) -> Received {
    collector.one(name, |span| span.service == "fastjob" && span.name == name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_caller_over_the_task_to_its_handler_and_its_children() {
    let collector = Collector::start().await;
    let coordinator = exporting(&collector.url()).await;
    let _executor = traced_executor(&coordinator, "e1", &collector);
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "child", "handler": "noop"})).await;
    rest.save(json!({"name": "started", "handler": "noop"})).await;
    rest.save(json!({"name": "parent", "handler": "starts", "param": "started",
        "children": [{"job": "child"}]}))
        .await;
    let task = start_in(&rest, "parent", &traceparent()).await;
    let shown = rest.ended(task).await;
    assert_eq!(shown["state"], "succeeded", "{shown}");
    assert_eq!(shown["trace_id"], TRACE, "{shown}");

    let call = of_coordinator(&collector, "start parent").await;
    assert_eq!((call.kind, &*call.parent), (SpanKind::Server, SPAN));
    assert!(call.has("fastjob.task_id", task), "{call:?}");
    let of_task = of_coordinator(&collector, "task default.parent").await;
    assert_eq!((of_task.kind, &of_task.parent), (SpanKind::Internal, &call.span));
    assert!(of_task.has("fastjob.state", "succeeded"), "{of_task:?}");
    let attempt = of_coordinator(&collector, "dispatch default.parent").await;
    assert_eq!((attempt.kind, &attempt.parent), (SpanKind::Producer, &of_task.span));
    for (key, value) in [
        ("messaging.system", "fastjob"),
        ("messaging.destination.name", "default.parent"),
        ("fastjob.job", "parent"),
        ("fastjob.executor", "e1"),
        ("fastjob.outcome", "succeeded"),
        ("fastjob.cause", "api"),
        ("fastjob.attempt", "1"),
    ] {
        assert!(attempt.has(key, value), "{key} is not {value} in {attempt:?}");
    }
    assert!(attempt.attributes.contains_key("fastjob.wait_ms"), "{attempt:?}");
    assert!(of_task.begun <= attempt.begun && attempt.ended <= of_task.ended);

    let handler = collector.one("the handler's span", |span| span.name == "process parent").await;
    assert_eq!((&*handler.service, handler.kind), ("test-executor", SpanKind::Consumer));
    assert_eq!(handler.parent, attempt.span);
    // What the handler starts comes under its span; what its end starts, under its attempt.
    let started = of_coordinator(&collector, "start started").await;
    assert_eq!(started.parent, handler.span);
    let of_started = of_coordinator(&collector, "task default.started").await;
    assert_eq!(of_started.parent, started.span);
    let child = of_coordinator(&collector, "task default.child").await;
    assert_eq!(child.parent, attempt.span);
    let of_child = of_coordinator(&collector, "dispatch default.child").await;
    assert_eq!(of_child.parent, child.span);
    let of_child_handler =
        collector.one("the child's handler", |span| span.name == "process child").await;
    assert_eq!(of_child_handler.parent, of_child.span);
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    assert!(spans.iter().all(|span| !span.is_error), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_another_span_of_the_task_and_a_failure_is_its_status() {
    let collector = Collector::start().await;
    let coordinator = exporting(&collector.url()).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "flaky", "handler": "flaky", "param": "1",
        "retry": {"count": 1, "delay": "50ms"}}))
        .await;
    rest.save(json!({"name": "bad", "handler": "complains", "param": "no such account"})).await;
    let task = start_in(&rest, "flaky", &traceparent()).await;
    assert_eq!(rest.ended(task).await["state"], "succeeded");
    let is_attempt = |span: &Received| span.name == "dispatch default.flaky";
    let mut attempts = collector.some("both attempts", 2, is_attempt).await;
    attempts.sort_by_key(|span| span.begun);
    let of_task = of_coordinator(&collector, "task default.flaky").await;
    assert!(attempts.iter().all(|span| span.parent == of_task.span), "{attempts:#?}");
    assert!(attempts[0].is_error && attempts[0].message == "failure 1", "{attempts:#?}");
    assert!(!attempts[1].is_error && attempts[1].has("fastjob.attempt", 2), "{attempts:#?}");
    assert!(!of_task.is_error, "{of_task:?}");
    let task = start_in(&rest, "bad", &traceparent()).await;
    assert_eq!(rest.ended(task).await["state"], "failed");
    let failed = of_coordinator(&collector, "task default.bad").await;
    assert_eq!((failed.is_error, &*failed.message), (true, "no such account"));
    let attempt = of_coordinator(&collector, "dispatch default.bad").await;
    assert!(attempt.is_error && attempt.has("error.type", "fatal error"), "{attempt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_survives_a_kill_of_the_coordinator_between_start_and_end() {
    let collector = Collector::start().await;
    let mut coordinator = exporting(&collector.url()).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "slow", "handler": "slow", "param": "4000"})).await;
    let task = start_in(&rest, "slow", &traceparent()).await;
    let call = of_coordinator(&collector, "start slow").await;
    coordinator.kill();
    coordinator.up().await;
    let shown = rest.ended(task).await;
    assert_eq!((&shown["state"], &shown["trace_id"]), (&json!("succeeded"), &json!(TRACE)));
    let of_task = of_coordinator(&collector, "task default.slow").await;
    assert_eq!((&*of_task.trace, &of_task.parent), (TRACE, &call.span));
    assert_eq!(of_task.span, context().of_task(TaskId(task)).span.to_string());
    let attempt = of_coordinator(&collector, "dispatch default.slow").await;
    assert_eq!(attempt.parent, of_task.span);
    let id = AttemptId(shown["attempts"][0]["id"].as_i64().unwrap());
    assert_eq!(attempt.span, context().of_attempt(id).span.to_string());
    assert!(of_task.ended - of_task.begun > 3_000_000_000, "it began before the kill");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_lost_with_its_executor_is_a_span_that_failed() {
    let collector = Collector::start().await;
    let coordinator = exporting(&collector.url()).await;
    let mut executor = traced_executor(&coordinator, "e1", &collector);
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "stuck", "handler": "stubborn"})).await;
    let task = start_in(&rest, "stuck", &traceparent()).await;
    eventually("it runs", Duration::from_secs(20), async || {
        let task = rest.get(&format!("/api/v1/tasks/{task}")).await.ok()?.1;
        (task["state"] == "running" && !coordinator.entered().is_empty()).then_some(())
    })
    .await;
    executor.kill();
    let _next = traced_executor(&coordinator, "e1", &collector);
    assert_eq!(rest.ended(task).await["state"], "failed");
    let attempt = of_coordinator(&collector, "dispatch default.stuck").await;
    assert!(attempt.is_error && attempt.has("fastjob.outcome", "executor lost"), "{attempt:?}");
    let of_task = of_coordinator(&collector, "task default.stuck").await;
    assert!(of_task.is_error && of_task.span == attempt.parent, "{of_task:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sampled_is_passed_on_and_not_exported() {
    let collector = Collector::start().await;
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_TRACES_ENDPOINT", &collector.url())
        .env("FASTJOB_TRACES_SAMPLE", "0");
    coordinator.up().await;
    let _executor = traced_executor(&coordinator, "e1", &collector);
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "says", "handler": "says_trace"})).await;
    let result = async |task: i64| rest.ended(task).await["result"].clone();
    let unsampled = format!("00-{TRACE}-{SPAN}-00");
    // A span that is not exported is not a parent.
    assert_eq!(result(start_in(&rest, "says", &unsampled).await).await, json!(unsampled));
    assert_eq!(result(rest.start("says", json!({})).await).await, json!("none"));
    // Headers that are not valid are ignored.
    for wrong in ["", "00-1-2-3", &format!("ff-{TRACE}-{SPAN}-01"), &traceparent().to_uppercase()] {
        let task = start_with_header(&coordinator, "says", &[wrong]).await;
        assert_eq!(result(task).await, json!("none"), "{wrong}");
    }
    let two = traceparent();
    let task = start_with_header(&coordinator, "says", &[&two, &two]).await;
    assert_eq!(result(task).await, json!("none"), "of two headers, none is the right one");
    // The caller decides: its traces are recorded although no new ones are.
    let task = start_in(&rest, "says", &traceparent()).await;
    let passed: Trace = result(task).await.as_str().unwrap().parse().unwrap();
    assert_eq!(passed.context.trace, context().trace);
    of_coordinator(&collector, "task default.says").await;
    assert!(coordinator.stop().success());
    let mut spans = collector.spans();
    // The service decides about spans of handlers whose tasks are part of no trace.
    spans.retain(|span| span.service == "fastjob");
    assert_eq!(spans.len(), 3, "the call, the task and its attempt: {spans:#?}");
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
}

/// Starts a task with these headers `traceparent`.
async fn start_with_header(coordinator: &Coordinator, job: &str, values: &[&str]) -> i64 {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let mut request = client.post(format!("{}/api/v1/jobs/{job}/start", coordinator.url()));
    for value in values {
        request = request.header("traceparent", *value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    answer["task"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fire_and_a_start_from_the_command_line_begin_and_continue_traces() {
    let collector = Collector::start().await;
    let coordinator = exporting(&collector.url()).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "ticks", "handler": "noop", "schedule": {"fixed_rate": "1s"}})).await;
    let is_fire = |span: &Received| span.name == "task default.ticks";
    let fires = eventually("two fires", Duration::from_secs(30), async || {
        let fires: Vec<_> = collector.spans().into_iter().filter(is_fire).collect();
        (fires.len() >= 2).then_some(fires)
    })
    .await;
    assert!(
        fires.iter().all(|span| span.parent.is_empty() && span.has("fastjob.cause", "schedule"))
    );
    assert_ne!(fires[0].trace, fires[1].trace);
    rest.save(json!({"name": "once", "handler": "noop"})).await;
    let started = std::process::Command::new(FASTJOB)
        .args(["--server", &coordinator.url(), "start", "once"])
        .env("TRACEPARENT", traceparent())
        .env_remove("FASTJOB_TOKEN")
        .output()
        .unwrap();
    assert!(started.status.success(), "{started:?}");
    let call = of_coordinator(&collector, "start once").await;
    assert_eq!((&*call.trace, &*call.parent), (TRACE, SPAN));
}

/// Runs tasks with a collector at this address, and returns what the coordinator has logged about it.
async fn unharmed_by(url: &str) -> String {
    let mut coordinator = exporting(url).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "quick", "handler": "noop"})).await;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..100 {
        tasks.push(start_in(&rest, "quick", &traceparent()).await);
    }
    for task in tasks {
        assert_eq!(rest.ended(task).await["state"], "succeeded");
    }
    // An export takes two seconds: none was waited for.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    eventually("spans are dropped and counted", Duration::from_secs(20), async || {
        let (_, text) = rest.get("/metrics").await.ok()?;
        let dropped = "fastjob_spans_dropped_total{reason=\"not_sent\"} ";
        let line = text.as_str()?.lines().find_map(|line| line.strip_prefix(dropped))?;
        (line.parse::<f64>().ok()? > 0.0).then_some(())
    })
    .await;
    let begun = Instant::now();
    assert!(coordinator.stop().success());
    assert!(begun.elapsed() < Duration::from_secs(12), "it stops: {:?}", begun.elapsed());
    coordinator.said("coordinator")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_or_hangs_delays_nothing_and_is_logged_once() {
    let down = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Accepts connections and never answers.
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = hanging.local_addr().unwrap();
    let holds = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = hanging.accept().await {
            held.push(stream);
        }
    });
    for address in [down, hangs] {
        let said = unharmed_by(&format!("http://{address}")).await;
        let times = said.matches("spans cannot be exported").count();
        assert_eq!(times, 1, "{address}: {said}");
    }
    holds.abort();
}
