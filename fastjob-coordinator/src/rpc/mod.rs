//! The executors' edge: one bidirectional stream an executor.
//!
//! It reads messages, bounds them, and tells the engine; what the engine sends back goes out over
//! the same stream. A stream that is silent too long, or breaks the protocol, is ended.

mod beats;
mod credit;
mod hello;
mod inbound;
mod open;
mod round_trips;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, Progress,
    attempt::End,
    context::CHECKPOINT_MAX,
    wire::{
        BATCH_MAX, LOG_TAIL_MAX, MESSAGE_MAX, UnknownValue, instant,
        v1::{self, executor_link_server::ExecutorLink, from_executor},
    },
};
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::{
    beats::Beats,
    credit::Credit,
    open::{OpenSession, Outgoing, refused},
    round_trips::RoundTrips,
};
pub(crate) use self::{credit::NodeCredit, hello::HelloLimits};
use crate::{
    bounds::Hangup,
    cluster::{ClusterMap, Engines, Spent},
    engine::{Beat, Event, Outcome, SessionId},
    sessions::Sessions,
    store::{Lease, Partition},
};

/// What executors are told when they are welcomed.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) cluster: String,
    /// Names this run of the process.
    pub(crate) node: String,
    pub(crate) beat: Duration,
    /// After how long without a message either side gives the stream up.
    pub(crate) silence: Duration,
    /// After how long without an answer an executor stops its exclusive attempts; at twice that
    /// they have ended, and at three times it may be given up.
    pub(crate) exclusive: Duration,
}

/// The executors' edge.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) engines: Engines,
    pub(crate) map: ClusterMap,
    pub(crate) sessions: Sessions,
    pub(crate) terms: Terms,
    pub(crate) limits: HelloLimits,
    pub(crate) credit: NodeCredit,
    pub(crate) stop: CancellationToken,
}

impl Link {
    /// The service, with the bounds of the protocol.
    pub(crate) fn into_router(self) -> axum::Router {
        let max_hello = self.limits.bytes;
        let service = v1::executor_link_server::ExecutorLinkServer::new(self)
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        inbound::bound(tonic::service::Routes::new(service).into_axum_router(), max_hello)
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
            Err(_) => return Err(Status::deadline_exceeded("no hello came")),
        };
        let session = self.sessions.next_id();
        let executor = Arc::new(hello::read(session, hello, &self.limits)?);
        let (queue, outbound) =
            self.sessions.open(Arc::clone(&executor)).map_err(|err| refused(&executor, &err))?;
        let name = format!("{}/{}", executor.service, executor.executor);
        let open = OpenSession { id: session, executor, queue, hangup, link: self.clone() };
        let nodes = self.map.nodes();
        if !nodes.is_empty() {
            self.sessions.tell_nodes_to(session, nodes);
        }
        self.sessions.claim(session, &self.engines.leases());
        tracing::info!(executor = %name, session = session.0, "executor connected");
        let millis = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
        let welcome = v1::Welcome {
            cluster: self.terms.cluster.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            beat_ms: millis(self.terms.beat),
            silence_ms: millis(self.terms.silence),
            exclusive_ms: millis(self.terms.exclusive),
            node: self.terms.node.clone(),
            partitions: self.engines.partitions(),
        };
        tokio::spawn(listen(open, inbound, name));
        let welcome = v1::ToExecutor { message: Some(v1::to_executor::Message::Welcome(welcome)) };
        Ok(Response::new(Outgoing { first: Some(welcome), outbound }))
    }
}

