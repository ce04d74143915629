//! The outgoing queue of one stream.
//!
//! The engine never waits for an executor, so messages that an executor does not read accumulate
//! here, bounded in number and bytes. If a queue is full, or not read for too long, it ends with a
//! reason, and its session ends as well. Only the latest ping matters, so at most one is queued.

use std::{
    collections::VecDeque,
    mem::size_of,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use fastjob_core::wire::v1;
use fastjob_engine::{Held, Message, StartAttempt};
use tokio::time::Instant;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use super::Outbound;

/// Maximum number of queued messages.
const MESSAGES: usize = 100_000;
/// Maximum number of queued bytes. Params and definitions are shared with the engine and not
/// counted.
const BYTES: usize = 32 * 1024 * 1024;

/// Why a stream was ended from this side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    /// Another session replaced it, or the engine closed it.
    #[error("the coordinator closed the session")]
    Closed,
    /// The queue is full.
    #[error(
        "the executor does not read: {messages} messages of {bytes} bytes are queued for it, at \
         most {MESSAGES} messages and {BYTES} bytes are allowed"
    )]
    Full { messages: usize, bytes: usize },
    /// The executor read nothing for too long.
    #[error("the executor has not read anything for {0:?}")]
    Unread(Duration),
}

/// The sending end. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(Arc<Inner>);

/// The receiving end, read by the stream.
#[derive(Debug)]
pub(crate) struct Unsent(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    ended: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Outbound, usize)>,
    bytes: usize,
    ping: Option<v1::Ping>,
    /// Since when the queue has been waiting for the next read; `None` if it is empty.
    since: Option<Instant>,
    /// Accepts no more messages, and ends once those that are queued have been read.
    finishes: bool,
    ended: Option<Ended>,
    reader: Option<Waker>,
}

impl State {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ping.is_none()
    }

    fn next(&mut self) -> Option<Outbound> {
        let next = match self.ping.take() {
            Some(ping) => Some(Outbound::Ping(ping)),
            None => self.waiting.pop_front().map(|(outbound, bytes)| {
                self.bytes -= bytes;
                outbound
            }),
        };
        self.since = (!self.is_empty()).then(Instant::now);
        next
    }
}

impl Queue {
    /// An empty queue and its receiving end.
    pub(super) fn new() -> (Self, Unsent) {
        let queue = Self::default();
        let unsent = Unsent(Arc::clone(&queue.0));
        (queue, unsent)
    }

