//! A link and a scripted coordinator, over a real stream.

mod schemas;

use fastjob_core::{
    JobContext, JobError, JobHandler, JobResult, ServiceName,
    wire::{ExecutorKey, Start},
};
use std::sync::Mutex;

use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};
use v1::{
    executor_link_server::{ExecutorLink, ExecutorLinkServer},
    from_executor::Message as Say,
    to_executor::Message as Hear,
};

use super::*;
use crate::{
    clock::Clock,
    config::ExecutorConfig,
    figures::Figures,
    logs::{Capture, Logs},
    registration::Registration,
    registry::{Discovery, Registry},
};

type Said = Result<v1::ToExecutor, Status>;

/// Accepts one session: forwards received messages to the test, and sends the test's messages.
struct Script {
    heard: mpsc::UnboundedSender<Say>,
    says: Mutex<Option<mpsc::Receiver<Said>>>,
}

#[tonic::async_trait]
impl ExecutorLink for Script {
    type JoinStream = ReceiverStream<Said>;

    async fn join(
        &self,
        request: Request<Streaming<v1::FromExecutor>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        let says = self.says.lock().unwrap().take();
        let says = says.ok_or_else(|| Status::unavailable("one session is enough"))?;
        let (mut inbound, heard) = (request.into_inner(), self.heard.clone());
        tokio::spawn(async move {
            while let Some(Ok(v1::FromExecutor { message: Some(message) })) = inbound.next().await {
                // The test may have stopped listening.
                drop(heard.send(message));
            }
        });
        Ok(Response::new(ReceiverStream::new(says)))
    }
}

/// Runs until it is stopped.
struct Patient;

impl JobHandler for Patient {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        ctx.stop_token().cancelled().await;
        Err(JobError::retryable("was stopped"))
    }
}

/// An executor with the handler `patient` and one link.
struct Executor {
    runtime: Runtime,
    stop: CancellationToken,
    logs: tempfile::TempDir,
}

/// A link of an executor with the handler `patient`, and the folder of its logs.
fn link(address: String, node: Option<&str>) -> (Link, tempfile::TempDir) {
    let service: ServiceName = "test".parse().unwrap();
    let handlers = vec![Registration::named("patient", Patient), schemas::typed()];
    let registry = Arc::new(
        Registry::collect(&service, Discovery::Off, handlers, &crate::state::States::default())
            .unwrap(),
    );
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), 1, 64 << 20).unwrap();
    let uploads = logs.uploads();
    let runtime = Runtime::new(Arc::clone(&registry), logs, Capture::new(), 10, Clock::default());
    let identity = Identity {
        service,
        name: "executor-1".parse().unwrap(),
        secret: "1".repeat(32),
        registry,
        figures: Figures::new(),
        metrics: crate::metrics::ExecutorMetrics::default(),
        config: ExecutorConfig::default(),
        key: None,
        ca_cert: None,
    };
    let link = Link {
        id: LinkId(0),
        address,
        node: node.map(|node| NodeId(node.to_owned())),
        identity: Arc::new(identity),
        runtime,
        peers: Peers::default(),
        uploads,
        stop: CancellationToken::new(),
    };
    (link, folder)
}

impl Executor {
    fn dials(address: String) -> Self {
        let (link, logs) = link(address, None);
        let (runtime, stop) = (link.runtime.clone(), link.stop.clone());
        let (watched, watching) = (runtime.clone(), stop.clone());
        tokio::spawn(async move { watched.watch_silence(watching).await });
        tokio::spawn(link.run());
        Self { runtime, stop, logs }
    }
}

struct Coordinator {
    says: mpsc::Sender<Said>,
    hears: mpsc::UnboundedReceiver<Say>,
    runtime: Runtime,
    stop: CancellationToken,
    _logs: tempfile::TempDir,
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Coordinator {
    /// Listens, and lets an executor with the handler `patient` connect.
    async fn with_an_executor() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (heard, hears) = mpsc::unbounded_channel();
        let (says, script) = mpsc::channel(64);
        let script = Script { heard, says: Mutex::new(Some(script)) };
        let server =
            tonic::transport::Server::builder().add_service(ExecutorLinkServer::new(script));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

        let Executor { runtime, stop, logs } = Executor::dials(address);
        Self { says, hears, runtime, stop, _logs: logs }
    }

    async fn say(&self, message: Hear) {
        self.says.send(Ok(v1::ToExecutor { message: Some(message) })).await.unwrap();
    }

    /// The next matching message; others are skipped.
    async fn hear<T>(&mut self, wanted: impl Fn(Say) -> Option<T>) -> T {
        let hear = async {
            loop {
                let message = self.hears.recv().await.expect("the stream is open");
                if let Some(found) = wanted(message) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), hear)
            .await
            .expect("the message did not arrive in time")
    }
}

