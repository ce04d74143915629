//! The executors' edge: one bidirectional stream per executor.
//!
//! It validates incoming messages and passes them to the engine; the engine's messages go out over
//! the same stream. A stream that is silent for too long or violates the protocol is closed.

mod beats;
mod credit;
mod handshake;
mod hello;
mod inbound;
mod logs;
mod open;
mod read;
mod round_trips;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use fastjob_core::wire::{
    MESSAGE_MAX,
    v1::{self, executor_link_server::ExecutorLink, from_executor},
};
use fastjob_engine::Event;
use tokio::{task::JoinSet, time::Instant};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::{
    beats::Beats,
    credit::Credit,
    open::{OpenSession, Outgoing, refused},
    read::{Heard, read},
    round_trips::RoundTrips,
};
pub(crate) use self::{credit::NodeCredit, hello::HelloLimits};
use crate::{
    archive::Archive,
    bounds::Hangup,
    clock::Clock,
    cluster::{ClusterMap, Engines, Spent},
    ops::{Handshakes, Ops},
    parts::caught,
    sessions::Sessions,
};

/// Maximum number of unanswered Goodbyes of a session before it is no longer read.
const PARTINGS: usize = 64;

/// Settings that are sent to executors in the Welcome.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) cluster: String,
    /// The id of this run of the process.
    pub(crate) node: String,
    pub(crate) beat: Duration,
    /// After this long without a message, either side closes the stream.
    pub(crate) silence: Duration,
    /// After this long without an answer, an executor stops its exclusive attempts. A third of it
    /// later it aborts them, and after five thirds of it the executor is considered lost.
    pub(crate) exclusive: Duration,
    /// How long an executor may be without a session before it is lost.
    pub(crate) lost: Duration,
}

/// The executors' edge.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) handshakes: Arc<Handshakes>,
    pub(crate) ops: Ops,
    pub(crate) engines: Engines,
    pub(crate) clock: Arc<Clock>,
    pub(crate) map: ClusterMap,
    pub(crate) sessions: Sessions,
    pub(crate) terms: Terms,
    pub(crate) limits: HelloLimits,
    pub(crate) credit: NodeCredit,
    /// Where whole logs are kept, if they are.
    pub(crate) archive: Option<Archive>,
    /// Cancelled once no engine of this node sends anything anymore.
    pub(crate) released: CancellationToken,
}

impl Link {
    /// The gRPC services, with the message limits of the protocol.
    pub(crate) fn into_router(self) -> axum::Router {
        let max_hello = self.limits.bytes;
        let handshake = handshake::Server(Arc::clone(&self.handshakes));
        let logs = self.archive.clone().map(|archive| {
            let service = logs::Server::new(archive, &self.ops).into_service();
            inbound::bound_logs(tonic::service::Routes::new(service).into_axum_router())
        });
        let service = v1::executor_link_server::ExecutorLinkServer::new(self)
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        let services = tonic::service::Routes::new(service).add_service(handshake.into_service());
        let services = inbound::bound(services.into_axum_router(), max_hello);
        match logs {
            // Two routers with fallbacks cannot be merged.
            Some(logs) => services.merge(logs.reset_fallback()),
            None => services,
        }
    }
}

#[tonic::async_trait]
impl ExecutorLink for Link {
    type JoinStream = Outgoing;

