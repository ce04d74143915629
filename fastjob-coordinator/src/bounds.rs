//! Memory limits for requests, and disconnection of clients that do not read their responses.
//!
//! The port counts the bytes of current requests and responses against a budget. A response counts
//! until its last byte has been sent. A client that reads too slowly is disconnected, which frees
//! its memory.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// The unit of a budget, so that its permits fit into a semaphore.
const UNIT: u64 = 1024;
/// How long a request waits for an exhausted budget.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time between two looks at unread responses.
const LOOK: Duration = Duration::from_secs(5);

/// Memory shared by all requests, or by all responses. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    most: u64,
    setting: &'static str,
}

/// A reserved part of a budget; dropping it returns the memory.
#[derive(Debug)]
pub(crate) struct Reserved(Option<OwnedSemaphorePermit>);

/// Why a reservation failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "other requests use all of the {} MiB that {setting} allows: try again later, or raise it",
    most / 1024
)]
pub(crate) struct Exhausted {
    most: u64,
    setting: &'static str,
}

impl Budget {
    /// A budget of this many bytes, with the name of its setting.
    pub(crate) fn new(bytes: u64, setting: &'static str) -> Self {
        let most = (bytes / UNIT).clamp(1, u64::from(u32::MAX >> 3));
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(permits)), most, setting }
    }

    /// Reserves this many bytes, at most the whole budget; waits while they are in use.
    ///
    /// # Errors
    ///
    /// Fails if they are not free within 10 s.
    pub(crate) async fn reserve(&self, bytes: u64) -> Result<Reserved, Exhausted> {
        let units = self.units_of(bytes);
        let exhausted = || Exhausted { most: self.most, setting: self.setting };
        let reserved = Arc::clone(&self.units).acquire_many_owned(units);
        match tokio::time::timeout(PATIENCE, reserved).await {
            Ok(Ok(permit)) => Ok(Reserved(Some(permit))),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(exhausted()),
        }
    }

    /// Reserves this many bytes if they are free, and nothing otherwise: data that is already in
    /// memory can no longer be rejected.
    pub(crate) fn take(&self, bytes: u64) -> Reserved {
        Reserved(Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).ok())
    }

    /// Returns what is reserved beyond this many bytes.
    pub(crate) fn shrink(&self, reserved: &mut Reserved, bytes: u64) {
        let Some(permit) = &mut reserved.0 else { return };
        let needed = usize::try_from(self.units_of(bytes)).unwrap_or(usize::MAX);
        let surplus = permit.num_permits().saturating_sub(needed);
        drop(permit.split(surplus));
    }

    /// Free bytes.
    #[cfg(test)]
    pub(crate) fn free(&self) -> u64 {
        self.units.available_permits() as u64 * UNIT
    }

    fn units_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT).clamp(1, self.most)).unwrap_or(u32::MAX)
    }
}

/// The limits of a port, attached to every request.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// For bodies of requests.
    pub(crate) requests: Budget,
    /// For lists and other long responses.
    pub(crate) responses: Budget,
    /// Slots for clients that follow a log.
    pub(crate) followers: Arc<Semaphore>,
    /// Slots for live pages.
    pub(crate) pages: Arc<Semaphore>,
    /// How long a client may take to read a response, in addition to the time that its size allows.
    pub(crate) unread: Duration,
    /// The least bytes per second that a client has to read.
    pub(crate) slowest: u64,
}

impl Bounds {
    /// How long a client may take to read a response of this many bytes.
    pub(crate) fn limit(&self, bytes: u64) -> Duration {
        self.unread + Duration::from_secs(bytes / self.slowest.max(1))
    }
}

#[cfg(test)]
impl Bounds {
    /// Limits for tests.
    pub(crate) fn of_tests() -> Self {
        let mib = 1 << 20;
        Self {
            requests: Budget::new(64 * mib, "max_request_memory"),
            responses: Budget::new(64 * mib, "max_response_memory"),
            followers: Arc::new(Semaphore::new(2)),
            pages: Arc::new(Semaphore::new(2)),
            unread: Duration::from_secs(30),
            slowest: 64 * 1024,
        }
    }
}

/// Closes the connection of a request, with everything on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hangup(pub(crate) CancellationToken, Arc<Mutex<Unread>>);

/// The responses of a connection that its client has not read.
#[derive(Debug, Default)]
struct Unread {
    /// By deadline and number: the bytes, and the time for them.
    responses: BTreeMap<(Instant, u64), (u64, Duration)>,
    next: u64,
    /// Whether a task looks at them.
    is_watched: bool,
}

/// Bytes of a response that are watched until the client has read them.
struct Watched {
    bytes: Bytes,
    /// Dropped together with the bytes.
    _reserved: Option<Reserved>,
    /// Ends the watch.
    _watch: Watch,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Watches a response: the client is disconnected if it does not read the response in time.
#[derive(Debug)]
pub(crate) struct Watch {
    unread: Arc<Mutex<Unread>>,
    key: (Instant, u64),
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.unread).responses.remove(&self.key);
    }
}

