//! Bounds the memory of incoming gRPC messages.
//!
//! A message is buffered completely before it is decoded. A client could announce large messages on
//! many streams and make the node buffer them all. So large messages take turns: together they take
//! at most [`GATHERED`] bytes. The first message of a stream, the hello, has its own limit.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::Request,
    middleware::{self, Next},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// Maximum bytes of large messages of sessions that are buffered at the same time.
const GATHERED: usize = 128 << 20;
/// The same for pieces of logs, which do not use the room of sessions.
const GATHERED_LOGS: usize = 32 << 20;
/// Maximum number of pieces of logs that are read or handled at the same time.
const LOGS: usize = 64;
/// The unit in which these bytes are counted.
const UNIT: u32 = 1024;
/// A message up to this size is not large: a stream's window has as many bytes in flight anyway.
const SMALL: u32 = 64 * 1024;
/// Length of the gRPC prefix: one byte of flags and four bytes of length.
const PREFIX: usize = 5;

/// Bounds incoming messages for the services of `routes`.
pub(super) fn bound(routes: Router, max_hello: u64) -> Router {
    within(routes, max_hello, GATHERED)
}

/// Bounds the pieces of logs. The service has a limit for each.
pub(super) fn bound_logs(routes: Router) -> Router {
    let places = Arc::new(Semaphore::new(LOGS));
    let routes = within(routes, u64::MAX, GATHERED_LOGS);
    routes.layer(middleware::from_fn(move |request: Request, next: Next| {
        let place = Arc::clone(&places).try_acquire_owned();
        async move {
            // A call that waits would keep its bytes, and there may be thousands of executors.
            let Ok(_place) = place else {
                let busy = "the coordinator is busy with logs of other executors";
                return Status::resource_exhausted(busy).into_http();
            };
            next.run(request).await
        }
    }))
}

fn within(routes: Router, max_hello: u64, gathered: usize) -> Router {
    let room = Arc::new(Semaphore::new(gathered / UNIT as usize));
    let most = u32::try_from(gathered).unwrap_or(u32::MAX) / UNIT;
    routes.layer(middleware::from_fn(move |request: Request, next: Next| {
        let room = Arc::clone(&room);
        async move { next.run(request.map(|body| bounded(body, max_hello, (room, most)))).await }
    }))
}

/// `room` has this many units in total.
fn bounded(body: Body, max_hello: u64, (room, most): (Arc<Semaphore>, u32)) -> Body {
    Body::new(Bounded {
        body,
        prefix: Vec::new(),
        left: 0,
        max_hello: Some(max_hello),
        room,
        most,
        turn: Turn::None,
    })
}

struct Bounded {
    body: Body,
    /// The bytes of the next message's prefix that have arrived.
    prefix: Vec<u8>,
    /// Bytes of the current message that have not arrived yet.
    left: u32,
    /// The limit of the hello; `None` after the first message.
    max_hello: Option<u64>,
    room: Arc<Semaphore>,
    /// The units of the whole room.
    most: u32,
    turn: Turn,
}

