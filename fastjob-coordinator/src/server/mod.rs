//! The one port: gRPC and REST over HTTP/1.1 and HTTP/2, plain or TLS.
//!
//! A connection that cannot be had costs nobody else anything: failures to accept are waited out,
//! and connections that do not authenticate are closed in time, or earlier if there are too many.
//! Stopping takes no new connections, lets running requests end, and cuts off what is left at the
//! deadline.

mod admission;
mod connection;
mod files;
mod grpc;
mod guard;
mod nodes;
mod rarely;
mod responses;
mod security;
mod shield;
mod tls;
mod wrong_tokens;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use self::{admission::Admission, connection::Connections, rarely::Rarely};
pub(crate) use self::{
    files::FileLimit,
    guard::{Door, Guard},
    security::{Plaintext, TlsMode, Token, check_exposure},
    shield::app,
    tls::{Tls, TlsFiles},
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How long to wait after a connection could not be accepted, for files to be closed elsewhere.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// Most connections that are accepted before the first of them are served.
const IN_A_ROW: usize = 64;
/// Unauthenticated connections that are closed when no file is left for a new connection.
const ROOM: usize = 16;
/// How long to wait until they are closed.
const ROOM_AGAIN: Duration = Duration::from_millis(10);
/// Connections beyond the limits that are being closed, before no more are accepted.
const CLOSING: usize = 64;

/// Bounds of what peers can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most connections that have authenticated. Default: 10,000.
    pub(crate) connections: usize,
    /// Most connections besides that have not. Default: 4,000.
    pub(crate) unauthenticated: usize,
    /// Most of these from one address. Default: 2,000.
    pub(crate) unauthenticated_per_address: usize,
    /// How long a connection may take to authenticate. Default: 10 s.
    pub(crate) authenticate: Duration,
    /// How long an authenticated connection may take for the head of an HTTP/1.1 request, waiting
    /// for its first byte included. Default: 30 s.
    pub(crate) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            unauthenticated: 4_000,
            unauthenticated_per_address: 2_000,
            authenticate: Duration::from_secs(10),
            patience: Duration::from_secs(30),
        }
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
        // Those that are to leave still have their files until they have left.
        let most =
            limits.connections.saturating_add(limits.unauthenticated).saturating_add(CLOSING);
        let admission = Admission::new(limits.clone());
        let connections = Arc::new(Connections::new(app, tls, &limits, stop.clone(), self.addr));
        let mut open = JoinSet::new();
        let not_accepted = Rarely::default();
        // The first requests of those that were accepted have often arrived: they authenticate
        // before so many others are accepted that these could replace them.
        let in_a_row = (limits.unauthenticated_per_address / 4).clamp(1, IN_A_ROW);
        let mut accepted_in_a_row = 0;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = open.join_next() => {
                    log_bug(ended);
                    continue;
                }
                accepted = self.listener.accept(), if open.len() < most => accepted,
            };
            let pause = match accepted {
                Ok((stream, peer)) => {
                    let (connections, place) = (connections.clone(), admission.enter(peer.ip()));
                    open.spawn(async move { connections.serve(stream, peer, place).await });
                    accepted_in_a_row += 1;
                    if accepted_in_a_row >= in_a_row {
                        accepted_in_a_row = 0;
                        tokio::task::yield_now().await;
                    }
                    continue;
                }
                Err(err) if is_of_one_connection(&err) => continue,
                Err(err) => {
                    if let Some(count) = not_accepted.next() {
                        tracing::error!(error = %err, count, "could not accept connections");
                    }
                    let made_room = is_of_files(&err) && admission.make_room(ROOM);
                    if made_room { ROOM_AGAIN } else { ACCEPT_AGAIN }
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
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

/// The process, or the system, has as many files open as it may.
#[cfg(unix)]
fn is_of_files(err: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(err), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(not(unix))]
fn is_of_files(_: &io::Error) -> bool {
    false
}

fn log_bug(ended: Result<(), JoinError>) {
    if let Err(err) = ended
        && err.is_panic()
    {
        tracing::error!(error = %err, "a connection met a mistake in the coordinator");
    }
}

#[cfg(test)]
mod tests;
