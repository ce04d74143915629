//! Which executor gets an attempt.
//!
//! [`pick`] is pure: it is given the live executors that host the handler and have a free place,
//! and the job's own memory of earlier picks.

mod in_turn;

use crate::id::ExecutorName;

/// How an executor is chosen among those that could take an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RouteStrategy {
    /// Each in turn, by name.
    #[default]
    RoundRobin,
    /// This one and no other.
    Specific(ExecutorName),
    /// Any.
    Random,
    /// The same one for the same job while it is there.
    ConsistentHash,
    /// The one that was given the fewest attempts.
    LeastScheduled,
    /// The one with the most free memory.
    MemoryFirst,
    /// The one with the least load.
    CpuFirst,
    /// The one that answers soonest.
    ResponseFirst,
    /// The first that is healthy.
    Failover,
    /// The first by name.
    First,
    /// The last by name.
    Last,
    /// The one whose last attempt is longest ago.
    LeastRecentlyUsed,
    /// The one with the fewest attempts at hand.
    IdleFirst,
}

impl RouteStrategy {
    /// The strategies that are named by a word alone, the default first.
    pub const NAMES: [(&'static str, Self); 12] = [
        ("round_robin", Self::RoundRobin),
        ("random", Self::Random),
        ("consistent_hash", Self::ConsistentHash),
        ("least_scheduled", Self::LeastScheduled),
        ("memory_first", Self::MemoryFirst),
        ("cpu_first", Self::CpuFirst),
        ("response_first", Self::ResponseFirst),
        ("failover", Self::Failover),
        ("first", Self::First),
        ("last", Self::Last),
        ("least_recently_used", Self::LeastRecentlyUsed),
        ("idle_first", Self::IdleFirst),
    ];

    /// The executor that the strategy names, if it names one.
    pub fn names(&self) -> Option<&ExecutorName> {
        if let Self::Specific(name) = self { Some(name) } else { None }
    }
}

/// A live executor that hosts the handler.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name; candidates are given sorted by it.
    pub name: &'a ExecutorName,
    /// Whether it can take another attempt now.
    pub has_place: bool,
}

/// What a job remembers of its earlier picks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The executor that was picked last.
    pub last: Option<ExecutorName>,
}

/// Picks one of `from`, which is sorted by name, and returns its index; `None` if none will do.
///
/// Strategies that a job cannot be saved with yet pick like round robin.
pub fn pick(strategy: &RouteStrategy, from: &[Candidate<'_>], memory: &Memory) -> Option<usize> {
    match strategy {
        RouteStrategy::Specific(name) => {
            from.iter().position(|candidate| candidate.name == name && candidate.has_place)
        }
        RouteStrategy::RoundRobin
        | RouteStrategy::Random
        | RouteStrategy::ConsistentHash
        | RouteStrategy::LeastScheduled
        | RouteStrategy::MemoryFirst
        | RouteStrategy::CpuFirst
        | RouteStrategy::ResponseFirst
        | RouteStrategy::Failover
        | RouteStrategy::First
        | RouteStrategy::Last
        | RouteStrategy::LeastRecentlyUsed
        | RouteStrategy::IdleFirst => in_turn::round_robin(from, memory.last.as_ref()),
    }
}
