//! A client cannot make a coordinator allocate unbounded memory, and errors name the limit that it
//! reached.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use fastjob_core::wire::v1::{self, from_executor::Message as Say};
use fastjob_tests::{
    eventually,
    process::Coordinator,
    raw::{Stream, hello},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpSocket};

use crate::{FASTJOB, coordinator};

/// More than a test needs, and less than an unbounded queue would use.
const SOME_MIB: u64 = 200;

async fn limited(limits: &[(&str, &str)]) -> Coordinator {
    let mut coordinator = limits
        .iter()
        .fold(Coordinator::prepare(FASTJOB), |prepared, (name, value)| prepared.env(name, value));
    coordinator.up().await;
    coordinator
}

/// Joins an executor that has reported that it holds no attempts, so that the engine knows it. From
/// then on it reads nothing.
async fn joined(coordinator: &Coordinator, hello: v1::Hello) -> Stream {
    let mut stream = Stream::open(coordinator.url(), hello).await.unwrap();
    let leases = loop {
        let message = stream.heard.message().await.unwrap().expect("the stream is open").message;
        if let Some(v1::to_executor::Message::Leases(leases)) = message {
            break leases.leases;
        }
    };
    assert!(stream.say(Say::Holding(v1::Holding { leases, ..v1::Holding::default() })).await);
    coordinator.rest().executors(1).await;
    stream
}

/// Sends messages in a loop and reads nothing, until the stream ends. Returns the coordinator's
/// maximum memory.
async fn flood(coordinator: &Coordinator, what: impl Fn(i64) -> Say) -> u64 {
    let stream = joined(coordinator, hello("deaf")).await;
    let mut most = 0;
    for n in 0.. {
        if !stream.say(what(n)).await {
            break;
        }
        most = most.max(coordinator.memory_mib());
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_reads_nothing_is_disconnected_and_uses_little_memory() {
    let coordinator = limited(&[("FASTJOB_BEAT", "300ms")]).await;
    let before = coordinator.memory_mib();
    // The coordinator acknowledges each outcome of an unknown attempt.
    let outcomes = |n: i64| {
        let outcome = |id| v1::Outcome {
            attempt: 1 + n * 4_096 + id,
            end: v1::End::Succeeded.into(),
            ended_at: 1_800_000_000_000,
            ..v1::Outcome::default()
        };
        Say::Finished(v1::Finished { outcomes: (0..4_096).map(outcome).collect() })
    };
    let flooded =
        tokio::time::timeout(Duration::from_secs(120), flood(&coordinator, outcomes)).await;
    let most = flooded.expect("the stream ends");
    assert!(most < before + SOME_MIB, "{before} MiB became {most} MiB");
    eventually("its log says why", Duration::from_secs(10), || async {
        let said = coordinator.said("coordinator");
        said.contains("executor disconnected: it does not read its messages").then_some(())
    })
    .await;
    coordinator.rest().executors(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_frequent_heartbeats_use_little_memory() {
    let coordinator = coordinator().await;
    let before = coordinator.memory_mib();
    let stream = joined(&coordinator, hello("hasty")).await;
    for n in 0..200_000 {
        assert!(stream.say(Say::Beat(v1::Beat { uptime_ms: n, ..v1::Beat::default() })).await);
    }
    let after = coordinator.memory_mib();
    assert!(after < before + SOME_MIB / 4, "{before} MiB became {after} MiB");
    coordinator.rest().executors(1).await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_large_tasks_are_shorter_and_skip_nothing() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "big", "handler": "noop"})).await;
    let param = "x".repeat(250_000);
    let mut started = BTreeSet::new();
    for _ in 0..40 {
        started.insert(rest.start("big", json!({"param": param, "delay": "1h"})).await);
    }
    let (mut listed, mut pages, mut cursor) = (BTreeSet::new(), 0, String::new());
    loop {
        let path = format!("/api/v1/tasks?limit=500{cursor}");
        let (status, page) = rest.get(&path).await.unwrap();
        assert_eq!(status, 200);
        let items = page["items"].as_array().unwrap();
        assert!((1..=17).contains(&items.len()), "{} items on a page", items.len());
        for task in items {
            assert!(listed.insert(task["id"].as_i64().unwrap()), "listed twice");
            assert_eq!(task["param"].as_str().unwrap().len(), param.len());
        }
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, started);
    assert_eq!(pages, 3);
    let (_, page) = rest.get("/api/v1/tasks?limit=500&state=queued").await.unwrap();
    assert!(page["items"].as_array().unwrap().len() <= 17, "pages of open tasks are limited too");

    clients_that_do_not_read(&coordinator).await;
}

/// Many clients request the longest list and do not read the response.
async fn clients_that_do_not_read(coordinator: &Coordinator) {
    let before = coordinator.memory_mib();
    let address: SocketAddr = coordinator.url().replace("http://", "").parse().unwrap();
    let mut deaf = Vec::new();
    for _ in 0..200 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let ask = format!("GET /api/v1/tasks?limit=500 HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    let refused: Value = eventually("a list is rejected", Duration::from_secs(60), || async {
        let (status, answer) = coordinator.rest().get("/api/v1/tasks?limit=500").await.ok()?;
        (status == 503).then_some(answer)
    })
    .await;
    assert!(refused.to_string().contains("max_response_memory"), "{refused}");
    let most = coordinator.memory_mib();
    // The budget is 256 MiB; socket buffers hold some more of the 900 MB.
    assert!(most < before + 450, "{before} MiB became {most} MiB");
    let (status, _) = coordinator.rest().get("/api/v1/nodes").await.unwrap();
    assert_eq!(status, 200, "small responses do not count against the budget");
    drop(deaf);
    eventually("lists are answered again", Duration::from_secs(60), || async {
        let (status, _) = coordinator.rest().get("/api/v1/tasks?limit=5").await.ok()?;
        (status == 200).then_some(())
    })
    .await;
}

