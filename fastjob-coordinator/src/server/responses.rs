//! Bounds the memory of requests and responses, except for health checks, for the files of pages and
//! for gRPC calls, which have their own bounds.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    extract::{ConnectInfo, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use hyper::body::{Frame, SizeHint};

use super::{grpc, guard};
use crate::{
    api::{CALL_MAX, HEALTH, Kind, Problem, is_page, longest_body},
    bounds::{Bounds, Hangup, Reserved, Watch},
    metrics::Refused,
    ops::Question,
};

/// Memory that a request takes in addition to its body.
const REQUEST: u64 = 4 * 1024;

/// Counts the request while it is handled, and its response until the client has read it.
pub(super) async fn bound<F: Future<Output = Response>>(
    bounds: &Bounds,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    // Health checks must be answered even while other requests use all the memory. The files of the
    // console and of the page of the API are in memory once, for all responses, and strangers who read
    // them must not use up the memory of others.
    let path = request.uri().path();
    let is_file = guard::is_of_console(path) || is_page(path);
    if grpc::is_spoken(request.headers()) || HEALTH.contains(&path) || is_file {
        return next(request).await;
    }
    let client = Client::of(&request, bounds.clone());
    let handled = match bounds.requests.reserve(REQUEST + body_bytes(&request)).await {
        Ok(reserved) => reserved,
        Err(err) => {
            let mut busy = Problem::new(Kind::Unavailable, err.to_string()).into_response();
            busy.extensions_mut().insert(Refused("no_memory"));
            return busy;
        }
    };
    request.extensions_mut().insert(bounds.clone());
    let mut response = next(request).await;
    drop(handled);
    let reserved = response.extensions_mut().remove::<Arc<Reserved>>().and_then(Arc::into_inner);
    let Some(client) = client else { return response };
    response.map(|body| Body::new(Counted::new(body, client, reserved)))
}

/// Maximum number of bytes of the body that are kept in memory.
fn body_bytes(request: &Request) -> u64 {
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let most = match request.extensions().get::<Question>() {
        Some(_) => CALL_MAX,
        None => longest_body(request.method(), request.uri().path()),
    };
    match announced {
        // A body that is too long is discarded as it arrives.
        Some(length) if length > most as u64 => 0,
        Some(length) => length,
        None => request.body().size_hint().exact().unwrap_or(most as u64),
    }
}

/// The client of a response.
struct Client {
    hangup: Hangup,
    peer: Option<SocketAddr>,
    bounds: Bounds,
}

impl Client {
    /// `None` if there is no connection, as in tests of single routes.
    fn of(request: &Request, bounds: Bounds) -> Option<Self> {
        let hangup = request.extensions().get::<Hangup>()?.clone();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| *peer);
        Some(Self { hangup, peer, bounds })
    }

    fn watch(&self, bytes: u64) -> Watch {
        Watch::begin(&self.hangup, bytes, self.bounds.limit(bytes), self.peer)
    }
}

/// A body whose bytes are counted until the client has read them.
struct Counted {
    body: Body,
    client: Client,
    /// For a body of known size: the reservation for its first frame, which is the whole body.
    ready: Option<(Watch, Reserved)>,
}

impl Counted {
    fn new(body: Body, client: Client, reserved: Option<Reserved>) -> Self {
        let ready = body.size_hint().exact().filter(|bytes| *bytes > 0).map(|bytes| {
            let reserved = match reserved {
                Some(mut reserved) => {
                    client.bounds.responses.shrink(&mut reserved, bytes);
                    reserved
                }
                None => client.bounds.responses.take(bytes),
            };
            (client.watch(bytes), reserved)
        });
        Self { body, client, ready }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        Pin::new(&mut this.body).poll_frame(cx).map(|next| {
            next.map(|frame| {
                frame.map(|frame| {
                    frame.map_data(|bytes| match this.ready.take() {
                        Some((watch, reserved)) => watch.over(bytes, Some(reserved)),
                        None => {
                            let size = bytes.len() as u64;
                            let reserved = this.client.bounds.responses.take(size);
                            this.client.watch(size).over(bytes, Some(reserved))
                        }
                    })
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
