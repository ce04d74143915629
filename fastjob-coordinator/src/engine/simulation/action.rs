//! What happens in a history: chosen from a seed before it is told, so that a history can be told
//! again without some of it.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// One thing that happens. Whatever chance decides within it comes from its own dice, so that
/// leaving out one action does not change the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// So many milliseconds pass.
    Pass(u64),
    /// The oldest commit becomes durable and its answer comes back.
    Commit,
    /// The oldest commit becomes durable twice, as after an answer that was lost.
    CommitTwice,
    /// A message arrives at an executor.
    Deliver(usize),
    /// A message arrives at an executor twice.
    DeliverTwice(usize),
    /// The next two messages to an executor change places.
    Reorder(usize),
    /// A message of an executor arrives at the coordinator.
    Receive(usize),
    /// Handlers go on.
    Run(usize, u64),
    /// An executor dials in.
    Connect(usize),
    /// A stream breaks: what is under way on it is lost.
    Disconnect(usize),
    /// An executor says that it takes no more, and stops.
    Leave(usize),
    /// A person does something.
    People(u64),
    /// An executor's process dies and is started anew.
    CrashExecutor(usize),
    /// The coordinator dies; some of what it handed over became durable.
    CrashCoordinator(u64),
    /// The wall clock is set, by so many milliseconds.
    Jump(i64),
    /// The coordinator is stopped for so many milliseconds and goes on.
    Pause(u64),
}

/// How many executors there are.
pub(super) const EXECUTORS: usize = 4;

/// The actions of a seed.
pub(super) fn actions(seed: u64, count: usize) -> Vec<Action> {
    let mut dice = SmallRng::seed_from_u64(seed);
    (0..count).map(|_| action(&mut dice)).collect()
}

fn action(dice: &mut SmallRng) -> Action {
    use Action::*;
    let n = dice.random_range(0..EXECUTORS);
    let seed: u64 = dice.random();
    match dice.random_range(0..1_000) {
        0..300 => Pass(dice.random_range(1..120)),
        300..500 => Commit,
        500..505 => CommitTwice,
        505..640 => Deliver(n),
        640..645 => DeliverTwice(n),
        645..650 => Reorder(n),
        650..760 => Receive(n),
        760..890 => Run(n, seed),
        890..940 => Connect(n),
        940..955 => Disconnect(n),
        955..957 => Leave(n),
        957..988 => People(seed),
        988..992 => CrashExecutor(n),
        992..995 => CrashCoordinator(seed),
        995..997 => Jump(dice.random_range(-20_000..30_000)),
        _ => Pause(dice.random_range(0..15_000)),
    }
}
