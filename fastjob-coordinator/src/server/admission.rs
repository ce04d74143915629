//! Connection limits: which connections are kept, and which are closed for new ones.
//!
//! A connection is unauthenticated until a request on it has passed the guard: with a token, a
//! request with that token; without one, a request that a program on this machine may make. Until
//! then it has a deadline that nothing extends, neither bytes nor answers to pings. The TLS
//! handshake counts against it.
//!
//! Authenticated connections have a separate limit, so unauthenticated ones never displace them.
//! Callers may use at most half of it, and part of it is reserved for nodes. So a client that holds
//! connections with the token can keep out other callers, but not connected executors or nodes. A
//! new unauthenticated connection is never rejected. Instead it replaces another one:
//!
//! 1. If its address holds the maximum per address, the oldest of that address. An address that
//!    floods the port only affects itself.
//! 2. If all addresses together hold the maximum, the oldest of the address that holds the most. A
//!    client that is alone at its address is replaced last.
//!
//! The oldest is replaced because an honest client authenticates at once: after a round trip, or a
//! few with TLS, it can no longer be replaced. So the newest unauthenticated connection is the most
//! likely to be honest. Suppose that 10,000 attackers at the address of an honest client connect
//! within 3 s. With a limit of 2,000, the honest client is replaced when 2,000 of them have
//! connected after it, which takes 600 ms. If new connections were rejected instead, it could not
//! connect for as long as the attackers hold theirs. If a random one were replaced, it would often
//! be the honest one.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use tokio::{sync::Notify, time::Instant};

use super::{Limits, rarely::Rarely};
use crate::bounds::Hangup;

/// Bits of an IPv6 address that a client can choose freely.
const IPV6_HOST_BITS: u32 = 64;

/// The connections of a port. Cheap to clone.
#[derive(Clone)]
pub(super) struct Admission(Arc<Shared>);

struct Shared {
    limits: Limits,
    open: Mutex<Open>,
    replaced: Rarely,
}

/// The kind of client that has authenticated a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// A caller of the API.
    Caller,
    /// An executor.
    Executor,
    /// A node of the cluster.
    Node,
}

/// Maximum number of connections that are reserved for nodes.
const FOR_NODES: usize = 64;

#[derive(Default)]
struct Open {
    authenticated: usize,
    /// Authenticated connections of callers.
    callers: usize,
    unauthenticated: usize,
    last_id: u64,
    /// The unauthenticated connections of each address, the oldest first.
    by_address: HashMap<IpAddr, BTreeMap<u64, Hangup>>,
    /// The addresses by number of connections, then by the age of the oldest: the last one loses a
    /// connection first.
    ranks: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

/// The registration of a connection; it is removed when this is dropped.
pub(super) struct Place {
    pass: Pass,
    deadline: Instant,
}

/// The handle with which a request authenticates its connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pass(Arc<Connection>);

struct Connection {
    shared: Arc<Shared>,
    id: u64,
    address: IpAddr,
    hangup: Hangup,
    /// The rank of its peer, once it has authenticated. Changed under the lock of `open`.
    peer: AtomicU8,
    /// Whether a handshake call is in progress.
    shakes: AtomicBool,
    became_authenticated: Notify,
}

/// Why a connection is rejected although its request was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoom {
    #[error(
        "this node has reached its limit of {0} authenticated connections: use another node, try \
         again later, or raise coordinator.max_connections"
    )]
    Full(usize),
    #[error(
        "this node has reached its limit of {0} authenticated connections of callers: use another \
         node, try again later, close some, or raise coordinator.max_connections (callers may use \
         half of it)"
    )]
    FullOfCallers(usize),
    #[error("the connection did not authenticate in time and is being closed: reconnect")]
    Closing,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        let (open, replaced) = (Mutex::default(), Rarely::default());
        Self(Arc::new(Shared { limits, open, replaced }))
    }

    /// Registers a newly accepted connection; another one may be closed for it.
    pub(super) fn enter(&self, peer: IpAddr) -> Place {
        let shared = Arc::clone(&self.0);
        let (address, hangup) = (group(peer), Hangup::default());
        let limits = &shared.limits;
        let (id, replaced) = {
            let mut open = shared.lock();
            open.last_id += 1;
            let id = open.last_id;
            open.insert(address, id, hangup.clone());
            let of_address = open.by_address.get(&address).map_or(0, BTreeMap::len);
            let replaced = if of_address > limits.unauthenticated_per_address {
                open.hang_up_oldest(address).then_some("max_unauthenticated_per_address")
            } else if open.unauthenticated > limits.unauthenticated {
                open.hang_up_any().then_some("max_unauthenticated")
            } else {
                None
            };
            (id, replaced)
        };
        if let Some(limit) = replaced
            && let Some(count) = shared.replaced.next()
        {
            tracing::warn!(
                count, limit, %peer,
                "too many unauthenticated connections, the oldest were closed"
            );
        }
        let deadline = Instant::now() + limits.authenticate;
        let (peer, became_authenticated) = (AtomicU8::new(STRANGER), Notify::new());
        let shakes = AtomicBool::new(false);
        let connection =
            Connection { shared, id, address, hangup, peer, shakes, became_authenticated };
        Place { pass: Pass(Arc::new(connection)), deadline }
    }

    /// Closes some unauthenticated connections, because the process has no file descriptor left for
    /// a new one. Returns whether any were closed.
    pub(super) fn make_room(&self, most: usize) -> bool {
        let mut open = self.0.lock();
        (0..most).take_while(|_| open.hang_up_any()).count() > 0
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while the lock is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn insert(&mut self, address: IpAddr, id: u64, hangup: Hangup) {
        self.change(address, |connections| connections.insert(id, hangup));
        self.unauthenticated += 1;
    }

    /// Returns whether it existed.
    fn remove(&mut self, address: IpAddr, id: u64) -> bool {
        let was_there = self.change(address, |connections| connections.remove(&id)).is_some();
        self.unauthenticated -= usize::from(was_there);
        was_there
    }

    /// Returns whether there was one.
    fn hang_up_oldest(&mut self, address: IpAddr) -> bool {
        let Some((_, hangup)) = self.change(address, BTreeMap::pop_first) else {
            return false;
        };
        self.unauthenticated -= 1;
        hangup.0.cancel();
        true
    }

    /// Closes the oldest connection of the address that holds the most; returns whether there was
    /// one.
    fn hang_up_any(&mut self) -> bool {
        let Some((_, _, address)) = self.ranks.last().copied() else { return false };
        self.hang_up_oldest(address)
    }

    fn change<T>(
        &mut self,
        address: IpAddr,
        change: impl FnOnce(&mut BTreeMap<u64, Hangup>) -> T,
    ) -> T {
        let connections = self.by_address.entry(address).or_default();
        let rank = |connections: &BTreeMap<u64, Hangup>| {
            let oldest = connections.first_key_value().map(|(oldest, _)| *oldest);
            oldest.map(|oldest| (connections.len(), Reverse(oldest), address))
        };
        let before = rank(connections);
        let changed = change(connections);
        let after = rank(connections);
        if after.is_none() {
            self.by_address.remove(&address);
        }
        if let Some(before) = before {
            self.ranks.remove(&before);
        }
        self.ranks.extend(after);
        changed
    }
}

