//! What the log says of wrong tokens: a bounded number of lines, however many requests come.
//!
//! The first request of an address is logged at once. Those that follow are counted, and a line at
//! the end of each interval says how many there were. So it is for some addresses at a time; all
//! others share a count.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::admission::group;

/// Between two lines about an address.
const INTERVAL: Duration = Duration::from_secs(60);
/// Addresses that have lines of their own.
const ADDRESSES: usize = 20;

/// Counts wrong tokens and logs them. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct WrongTokens(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// Whether a task waits for the end of the interval.
    has_task: bool,
    /// Requests that were not logged, by address.
    by_address: HashMap<IpAddr, u64>,
    /// Those of all other addresses.
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
            tracing::warn!(%peer, "refused a request with a wrong token");
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
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many requests were not logged; of the other addresses if none is named.
fn log((peer, count): (Option<IpAddr>, u64)) {
    let interval_s = INTERVAL.as_secs();
    match peer {
        Some(peer) => {
            tracing::warn!(%peer, count, interval_s, "refused more requests with a wrong token");
        }
        None => tracing::warn!(
            count,
            interval_s,
            "refused requests with a wrong token from further addresses"
        ),
    }
}

impl Counts {
    /// Whether to log it at once.
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

    /// What is to be logged; `None` ends the task, because nothing has come in the interval.
    fn end_interval(&mut self) -> Option<Vec<(Option<IpAddr>, u64)>> {
        // An address that has stopped is new when it comes again.
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
    fn the_first_of_an_address_is_logged_and_the_others_are_counted() {
        let mut counts = Counts::default();
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        assert!(counts.note(one));
        assert!(!counts.note(one) && counts.note(two) && !counts.note(one));
        assert_eq!(counts.end_interval(), Some(vec![(Some(one), 2)]));
        assert!(!counts.note(one), "it goes on");
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
    async fn the_count_of_an_interval_ends_when_nothing_comes() {
        let wrong = WrongTokens::default();
        (0..3).for_each(|_| wrong.note("192.0.2.1".parse().unwrap()));
        tokio::time::sleep(3 * INTERVAL).await;
        let counts = wrong.lock();
        assert!(counts.by_address.is_empty() && !counts.has_task);
    }
}