    /// Adds a message. If the queue is full, it ends. A queue that has ended drops messages; the
    /// engine is notified of the end.
    pub(super) fn push(&self, outbound: Outbound) {
        let mut state = self.0.lock();
        if state.ended.is_some() || state.finishes {
            return;
        }
        if let Outbound::Ping(ping) = outbound {
            state.ping = Some(ping);
        } else {
            let bytes = bytes(&outbound);
            let (messages, all) = (state.waiting.len() + 1, state.bytes + bytes);
            if messages > MESSAGES || all > BYTES {
                drop(state);
                return self.end(Ended::Full { messages, bytes: all });
            }
            state.bytes = all;
            state.waiting.push_back((outbound, bytes));
        }
        state.since.get_or_insert_with(Instant::now);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// Waits until the queue has ended and, if it is finishing, queued messages have been read.
    pub(crate) async fn closed(&self) {
        self.0.ended.cancelled().await;
    }

    /// Ends the queue once the queued messages have been read.
    pub(super) fn finish(&self) {
        let mut state = self.0.lock();
        state.finishes = true;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// Ends the queue at once; queued messages are dropped.
    pub(super) fn end(&self, why: Ended) {
        let mut state = self.0.lock();
        if state.ended.is_some() {
            return;
        }
        let reader = state.reader.take();
        *state = State { ended: Some(why), ..State::default() };
        drop(state);
        self.0.ended.cancel();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Waits until the queue has ended. Ends it if the executor does not read for `limit` while
    /// messages are queued.
    pub(crate) async fn ended(&self, limit: Duration) -> Ended {
        loop {
            let since = self.0.lock().since;
            let deadline = since.unwrap_or_else(Instant::now) + limit;
            tokio::select! {
                () = self.0.ended.cancelled() => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
            let state = self.0.lock();
            if let Some(why) = &state.ended {
                return why.clone();
            }
            if state.since.is_some_and(|since| since.elapsed() >= limit) {
                drop(state);
                self.end(Ended::Unread(limit));
            }
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Unsent {
    type Item = Result<Outbound, Ended>;

    /// Yields the messages in order. Once the queue has ended, yields only the reason, unless the
    /// session was simply closed.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        match &state.ended {
            None => {}
            Some(Ended::Closed) => return Poll::Ready(None),
            Some(why) => {
                let why = why.clone();
                state.ended = Some(Ended::Closed);
                return Poll::Ready(Some(Err(why)));
            }
        }
        match state.next() {
            Some(next) => Poll::Ready(Some(Ok(next))),
            None if state.finishes => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        // The connection has ended: drop what is queued.
        Queue(Arc::clone(&self.0)).end(Ended::Closed);
    }
}

/// Approximate memory that a queued message takes.
fn bytes(outbound: &Outbound) -> usize {
    let own = match outbound {
        Outbound::Message(_, Message::Start(attempts)) => {
            attempts.len() * size_of::<StartAttempt>()
        }
        Outbound::Message(_, Message::Stop(attempts) | Message::Recorded(attempts)) => {
            attempts.len() * size_of::<Held>()
        }
        Outbound::Leases(leases) => leases.len() * 16,
        Outbound::Nodes(nodes) => {
            let text = |row: &crate::store::NodeRow| row.id.0.len() + row.address.len() + 96;
            nodes.iter().map(text).sum()
        }
        Outbound::Message(_, Message::Close)
        | Outbound::Stat(_)
        | Outbound::Ping(_)
        | Outbound::Farewell => 0,
    };
    own + size_of::<Outbound>() + 32
}

#[cfg(test)]
mod tests {
    use fastjob_core::AttemptId;
    use jiff::Timestamp;
    use tokio_stream::StreamExt;

    use super::*;
    use crate::store::Lease;

    const SILENCE: Duration = Duration::from_secs(9);

    fn recorded(many: usize) -> Outbound {
        let held = Held { attempt: AttemptId(1), created_at: Timestamp::UNIX_EPOCH };
        Outbound::Message(Lease::default(), Message::Recorded(vec![held; many]))
    }

    fn ping(id: u64) -> Outbound {
        Outbound::Ping(v1::Ping { id, ..v1::Ping::default() })
    }

    /// The number of queued messages and bytes.
    fn waits(queue: &Queue) -> (usize, usize) {
        let state = queue.0.lock();
        (state.waiting.len() + usize::from(state.ping.is_some()), state.bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_latest_of_a_million_unread_pings_is_queued() {
        let (queue, mut unsent) = Queue::new();
        for id in 0..1_000_000 {
            queue.push(ping(id));
        }
        assert_eq!(waits(&queue), (1, 0));
        let Some(Ok(Outbound::Ping(latest))) = unsent.next().await else { panic!("no ping") };
        assert_eq!(latest.id, 999_999);
    }

    #[tokio::test]
    async fn a_finishing_queue_yields_its_messages_and_accepts_no_more() {
        let (queue, mut unsent) = Queue::new();
        queue.push(recorded(1));
        queue.push(ping(1));
        queue.finish();
        queue.push(recorded(2));
        assert!(matches!(unsent.next().await, Some(Ok(Outbound::Ping(_)))));
        assert!(matches!(unsent.next().await, Some(Ok(Outbound::Message(..)))));
        assert!(unsent.next().await.is_none());
        let (queue, mut unsent) = Queue::new();
        let waits = tokio::spawn(async move { unsent.next().await.is_none() });
        tokio::task::yield_now().await;
        queue.finish();
        assert!(waits.await.unwrap(), "the reader is woken");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_ends_with_the_reason_and_drops_its_messages() {
        for many in [0, 4_096] {
            let (queue, mut unsent) = Queue::new();
            let mut pushed = 0;
            while waits(&queue).0 == pushed {
                pushed += 1;
                assert!(pushed < 1_000_000, "it grows without bound");
                queue.push(recorded(many));
            }
            assert_eq!(waits(&queue), (0, 0));
            let why = queue.ended(SILENCE).await;
            let Ended::Full { messages, bytes } = why else { panic!("{why:?}") };
            assert!(messages > MESSAGES || bytes > BYTES, "{messages} of {bytes} bytes");
            assert!(unsent.next().await.unwrap().is_err(), "the executor receives the reason");
            assert!(unsent.next().await.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_not_read_for_the_silence_timeout_ends() {
        let (queue, _unsent) = Queue::new();
        let quiet = tokio::time::timeout(SILENCE * 100, queue.ended(SILENCE)).await;
        assert!(quiet.is_err(), "nothing is queued");
        queue.push(ping(1));
        let began = Instant::now();
        assert_eq!(queue.ended(SILENCE).await, Ended::Unread(SILENCE));
        assert!(began.elapsed() <= SILENCE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_read_slowly_stays_open() {
        let (queue, mut unsent) = Queue::new();
        for _ in 0..100 {
            queue.push(recorded(1));
        }
        let reads = async {
            for _ in 0..100 {
                tokio::time::sleep(SILENCE / 2).await;
                assert!(unsent.next().await.is_some_and(|next| next.is_ok()));
            }
        };
        tokio::select! {
            why = queue.ended(SILENCE) => panic!("{why}"),
            () = reads => {}
        }
        assert_eq!(waits(&queue), (0, 0));
    }

    #[tokio::test]
    async fn a_queue_whose_stream_has_ended_drops_messages() {
        let (queue, unsent) = Queue::new();
        queue.push(recorded(1));
        drop(unsent);
        queue.push(recorded(1));
        assert_eq!(waits(&queue), (0, 0));
        assert_eq!(queue.ended(SILENCE).await, Ended::Closed);
    }
}