impl Place {
    pub(super) fn pass(&self) -> &Pass {
        &self.pass
    }

    /// Cancelled when another connection replaces this one, or when the peer does not read.
    pub(super) fn hangup(&self) -> &Hangup {
        &self.pass.0.hangup
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.pass.0.peer.load(Ordering::Acquire) != STRANGER
    }

    /// Resolves when the deadline passes; never resolves once the connection has authenticated.
    pub(super) async fn overdue(&self) {
        if !self.is_authenticated() {
            tokio::select! {
                biased;
                () = self.pass.0.became_authenticated.notified() => {}
                () = tokio::time::sleep_until(self.deadline) => return,
            }
        }
        std::future::pending().await
    }
}

/// A handshake call in progress, until this is dropped.
pub(super) struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Pass {
    /// Begins a handshake call; `None` while the connection has another one in progress.
    pub(super) fn handshake(&self) -> Option<Turn<'_>> {
        let shakes = &self.0.shakes;
        (!shakes.swap(true, Ordering::AcqRel)).then_some(Turn(shakes))
    }

    /// Called when a request of the connection has passed the guard, with the request's peer.
    ///
    /// # Errors
    ///
    /// Fails if the limit of authenticated connections is reached, or if the connection is being
    /// closed.
    pub(crate) fn authenticate(&self, peer: Peer) -> Result<(), NoRoom> {
        let connection = &*self.0;
        if connection.peer.load(Ordering::Acquire) >= rank(peer) {
            return Ok(());
        }
        let most = connection.shared.limits.connections;
        let mut open = connection.shared.lock();
        // Another request of the same connection may have authenticated it already.
        let before = connection.peer.load(Ordering::Acquire);
        if before >= rank(peer) {
            return Ok(());
        }
        if before == STRANGER {
            if open.authenticated >= most_of(peer, most) {
                return Err(NoRoom::Full(most_of(peer, most)));
            }
            if peer == Peer::Caller && open.callers >= most.div_ceil(2) {
                return Err(NoRoom::FullOfCallers(open.callers));
            }
            if !open.remove(connection.address, connection.id) {
                return Err(NoRoom::Closing);
            }
            open.authenticated += 1;
            open.callers += usize::from(peer == Peer::Caller);
        } else {
            open.callers -= usize::from(before == rank(Peer::Caller));
        }
        connection.peer.store(rank(peer), Ordering::Release);
        drop(open);
        connection.became_authenticated.notify_one();
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let connection = &*self.pass.0;
        let mut open = connection.shared.lock();
        let peer = connection.peer.load(Ordering::Acquire);
        if peer == STRANGER {
            open.remove(connection.address, connection.id);
        } else {
            open.authenticated -= 1;
            open.callers -= usize::from(peer == rank(Peer::Caller));
        }
    }
}

/// The rank of a connection that has not authenticated.
const STRANGER: u8 = 0;

/// A connection that several kinds of peers use has the highest of their ranks.
const fn rank(peer: Peer) -> u8 {
    match peer {
        Peer::Caller => 1,
        Peer::Executor => 2,
        Peer::Node => 3,
    }
}

/// The number of authenticated connections up to which one of this peer may be added.
fn most_of(peer: Peer, most: usize) -> usize {
    match peer {
        Peer::Node => most,
        Peer::Caller | Peer::Executor => most - FOR_NODES.min(most / 10),
    }
}

/// The address that a connection is counted under: for IPv6, the client's network.
pub(super) fn group(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
