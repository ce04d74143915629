//! One connection: TLS if configured, then HTTP/1.1 or HTTP/2, until either side closes it.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::ConnectInfo};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpConnectInfo;
use tower::Service;

use super::{Limits, Tls, admission::Place};
use crate::api::Stopping;

/// Maximum size of a request's head in bytes.
const HEAD_MAX: u32 = 64 * 1024;
/// Maximum number of concurrent calls on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// How many unread bytes a peer may send on a stream, and on a connection.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Interval and timeout of HTTP/2 keep-alive pings.
const PING: Duration = Duration::from_secs(20);
/// How long the last responses of a connection that did not authenticate in time may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all connections of a port share.
pub(super) struct Connections {
    app: Router,
    tls: Option<Tls>,
    http: auto::Builder<TokioExecutor>,
    stop: CancellationToken,
    local: SocketAddr,
}

impl Connections {
    pub(super) fn new(
        app: Router,
        tls: Option<Tls>,
        limits: &Limits,
        stop: CancellationToken,
        local: SocketAddr,
    ) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.patience)
            // Vectored writes avoid copies, so that response bytes stay counted until they are
            // written.
            .writev(true)
            .max_buf_size(HEAD_MAX as usize);
        http.http2()
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_MAX)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        Self { app, tls, http, stop, local }
    }

    /// Serves one connection to its end.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        if let Err(err) = stream.set_nodelay(true) {
            tracing::debug!(%peer, error = %err, "connection closed before it was served");
            return;
        }
        let Some(tls) = &self.tls else { return self.speak(stream, peer, &place).await };
        let acceptor = tls.acceptor();
        let shaken = tokio::select! {
            () = self.stop.cancelled() => return,
            () = place.hangup().0.cancelled() => return,
            () = place.overdue() => {
                tracing::debug!(%peer, "TLS handshake timed out");
                return;
            }
            shaken = acceptor.accept(stream) => shaken,
        };
        match shaken {
            Ok(stream) => self.speak(stream, peer, &place).await,
            Err(err) => tracing::debug!(%peer, error = %err, "TLS handshake failed"),
        }
    }

    /// Resolves when the connection should accept no more requests.
    async fn is_to_end(&self, place: &Place, peer: SocketAddr) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = place.overdue() => {
                tracing::debug!(%peer, "closing a connection that did not authenticate in time");
            }
        }
    }

    async fn speak<S>(&self, stream: S, peer: SocketAddr, place: &Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(Stopping(self.stop.clone()));
            extensions.insert(place.hangup().clone());
            extensions.insert(place.pass().clone());
            let (local_addr, remote_addr) = (Some(self.local), Some(peer));
            extensions.insert(TcpConnectInfo { local_addr, remote_addr });
            self.app.clone().call(request)
        });
        let mut connection =
            std::pin::pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            // Another connection replaced it, or the peer does not read; the cause has already been
            // logged.
            () = place.hangup().0.cancelled() => return,
            () = self.is_to_end(place, peer) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = place.hangup().0.cancelled() => return,
                    () = stranger_has_parted(place) => return,
                }
            }
        };
        if let Err(err) = ended {
            tracing::debug!(%peer, error = err, "connection failed");
        }
    }
}

/// Resolves when an unauthenticated connection has had the time to finish; otherwise never. Its
/// last request may still authenticate it.
async fn stranger_has_parted(place: &Place) {
    tokio::time::sleep(FAREWELL).await;
    if place.is_authenticated() {
        std::future::pending().await
    }
}
