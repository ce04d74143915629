//! A job's memory of its earlier picks.
//!
//! Most strategies need only the last pick, or nothing. Two strategies keep counts per executor.
//! For them the memory holds exactly the candidates of the last pick, so it is bounded by the live
//! executors, and an executor that was gone in between counts as new. The memory is not persisted:
//! after a restart every job starts without one.

use super::{Candidate, RouteStrategy};
use crate::id::ExecutorName;

/// A job's memory of its earlier picks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(Kept);

/// What is remembered. It has the size of a name, because there may be a million jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    /// The last pick.
    Last(ExecutorName),
    /// By executor, if the strategy counts; nothing if it is empty.
    Counts(Option<Box<Seats>>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Counts(None)
    }
}

/// The candidates of the last pick, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seats {
    /// The last pick.
    last: Option<ExecutorName>,
    /// Number of attempts placed so far: the logical clock of `when`.
    now: u64,
    seats: Vec<Seat>,
}

/// What this job placed on one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    name: ExecutorName,
    /// The number of attempts, including the initial value.
    pub(super) given: u64,
    /// The value of the logical clock at the last attempt; 0 means never.
    pub(super) when: u64,
}

impl Memory {
    /// Returns the last picked executor, if the strategy needs it.
    pub fn last(&self) -> Option<&ExecutorName> {
        match &self.0 {
            Kept::Last(last) => Some(last),
            Kept::Counts(_) => self.counts()?.last.as_ref(),
        }
    }

    /// Records that the attempt was placed on `from[index]`, where `from` are the candidates of the
    /// pick.
    ///
    /// Free for strategies without memory, and without allocation for those that remember only the
    /// last pick. An index out of range is ignored.
    pub fn given(&mut self, strategy: &RouteStrategy, from: &[Candidate<'_>], index: usize) {
        let Some(picked) = from.get(index) else { return };
        match Needs::of(strategy) {
            Needs::Nothing => *self = Self::default(),
            Needs::Last => {
                if !matches!(&self.0, Kept::Last(last) if last == picked.name) {
                    self.0 = Kept::Last(picked.name.clone());
                }
            }
            Needs::Counts => {
                let mut counts = match std::mem::take(&mut self.0) {
                    Kept::Counts(Some(counts)) => counts,
                    Kept::Counts(None) | Kept::Last(_) => Box::default(),
                };
                counts.given(from, index);
                self.0 = Kept::Counts(Some(counts));
            }
        }
    }

    /// The counts of an executor; `index` is its position, unless the candidates have changed.
    pub(super) fn seat(&self, index: usize, name: &ExecutorName) -> Option<&Seat> {
        self.counts()?.seat(index, name)
    }

    /// The initial count of a new executor: the smallest count of those with a free place, or of
    /// all if none of those is known.
    pub(super) fn start(&self, from: &[Candidate<'_>]) -> u64 {
        self.counts().map_or(0, |counts| counts.start(from))
    }

    fn counts(&self) -> Option<&Seats> {
        match &self.0 {
            Kept::Counts(counts) => counts.as_deref(),
            Kept::Last(_) => None,
        }
    }
}

impl Seats {
    fn given(&mut self, from: &[Candidate<'_>], index: usize) {
        self.seat_all(from);
        let Some(seat) = self.seats.get_mut(index) else { return };
        self.now += 1;
        seat.given += 1;
        seat.when = self.now;
        if self.last.as_ref() != Some(&seat.name) {
            self.last = Some(seat.name.clone());
        }
    }

    fn seat(&self, index: usize, name: &ExecutorName) -> Option<&Seat> {
        if let Some(seat) = self.seats.get(index).filter(|seat| seat.name == *name) {
            return Some(seat);
        }
        let found = self.seats.binary_search_by(|seat| seat.name.cmp(name)).ok()?;
        self.seats.get(found)
    }

    fn start(&self, from: &[Candidate<'_>]) -> u64 {
        let fewest = |only_free: bool| {
            let among = from.iter().enumerate().filter(|(_, one)| one.has_place || !only_free);
            among.filter_map(|(index, one)| Some(self.seat(index, one.name)?.given)).min()
        };
        fewest(true).or_else(|| fewest(false)).unwrap_or(0)
    }

    /// Remembers exactly `from`, in its order.
    fn seat_all(&mut self, from: &[Candidate<'_>]) {
        let is_same = self.seats.len() == from.len()
            && self.seats.iter().zip(from).all(|(seat, one)| seat.name == *one.name);
        if is_same {
            return;
        }
        let start = self.start(from);
        let seat = |(index, one): (usize, &Candidate<'_>)| {
            let known = self.seat(index, one.name).cloned();
            known.unwrap_or_else(|| Seat { name: one.name.clone(), given: start, when: 0 })
        };
        self.seats = from.iter().enumerate().map(seat).collect();
    }
}

/// What a strategy has to remember.
enum Needs {
    Nothing,
    Last,
    Counts,
}

impl Needs {
    const fn of(strategy: &RouteStrategy) -> Self {
        match strategy {
            RouteStrategy::Specific(_)
            | RouteStrategy::Random
            | RouteStrategy::ConsistentHash
            | RouteStrategy::First
            | RouteStrategy::Last => Self::Nothing,
            RouteStrategy::RoundRobin
            | RouteStrategy::MemoryFirst
            | RouteStrategy::CpuFirst
            | RouteStrategy::ResponseFirst
            | RouteStrategy::Failover
            | RouteStrategy::IdleFirst => Self::Last,
            RouteStrategy::LeastScheduled | RouteStrategy::LeastRecentlyUsed => Self::Counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_as_small_as_a_name() {
        assert_eq!(size_of::<Memory>(), size_of::<ExecutorName>());
    }
}
