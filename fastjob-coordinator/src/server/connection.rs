//! One connection: TLS if there is any, then whichever HTTP the peer speaks, until either side
//! has had enough.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpConnectInfo;
use tower::Service;

use super::{Limits, Tls};
use crate::{api::Stopping, bounds::Hangup};

/// Bytes that tell HTTP/2 from HTTP/1.1: what an HTTP/2 client says first.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
/// Most bytes of the head of a request.
const HEAD_MAX: u32 = 64 * 1024;
/// Most calls at the same time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// What a peer may send on a stream, and on a connection, before it is read.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How often a silent HTTP/2 peer is asked whether it is there, and how long it has to answer.
const PING: Duration = Duration::from_secs(20);

/// What all connections of a port have in common.
pub(super) struct Connections {
    app: Router,
    tls: Option<Tls>,
    http: auto::Builder<TokioExecutor>,
    patience: Duration,
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
            // Bytes are kept as they are until they are written, so that they are counted.
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
        Self { app, tls, http, patience: limits.patience, stop, local }
    }

    /// Serves one connection to its end.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(err) = stream.set_nodelay(true) {
            tracing::debug!(%peer, error = %err, "a connection ended before it was served");
            return;
        }
        let Some(Tls(acceptor)) = &self.tls else { return self.speak(stream, peer).await };
        let shaken = tokio::select! {
            () = self.stop.cancelled() => return,
            shaken = tokio::time::timeout(self.patience, acceptor.accept(stream)) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.speak(stream, peer).await,
            Ok(Err(err)) => tracing::debug!(%peer, error = %err, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn speak<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hangup = Hangup::default();
        let service = service_fn(|mut request: Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(peer));
            extensions.insert(Stopping(self.stop.clone()));
            extensions.insert(hangup.clone());
            let (local_addr, remote_addr) = (Some(self.local), Some(peer));
            extensions.insert(TcpConnectInfo { local_addr, remote_addr });
            self.app.clone().call(request)
        });
        let io = TokioIo::new(Prompt::new(stream, self.patience));
        let mut connection = std::pin::pin!(self.http.serve_connection(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            // The peer does not read: whoever found out has logged it.
            () = hangup.0.cancelled() => return,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(err) = ended {
            tracing::debug!(%peer, error = err, "a connection broke");
        }
    }
}

/// A stream whose peer has to say its first bytes in time. Until then nobody knows which HTTP it
/// will be, so no timeout of either runs.
struct Prompt<S> {
    stream: S,
    /// The deadline and the bytes that are still to come; none once they came.
    wait: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Prompt<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self { stream, wait: Some((Box::pin(tokio::time::sleep(patience)), PREFACE)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some((deadline, missing)) = &mut this.wait else {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        };
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                match missing.checked_sub(buf.filled().len() - before) {
                    None | Some(0) => this.wait = None,
                    Some(less) => *missing = less,
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