async fn refused(coordinator: &Coordinator, hello: v1::Hello) -> String {
    let refused = Stream::open(coordinator.url(), hello).await.err().expect("it is rejected");
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused}");
    refused.message().to_owned()
}

#[tokio::test]
async fn an_oversized_hello_is_rejected_with_the_limit_to_raise() {
    let coordinator =
        limited(&[("FASTJOB_MAX_HELLO", "64KiB"), ("FASTJOB_MAX_DECLARED_JOBS", "2")]).await;
    let before = coordinator.memory_mib();
    let large = v1::Hello { version: "x".repeat(15 << 20), ..hello("large") };
    for _ in 0..20 {
        let why = refused(&coordinator, large.clone()).await;
        assert!(why.contains("65536 are allowed") && why.contains("max_hello"), "{why}");
    }
    let after = coordinator.memory_mib();
    assert!(after < before + SOME_MIB, "{before} MiB became {after} MiB");

    let job = |n| json!({"name": format!("j{n}"), "handler": "noop"}).to_string();
    let why =
        refused(&coordinator, v1::Hello { jobs: (0..3).map(job).collect(), ..hello("many") }).await;
    assert!(why.contains("3 jobs, at most 2") && why.contains("max_declared_jobs"), "{why}");
    let (_, page) = coordinator.rest().get("/api/v1/jobs").await.unwrap();
    assert_eq!(page["items"], json!([]), "a rejected hello had an effect");
    let fits = v1::Hello { jobs: (0..2).map(job).collect(), ..hello("fits") };
    assert!(Stream::open(coordinator.url(), fits).await.is_ok());
}

#[tokio::test]
async fn the_number_of_executors_is_limited() {
    let coordinator =
        limited(&[("FASTJOB_MAX_SESSIONS", "3"), ("FASTJOB_MAX_SESSIONS_PER_SERVICE", "2")]).await;
    let first = Stream::open(coordinator.url(), hello("a")).await.unwrap();
    let _second = Stream::open(coordinator.url(), hello("b")).await.unwrap();
    let why = refused(&coordinator, hello("c")).await;
    assert!(why.contains("max_sessions_per_service"), "{why}");
    let other = |name| v1::Hello { service: "other".to_owned(), ..hello(name) };
    let _third = Stream::open(coordinator.url(), other("a")).await.unwrap();
    let why = refused(&coordinator, other("b")).await;
    assert!(why.contains("coordinator.limits.max_sessions, or"), "{why}");
    drop(first);
    eventually("there is room again", Duration::from_secs(20), || async {
        Stream::open(coordinator.url(), hello("c")).await.ok().map(drop)
    })
    .await;
}

#[tokio::test]
async fn the_number_of_jobs_is_limited() {
    let coordinator = limited(&[("FASTJOB_MAX_JOBS", "3")]).await;
    let rest = coordinator.rest();
    for name in ["a", "b", "c"] {
        rest.save(json!({"name": name, "handler": "noop"})).await;
    }
    let job = json!({"name": "d", "handler": "noop"}).to_string();
    let (status, answer) = rest.ask("POST", "/api/v1/jobs", Some(job.clone())).await.unwrap();
    assert_eq!(status, 409, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("max_jobs"), "{answer}");
    rest.save(json!({"name": "a", "handler": "other"})).await;
    // An executor that declares one more job still joins.
    let declares = v1::Hello { jobs: vec![job], ..hello("declares") };
    let _stream = joined(&coordinator, declares).await;
    eventually("its log says why", Duration::from_secs(10), || async {
        let said = coordinator.said("coordinator");
        (said.contains("were not saved") && said.contains("max_jobs")).then_some(())
    })
    .await;
}