    async fn join(
        &self,
        request: Request<Streaming<v1::FromExecutor>>,
    ) -> Result<Response<Outgoing>, Status> {
        let hangup = request.extensions().get::<Hangup>().cloned().unwrap_or_default();
        let mut inbound = request.into_inner();
        let hello = match tokio::time::timeout(self.terms.silence, inbound.next()).await {
            Ok(Some(Ok(v1::FromExecutor {
                message: Some(from_executor::Message::Hello(hello)),
            }))) => hello,
            Ok(Some(Err(status))) => return Err(status),
            Ok(_) => return Err(Status::invalid_argument("the first message is not a hello")),
            Err(_) => return Err(Status::deadline_exceeded("no hello arrived in time")),
        };
        let session = self.sessions.next_id();
        let executor = Arc::new(hello::read(session, hello, &self.limits)?);
        let (queue, outbound) = self
            .sessions
            .open(Arc::clone(&executor))
            .map_err(|err| refused(&executor, &err, &self.ops.metrics))?;
        self.ops.metrics.sessions.opened.fetch_add(1, Relaxed);
        let name = format!("{}/{}", executor.service, executor.executor);
        let open = OpenSession { id: session, executor, queue, hangup, link: self.clone() };
        let nodes = self.map.nodes();
        if !nodes.is_empty() {
            self.sessions.tell_nodes_to(session, nodes);
        }
        self.sessions.claim(session, &self.engines.leases());
        self.ops.losses.forget(&open.executor.service, &open.executor.executor);
        self.ops.handlers.opened(&open.executor);
        tracing::info!(executor = %name, session = session.0, "executor connected");
        for job in &open.executor.jobs {
            for unknown in self.ops.unknown_channels(job) {
                tracing::warn!(executor = %name, job = %job.path(), why = unknown.message,
                    "an executor declares an alarm channel that does not exist: these alarms are \
                     not sent");
            }
        }
        let millis = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
        let welcome = v1::Welcome {
            cluster: self.terms.cluster.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            beat_ms: millis(self.terms.beat),
            silence_ms: millis(self.terms.silence),
            exclusive_ms: millis(self.terms.exclusive),
            node: self.terms.node.clone(),
            partitions: self.engines.partitions(),
            says_farewell: true,
            accepts_schemas: true,
            logs: self.archive.as_ref().and_then(|_| {
                let ticket = self.sessions.ticket(session)?;
                Some(v1::KeepsLogs { ticket })
            }),
        };
        // The task ends with its stream or with the coordinator: `listen` waits for both.
        tokio::spawn(async move {
            if let Err(panic) = caught(listen(open, inbound, name)).await {
                tracing::error!(
                    panic,
                    "session task panicked: the session is closed, its executor reconnects"
                );
            }
        });
        let welcome = v1::ToExecutor { message: Some(v1::to_executor::Message::Welcome(welcome)) };
        let clock = Arc::clone(&self.clock);
        Ok(Response::new(Outgoing { first: Some(welcome), outbound, clock }))
    }
}

/// Reads one stream to its end. It runs as long as the stream, which the server bounds.
async fn listen(open: OpenSession, mut inbound: Streaming<v1::FromExecutor>, name: String) {
    let link = &open.link;
    let mut trips = RoundTrips::default();
    let mut beats = Beats::new();
    let credit = Credit::of(&link.credit);
    let mut partings = JoinSet::new();
    // These tasks end with the session: the executor declares its jobs again in the next one.
    let mut declaring = JoinSet::new();
    // Whether the executor has said that it drains.
    let mut leaves = false;
    let mut ended = std::pin::pin!(open.queue.ended(link.terms.silence));
    let why = loop {
        let next = tokio::select! {
            () = link.released.cancelled() => break open.finish().await,
            why = &mut ended => break open.abort(&why),
            (beat, uptime_ms) = beats.due() => {
                open.beat(beat, uptime_ms, &mut trips);
                continue;
            }
            next = tokio::time::timeout(link.terms.silence, inbound.next()) => next,
        };
        let message = match next {
            Err(_) => break format!("no message for {:?}", link.terms.silence),
            Ok(None) => break "the executor closed the stream".to_owned(),
            Ok(Some(Err(status))) => break status.message().to_owned(),
            Ok(Some(Ok(message))) => message.message,
        };
        match message.map(|message| read(open.id, message)) {
            Some(Ok(Heard::Event(event))) => {
                // Backpressure: a session whose engines are behind is not read.
                let spent = tokio::select! {
                    () = link.released.cancelled() => break open.finish().await,
                    why = &mut ended => break open.abort(&why),
                    spent = credit.spend(&event) => spent,
                };
                link.tell(event, spent);
            }
            Some(Ok(Heard::Holding(holding))) => {
                leaves |= holding.leaving;
                match link.engines.connect(&open.executor, &holding).await {
                    Ok(heard) => {
                        link.sessions.holds(open.id, &heard.leases);
                        while declaring.try_join_next().is_some() {}
                        if !heard.parents.is_empty() {
                            let (ops, name) = (link.ops.clone(), name.clone());
                            declaring.spawn(async move { ops.declare(&name, heard.parents).await });
                        }
                    }
                    Err(why) => break why,
                }
            }
            // An executor of an earlier release sends it once, ignores Farewell, and drops later
            // attempts, which fail as lost when its stream ends.
            Some(Ok(Heard::Goodbye(returned))) => {
                leaves = true;
                // Keep reading the session, because an engine may take long to start.
                let noted = link.engines.leaving(open.id, &returned);
                let (sessions, id) = (link.sessions.clone(), open.id);
                partings.spawn(async move {
                    match noted.await {
                        true => sessions.farewell(id),
                        // The executor sends it again, to the next owners of the partitions.
                        false => sessions.close(id),
                    }
                });
                while partings.try_join_next().is_some() {}
                if partings.len() > PARTINGS {
                    tokio::select! {
                        () = link.released.cancelled() => break open.finish().await,
                        why = &mut ended => break open.abort(&why),
                        _ = partings.join_next() => {}
                    }
                }
            }
            Some(Ok(Heard::Beat(beat, uptime_ms))) => {
                if let Some((beat, uptime_ms)) = beats.come((beat, uptime_ms)) {
                    open.beat(beat, uptime_ms, &mut trips);
                }
            }
            Some(Ok(Heard::Pong(id))) => {
                if let Some(took) = trips.end(id, Instant::now()) {
                    link.engines.tell_all(|| Event::RoundTrip(open.id, took));
                }
            }
            Some(Ok(Heard::Schemas(schemas))) => {
                let (handlers, id) = (link.ops.handlers.clone(), open.id);
                // A megabyte of them takes milliseconds.
                let reading = tokio::task::spawn_blocking(move || handlers.registered(id, schemas));
                if let Err(err) = reading.await {
                    break err.to_string();
                }
            }
            Some(Ok(Heard::Reply(reply))) => link.sessions.answered(open.id, reply),
            // An unknown message of a newer release is ignored.
            None => {}
            Some(Err(err)) => break err.to_string(),
        }
    };
    let after = open.after(leaves);
    tracing::info!(executor = %name, session = open.id.0, why, "executor disconnected{after}");
}

