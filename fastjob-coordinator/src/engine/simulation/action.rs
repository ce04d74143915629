//! What happens in a history: chosen from a seed before it is told, so that a history can be told
//! again without some of it.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// One thing that happens. Whatever chance decides within it comes from its own dice, so that
/// leaving out one action does not change the others. Executors and nodes are named by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// So many milliseconds pass.
    Pass(u64),
    /// A node's oldest commit becomes durable and its answer comes back.
    Commit(usize),
    /// A node's oldest commit becomes durable twice, as after an answer that was lost.
    CommitTwice(usize),
    /// A message of a node arrives at an executor.
    Deliver(usize, usize),
    /// A message of a node arrives at an executor twice.
    DeliverTwice(usize, usize),
    /// The next two messages of a node to an executor change places.
    Reorder(usize, usize),
    /// An executor tells a node its figures.
    Figures(usize, usize, u64),
    /// A message of an executor arrives at a node.
    Receive(usize, usize),
    /// Handlers go on.
    Run(usize, u64),
    /// An executor dials in to a node.
    Connect(usize, usize),
    /// A stream breaks: what is under way on it is lost.
    Disconnect(usize, usize),
    /// An executor says that it takes no more, and stops.
    Leave(usize),
    /// A person does something.
    People(u64),
    /// An executor's process dies and is started anew.
    CrashExecutor(usize),
    /// An executor's process is cut off and runs on, while another takes its name.
    Haunt(usize),
    /// A node dies; some of what it handed over became durable.
    CrashNode(usize, u64),
    /// A node that died is started anew.
    StartNode(usize),
    /// A node beats, and does what is to be done about its partitions.
    Beat(usize),
    /// The way between a node and the database breaks, or is mended.
    Cut(usize),
    /// A node sleeps for so many milliseconds, while the others go on.
    Sleep(usize, u64),
    /// The wall clock is set, by so many milliseconds.
    Jump(i64),
    /// All nodes are stopped for so many milliseconds and go on.
    Pause(u64),
}

/// How many executors there are.
pub(super) const EXECUTORS: usize = 4;

/// How many nodes and partitions there are: of every second seed one, of the others several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) partitions: u32,
}

impl Shape {
    pub(super) fn of(seed: u64) -> Self {
        match seed % 2 {
            0 => Self { nodes: 1, partitions: 1 },
            _ => Self { nodes: 3, partitions: 4 },
        }
    }
}

/// The actions of a seed.
pub(super) fn actions(seed: u64, count: usize) -> Vec<Action> {
    let mut dice = SmallRng::seed_from_u64(seed);
    let shape = Shape::of(seed);
    (0..count).map(|_| action(&mut dice, shape)).collect()
}

fn action(dice: &mut SmallRng, shape: Shape) -> Action {
    use Action::*;
    let n = dice.random_range(0..EXECUTORS);
    let m = dice.random_range(0..shape.nodes);
    let seed: u64 = dice.random();
    if shape.nodes > 1 && dice.random_bool(0.08) {
        return match dice.random_range(0..100) {
            0..90 => Beat(m),
            90..95 => StartNode(m),
            95..97 => Cut(m),
            _ => Sleep(m, dice.random_range(0..9_000)),
        };
    }
    match dice.random_range(0..1_000) {
        0..285 => Pass(dice.random_range(1..120)),
        285..300 => Figures(n, m, seed),
        300..500 => Commit(m),
        500..505 => CommitTwice(m),
        505..640 => Deliver(n, m),
        640..645 => DeliverTwice(n, m),
        645..650 => Reorder(n, m),
        650..760 => Receive(n, m),
        760..890 => Run(n, seed),
        890..940 => Connect(n, m),
        940..955 => Disconnect(n, m),
        955..957 => Leave(n),
        957..987 => People(seed),
        987..991 => CrashExecutor(n),
        991..992 => Haunt(n),
        992..995 => CrashNode(m, seed),
        995..997 => Jump(dice.random_range(-20_000..30_000)),
        _ => Pause(dice.random_range(0..15_000)),
    }
}
