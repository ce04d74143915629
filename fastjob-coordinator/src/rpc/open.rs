//! An open session: how it answers beats, and how it ends.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use fastjob_core::{duration, wire::v1};
use fastjob_engine::{Beat, Connected, Event, SessionId};
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::Status;

use super::{Link, round_trips::RoundTrips};
use crate::{
    bounds::Hangup,
    clock::Clock,
    metrics::Metrics,
    sessions::{Ended, OpenError, Queue, Sent, Unsent, to_wire},
};

/// Closes the session when it is dropped, however its stream ends.
pub(super) struct OpenSession {
    pub(super) id: SessionId,
    pub(super) executor: Arc<Connected>,
    pub(super) queue: Queue,
    /// Ends the connection.
    pub(super) hangup: Hangup,
    pub(super) link: Link,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.link.sessions.close(self.id);
        self.link.ops.handlers.closed(self.id);
        self.link.engines.disconnected(self.id);
    }
}

impl OpenSession {
    /// Passes a beat to the engines, and answers it.
    pub(super) fn beat(&self, beat: Beat, uptime_ms: u64, trips: &mut RoundTrips) {
        let link = &self.link;
        link.engines.tell_all(|| Event::Beat(self.id, beat));
        let id = trips.begin(Instant::now());
        // Only engines that know what the executor holds are listed: others may consider it lost,
        // so it must not rely on them. A loading partition is listed, because no engine can
        // consider the executor lost there yet.
        let mut leases = link.sessions.held_of(self.id, link.engines.loaded());
        leases.extend(link.engines.loading());
        let partitions = leases.into_iter().map(|lease| lease.partition.0).collect();
        // The time is set when the answer leaves.
        link.sessions.ping(self.id, v1::Ping { id, uptime_ms, partitions, sent_at_us: 0 });
    }

    /// What follows from the end of the session, for its log line.
    pub(super) fn after(&self, leaves: bool) -> String {
        let Self { link, executor, .. } = self;
        if leaves || link.released.is_cancelled() {
            return String::new();
        }
        let newest = link.sessions.of(&executor.service, &executor.executor);
        if newest.is_some_and(|newest| newest != self.id) {
            return String::new(); // it has reconnected already
        }
        format!(", waits up to {} for it to reconnect", duration::to_text(link.terms.lost))
    }

    /// The coordinator stops. Messages that were already sent still reach the executor: an attempt
    /// that did not arrive would be lost if the executor stopped before its next session.
    pub(super) async fn finish(&self) -> String {
        self.link.sessions.finish(self.id);
        let read = self.queue.closed();
        if tokio::time::timeout(self.link.terms.silence, read).await.is_err() {
            // The executor does not read, and an open connection would delay the shutdown.
            self.hangup.0.cancel();
        }
        "the coordinator is shutting down".to_owned()
    }

    /// The session was ended from this side. A peer that does not read would not see the end of its
    /// stream either, so the connection is closed.
    pub(super) fn abort(&self, why: &Ended) -> String {
        match why {
            Ended::Closed => {}
            Ended::Full { .. } | Ended::Unread(_) => {
                let executor = &self.executor;
                tracing::warn!(service = %executor.service, executor = %executor.executor, %why,
                    "executor disconnected: it does not read its messages");
                self.hangup.0.cancel();
            }
        }
        why.to_string()
    }
}

/// Logs why an executor is rejected, and returns the status for it.
pub(super) fn refused(executor: &Connected, err: &OpenError, metrics: &Metrics) -> Status {
    match err {
        OpenError::Taken(why) => {
            metrics.sessions.refused_name.fetch_add(1, Relaxed);
            Status::already_exists(why.clone())
        }
        OpenError::TooMany(why) => {
            metrics.sessions.refused_limit.fetch_add(1, Relaxed);
            tracing::warn!(service = %executor.service, executor = %executor.executor, %why,
                "executor rejected");
            Status::resource_exhausted(why.to_string())
        }
    }
}

/// The outgoing messages of one stream; it ends when the session is closed.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) first: Option<v1::ToExecutor>,
    pub(super) outbound: Unsent,
    pub(super) clock: Arc<Clock>,
}

impl Stream for Outgoing {
    type Item = Result<v1::ToExecutor, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let next = std::task::ready!(Pin::new(&mut self.outbound).poll_next(cx));
        let now = Sent { uptime: self.clock.uptime(), elapsed: self.clock.elapsed() };
        Poll::Ready(next.map(|next| {
            next.map(|outbound| to_wire(outbound, now))
                .map_err(|why| Status::resource_exhausted(why.to_string()))
        }))
    }
}
