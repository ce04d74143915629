//! Which executor gets an attempt.
//!
//! [`pick`] is pure: it is given the live executors that host the handler, what is known of them,
//! the job's own memory of earlier picks, and dice. Only executors with a place are picked; where
//! none has one, or the strategy names one that has none, the answer is `None` and the attempt
//! waits. Where a strategy holds several for equal, they take turns by name.

mod by_chance;
mod by_count;
mod by_figures;
mod by_hash;
mod by_name;
mod choice;
mod in_turn;
mod memory;
mod smoothed;

#[cfg(test)]
mod tests;

use self::choice::Choice;
pub use self::{memory::Memory, smoothed::Smoothed};
use crate::id::{ExecutorName, JobId};

/// How an executor is chosen among those that could take an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RouteStrategy {
    /// Each in turn, by name.
    #[default]
    RoundRobin,
    /// This one and no other, a retry included.
    Specific(ExecutorName),
    /// Any, each as likely as the others.
    Random,
    /// The same one for the same job, while others come and go.
    ///
    /// One executor more among n takes about one job in n over, and no other job moves. While a
    /// job's executor has no place, another takes over; it is always the same one too.
    ConsistentHash,
    /// The one that was given the fewest attempts of this job.
    ///
    /// An executor that is new, or comes back, starts with as many as the one with the fewest of
    /// those that have a place: it is not given everything until it has caught up.
    LeastScheduled,
    /// The one with the most free memory, among equals the one that holds the fewest attempts.
    ///
    /// An executor whose memory is not known counts as having none.
    MemoryFirst,
    /// The one with the least load, among equals the one that holds the fewest attempts.
    ///
    /// An executor whose load is not known comes after those whose load is.
    CpuFirst,
    /// The one that is likely to answer soonest: the smoothed time of its answers, times the
    /// attempts it would then hold.
    ///
    /// An executor that has not answered yet comes first while it holds nothing, so that there is
    /// something to go by, and last once it does.
    ResponseFirst,
    /// The one it went to before, while that is there and has a place; else the next by name.
    ///
    /// It stays with that one then, also when the earlier one is back. A retry counts as a move.
    Failover,
    /// The first by name.
    First,
    /// The last by name.
    Last,
    /// The one whose last attempt of this job is longest ago; one that never had any comes first.
    LeastRecentlyUsed,
    /// The one that holds the fewest attempts, of any job.
    ///
    /// What the coordinator gave it counts first, being known to the moment; among equals, what
    /// the executor itself said is running and waiting.
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
    /// What is known of it.
    pub figures: Figures,
}

/// What is known of an executor and its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Load of the machine, 0 to 1 over all cores.
    pub cpu: Option<f64>,
    /// Free memory of the machine, in bytes.
    pub memory_free: Option<u64>,
    /// All memory of the machine, in bytes.
    pub memory_total: Option<u64>,
    /// How long it takes to answer, round trip and run, smoothed. `None` also where the last
    /// answer is so long ago that it says nothing any more: then the executor is tried again.
    pub response_ms: Option<f64>,
    /// Attempts that it said are running.
    pub running: u32,
    /// Attempts that it said are waiting.
    pub waiting: u32,
    /// Attempts that the coordinator gave it and that have not ended.
    pub holds: u32,
}

/// What a pick is for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The job.
    pub job: JobId,
    /// The executor that the attempt before this one failed on. It is left out while another has
    /// a place; a strategy that names its executor pays no heed to it.
    pub avoid: Option<&'a ExecutorName>,
}

/// Picks one of `from`, which is sorted by name, and returns its index; `None` if none will do.
///
/// `dice` is asked at most once, for a number below the one it is given, each as likely as the
/// others. When the attempt is placed there, the memory is told with [`Memory::given`].
///
/// # Examples
///
/// ```
/// use fastjob_core::{ExecutorName, JobId, route::*};
///
/// let names: Vec<ExecutorName> = vec!["a".parse()?, "b".parse()?];
/// let free = |name| Candidate { name, has_place: true, figures: Figures::default() };
/// let from: Vec<_> = names.iter().map(free).collect();
/// let (strategy, mut memory) = (RouteStrategy::RoundRobin, Memory::default());
/// let ask = Ask { job: JobId(1), avoid: None };
/// for expected in [0, 1, 0] {
///     let index = pick(&strategy, ask, &from, &memory, |_| 0);
///     assert_eq!(index, Some(expected));
///     memory.given(&strategy, &from, expected);
/// }
/// # Ok::<(), fastjob_core::InvalidName>(())
/// ```
pub fn pick(
    strategy: &RouteStrategy,
    ask: Ask<'_>,
    from: &[Candidate<'_>],
    memory: &Memory,
    dice: impl FnOnce(usize) -> usize,
) -> Option<usize> {
    let choice = Choice::new(from, ask.avoid);
    let last = memory.last();
    match strategy {
        RouteStrategy::Specific(name) => by_name::specific(from, name),
        RouteStrategy::First => by_name::first(&choice),
        RouteStrategy::Last => by_name::last(&choice),
        RouteStrategy::Failover => by_name::failover(&choice, last),
        RouteStrategy::RoundRobin => in_turn::round_robin(&choice, last),
        RouteStrategy::Random => by_chance::random(&choice, dice),
        RouteStrategy::ConsistentHash => by_hash::consistent(&choice, ask.job),
        RouteStrategy::LeastScheduled => by_count::least_scheduled(&choice, memory),
        RouteStrategy::LeastRecentlyUsed => by_count::least_recently_used(&choice, memory),
        RouteStrategy::MemoryFirst => by_figures::memory_first(&choice, last),
        RouteStrategy::CpuFirst => by_figures::cpu_first(&choice, last),
        RouteStrategy::ResponseFirst => by_figures::response_first(&choice, last),
        RouteStrategy::IdleFirst => by_figures::idle_first(&choice, last),
    }
}