impl Watch {
    /// Starts to watch a response of this many bytes for the client of `hangup`, which has to read
    /// it within `limit`. It may have up to [`LOOK`] more if other responses have longer.
    pub(crate) fn begin(
        hangup: &Hangup,
        bytes: u64,
        limit: Duration,
        peer: Option<SocketAddr>,
    ) -> Self {
        let Hangup(_, responses) = hangup;
        let mut unread = lock(responses);
        let key = (Instant::now() + limit, unread.next);
        unread.next += 1;
        unread.responses.insert(key, (bytes, limit));
        if !std::mem::replace(&mut unread.is_watched, true) {
            // Ends within `LOOK` of the last response, or with a connection that is closed from here.
            tokio::spawn(look(hangup.clone(), peer));
        }
        Self { unread: Arc::clone(responses), key }
    }

    /// The bytes; the watch ends when they are dropped.
    pub(crate) fn over(self, bytes: Bytes, reserved: Option<Reserved>) -> Bytes {
        Bytes::from_owner(Watched { bytes, _reserved: reserved, _watch: self })
    }
}

/// Looks at the responses of a connection until there are none. One task looks at all of them: a
/// task for each response would cost more than a small response.
async fn look(hangup: Hangup, peer: Option<SocketAddr>) {
    loop {
        let now = Instant::now();
        let (deadline, bytes, limit) = {
            let mut unread = lock(&hangup.1);
            let first = unread.responses.first_key_value();
            let Some((deadline, bytes, limit)) = first.map(|(key, of)| (key.0, of.0, of.1)) else {
                unread.is_watched = false;
                return;
            };
            (deadline, bytes, limit)
        };
        if deadline <= now {
            tracing::warn!(
                peer = peer.map(tracing::field::display),
                bytes,
                limit_s = limit.as_secs(),
                "client disconnected: it did not read its response in time"
            );
            hangup.0.cancel();
            return;
        }
        tokio::select! {
            () = hangup.0.cancelled() => return,
            () = tokio::time::sleep_until(deadline.min(now + LOOK)) => {}
        }
    }
}

fn lock(unread: &Mutex<Unread>) -> MutexGuard<'_, Unread> {
    // A panic while it was locked leaves nothing half done.
    unread.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_budget_fails_after_a_wait_and_names_the_setting() {
        let budget = Budget::new(4 * MIB, "max_response_memory");
        let first = budget.reserve(3 * MIB).await.unwrap();
        let refused = budget.reserve(2 * MIB).await.unwrap_err().to_string();
        assert!(refused.contains("4 MiB that max_response_memory allows"), "{refused}");
        drop(first);
        let whole =
            budget.reserve(100 * MIB).await.expect("a reservation is at most the whole budget");
        assert_eq!(budget.free(), 0);
        drop(whole);
        assert_eq!(budget.free(), 4 * MIB);
    }

    #[tokio::test]
    async fn unused_reserved_memory_is_returned() {
        let budget = Budget::new(4 * MIB, "s");
        let mut reserved = budget.reserve(3 * MIB).await.unwrap();
        budget.shrink(&mut reserved, MIB);
        assert_eq!(budget.free(), 3 * MIB);
        budget.shrink(&mut reserved, 2 * MIB);
        assert_eq!(budget.free(), 3 * MIB, "nothing is taken in addition");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_read_in_time_ends_its_connection() {
        let hangup = Hangup::default();
        let budget = Budget::new(4 * MIB, "s");
        let reserved = Some(budget.take(MIB));
        let limit = Bounds::of_tests().limit(MIB);
        let watch = Watch::begin(&hangup, MIB, limit, None);
        let bytes = watch.over(vec![0; 1 << 20].into(), reserved);
        let part = bytes.slice(..10);
        drop(bytes);
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert!(!hangup.0.is_cancelled());
        assert_eq!(budget.free(), 3 * MIB, "some of the bytes have not been sent");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(hangup.0.is_cancelled());
        drop(part);
        assert_eq!(budget.free(), 4 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_was_read_keeps_its_connection() {
        let hangup = Hangup::default();
        let watch = Watch::begin(&hangup, 10, Duration::from_secs(30), None);
        drop(watch.over(vec![0; 10].into(), None));
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(!hangup.0.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_response_is_watched_beside_a_large_one() {
        let (hangup, secs) = (Hangup::default(), Duration::from_secs);
        let large = Watch::begin(&hangup, 100, secs(100), None);
        tokio::time::sleep(secs(1)).await;
        let small = Watch::begin(&hangup, 1, secs(10), None);
        tokio::time::sleep(secs(9)).await;
        assert!(!hangup.0.is_cancelled());
        tokio::time::sleep(LOOK + secs(2)).await;
        assert!(hangup.0.is_cancelled());
        drop((large, small));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_response_is_watched_after_all_others_were_read() {
        let hangup = Hangup::default();
        for _ in 0..3 {
            drop(Watch::begin(&hangup, 10, Duration::from_secs(30), None));
            tokio::time::sleep(2 * LOOK).await;
            assert!(!lock(&hangup.1).is_watched && !hangup.0.is_cancelled());
        }
        let unread = Watch::begin(&hangup, 10, Duration::from_secs(30), None);
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert!(hangup.0.is_cancelled());
        drop(unread);
    }
}