/// Reads one stream to its end. It lives as long as the stream, which the server bounds.
async fn listen(open: OpenSession, mut inbound: Streaming<v1::FromExecutor>, name: String) {
    let link = &open.link;
    let mut trips = RoundTrips::default();
    let mut beats = Beats::new();
    let credit = Credit::of(&link.credit);
    let mut ended = std::pin::pin!(open.queue.ended(link.terms.silence));
    let why = loop {
        let next = tokio::select! {
            () = link.stop.cancelled() => break "the coordinator stops".to_owned(),
            why = &mut ended => break open.give_up(&why),
            (beat, uptime_ms) = beats.due() => {
                open.beat(beat, uptime_ms, &mut trips);
                continue;
            }
            next = tokio::time::timeout(link.terms.silence, inbound.next()) => next,
        };
        let message = match next {
            Err(_) => break format!("nothing was heard for {:?}", link.terms.silence),
            Ok(None) => break "it closed the stream".to_owned(),
            Ok(Some(Err(status))) => break status.message().to_owned(),
            Ok(Some(Ok(message))) => message.message,
        };
        match message.map(|message| read(open.id, message)) {
            Some(Ok(Heard::Event(event))) => {
                // A session whose engines are behind is not read.
                let spent = tokio::select! {
                    () = link.stop.cancelled() => break "the coordinator stops".to_owned(),
                    why = &mut ended => break open.give_up(&why),
                    spent = credit.spend(&event) => spent,
                };
                link.tell(event, spent);
            }
            Some(Ok(Heard::Holding(leases, attempts))) => {
                if let Some(why) = link.engines.connect(&open.executor, &leases, &attempts).await {
                    break why;
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
            Some(Ok(Heard::Reply(reply))) => link.sessions.answered(open.id, reply),
            // Said by a newer release; what it means is not ours to guess.
            None => {}
            Some(Err(err)) => break err.to_string(),
        }
    };
    tracing::info!(executor = %name, session = open.id.0, why, "executor disconnected");
}

impl Link {
    /// Tells the engines that it is for. What was spent returns when they have taken it in.
    fn tell(&self, event: Event, spent: Option<Spent>) {
        let engines = &self.engines;
        match event {
            Event::Started(id, parts) => {
                engines.tell_parts(parts, |part| part.0, |parts| Event::Started(id, parts), &spent);
            }
            Event::Checkpoints(id, parts) => {
                engines.tell_parts(
                    parts,
                    |part| part.0,
                    |parts| Event::Checkpoints(id, parts),
                    &spent,
                );
            }
            Event::Progress(id, parts) => {
                engines.tell_parts(
                    parts,
                    |part| part.0,
                    |parts| Event::Progress(id, parts),
                    &spent,
                );
            }
            Event::Finished(id, parts) => {
                engines.tell_parts(
                    parts,
                    |part| part.attempt,
                    |parts| Event::Finished(id, parts),
                    &spent,
                );
            }
            Event::Leaving(id, returned) => {
                let returned: Vec<AttemptId> = returned;
                // All of them are to know that it leaves.
                for partition in engines.held() {
                    let mine = returned.iter().filter(|at| engines.partition_of(**at) == partition);
                    let event = Event::Leaving(id, mine.copied().collect());
                    engines.tell_spent(partition, event, spent.clone());
                }
            }
            Event::Tick
            | Event::Committed(_)
            | Event::Connected(..)
            | Event::Beat(..)
            | Event::RoundTrip(..)
            | Event::Disconnected(_)
            | Event::ChildStarts(_)
            | Event::Directory(_)
            | Event::JobsRemoved { .. }
            | Event::Command(_) => {}
        }
    }
}

enum Heard {
    Event(Event),
    /// What the executor holds of these partitions.
    Holding(Vec<Lease>, Vec<AttemptId>),
    /// With the executor's uptime when it was sent.
    Beat(Beat, u64),
    Pong(u64),
    Reply(v1::StatReply),
}

/// Why a message was refused, and the stream with it.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Unknown(#[from] UnknownValue),
    #[error("a second hello came")]
    SecondHello,
    #[error("a message names {0} attempts, at most {BATCH_MAX} are allowed")]
    TooMany(usize),
    #[error("a message names {0} partitions, at most {most} are allowed", most = hello::LEASES_MAX)]
    TooManyLeases(usize),
    #[error("the {what} of an attempt has {bytes} bytes, at most {most} are allowed")]
    TooLong { what: &'static str, bytes: usize, most: usize },
    #[error("an outcome has the end {0}, which this protocol does not have")]
    End(i32),
}

fn read(session: SessionId, message: from_executor::Message) -> Result<Heard, Refused> {
    use from_executor::Message as Wire;
    let event = match message {
        Wire::Hello(_) => return Err(Refused::SecondHello),
        Wire::StatReply(reply) => return Ok(Heard::Reply(reply)),
        Wire::Pong(pong) => return Ok(Heard::Pong(pong.id)),
        Wire::Holding(holding) => {
            if holding.attempts.len() > hello::HOLDING_MAX {
                return Err(Refused::TooMany(holding.attempts.len()));
            }
            if holding.leases.len() > hello::LEASES_MAX {
                return Err(Refused::TooManyLeases(holding.leases.len()));
            }
            let lease = |lease: v1::Lease| Lease {
                partition: Partition(lease.partition),
                term: lease.term,
            };
            let leases = holding.leases.into_iter().map(lease).collect();
            let attempts = holding.attempts.into_iter().map(AttemptId).collect();
            return Ok(Heard::Holding(leases, attempts));
        }
        Wire::Beat(beat) => {
            let figures = Beat {
                cpu: if beat.cpu.is_finite() { beat.cpu.clamp(0.0, 1.0) } else { 0.0 },
                memory_free: beat.memory_free,
                memory_total: beat.memory_total,
                running: beat.running,
                waiting: beat.waiting,
            };
            return Ok(Heard::Beat(figures, beat.uptime_ms));
        }
        Wire::Started(started) => {
            bound(started.attempts.len())?;
            let attempts = started
                .attempts
                .into_iter()
                .map(|started| Ok((AttemptId(started.attempt), instant(started.at)?)))
                .collect::<Result<_, UnknownValue>>()?;
            Event::Started(session, attempts)
        }
        Wire::Finished(finished) => {
            bound(finished.outcomes.len())?;
            let outcomes = finished.outcomes.into_iter().map(outcome).collect::<Result<_, _>>()?;
            Event::Finished(session, outcomes)
        }
        Wire::Checkpoints(checkpoints) => {
            bound(checkpoints.attempts.len())?;
            let attempts = checkpoints
                .attempts
                .into_iter()
                .map(|told| {
                    short("checkpoint", &told.checkpoint, CHECKPOINT_MAX)?;
                    Ok((AttemptId(told.attempt), told.checkpoint.into()))
                })
                .collect::<Result<_, Refused>>()?;
            Event::Checkpoints(session, attempts)
        }
        Wire::Progress(progress) => {
            bound(progress.attempts.len())?;
            let attempts = progress
                .attempts
                .into_iter()
                .map(|told| {
                    let v1::AttemptProgress { attempt, done, total, note } = told;
                    short("note", &note, Progress::NOTE_MAX)?;
                    Ok((AttemptId(attempt), Progress { done, total, note }))
                })
                .collect::<Result<_, Refused>>()?;
            Event::Progress(session, attempts)
        }
        Wire::Goodbye(goodbye) => {
            Event::Leaving(session, goodbye.returned.into_iter().map(AttemptId).collect())
        }
    };
    Ok(Heard::Event(event))
}

fn bound(count: usize) -> Result<(), Refused> {
    if count > BATCH_MAX { Err(Refused::TooMany(count)) } else { Ok(()) }
}

fn short(what: &'static str, text: &str, most: usize) -> Result<(), Refused> {
    let bytes = text.len();
    if bytes > most { Err(Refused::TooLong { what, bytes, most }) } else { Ok(()) }
}

fn outcome(outcome: v1::Outcome) -> Result<Outcome, Refused> {
    const MESSAGE: usize = 16 * 1024;
    let end = v1::End::try_from(outcome.end).map_err(|_| Refused::End(outcome.end))?;
    short("message", &outcome.message, MESSAGE)?;
    short("log tail", &outcome.log_tail, LOG_TAIL_MAX)?;
    if let Some(result) = &outcome.result {
        short("result", result, fastjob_core::JobOutput::MAX)?;
    }
    if let Some(checkpoint) = &outcome.checkpoint {
        short("checkpoint", checkpoint, CHECKPOINT_MAX)?;
    }
    let started_at = match outcome.started_at {
        0 => None,
        at => Some(instant(at)?),
    };
    Ok(Outcome {
        attempt: AttemptId(outcome.attempt),
        end: End::try_from(end)?,
        result: outcome.result,
        message: Some(outcome.message).filter(|message| !message.is_empty()),
        started_at,
        ended_at: instant(outcome.ended_at)?,
        log_tail: outcome.log_tail,
        checkpoint: outcome.checkpoint,
    })
}
