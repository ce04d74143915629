//! The one port: gRPC and REST over HTTP/1.1 and HTTP/2, plain or TLS.
//!
//! A failed or idle connection does not affect others: failures to accept are waited out, and
//! connections that do not authenticate are closed in time, or earlier if there are too many. On
//! shutdown, the port accepts no new connections, lets running requests finish, and closes the
//! remaining connections at the deadline.

mod admission;
mod connection;
mod cookies;
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

#[cfg(feature = "console")]
pub(crate) use self::guard::{WrongToken, is_for_foreign_page};
#[cfg(all(test, feature = "console"))]
pub(crate) use self::shield::behind;
use self::{admission::Admission, connection::Connections, rarely::Rarely};
pub(crate) use self::{
    cookies::{Cookies, Secure},
    files::FileLimit,
    guard::{Door, Guard},
    security::{Plaintext, TlsMode, Token, check_exposure},
    shield::app,
    tls::{Tls, TlsFiles},
};

/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// Pause after a failed accept, so that files can be closed elsewhere.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// Maximum number of connections that are accepted before the first of them are served.
const IN_A_ROW: usize = 64;
/// Number of unauthenticated connections to close when the process runs out of file descriptors.
const ROOM: usize = 16;
/// Pause until they are closed.
const ROOM_AGAIN: Duration = Duration::from_millis(10);
/// How often the files of the certificate are compared with what is in use.
const RENEWAL: Duration = Duration::from_secs(30);
/// How many connections beyond the limits may be closing before accepting pauses.
const CLOSING: usize = 64;

/// Limits of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Maximum number of authenticated connections. Default: 10,000.
    pub(crate) connections: usize,
    /// Maximum number of unauthenticated connections, in addition. Default: 4,000.
    pub(crate) unauthenticated: usize,
    /// Maximum number of unauthenticated connections of one address. Default: 2,000.
    pub(crate) unauthenticated_per_address: usize,
    /// How long a connection may take to authenticate. Default: 10 s.
    pub(crate) authenticate: Duration,
    /// How long an authenticated connection may take for the head of an HTTP/1.1 request, including
    /// the wait for its first byte. Default: 30 s.
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

/// Why the port cannot be bound.
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
        "{0} is not an address of this machine: choose one of its addresses with `listen` in \
         fastjob.toml, FASTJOB_LISTEN or --listen"
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

/// A port that is bound but not served yet: connections wait.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Server {
    /// Binds `addr`. Must be called within a runtime.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be bound; the error says what to do.
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
    // Lets a restart rebind the port while connections of the previous run are in TIME_WAIT. On
    // Windows the same option would let two programs share a port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let addr = listener.local_addr()?;
    Ok(Bound { listener, addr })
}

impl Bound {
    /// The bound address, with the selected port if 0 was requested.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves `app` until `stop`, then lets running requests finish for at most `drain`.
    pub(crate) async fn serve(
        self,
        app: Router,
        tls: Option<Tls>,
        limits: Limits,
        stop: CancellationToken,
        drain: Duration,
    ) {
        // Connections that are being closed still use a file.
        let most =
            limits.connections.saturating_add(limits.unauthenticated).saturating_add(CLOSING);
        let admission = Admission::new(limits.clone());
        // Aborted when this future ends or is dropped.
        let mut renewal = JoinSet::new();
        if let Some(tls) = tls.clone().filter(Tls::is_of_files) {
            renewal.spawn(tls.renew(RENEWAL));
        }
        let connections = Arc::new(Connections::new(app, tls, &limits, stop.clone(), self.addr));
        let mut open = JoinSet::new();
        let not_accepted = Rarely::default();
        // The first requests of accepted connections have often arrived already. Pausing lets them
        // authenticate before so many others are accepted that these could replace them.
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
            tracing::warn!(
                connections = open.len(),
                drain_ms,
                "drain timeout, closed the remaining connections"
            );
            open.shutdown().await;
        }
    }
}

/// The peer disconnected before it was accepted, which does not affect the next connection.
fn is_of_one_connection(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// The process or the system has reached its limit of open files.
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
        tracing::error!(error = %err, "connection task panicked");
    }
}

#[cfg(test)]
mod tests;
