//! The one port: gRPC and REST over HTTP/1.1 and HTTP/2, plain or TLS.
//!
//! A connection that cannot be had costs nobody else anything: failures to accept are waited out,
//! a slow or silent peer is given up, and one too many is closed at once. Stopping takes no new
//! connections, lets running requests end, and cuts off what is left at the deadline.

mod connection;
mod grpc;
mod guard;
mod nodes;
mod responses;
mod security;
mod shield;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::connection::Connections;
pub(crate) use self::{
    guard::Guard,
    security::{Plaintext, TlsMode, Token, check_exposure},
    shield::app,
    tls::{Tls, TlsFiles},
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How long to wait after a connection could not be accepted, for files to be closed elsewhere.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// Between two log lines about connections that are refused.
const REFUSED_LOG: Duration = Duration::from_secs(10);

/// Bounds of what peers can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most connections at the same time. Default: 10,000.
    pub(crate) connections: usize,
    /// Longest time for a TLS handshake, for the first bytes after it, and for the head of an
    /// HTTP/1.1 request, waiting for its first byte included. Default: 30 s.
    pub(crate) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, patience: Duration::from_secs(30) }
    }
}

/// Why the port cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(
        "{0} is in use by another program, maybe another coordinator: stop it, or choose another \
         address with `listen` in fastjob.toml, FASTJOB_LISTEN or --listen"
    )]
    InUse(SocketAddr),
    #[error(
        "this user may not listen on {0}: choose a port above 1023 with `listen` in fastjob.toml, \
         FASTJOB_LISTEN or --listen"
    )]
    NotAllowed(SocketAddr),
    #[error(
        "{0} is no address of this machine: choose one that is with `listen` in fastjob.toml, \
         FASTJOB_LISTEN or --listen"
    )]
    NotHere(SocketAddr),
    #[error("could not listen on {addr}")]
    Listen {
        addr: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// The port of a coordinator.
pub(crate) struct Server;

/// A port that is held but not served yet: connections wait.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Server {
    /// Takes `addr`. Call it within a runtime.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be had; the error tells what to do.
    pub(crate) fn bind(addr: SocketAddr) -> Result<Bound, ServeError> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a long list that grows, and one answer"
        )]
        listen(addr).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse(addr),
            io::ErrorKind::PermissionDenied => ServeError::NotAllowed(addr),
            io::ErrorKind::AddrNotAvailable => ServeError::NotHere(addr),
            _ => ServeError::Listen { addr, source },
        })
    }
}

fn listen(addr: SocketAddr) -> io::Result<Bound> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a restart need not wait for the connections of its last life; on Windows the same
    // option would let two programs have one port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let addr = listener.local_addr()?;
    Ok(Bound { listener, addr })
}

impl Bound {
    /// The address, with the port that was found where 0 was asked for.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves `app` until `stop`, and then for at most `drain` what is still running.
    pub(crate) async fn serve(
        self,
        app: Router,
        tls: Option<Tls>,
        limits: Limits,
        stop: CancellationToken,
        drain: Duration,
    ) {
        let most = limits.connections;
        let connections = Arc::new(Connections::new(app, tls, &limits, stop.clone(), self.addr));
        let mut open = JoinSet::new();
        let mut refused = Refused::default();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = open.join_next() => {
                    log_bug(ended);
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) if open.len() < most => {
                    let connections = connections.clone();
                    open.spawn(async move { connections.serve(stream, peer).await });
                }
                Ok((stream, peer)) => refused.one_too_many(stream, peer, most),
                Err(err) if is_of_one_connection(&err) => {}
                Err(err) => {
                    refused.not_accepted(&err);
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(ACCEPT_AGAIN) => {}
                    }
                }
            }
        }
        drop(self.listener);
        let rest = async {
            while let Some(ended) = open.join_next().await {
                log_bug(ended);
            }
        };
        if tokio::time::timeout(drain, rest).await.is_err() {
            let drain_ms = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(connections = open.len(), drain_ms, "cut off what did not end in time");
            open.shutdown().await;
        }
    }
}

/// The peer went away before it was accepted; the next one has nothing to do with it.
fn is_of_one_connection(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn log_bug(ended: Result<(), JoinError>) {
    if let Err(err) = ended
        && err.is_panic()
    {
        tracing::error!(error = %err, "a connection met a mistake in the coordinator");
    }
}

/// Connections that were not taken; logged now and then.
#[derive(Default)]
struct Refused {
    logged: Option<Instant>,
    since: u64,
}

impl Refused {
    fn one_too_many(&mut self, stream: TcpStream, peer: SocketAddr, most: usize) {
        drop(stream);
        if let Some(refused) = self.next_line() {
            tracing::warn!(most, refused, %peer, "too many connections: closed one at once");
        }
    }

    fn not_accepted(&mut self, err: &io::Error) {
        if let Some(refused) = self.next_line() {
            tracing::error!(error = %err, refused, "could not accept a connection");
        }
    }

    /// How many there were since the last log line, if it is time for one.
    fn next_line(&mut self) -> Option<u64> {
        self.since += 1;
        let now = Instant::now();
        if self.logged.is_some_and(|logged| now < logged + REFUSED_LOG) {
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

#[cfg(test)]
mod tests;
