//! Live sessions, through which executors are reached.
//!
//! The engine decides what is sent; this module only routes it to the stream. A message to a
//! session that has ended is dropped: the engine is notified of the end and decides again.

mod ask;
mod claims;
mod limits;
mod queue;
mod ticket;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use fastjob_core::{ExecutorName, ServiceName, wire::v1};
use fastjob_engine::{Connected, Message, SessionId};
use tokio::sync::oneshot;

pub(crate) use self::{
    ask::AskError,
    limits::{Limits, TooMany},
    queue::{Ended, Queue, Unsent},
    ticket::Ticket,
    wire::{Sent, to_wire},
};
use self::{claims::Claim, limits::Used};
use crate::store::{Lease, NodeRow, Partition};

/// All live sessions of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    /// Counts sessions that are opened or end.
    changes: AtomicU64,
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    sessions: HashMap<SessionId, Session>,
    used: Used,
}

impl Open {
    fn remove(&mut self, id: SessionId) {
        if let Some(outbound) = self.take_out(id) {
            outbound.end(Ended::Closed);
        }
    }

    /// Removes a session and returns its outgoing queue.
    fn take_out(&mut self, id: SessionId) -> Option<Queue> {
        let session = self.sessions.remove(&id)?;
        self.used.remove(&session.executor);
        Some(session.outbound)
    }
}

#[derive(Debug)]
struct Session {
    /// The executor's description from its hello.
    executor: Arc<Connected>,
    /// With which the executor sends logs.
    ticket: Ticket,
    /// By partition, the last lease of this node that was sent to the executor.
    claimed: HashMap<Partition, Claim>,
    outbound: Queue,
    questions: HashMap<u64, oneshot::Sender<v1::StatReply>>,
}

/// An outgoing message.
#[derive(Debug)]
pub(crate) enum Outbound {
    Message(Lease, Message),
    Leases(Vec<Lease>),
    Nodes(Vec<NodeRow>),
    Stat(v1::Stat),
    Ping(v1::Ping),
    Farewell,
}

/// Why a session was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another process has the executor's name.
    #[error("{0}")]
    Taken(String),
    /// A limit is reached.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

impl Sessions {
    /// No sessions yet, with these limits.
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner { limits, ..Inner::default() }))
    }

    /// A new session id.
    pub(crate) fn next_id(&self) -> SessionId {
        SessionId(self.0.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Opens a session and returns both ends of its outgoing queue. It replaces an earlier session
    /// of the same process over the same address.
    ///
    /// # Errors
    ///
    /// Fails with the reason if another process, or the same one over another address, has a
    /// session under that name, or if a limit is reached.
    pub(crate) fn open(&self, executor: Arc<Connected>) -> Result<(Queue, Unsent), OpenError> {
        let mut open = self.lock();
        let seat = |other: &Connected| {
            other.service == executor.service && other.executor == executor.executor
        };
        let before = open.sessions.iter().find(|(_, session)| seat(&session.executor));
        if let Some((id, before)) = before.map(|(id, session)| (*id, &session.executor)) {
            if let Some(why) =
                executor.is_rejected_beside(&before.incarnation, before.link, &before.address)
            {
                return Err(OpenError::Taken(why));
            }
            open.remove(id);
        }
        open.used.check(&self.0.limits, &executor)?;
        open.used.add(&executor);
        let (outbound, unsent) = Queue::new();
        let id = executor.session;
        let (claimed, questions) = (HashMap::new(), HashMap::new());
        let ticket = Ticket::new(id);
        let outgoing = outbound.clone();
        let session = Session { executor, ticket, claimed, outbound: outgoing, questions };
        open.sessions.insert(id, session);
        self.0.changes.fetch_add(1, Ordering::Relaxed);
        Ok((outbound, unsent))
    }

    /// Sends the list of nodes to all executors.
    pub(crate) fn tell_nodes(&self, nodes: &[NodeRow]) {
        for session in self.lock().sessions.values() {
            session.outbound.push(Outbound::Nodes(nodes.to_vec()));
        }
    }

    /// Sends the list of nodes to one executor.
    pub(crate) fn tell_nodes_to(&self, id: SessionId, nodes: Vec<NodeRow>) {
        if let Some(session) = self.lock().sessions.get(&id) {
            session.outbound.push(Outbound::Nodes(nodes));
        }
    }

    /// The session of an executor, if it has one with this node.
    pub(crate) fn of(&self, service: &ServiceName, executor: &ExecutorName) -> Option<SessionId> {
        let open = self.lock();
        let seat = |other: &Connected| other.service == *service && other.executor == *executor;
        open.sessions.iter().find(|(_, session)| seat(&session.executor)).map(|(id, _)| *id)
    }

    /// How many executors are connected, and a number that changes with them.
    pub(crate) fn reading(&self) -> (usize, u64) {
        (self.lock().sessions.len(), self.0.changes.load(Ordering::Relaxed))
    }

    /// The descriptions of the connected executors.
    pub(crate) fn executors(&self) -> Vec<Arc<Connected>> {
        self.lock().sessions.values().map(|session| Arc::clone(&session.executor)).collect()
    }

    /// How many sessions are open.
    pub(crate) fn count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Ends a session; its stream ends with it.
    pub(crate) fn close(&self, id: SessionId) {
        self.lock().remove(id);
        self.0.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a session once its queued messages have been sent.
    pub(crate) fn finish(&self, id: SessionId) {
        if let Some(outbound) = self.lock().take_out(id) {
            outbound.finish();
            self.0.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a message, if the session is still open.
    pub(crate) fn send(&self, id: SessionId, lease: Lease, message: Message) {
        if matches!(message, Message::Close) {
            return self.close(id);
        }
        if let Some(session) = self.lock().sessions.get(&id) {
            session.outbound.push(Outbound::Message(lease, message));
        }
    }

    /// Answers a beat, if the session is still open.
    pub(crate) fn ping(&self, id: SessionId, ping: v1::Ping) {
        if let Some(session) = self.lock().sessions.get(&id) {
            session.outbound.push(Outbound::Ping(ping));
        }
    }

    /// Notifies a draining executor that no more messages follow, if the session is still open.
    pub(crate) fn farewell(&self, id: SessionId) {
        if let Some(session) = self.lock().sessions.get(&id) {
            session.outbound.push(Outbound::Farewell);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
