//! Secrets of a cluster stay within it: they are not sent to a process that listens at the address
//! of a node that has ended, nor over connections that others could read.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use fastjob_core::wire::v1;
use fastjob_tests::{eventually, postgres::Postgres, process::Coordinator};
use serde_json::json;
use sqlx::PgPool;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use v1::executor_link_server::{ExecutorLink, ExecutorLinkServer};

use crate::{EXECUTOR, FASTJOB};

const TOKEN: &str = "a-token-of-the-tests-1234";

/// A cluster of one node, with a token.
async fn guarded() -> (Postgres, Coordinator, PgPool) {
    let postgres = Postgres::start().await;
    let url = postgres.database("fastjob").await;
    let mut node = Coordinator::prepare(FASTJOB).store_url(&url).env("FASTJOB_TOKEN", TOKEN);
    node.up().await;
    let pool = postgres.pool("fastjob").await;
    (postgres, node, pool)
}

/// Keeps the row of a node that has ended alive in the store, until the test ends.
fn ghost(pool: &PgPool, name: &'static str, address: String) -> tokio::task::AbortHandle {
    let pool = pool.clone();
    let beats = async move {
        loop {
            let beat = sqlx::query(
                "insert into nodes (id, address, version, since, until) \
                 values ($1, $2, '1', 0, clock_timestamp() + interval '3 s') \
                 on conflict (id) do update set until = excluded.until",
            );
            // Fails if the database has stopped first.
            drop(beat.bind(name).bind(&address).execute(&pool).await);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::spawn(beats).abort_handle()
}

/// Listens for plain HTTP, records requests, and answers that a task 4242 is running.
fn overhears() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || {
                let (mut stream, mut bytes) = (stream, [0; 4096]);
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    noted.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
                    let body = r#"{"Ok":{"open":[4242]}}"#;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
                    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                    drop(stream.write_all(answer.as_bytes()));
                }
            });
        }
    });
    (address, heard)
}