#[tokio::test]
async fn a_ping_is_answered_and_exclusive_attempts_end_when_heartbeats_are_not_answered() {
    let mut coordinator = Coordinator::with_an_executor().await;
    coordinator.hear(|said| matches!(said, Say::Hello(_)).then_some(())).await;
    let welcome = v1::Welcome {
        cluster: "test".to_owned(),
        beat_ms: 60_000,
        silence_ms: 180_000,
        exclusive_ms: 900,
        ..v1::Welcome::default()
    };
    coordinator.say(Hear::Welcome(welcome)).await;
    let lease = v1::Lease { partition: 0, term: 1 };
    coordinator.say(Hear::Leases(v1::Leases { leases: vec![lease] })).await;
    let holding = |said| if let Say::Holding(holding) = said { Some(holding) } else { None };
    assert_eq!(coordinator.hear(holding).await.leases, [lease]);
    let beat = |said| if let Say::Beat(beat) = said { Some(beat) } else { None };
    let first = coordinator.hear(beat).await;
    assert!((0.0..=1.0).contains(&first.cpu) && first.memory_free <= first.memory_total);
    coordinator.say(Hear::Ping(ping(7, first.uptime_ms))).await;
    let pong = coordinator.hear(|said| if let Say::Pong(pong) = said { Some(pong) } else { None });
    assert_eq!(pong.await.id, 7);

    let attempt = v1::Attempt {
        attempt: 1,
        task: 1,
        job: 1,
        handler: "patient".to_owned(),
        cause: v1::Cause::Manual.into(),
        block: v1::Block::None.into(),
        exclusive: true,
        grace_ms: 60_000,
        ..v1::Attempt::default()
    };
    coordinator.say(Hear::Start(Start::of(lease, vec![attempt]))).await;
    // It sends heartbeats as often as its exclusive attempt needs. Messages that answer no
    // heartbeat do not help.
    for _ in 0..2 {
        let next = coordinator.hear(beat).await;
        assert!(next.uptime_ms >= first.uptime_ms);
        coordinator.say(Hear::Ping(ping(8, first.uptime_ms))).await;
    }
    let finished = |said| if let Say::Finished(finished) = said { Some(finished) } else { None };
    let outcomes = coordinator.hear(finished).await.outcomes;
    assert_eq!((outcomes[0].attempt, outcomes[0].end()), (1, v1::End::CutOff));
    assert!(outcomes[0].message.ends_with("was stopped"), "{}", outcomes[0].message);
}

/// Answers the heartbeat that was sent at this uptime.
fn ping(id: u64, uptime_ms: u64) -> v1::Ping {
    v1::Ping { id, uptime_ms, partitions: vec![0], sent_at_us: uptime_ms * 1_000 }
}

#[tokio::test]
async fn a_draining_executor_returns_arriving_attempts_and_waits_for_every_farewell() {
    let mut coordinator = Coordinator::with_an_executor().await;
    coordinator.hear(|said| matches!(said, Say::Hello(_)).then_some(())).await;
    let welcome = v1::Welcome {
        cluster: "test".to_owned(),
        beat_ms: 60_000,
        silence_ms: 180_000,
        says_farewell: true,
        ..v1::Welcome::default()
    };
    coordinator.say(Hear::Welcome(welcome)).await;
    let lease = v1::Lease { partition: 0, term: 1 };
    coordinator.say(Hear::Leases(v1::Leases { leases: vec![lease] })).await;
    let holding = |said| if let Say::Holding(holding) = said { Some(holding) } else { None };
    assert!(!coordinator.hear(holding).await.leaving);

    coordinator.runtime.leave();
    let runtime = coordinator.runtime.clone();
    let drained = tokio::spawn(async move { runtime.drain(Duration::from_secs(1)).await });
    let goodbye =
        |said| if let Say::Goodbye(goodbye) = said { Some(goodbye.returned) } else { None };
    assert!(coordinator.hear(goodbye).await.is_empty());
    let attempt =
        v1::Attempt { attempt: 1, handler: "patient".to_owned(), ..v1::Attempt::default() };
    coordinator.say(Hear::Start(Start::of(lease, vec![attempt]))).await;
    coordinator.say(Hear::Farewell(v1::Farewell {})).await;
    assert_eq!(coordinator.hear(goodbye).await, [1]);
    assert!(!drained.is_finished());
    // The next owner learns it, too.
    let lease = v1::Lease { partition: 0, term: 2 };
    coordinator.say(Hear::Leases(v1::Leases { leases: vec![lease] })).await;
    assert!(coordinator.hear(holding).await.leaving);
    assert!(!drained.is_finished());
    coordinator.say(Hear::Farewell(v1::Farewell {})).await;
    drained.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_accepts_the_connection_and_does_nothing_is_dialed_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let executor = Executor::dials(format!("https://{}", listener.local_addr().unwrap()));
    let (first, _) = listener.accept().await.unwrap();
    // The executor waits for the answer to its TLS handshake.
    first.readable().await.unwrap();
    tokio::time::pause();
    let second = tokio::time::timeout(Duration::from_secs(60), listener.accept()).await;
    assert!(second.is_ok(), "it still waits for the first");
    executor.stop.cancel();
}

