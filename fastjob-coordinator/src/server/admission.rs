//! Which connections are kept: those that have authenticated, and a bounded number of others.
//!
//! A connection is unauthenticated until a request on it has passed the guard: with a token, one
//! that carries it; without one, a request that a program of this machine may make. Until then it
//! has a deadline that nothing extends, neither bytes nor answers to pings, and that the TLS
//! handshake counts against.
//!
//! Authenticated connections have a limit of their own, so unauthenticated ones never take their
//! place. Callers have at most half of it, and some of it is for nodes alone: whoever holds
//! connections with the token keeps out other callers, but no executor that has a session, and no
//! node. Among the unauthenticated, a new connection is never refused. It replaces one:
//!
//! 1. Where its address holds as many as an address may, the oldest of that address. An address
//!    that floods the port hurts nobody else.
//! 2. Where all addresses together hold as many as they may, the oldest of the address that holds
//!    the most. A client that is alone at its address is replaced last.
//!
//! The oldest is replaced, because an honest client authenticates at once: it needs a round trip, or
//! a few with TLS, and then it cannot be replaced any more. So the newest unauthenticated connection
//! is the most likely to be honest. Suppose that 10,000 strangers from the address of an honest
//! client connect within 3 s. With room for 2,000, it is replaced when 2,000 of them have connected
//! after it, which takes 600 ms. If new connections were rejected instead, it could not connect for
//! as long as the strangers hold theirs. If a random one was replaced, it would often be the honest
//! one.

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

/// Bits of an IPv6 address that one client chooses at will.
const IPV6_HOST_BITS: u32 = 64;

/// The connections of a port. Cheap to clone.
#[derive(Clone)]
pub(super) struct Admission(Arc<Shared>);

struct Shared {
    limits: Limits,
    open: Mutex<Open>,
    replaced: Rarely,
}

/// Who has authenticated a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// A caller of the API.
    Caller,
    /// An executor.
    Executor,
    /// A node of the cluster.
    Node,
}

/// Most connections that are for nodes alone.
const FOR_NODES: usize = 64;

