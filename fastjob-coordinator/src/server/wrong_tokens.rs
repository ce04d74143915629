//! Logs wrong tokens with a bounded number of lines, however many requests arrive.
//!
//! The first request of an address is logged at once. Later ones are counted, and a line at the end
//! of each interval has the count. This applies to a limited number of addresses at a time; all
//! others share one count.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::admission::group;

/// Interval between two lines about an address.
const INTERVAL: Duration = Duration::from_secs(60);
/// Maximum number of addresses with their own lines.
const ADDRESSES: usize = 20;

/// Counts wrong tokens and logs them. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct WrongTokens(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// Whether a task is waiting for the end of the interval.
    has_task: bool,
    /// Requests that were not logged, by address.
    by_address: HashMap<IpAddr, u64>,
    /// Requests of all other addresses.
    others: u64,
}

impl WrongTokens {
    /// Counts a request with a wrong token.
    pub(super) fn note(&self, peer: IpAddr) {
        let (is_first, starts) = {
            let mut counts = self.lock();
            (counts.note(group(peer)), !std::mem::replace(&mut counts.has_task, true))
        };
        if is_first {
            tracing::warn!(%peer, "rejected a request with a wrong token");
        }
        if starts {
            let this = self.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(INTERVAL).await;
                    let Some(lines) = this.lock().end_interval() else { return };
                    lines.into_iter().for_each(log);
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs a count of requests, of the other addresses if `peer` is `None`.
fn log((peer, count): (Option<IpAddr>, u64)) {
    let interval_s = INTERVAL.as_secs();
    match peer {
        Some(peer) => {
            tracing::warn!(%peer, count, interval_s, "rejected more requests with a wrong token");
        }
        None => tracing::warn!(
            count,
            interval_s,
            "rejected requests with a wrong token from other addresses"
        ),
    }
}

impl Counts {
    /// Counts a request; returns whether to log it at once.
    fn note(&mut self, address: IpAddr) -> bool {
        let is_full = self.by_address.len() >= ADDRESSES;
        match self.by_address.entry(address) {
            Entry::Occupied(mut count) => *count.get_mut() += 1,
            Entry::Vacant(_) if is_full => self.others += 1,
            Entry::Vacant(new) => {
                new.insert(0);
                return true;
            }
        }
        false
    }

    /// The lines to log; `None` ends the task, because no request arrived in the interval.
    fn end_interval(&mut self) -> Option<Vec<(Option<IpAddr>, u64)>> {
        // An address without requests in the interval is new when it returns.
        self.by_address.retain(|_, count| *count > 0);
        let mut lines: Vec<_> = self
            .by_address
            .iter_mut()
            .map(|(address, count)| (Some(*address), std::mem::take(count)))
            .collect();
        lines.sort_unstable();
        let others = std::mem::take(&mut self.others);
        lines.extend((others > 0).then_some((None, others)));
        if lines.is_empty() {
            self.has_task = false;
            return None;
        }
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_of_an_address_is_logged_and_others_are_counted() {
        let mut counts = Counts::default();
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        assert!(counts.note(one));
        assert!(!counts.note(one) && counts.note(two) && !counts.note(one));
        assert_eq!(counts.end_interval(), Some(vec![(Some(one), 2)]));
        assert!(!counts.note(one), "it continues");
        assert!(counts.note(two), "it had stopped");
        assert_eq!(counts.end_interval(), Some(vec![(Some(one), 1)]));
        assert_eq!(counts.end_interval(), None);
        assert!(counts.note(one));
    }

    #[test]
    fn lines_and_memory_are_bounded_however_many_addresses_there_are() {
        let mut counts = Counts::default();
        let logged = (0..10_000_u32).filter(|n| counts.note(IpAddr::V4((*n).into()))).count();
        assert_eq!((logged, counts.by_address.len()), (ADDRESSES, ADDRESSES));
        let lines = counts.end_interval().unwrap();
        assert_eq!(lines, [(None, 10_000 - ADDRESSES as u64)]);
    }

    #[tokio::test(start_paused = true)]
    async fn counting_stops_after_an_interval_without_requests() {
        let wrong = WrongTokens::default();
        (0..3).for_each(|_| wrong.note("192.0.2.1".parse().unwrap()));
        tokio::time::sleep(3 * INTERVAL).await;
        let counts = wrong.lock();
        assert!(counts.by_address.is_empty() && !counts.has_task);
    }
}