const TOKEN: &str = "a-token-of-the-tests";

/// Records the requests that it receives, and rejects them all.
#[derive(Clone, Default)]
struct Listens(Arc<Mutex<Vec<String>>>);

impl Listens {
    fn note<T>(&self, request: &Request<T>) -> String {
        let shown = request.metadata().get("authorization").map(|shown| shown.to_str().unwrap());
        let shown = shown.unwrap_or("none").to_owned();
        self.0.lock().unwrap().push(shown.clone());
        shown
    }
}

#[tonic::async_trait]
impl ExecutorLink for Listens {
    type JoinStream = ReceiverStream<Said>;

    async fn join(
        &self,
        request: Request<Streaming<v1::FromExecutor>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        self.note(&request);
        Err(Status::unavailable("it only listens"))
    }
}

/// Completes the handshake with a token, as the node `n1`.
struct Shakes(&'static str, Listens);

#[tonic::async_trait]
impl v1::handshake_server::Handshake for Shakes {
    async fn begin(&self, request: Request<v1::Empty>) -> Result<Response<v1::Nonce>, Status> {
        self.1.note(&request);
        Ok(Response::new(v1::Nonce { node: "n1".to_owned(), nonce: vec![1; 56] }))
    }

    async fn prove(&self, request: Request<v1::Empty>) -> Result<Response<v1::Proof>, Status> {
        let shown = self.1.note(&request);
        let proof = fastjob_core::wire::ExecutorProof::from_header(shown.as_bytes()).unwrap();
        let mac = ExecutorKey::of_token(self.0).answer(&proof);
        Ok(Response::new(v1::Proof { mac }))
    }
}

/// What an executor with a token sends to an address, and why there is no session.
async fn sent(token: Option<&'static str>, node: Option<&str>) -> (Vec<String>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let listens = Listens::default();
    let shakes = token.map(|token| Shakes(token, listens.clone()));
    let server = tonic::transport::Server::builder()
        .add_service(ExecutorLinkServer::new(listens.clone()))
        .add_optional_service(shakes.map(v1::handshake_server::HandshakeServer::new));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let (mut link, _logs) = link(address, node);
    Arc::get_mut(&mut link.identity).unwrap().key = Some(ExecutorKey::of_token(TOKEN));
    let why = link.session(&mut false).await.unwrap_err().to_string();
    let sent = listens.0.lock().unwrap().clone();
    (sent, why)
}

#[tokio::test]
async fn the_token_is_never_sent_and_only_coordinators_that_have_it_are_joined() {
    for node in [None, Some("n1")] {
        let (shown, why) = sent(Some(TOKEN), node).await;
        assert!(why.contains("it only listens"), "it has joined: {why}");
        assert!(shown.iter().all(|shown| !shown.contains(TOKEN)), "{shown:?}");
        assert_eq!((shown.len(), shown[0].as_str()), (3, "none"), "{shown:?}");
        assert_eq!(shown[1], shown[2], "the same proof");
        let (shown, why) = sent(Some("another-token-of-the-tests"), node).await;
        assert!(shown.len() == 2 && why.contains("did not prove"), "{node:?} {shown:?} {why}");
        let (shown, why) = sent(None, node).await;
        assert!(shown.is_empty() && why.contains("did not prove"), "{node:?} {shown:?} {why}");
    }
    let (shown, why) = sent(Some(TOKEN), Some("n2")).await;
    assert!(shown == ["none"] && why.contains("another coordinator"), "{shown:?} {why}");
}

#[tokio::test]
async fn a_learned_address_is_dialed_only_where_the_token_may_be_sent() {
    for node in [None, Some("n1")] {
        let (mut link, _logs) = link("http://192.0.2.1:7070".to_owned(), node);
        Arc::get_mut(&mut link.identity).unwrap().config.set_token(TOKEN);
        let err = link.session(&mut false).await.unwrap_err();
        assert!(matches!(err, LinkError::Unsafe(_)) && err.is_lasting(), "{err:?}");
        assert!(err.to_string().contains("in plain text"), "{err}");
    }
}