/// A fake coordinator that speaks the executors' protocol, and records the tokens it receives.
#[derive(Clone, Default)]
struct Stranger(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl ExecutorLink for Stranger {
    type JoinStream = ReceiverStream<Result<v1::ToExecutor, Status>>;

    async fn join(
        &self,
        request: Request<Streaming<v1::FromExecutor>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        self.0.lock().unwrap().push(format!("{:?}", request.metadata().get("authorization")));
        Err(Status::unavailable("come again"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_send_the_token_to_the_address_of_another_node() {
    let (_postgres, node, pool) = guarded().await;
    let (address, heard) = overhears();
    let _ghost = ghost(&pool, "ghost", address);
    let rest = node.rest().with_token(TOKEN);
    eventually("the node asks the other", Duration::from_secs(20), || async {
        let (status, page) = rest.get("/api/v1/tasks?state=running").await.unwrap();
        assert_eq!((status, &page["items"]), (200, &json!([])), "its answers are ignored");
        heard.lock().unwrap().contains("/internal/v1/calls/").then_some(())
    })
    .await;
    let heard = heard.lock().unwrap().clone();
    assert!(!heard.contains(TOKEN), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_does_not_send_the_token_to_an_address_that_it_learned() {
    let (_postgres, node, pool) = guarded().await;
    let stranger = Stranger::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = ExecutorLinkServer::new(stranger.clone());
    let server = tonic::transport::Server::builder().add_service(service);
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(server.serve_with_incoming(incoming));
    let _ghosts =
        [ghost(&pool, "ghost", address), ghost(&pool, "far", "http://192.0.2.1:7070".to_owned())];
    let _executor = node.executor_with(EXECUTOR, "e1", &[("FASTJOB_TOKEN", TOKEN)]);
    let rest = node.rest().with_token(TOKEN);
    rest.executors(1).await;
    eventually(
        "the executor logs why it has no session there",
        Duration::from_secs(20),
        || async {
            let said = node.said("e1");
            let joined = !stranger.0.lock().unwrap().is_empty();
            let refused = said.contains("did not prove") && said.contains("in plain text");
            (joined || refused).then_some(())
        },
    )
    .await;
    assert_eq!(*stranger.0.lock().unwrap(), [""; 0]);
    rest.executors(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_does_not_send_the_token_to_another_process_on_its_coordinators_port() {
    let mut node = Coordinator::prepare(FASTJOB).env("FASTJOB_TOKEN", TOKEN);
    node.up().await;
    let _executor = node.executor_with(EXECUTOR, "e1", &[("FASTJOB_TOKEN", TOKEN)]);
    let rest = node.rest().with_token(TOKEN);
    rest.executors(1).await;
    node.kill();
    let address = node.url().replace("http://", "");
    let stranger = Stranger::default();
    let service = ExecutorLinkServer::new(stranger.clone());
    let server = tonic::transport::Server::builder().add_service(service);
    let serving = tokio::spawn(server.serve(address.parse().unwrap()));
    // `e1` was connected to the coordinator before; `e2` has only its configured address.
    let _new = node.executor_with(EXECUTOR, "e2", &[("FASTJOB_TOKEN", TOKEN)]);
    eventually("the executors dial the port", Duration::from_secs(20), || async {
        let joined = !stranger.0.lock().unwrap().is_empty();
        let refused = ["e1", "e2"].iter().all(|name| node.said(name).contains("did not prove"));
        (joined || refused).then_some(())
    })
    .await;
    assert_eq!(*stranger.0.lock().unwrap(), [""; 0]);
    serving.abort();
    drop(serving.await);
    node.up().await;
    rest.executors(2).await;
}

#[tokio::test]
async fn the_token_does_not_authenticate_calls_between_nodes() {
    let mut node = Coordinator::prepare(FASTJOB).env("FASTJOB_TOKEN", TOKEN);
    node.up().await;
    let ask = json!({"tasks": []}).to_string();
    for rest in [node.rest(), node.rest().with_token(TOKEN)] {
        let asked = rest.ask("POST", "/internal/v1/calls/0/read-live", Some(ask.clone())).await;
        let (status, said) = asked.unwrap();
        assert_eq!(status, 401, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_a_token_forward_calls() {
    let (postgres, node, pool) = guarded().await;
    let url = postgres.url("fastjob");
    let mut other = Coordinator::prepare(FASTJOB).store_url(&url).env("FASTJOB_TOKEN", TOKEN);
    other.up().await;
    eventually("both hold partitions", Duration::from_secs(20), || async {
        let held = "select count(distinct node) from partitions where node is not null";
        let nodes: i64 = sqlx::query_scalar(held).fetch_one(&pool).await.unwrap();
        (nodes == 2).then_some(())
    })
    .await;
    let (a, b) = (node.rest().with_token(TOKEN), other.rest().with_token(TOKEN));
    for n in 0..8 {
        a.save(json!({"name": format!("j{n}"), "handler": "noop"})).await;
        b.save(json!({"name": format!("k{n}"), "handler": "noop"})).await;
    }
    let partitions = "select count(distinct id % 32) from jobs";
    let partitions: i64 = sqlx::query_scalar(partitions).fetch_one(&pool).await.unwrap();
    assert!(partitions > 3, "the jobs are in {partitions} partitions");
}

#[tokio::test]
async fn a_password_on_the_command_line_and_an_unsafe_connection_are_reported() {
    let coordinator = Coordinator::prepare(FASTJOB);
    // No server listens on this address.
    let store = "postgres://u:s3cret@127.0.0.1:1/db";
    let done = coordinator.cli(&["migrate", "--store", store]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("visible in the process list"), "{said}");
    assert!(said.contains("--store-password-file") && !said.contains("s3cret"), "{said}");
    let far = "postgres://u:s3cret@192.0.2.1/db";
    for command in [&["migrate"][..], &["repair", "ids"]] {
        let done = coordinator.cli(&[command, &["--store", far]].concat());
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("sslmode=verify-full") && !said.contains("s3cret"), "{said}");
    }
}