/// Whether memory is reserved for the message that is being buffered.
enum Turn {
    None,
    /// These bytes wait until memory for the rest of their message is free.
    Waits(BoxFuture<'static, Option<OwnedSemaphorePermit>>, Bytes),
    Has(#[expect(dead_code, reason = "it is released when it is dropped")] OwnedSemaphorePermit),
}

impl Bounded {
    /// Tracks the message boundaries in these bytes. Returns the length of the last message if it
    /// is incomplete.
    fn follow(&mut self, bytes: &[u8]) -> Result<Option<u32>, Status> {
        let (mut at, mut open) = (0, None);
        while at < bytes.len() {
            if self.left > 0 {
                let step = (self.left as usize).min(bytes.len() - at);
                at += step;
                self.left -= u32::try_from(step).unwrap_or(self.left);
                continue;
            }
            self.prefix.push(bytes[at]);
            at += 1;
            if let [_, length @ ..] = self.prefix.as_slice()
                && let Ok(length) = <[u8; PREFIX - 1]>::try_from(length)
            {
                self.left = u32::from_be_bytes(length);
                self.prefix.clear();
                open = Some(self.left);
                self.check_hello()?;
            }
        }
        Ok(open.filter(|_| self.left > 0))
    }

    fn check_hello(&mut self) -> Result<(), Status> {
        let bytes = u64::from(self.left);
        match self.max_hello.take() {
            Some(most) if bytes > most => Err(Status::resource_exhausted(format!(
                "the first message has {bytes} bytes, at most {most} are allowed: shorten the \
                 descriptions of handlers and jobs, or raise coordinator.limits.max_hello on the \
                 coordinator"
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Turn::Waits(room, bytes) = &mut this.turn {
            let room = ready!(room.as_mut().poll(cx));
            let bytes = std::mem::take(bytes);
            this.turn = room.map_or(Turn::None, Turn::Has);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if this.left == 0 {
            // The last message has been decoded, because more data is requested.
            this.turn = Turn::None;
        }
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(err)) => {
                let status = Status::from_error(err.into());
                return Poll::Ready(Some(Err(status)));
            }
            None => return Poll::Ready(None),
        };
        let Some(bytes) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
        let length = match this.follow(bytes) {
            Ok(Some(length)) if length > SMALL => length,
            Ok(_) => return Poll::Ready(Some(Ok(frame))),
            Err(status) => return Poll::Ready(Some(Err(status))),
        };
        let Ok(bytes) = frame.into_data() else { return Poll::Ready(None) };
        let units = length.div_ceil(UNIT).min(this.most);
        let room = Arc::clone(&this.room);
        let room = Box::pin(async move { room.acquire_many_owned(units).await.ok() });
        this.turn = Turn::Waits(room, bytes);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.turn, Turn::None | Turn::Has(_)) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;
    use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};

    use super::*;

    /// A message of `length` bytes, with its prefix.
    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX + length as usize, 7);
        bytes
    }

    fn body(room: &Arc<Semaphore>, max_hello: u64) -> (mpsc::UnboundedSender<Vec<u8>>, Body) {
        let (sender, pieces) = mpsc::unbounded_channel::<Vec<u8>>();
        let frames = UnboundedReceiverStream::new(pieces)
            .map(|piece| Ok::<_, axum::Error>(Frame::data(Bytes::from(piece))));
        (sender, {
            let room = (Arc::clone(room), 100);
            bounded(Body::new(StreamBody::new(frames)), max_hello, room)
        })
    }

    #[tokio::test]
    async fn messages_pass_unchanged_however_they_are_split() {
        let whole: Vec<u8> = [1, 0, 70_000, 3].into_iter().flat_map(message).collect();
        for cut in [1, 4, 5, 7, 1_000, 100_000] {
            let room = Arc::new(Semaphore::new(100));
            let (sender, body) = body(&room, 10);
            for piece in whole.chunks(cut) {
                sender.send(piece.to_vec()).unwrap();
            }
            drop(sender);
            assert_eq!(body.collect().await.unwrap().to_bytes(), whole, "cut {cut}");
            assert_eq!(room.available_permits(), 100);
        }
    }

    #[tokio::test]
    async fn a_hello_whose_announced_length_is_too_large_is_rejected() {
        let (sender, mut body) = body(&Arc::new(Semaphore::new(1)), 10);
        sender.send(message(11)[..PREFIX].to_vec()).unwrap();
        let refused = body.frame().await.unwrap().unwrap_err().to_string();
        assert!(
            refused.contains("11 bytes, at most 10") && refused.contains("max_hello"),
            "{refused}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_take_turns() {
        let room = Arc::new(Semaphore::new(100));
        let (first, mut one) = body(&room, u64::MAX);
        let (second, mut other) = body(&room, u64::MAX);
        let large = message(90 * 1024);
        first.send(large[..PREFIX].to_vec()).unwrap();
        second.send(large[..PREFIX].to_vec()).unwrap();
        assert!(one.frame().await.unwrap().is_ok());
        let waits = tokio::time::timeout(Duration::from_secs(60), other.frame()).await;
        assert!(waits.is_err(), "the first one is not complete");
        first.send(large[PREFIX..].to_vec()).unwrap();
        assert!(one.frame().await.unwrap().is_ok());
        let more = tokio::time::timeout(Duration::from_secs(1), one.frame()).await;
        assert!(more.is_err(), "it was decoded, and more data is requested");
        assert!(other.frame().await.unwrap().is_ok());
        drop((other, one));
        assert_eq!(room.available_permits(), 100);
    }
}