impl Link {
    /// Passes an event to the engines that it concerns. The credit is released once they have
    /// handled it.
    fn tell(&self, event: Event, spent: Option<Spent>) {
        let engines = &self.engines;
        match event {
            Event::Started(id, parts) => {
                let event = |parts| Event::Started(id, parts);
                engines.tell_parts(parts, |part| part.0.attempt, event, &spent);
            }
            Event::Checkpoints(id, parts) => {
                let event = |parts| Event::Checkpoints(id, parts);
                engines.tell_parts(parts, |part| part.0.attempt, event, &spent);
            }
            Event::Progress(id, parts) => {
                let event = |parts| Event::Progress(id, parts);
                engines.tell_parts(parts, |part| part.0.attempt, event, &spent);
            }
            Event::Finished(id, parts) => {
                engines.tell_parts(
                    parts,
                    |part| part.attempt,
                    |parts| Event::Finished(id, parts),
                    &spent,
                );
            }
            Event::Returned(id, parts) => {
                let event = |parts| Event::Returned(id, parts);
                engines.tell_parts(parts, |part| *part, event, &spent);
            }
            Event::Tick
            | Event::Committed(_)
            | Event::Connected(..)
            | Event::Beat(..)
            | Event::RoundTrip(..)
            | Event::Leaving(..)
            | Event::Disconnected(_)
            | Event::Drained(_)
            | Event::ChildStarts(..)
            | Event::JobsRemoved { .. }
            | Event::Command(_)
            | Event::CommandWith(..) => {}
        }
    }
}

/// Parses one message as a session would.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_message(message: v1::from_executor::Message) {
    let session = fastjob_engine::SessionId(1);
    let v1::from_executor::Message::Hello(hello) = message else {
        // Only panics matter here, not the result.
        drop(read::read(session, message));
        return;
    };
    let limits = HelloLimits { bytes: 1 << 20, jobs: 100 };
    if let Ok(taken) = hello::read(session, hello, &limits) {
        assert!((1..=1_000_000).contains(&taken.capacity), "{}", taken.capacity);
        let own = |job: &Arc<fastjob_core::Job>| job.service == taken.service;
        assert!(taken.jobs.iter().all(own), "a job of another service was accepted");
    }
}
