//! What the two sides of a session say, in the executor's own types. `wire` has the encoding.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, Lease, Partition};

use super::{
    Identity,
    peers::{ClusterId, Node, NodeId},
};
use crate::{
    figures::Sample,
    logs::LogPage,
    runtime::{Attempt, LinkId, Message, Name},
};

/// A message from a coordinator.
pub(super) enum FromCoordinator {
    Welcome(Welcome),
    /// It acts on these partitions from now on.
    Leases(Vec<Lease>),
    /// Attempts of the lease's partition, to be run.
    Start {
        lease: Lease,
        /// By the coordinator's clock, like the instants at which the attempts are due. These are
        /// `None` for at once.
        sent_at: Duration,
        attempts: Vec<(Attempt, Option<Duration>)>,
    },
    Stop(Vec<Name>),
    /// The outcomes of these attempts are persisted.
    Recorded(Vec<Name>),
    /// All nodes of the cluster.
    Nodes(Vec<Node>),
    /// Answers a Goodbye.
    Farewell,
    Ping(Ping),
    Stat(StatId, Question),
    /// Of a newer release: it is ignored.
    Unknown,
}

/// The first message of a session.
pub(super) struct Welcome {
    pub(super) cluster: ClusterId,
    pub(super) node: NodeId,
    /// The release of the coordinator.
    pub(super) release: String,
    pub(super) beat: Duration,
    pub(super) silence: Duration,
    /// Zero means that silence does not affect exclusive attempts.
    pub(super) exclusive: Duration,
    /// The number of partitions of the store.
    pub(super) partitions: u32,
    /// Whether the coordinator answers Goodbye and accepts Returned.
    pub(super) says_farewell: bool,
    /// Whether the coordinator accepts the schemas of params.
    pub(super) accepts_schemas: bool,
    /// With which the executor sends logs that the coordinator keeps; `None` if it keeps none.
    pub(super) logs_ticket: Option<String>,
}

/// Answers a heartbeat.
pub(super) struct Ping {
    pub(super) id: PingId,
    /// The executor's uptime when it sent the heartbeat, as the coordinator repeats it.
    pub(super) beat_at: Duration,
    /// The partitions that the coordinator acts on.
    pub(super) partitions: Vec<Partition>,
    /// By the coordinator's clock.
    pub(super) sent_at: Duration,
}

/// Repeated by the answer.
pub(super) struct PingId(pub(super) u64);

/// Repeated by the answer.
#[derive(Clone, Copy)]
pub(super) struct StatId(pub(super) u64);

/// What a coordinator asks.
pub(super) enum Question {
    Log {
        attempt: AttemptId,
        /// In bytes from the start of the log.
        offset: u64,
        /// Maximum bytes of the answer.
        limit: u32,
    },
    Executor,
    /// Of a newer release.
    Unknown,
}

/// A message to a coordinator.
pub(super) enum ToCoordinator {
    /// Opens a session of this link.
    Hello(Arc<Identity>, LinkId),
    /// What the params of its handlers have to be like.
    Schemas(Arc<Identity>),
    Beat(Beat),
    Pong(PingId),
    Answer(StatId, Answer),
    /// From the runtime, about attempts.
    Runtime(Message),
}

/// A heartbeat.
pub(super) struct Beat {
    pub(super) sample: Sample,
    /// The number of running attempts.
    pub(super) running: u32,
    pub(super) waiting: u32,
    pub(super) uptime: Duration,
}

/// The answer to a question.
pub(super) enum Answer {
    Log(LogPage),
    Executor {
        beat: Beat,
        handlers: Vec<String>,
        holding: Vec<AttemptId>,
    },
    /// Why there is none.
    Error(String),
}