#[derive(Default)]
struct Open {
    authenticated: usize,
    /// Of these, the callers'.
    callers: usize,
    unauthenticated: usize,
    last_id: u64,
    /// The unauthenticated connections of each address, the oldest first.
    by_address: HashMap<IpAddr, BTreeMap<u64, Hangup>>,
    /// The addresses by how many they hold, then by the age of the oldest: the last one pays.
    ranks: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

/// A connection among all; it leaves when this is dropped.
pub(super) struct Place {
    pass: Pass,
    deadline: Instant,
}

/// What a request carries to authenticate its connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pass(Arc<Connection>);

struct Connection {
    shared: Arc<Shared>,
    id: u64,
    address: IpAddr,
    hangup: Hangup,
    /// Whose it is, once it has authenticated. Changed under the lock of `open`.
    peer: AtomicU8,
    /// Whether a call of a handshake is under way.
    shakes: AtomicBool,
    became_authenticated: Notify,
}

/// Why a connection cannot be kept although a request on it may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoom {
    #[error(
        "{0} connections of authenticated clients are open on this node, as many as may be: ask \
         another node or again later, or raise coordinator.max_connections there"
    )]
    Full(usize),
    #[error(
        "{0} connections of authenticated callers are open on this node, as many as may be: ask \
         another node or again later, close some, or raise coordinator.max_connections there (half \
         of it is for callers)"
    )]
    FullOfCallers(usize),
    #[error("the connection did not authenticate in time and is being closed: connect again")]
    Closing,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        let (open, replaced) = (Mutex::default(), Rarely::default());
        Self(Arc::new(Shared { limits, open, replaced }))
    }

    /// A place for a connection that was accepted just now; another one may have to leave.
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
                "too many unauthenticated connections: the oldest were closed for new ones"
            );
        }
        let deadline = Instant::now() + limits.authenticate;
        let (peer, became_authenticated) = (AtomicU8::new(STRANGER), Notify::new());
        let shakes = AtomicBool::new(false);
        let connection =
            Connection { shared, id, address, hangup, peer, shakes, became_authenticated };
        Place { pass: Pass(Arc::new(connection)), deadline }
    }

    /// Closes some unauthenticated connections, because no file is left for a new one; returns
    /// whether there were any.
    pub(super) fn make_room(&self, most: usize) -> bool {
        let mut open = self.0.lock();
        (0..most).take_while(|_| open.hang_up_any()).count() > 0
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn insert(&mut self, address: IpAddr, id: u64, hangup: Hangup) {
        self.change(address, |connections| connections.insert(id, hangup));
        self.unauthenticated += 1;
    }

    /// Whether it was there.
    fn remove(&mut self, address: IpAddr, id: u64) -> bool {
        let was_there = self.change(address, |connections| connections.remove(&id)).is_some();
        self.unauthenticated -= usize::from(was_there);
        was_there
    }

    /// Whether there was one.
    fn hang_up_oldest(&mut self, address: IpAddr) -> bool {
        let Some((_, Hangup(hangup))) = self.change(address, BTreeMap::pop_first) else {
            return false;
        };
        self.unauthenticated -= 1;
        hangup.cancel();
        true
    }

    /// The oldest of the address that holds the most; whether there was one.
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

    /// Fires when another connection takes the place, or when the peer does not read.
    pub(super) fn hangup(&self) -> &Hangup {
        &self.pass.0.hangup
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.pass.0.peer.load(Ordering::Acquire) != STRANGER
    }

    /// Comes to its end when the deadline passes, and never once the connection has authenticated.
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

/// A call of a handshake, until this is dropped.
pub(super) struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Pass {
    /// Begins a call of a handshake; `None` while another one of the connection is under way.
    pub(super) fn handshake(&self) -> Option<Turn<'_>> {
        let shakes = &self.0.shakes;
        (!shakes.swap(true, Ordering::AcqRel)).then_some(Turn(shakes))
    }

    /// Called when a request of the connection has passed the guard, with whose request it is.
    ///
    /// # Errors
    ///
    /// Fails if as many others have authenticated as may, or if the connection is being closed.
    pub(crate) fn authenticate(&self, peer: Peer) -> Result<(), NoRoom> {
        let connection = &*self.0;
        if connection.peer.load(Ordering::Acquire) >= rank(peer) {
            return Ok(());
        }
        let most = connection.shared.limits.connections;
        let mut open = connection.shared.lock();
        // Another request of the same connection may have been faster.
        let before = connection.peer.load(Ordering::Acquire);
        if before >= rank(peer) {
            return Ok(());
        }
        if before == STRANGER {
            if open.authenticated >= most_of(peer, most) {
                return Err(NoRoom::Full(open.authenticated));
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

/// A connection that several kinds of request authenticate is of the highest rank.
const fn rank(peer: Peer) -> u8 {
    match peer {
        Peer::Caller => 1,
        Peer::Executor => 2,
        Peer::Node => 3,
    }
}

/// How many connections may be authenticated when one of this peer is added.
fn most_of(peer: Peer, most: usize) -> usize {
    match peer {
        Peer::Node => most,
        Peer::Caller | Peer::Executor => most - FOR_NODES.min(most / 10),
    }
}

/// The address that a connection counts for: of IPv6, the network of the client.
pub(super) fn group(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admission(connections: usize, unauthenticated: usize, per_address: usize) -> Admission {
        Admission::new(Limits {
            connections,
            unauthenticated,
            unauthenticated_per_address: per_address,
            ..Limits::default()
        })
    }

    fn from(address: &str, admission: &Admission) -> Place {
        admission.enter(address.parse().unwrap())
    }

    fn is_closed(place: &Place) -> bool {
        place.hangup().0.is_cancelled()
    }

    #[test]
    fn an_address_that_holds_too_many_loses_its_oldest() {
        let admission = admission(10, 10, 2);
        let other = from("192.0.2.9", &admission);
        let [first, second, third] = [(); 3].map(|()| from("192.0.2.1", &admission));
        assert!(is_closed(&first) && !is_closed(&second) && !is_closed(&third));
        assert_eq!(first.pass().authenticate(Peer::Executor), Err(NoRoom::Closing));
        second.pass().authenticate(Peer::Executor).unwrap();
        let _fourth = from("::ffff:192.0.2.1", &admission);
        assert!(![&other, &second, &third].iter().any(|place| is_closed(place)), "there is room");
        let _fifth = from("192.0.2.1", &admission);
        assert!(is_closed(&third) && !is_closed(&second), "who has authenticated stays");
    }

    #[test]
    fn where_all_hold_too_many_the_address_that_holds_the_most_pays() {
        let admission = admission(10, 4, 4);
        let honest = from("192.0.2.9", &admission);
        let strangers: Vec<_> = (0..20).map(|_| from("192.0.2.1", &admission)).collect();
        assert!(!is_closed(&honest), "it is the oldest, and of an address of its own");
        assert_eq!(strangers.iter().filter(|place| !is_closed(place)).count(), 3);
        let latest = from("192.0.2.8", &admission);
        assert!(!is_closed(&latest) && !is_closed(&honest) && is_closed(&strangers[17]));
        honest.pass().authenticate(Peer::Executor).unwrap();
        latest.pass().authenticate(Peer::Executor).unwrap();
    }

    #[test]
    fn of_many_addresses_with_one_each_the_oldest_pays() {
        let admission = admission(10, 3, 2);
        let places: Vec<_> = (1..=9).map(|n| from(&format!("192.0.2.{n}"), &admission)).collect();
        let open: Vec<_> = places.iter().map(|place| !is_closed(place)).collect();
        assert_eq!(open, [false, false, false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_client_counts_for_all_addresses_of_its_ipv6_network() {
        let admission = admission(10, 10, 1);
        let first = from("2001:db8::1", &admission);
        let other = from("2001:db8:0:1::1", &admission);
        let _second = from("2001:db8::2", &admission);
        assert!(is_closed(&first) && !is_closed(&other));
    }

    #[test]
    fn the_authenticated_have_a_limit_of_their_own() {
        let admission = admission(2, 3, 3);
        let places: Vec<_> = (0..3).map(|_| from("192.0.2.1", &admission)).collect();
        places[0].pass().authenticate(Peer::Executor).unwrap();
        places[1].pass().authenticate(Peer::Executor).unwrap();
        places[1].pass().authenticate(Peer::Executor).expect("once is enough");
        assert_eq!(places[2].pass().authenticate(Peer::Executor), Err(NoRoom::Full(2)));
        let strangers: Vec<_> = (0..9).map(|_| from("192.0.2.1", &admission)).collect();
        assert!(!is_closed(&places[0]) && !is_closed(&places[1]));
        drop(places);
        strangers[8].pass().authenticate(Peer::Executor).expect("there is room again");
        drop(strangers);
        let open = admission.0.lock();
        assert_eq!((open.authenticated, open.unauthenticated), (0, 0));
        assert!(open.by_address.is_empty() && open.ranks.is_empty());
    }

    #[test]
    fn a_connection_has_one_call_of_a_handshake_at_a_time() {
        let admission = admission(9, 9, 9);
        let place = from("192.0.2.1", &admission);
        let turn = place.pass().handshake();
        assert!(turn.is_some() && place.pass().handshake().is_none());
        assert!(from("192.0.2.1", &admission).pass().handshake().is_some(), "another one");
        drop(turn);
        assert!(place.pass().handshake().is_some());
    }

    #[test]
    fn callers_leave_room_for_executors_and_both_for_nodes() {
        let admission = admission(20, 99, 99);
        let places: Vec<_> = (0..30).map(|_| from("192.0.2.1", &admission)).collect();
        let enter = |n: usize, peer| places[n].pass().authenticate(peer);
        (0..10).for_each(|n| enter(n, Peer::Caller).unwrap());
        assert_eq!(enter(10, Peer::Caller), Err(NoRoom::FullOfCallers(10)));
        (10..18).for_each(|n| enter(n, Peer::Executor).unwrap());
        assert_eq!(enter(18, Peer::Executor), Err(NoRoom::Full(18)));
        enter(18, Peer::Node).unwrap();
        enter(0, Peer::Executor).expect("it has its place, and is no caller's any more");
        enter(0, Peer::Caller).expect("it has its place");
        assert_eq!(admission.0.lock().callers, 9);
        assert_eq!(enter(19, Peer::Caller), Err(NoRoom::Full(19)));
        enter(19, Peer::Node).unwrap();
        assert_eq!(enter(20, Peer::Node), Err(NoRoom::Full(20)));
        drop(places);
        let open = admission.0.lock();
        assert_eq!((open.authenticated, open.callers), (0, 0));
    }

    #[test]
    fn room_is_made_by_those_that_have_not_authenticated_alone() {
        let admission = admission(9, 9, 9);
        let places: Vec<_> = (0..3).map(|_| from("192.0.2.1", &admission)).collect();
        places[0].pass().authenticate(Peer::Executor).unwrap();
        assert!(admission.make_room(1) && is_closed(&places[1]) && !is_closed(&places[2]));
        assert!(admission.make_room(9) && is_closed(&places[2]));
        assert!(!admission.make_room(9) && !is_closed(&places[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_holds_until_the_connection_authenticates() {
        let admission = admission(9, 9, 9);
        let (stranger, honest) = (from("192.0.2.1", &admission), from("192.0.2.1", &admission));
        let limit = Limits::default().authenticate;
        let wait = async {
            tokio::join!(stranger.overdue(), async {
                tokio::time::sleep(limit / 2).await;
                honest.pass().authenticate(Peer::Executor).unwrap();
            })
        };
        let begun = Instant::now();
        tokio::select! {
            () = honest.overdue() => panic!("it has authenticated"),
            _ = wait => assert_eq!(begun.elapsed(), limit),
        }
        let later = tokio::time::timeout(Duration::from_secs(60), honest.overdue()).await;
        assert!(later.is_err());
    }
}
