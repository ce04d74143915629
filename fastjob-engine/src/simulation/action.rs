//! The actions of a history. They are chosen from a seed before the history runs, so that it can be
//! repeated without some of them.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::shape::{Feature, Shape};

/// One action. Its random decisions come from its own dice, so that leaving out one action does not
/// change the others. Executors and nodes are identified by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// A node's oldest commit becomes durable, and its answer arrives.
    Commit(usize),
    /// A node's oldest commit becomes durable twice, as after a lost answer.
    CommitTwice(usize),
    /// A message of a node arrives at an executor.
    Deliver(usize, usize),
    /// A message of a node arrives at an executor twice.
    DeliverTwice(usize, usize),
    /// The next two messages of a node to an executor are swapped.
    Reorder(usize, usize),
    /// An executor reports its figures to a node.
    Figures(usize, usize, u64),
    /// A message of an executor arrives at a node.
    Receive(usize, usize),
    /// Handlers make progress and end.
    Run(usize, u64),
    /// An executor connects to a node.
    Connect(usize, usize),
    /// A stream breaks: the messages on it are lost.
    Disconnect(usize, usize),
    /// An executor shuts down gracefully.
    Leave(usize),
    /// A user sends a command.
    People(u64),
    /// An executor's process crashes and is restarted.
    CrashExecutor(usize),
    /// An executor's process loses its connections and keeps running, while another process takes
    /// its name.
    Haunt(usize),
    /// A node crashes; some of the commits that it handed over become durable.
    CrashNode(usize, u64),
    /// A node that is down is restarted.
    StartNode(usize),
    /// A node sends a heartbeat, and updates its partitions.
    Beat(usize),
    /// The connection between a node and the database breaks, or is restored.
    Cut(usize),
    /// A node is paused for so many milliseconds, while the others continue.
    Sleep(usize, u64),
    /// The wall clocks of all machines jump by so many milliseconds.
    Jump(i64),
    /// All nodes are paused for so many milliseconds.
    Pause(u64),

    /// The wall clock of one node jumps by so many milliseconds.
    JumpNode(usize, i64),
    /// The database's clock jumps by so many milliseconds.
    StepDatabase(i64),
    /// A draining executor checks whether it can exit.
    Exit(usize),
    /// A node shuts down gracefully.
    StopNode(usize),
    /// The next effects of a node's engine are delayed by so many milliseconds after its decision.
    Stall(usize, u64),
    /// An executor is suspended.
    Suspend(usize),
    /// A suspended executor resumes.
    Resume(usize),
    /// An executor cannot reach any node for so many milliseconds.
    Isolate(usize, u64),
    /// The store is backed up.
    Backup,
    /// The store is restored from the backup, and the node restarts.
    Restore,
    /// An engine of a node panics.
    Panic(usize),
    /// A node's engines receive the children that were read for them.
    DeliverRead(usize),
    /// A user starts a job that runs one task at a time.
    Start(u64),
}

/// Separates the dice of the store from those of the actions.
const LUCK: u64 = 0x9e37_79b9_7f4a_7c15;
/// The number of executors.
pub(super) const EXECUTORS: usize = 4;

/// An action of a history, and how the store's transactions end during it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) action: Action,
    /// The seed of the dice that decide it.
    pub(super) luck: u64,
}

/// The actions of a seed.
pub(super) fn steps(seed: u64, count: usize, shape: Shape) -> Vec<Step> {
    let mut dice = SmallRng::seed_from_u64(seed ^ LUCK);
    let step = |action| Step { action, luck: dice.random() };
    actions(seed, count, shape).into_iter().map(step).collect()
}

fn actions(seed: u64, count: usize, shape: Shape) -> Vec<Action> {
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut actions: Vec<_> = (0..count).map(|_| action(&mut dice, shape)).collect();
    if shape.has(Feature::Restores) && dice.random_bool(0.5) {
        // After a restore, everything ends without another fault.
        actions.push(Action::Restore);
    }
    actions
}

fn action(dice: &mut SmallRng, shape: Shape) -> Action {
    let action = match shape.extended && dice.random_bool(0.08) {
        true => extended(dice, shape),
        false => basic(dice, shape),
    };
    match shape.has(Feature::Gentle) && is_fault(action) {
        true => Action::Pass(20),
        false => action,
    }
}

fn basic(dice: &mut SmallRng, shape: Shape) -> Action {
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

/// An action of an extended feature. If the feature is off, time passes instead.
fn extended(dice: &mut SmallRng, shape: Shape) -> Action {
    use Action::*;
    let n = dice.random_range(0..EXECUTORS);
    let m = dice.random_range(0..shape.nodes);
    let millis: u64 = dice.random_range(0..8_000);
    let (needs, action) = match dice.random_range(0..100) {
        0..2 => (Feature::Clocks, JumpNode(m, dice.random_range(-3_000..3_000))),
        2..5 => (Feature::Clocks, JumpNode(m, dice.random_range(-500..500))),
        5..8 => (Feature::Clocks, StepDatabase(dice.random_range(-140..140))),
        8..11 => (Feature::DatabaseSteps, StepDatabase(dice.random_range(-9_000..9_000))),
        11..16 => (Feature::Drains, Leave(n)),
        16..34 => (Feature::Drains, Exit(n)),
        34..37 => (Feature::Isolation, Isolate(n, 2 * millis)),
        37..39 => (Feature::Isolation, Haunt(n)),
        39..40 => (Feature::Panics, Panic(m)),
        40..43 => (Feature::Handovers, StopNode(m)),
        43..48 => (Feature::Handovers, StartNode(m)),
        48..60 => (Feature::Stalls, Stall(m, millis)),
        60..63 => (Feature::Suspends, Suspend(n)),
        63..70 => (Feature::Suspends, Resume(n)),
        70..72 => (Feature::Restores, Backup),
        72..73 => (Feature::Restores, Restore),
        73..75 => (Feature::Panics, Panic(m)),
        75..88 => (Feature::StaleReads, DeliverRead(m)),
        88..95 => (Feature::Clocks, Start(dice.random())),
        95..96 => (Feature::Crowd, Pause(dice.random_range(3_600_000..14_400_000))),
        _ => (Feature::Reports, Run(n, dice.random())),
    };
    if shape.has(needs) { action } else { Pass(millis % 120) }
}

/// Whether the action is a fault, which does not happen in gentle histories.
fn is_fault(action: Action) -> bool {
    use Action::*;
    match action {
        Reorder(..) | Disconnect(..) | CrashExecutor(_) | Haunt(_) | CrashNode(..) | Cut(_)
        | Sleep(..) | Jump(_) | Pause(_) | JumpNode(..) | StepDatabase(_) | Stall(..)
        | Suspend(_) | Resume(_) | Isolate(..) | Backup | Restore | Panic(_) => true,
        Pass(_) | Commit(_) | CommitTwice(_) | Deliver(..) | DeliverTwice(..) | Figures(..)
        | Receive(..) | Run(..) | Connect(..) | Leave(_) | People(_) | StartNode(_) | Beat(_)
        | Exit(_) | StopNode(_) | DeliverRead(_) | Start(_) => false,
    }
}
