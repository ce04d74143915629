//! Decides which executor gets an attempt.
//!
//! [`pick`] is a pure function of the live executors that host the handler, their figures, the
//! job's memory of earlier picks, and a random number. Only executors with a free place are picked.
//! If there is none, or the strategy names an executor without one, the result is `None` and the
//! attempt waits. Ties rotate by name.

mod by_figures;
mod by_hash;
mod choice;
mod memory;
mod simple;
mod smoothed;

#[cfg(test)]
mod tests;

use self::choice::Choice;
pub use self::{memory::Memory, smoothed::Smoothed};
use crate::id::{ExecutorName, JobId};

/// How an executor is chosen among those that host the handler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouteStrategy {
    /// Each in turn, by name.
    #[default]
    RoundRobin,
    /// This executor only, even for retries.
    Specific(ExecutorName),
    /// A random executor, each with the same probability.
    Random,
    /// The same executor for the same job, while other executors come and go.
    ///
    /// With one more executor among n, about one in n jobs moves to it, and no other job moves.
    /// While a job's executor has no free place, another one takes over, which is also always the
    /// same.
    ConsistentHash,
    /// The executor with the fewest attempts of this job.
    ///
    /// A new or returning executor starts with the smallest count of those with a free place, so
    /// that it does not get every attempt until it has caught up.
    LeastScheduled,
    /// The executor with the most free memory; ties go to the one that holds the fewest attempts.
    ///
    /// Unknown memory counts as none.
    MemoryFirst,
    /// The executor with the lowest CPU load; ties go to the one that holds the fewest attempts.
    ///
    /// Executors with unknown load come last.
    CpuFirst,
    /// The executor that is likely to respond first: its smoothed response time, multiplied by the
    /// attempts that it would then hold.
    ///
    /// An executor without a response time comes first while it holds nothing, so that it gets
    /// measured, and last otherwise.
    ResponseFirst,
    /// The previous executor while it is alive and has a free place, otherwise the next by name.
    ///
    /// The job then stays there, even when the earlier executor is back. A retry moves to the next
    /// one.
    Failover,
    /// The first by name.
    First,
    /// The last by name.
    Last,
    /// The executor whose last attempt of this job is the oldest. An executor without one comes
    /// first.
    LeastRecentlyUsed,
    /// The executor that holds the fewest attempts, of any job.
    ///
    /// The coordinator's own count decides first, because it is current. Ties are broken by the
    /// running and waiting attempts that the executor reported.
    IdleFirst,
}

impl RouteStrategy {
    /// The strategies without a parameter, the default first.
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

    /// The executor that the strategy names, if any.
    pub fn names(&self) -> Option<&ExecutorName> {
        if let Self::Specific(name) = self { Some(name) } else { None }
    }
}

/// A live executor that hosts the handler.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name. Candidates are sorted by it.
    pub name: &'a ExecutorName,
    /// Whether it can accept another attempt now.
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
    /// Its smoothed response time, round trip and run. `None` also if the last response is too old
    /// to be useful: the executor is then measured again.
    pub response_ms: Option<f64>,
    /// Running attempts that it reported.
    pub running: u32,
    /// Waiting attempts that it reported.
    pub waiting: u32,
    /// Attempts that the coordinator placed on it and that have not ended.
    pub holds: u32,
}

/// What a pick is for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The job.
    pub job: JobId,
    /// The executor that the previous attempt failed on. It is avoided while another one has a free
    /// place. A strategy that names its executor ignores this.
    pub avoid: Option<&'a ExecutorName>,
}

/// Picks one of `from`, which is sorted by name, and returns its index; `None` if no executor is
/// suitable.
///
/// `dice` is called at most once. It returns a uniform random number below its argument. After
/// placing the attempt, update the memory with [`Memory::given`].
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
        RouteStrategy::Specific(name) => simple::specific(from, name),
        RouteStrategy::First => simple::first(&choice),
        RouteStrategy::Last => simple::last(&choice),
        RouteStrategy::Failover => simple::failover(&choice, last),
        RouteStrategy::RoundRobin => simple::round_robin(&choice, last),
        RouteStrategy::Random => simple::random(&choice, dice),
        RouteStrategy::ConsistentHash => by_hash::consistent(&choice, ask.job),
        RouteStrategy::LeastScheduled => simple::least_scheduled(&choice, memory),
        RouteStrategy::LeastRecentlyUsed => simple::least_recently_used(&choice, memory),
        RouteStrategy::MemoryFirst => by_figures::memory_first(&choice, last),
        RouteStrategy::CpuFirst => by_figures::cpu_first(&choice, last),
        RouteStrategy::ResponseFirst => by_figures::response_first(&choice, last),
        RouteStrategy::IdleFirst => by_figures::idle_first(&choice, last),
    }
}
