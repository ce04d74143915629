//! What requests may take, and how a client that does not read its response is disconnected.
//!
//! The port counts the bytes of the requests and responses that are under way against a budget. A
//! response counts until the last of its bytes has left for the client. A client that takes too
//! long to read is disconnected: that frees what it held.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The unit of a budget, so that its permits fit into a semaphore.
const UNIT: u64 = 1024;
/// How long a request waits for a budget that is used up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Memory that all requests, or all responses, may take together. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    most: u64,
    setting: &'static str,
}

/// A part of a budget; it returns when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved(Option<OwnedSemaphorePermit>);

/// Why nothing could be reserved.
#[derive(Debug, thiserror::Error)]
#[error(
    "requests of other clients take all of the {} MiB that {setting} allows: ask again, or raise \
     it", most / 1024
)]
pub(crate) struct Exhausted {
    most: u64,
    setting: &'static str,
}

impl Budget {
    /// A budget of so many bytes, by the name of its setting.
    pub(crate) fn new(bytes: u64, setting: &'static str) -> Self {
        let most = (bytes / UNIT).clamp(1, u64::from(u32::MAX >> 3));
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(permits)), most, setting }
    }

    /// Reserves so many bytes, at most the whole budget; waits while others have them.
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

    /// Takes so many bytes if they are free. What is there already cannot be refused any more, so
    /// this goes without them otherwise.
    pub(crate) fn take(&self, bytes: u64) -> Reserved {
        Reserved(Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).ok())
    }

    /// Gives back what is reserved beyond so many bytes.
    pub(crate) fn shrink(&self, reserved: &mut Reserved, bytes: u64) {
        let Some(permit) = &mut reserved.0 else { return };
        let needed = usize::try_from(self.units_of(bytes)).unwrap_or(usize::MAX);
        let surplus = permit.num_permits().saturating_sub(needed);
        drop(permit.split(surplus));
    }

    /// Bytes that are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> u64 {
        self.units.available_permits() as u64 * UNIT
    }

    fn units_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT).clamp(1, self.most)).unwrap_or(u32::MAX)
    }
}

/// The bounds of a port, which go with every request.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// For bodies of requests.
    pub(crate) requests: Budget,
    /// For lists and other long responses.
    pub(crate) responses: Budget,
    /// Places for clients that follow a log.
    pub(crate) followers: Arc<Semaphore>,
    /// How long a client may leave a response unread, besides the time that its size takes.
    pub(crate) unread: Duration,
    /// How many bytes a client has to read in a second.
    pub(crate) slowest: u64,
}

impl Bounds {
    /// How long a client may take to read a response of so many bytes.
    pub(crate) fn limit(&self, bytes: u64) -> Duration {
        self.unread + Duration::from_secs(bytes / self.slowest.max(1))
    }
}

#[cfg(test)]
impl Bounds {
    /// Those of a port in a test.
    pub(crate) fn of_tests() -> Self {
        let mib = 1 << 20;
        Self {
            requests: Budget::new(64 * mib, "max_request_memory"),
            responses: Budget::new(64 * mib, "max_response_memory"),
            followers: Arc::new(Semaphore::new(2)),
            unread: Duration::from_secs(30),
            slowest: 64 * 1024,
        }
    }
}

/// Ends the connection of a request, with everything on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hangup(pub(crate) CancellationToken);

/// Bytes of a response that are watched until the client has read them.
struct Watched {
    bytes: Bytes,
    /// Returned with the memory.
    _reserved: Option<Reserved>,
    /// Ends the watch.
    _read: DropGuard,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A watch over a response: the client is disconnected if the watch is not over in time.
#[derive(Debug)]
pub(crate) struct Watch(DropGuard);

impl Watch {
    /// Begins to watch over so many bytes for the client of `hangup`, which has so long to read.
    pub(crate) fn begin(hangup: &Hangup, bytes: u64, limit: Duration, to: String) -> Self {
        let read = CancellationToken::new();
        let guard = read.clone().drop_guard();
        let hangup = hangup.clone();
        // It ends when the response does, which the connection owns.
        tokio::spawn(async move {
            tokio::select! {
                () = read.cancelled() => {}
                () = hangup.0.cancelled() => {}
                () = tokio::time::sleep(limit) => {
                    tracing::warn!(peer = to, bytes, limit_s = limit.as_secs(),
                        "a client did not read its response in time and is disconnected");
                    hangup.0.cancel();
                }
            }
        });
        Self(guard)
    }

    /// The bytes; the watch is over when they have left.
    pub(crate) fn over(self, bytes: Bytes, reserved: Option<Reserved>) -> Bytes {
        Bytes::from_owner(Watched { bytes, _reserved: reserved, _read: self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn a_budget_that_is_used_up_refuses_after_a_while_and_says_what_to_set() {
        let budget = Budget::new(4 * MIB, "max_response_memory");
        let first = budget.reserve(3 * MIB).await.unwrap();
        let refused = budget.reserve(2 * MIB).await.unwrap_err().to_string();
        assert!(refused.contains("4 MiB that max_response_memory allows"), "{refused}");
        drop(first);
        let whole = budget.reserve(100 * MIB).await.expect("at most the whole budget is needed");
        assert_eq!(budget.free(), 0);
        drop(whole);
        assert_eq!(budget.free(), 4 * MIB);
    }

    #[tokio::test]
    async fn what_a_response_does_not_need_is_given_back() {
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
        let watch = Watch::begin(&hangup, MIB, limit, "client".to_owned());
        let bytes = watch.over(vec![0; 1 << 20].into(), reserved);
        let part = bytes.slice(..10);
        drop(bytes);
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert!(!hangup.0.is_cancelled());
        assert_eq!(budget.free(), 3 * MIB, "a part of the bytes has not left");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(hangup.0.is_cancelled());
        drop(part);
        assert_eq!(budget.free(), 4 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_was_read_keeps_its_connection() {
        let hangup = Hangup::default();
        let watch = Watch::begin(&hangup, 10, Duration::from_secs(30), String::new());
        drop(watch.over(vec![0; 10].into(), None));
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(!hangup.0.is_cancelled());
    }
}
