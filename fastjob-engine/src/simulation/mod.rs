//! A simulation of the engine in a cluster with faults: coordinators and executors crash, streams
//! break and lose their messages, messages are duplicated or reordered, commits or their answers
//! are lost, clocks jump either way, and users edit, switch, stop and delete jobs. One seed
//! determines all of it, and `invariants` has the checks. Most defects need several rare events at
//! once, so events that are rare in most histories are frequent in some.
//!
//! Odd seeds run three nodes that share four partitions by leases: nodes lose the database, pause
//! longer than their lease and resume, crash and restart, and their clocks differ. Every second
//! pair of seeds has further faults, chosen by the seed; [`features`] lists them.
//!
//! A history that breaks an invariant is shortened until no action can be left out. The result is
//! reported as the story.

mod action;
mod asks;
mod beside;
mod clocks;
mod cluster;
mod drains;
mod executor;
mod handlers;
mod invariants;
mod jobs;
mod lanes;
mod model;
mod node;
mod observer;
mod people;
mod reload;
mod rest;
mod shape;
mod store;
mod streams;
mod world;
mod writes;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

#[cfg(test)]
pub(super) use self::model::ModelStore;
pub use self::store::{Fate, PastAttempt, PastTask, Rows, Store};
use self::{
    action::Step,
    shape::{Feature, Selection, Shape},
    world::World,
};

/// The number of actions of one history, unless [`Options::steps`] sets another.
pub const STEPS: usize = 3_000;

/// How much happened in one history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tasks that were recorded.
    pub tasks: u64,
    /// Attempts that were recorded.
    pub attempts: u64,
    /// Events that the engines handled.
    pub events: u64,
}

/// Which histories run: their length, and the faults they may have.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    steps: usize,
    selection: Selection,
    beside: Option<NewStore>,
}

/// Makes an empty store for the history of a seed, for so many nodes and partitions.
pub type NewStore = fn(seed: u64, nodes: usize, partitions: u32) -> Box<dyn Store>;

impl Default for Options {
    fn default() -> Self {
        Self { steps: STEPS, selection: Selection::default(), beside: None }
    }
}

impl Options {
    /// Sets the number of actions of a history.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Writes all histories to a second store too, and compares it with the model. The engines
    /// continue from what the second store loads. Its transactions fail in all histories.
    #[must_use]
    pub fn beside(mut self, store: NewStore) -> Self {
        (self.beside, self.selection.beside) = (Some(store), true);
        self
    }

    /// Also enables the features with which the engine is known to fail.
    #[must_use]
    pub fn known(mut self) -> Self {
        self.selection.known = true;
        self
    }

    /// Gives extended histories exactly these faults; `names` are separated by commas.
    ///
    /// # Errors
    ///
    /// Fails with the first name that is not a feature.
    pub fn only(mut self, names: &str) -> Result<Self, String> {
        self.selection.only = Some(named(names)?);
        Ok(self)
    }

    /// Disables these features; `names` are separated by commas.
    ///
    /// # Errors
    ///
    /// Fails with the first name that is not a feature.
    pub fn without(mut self, names: &str) -> Result<Self, String> {
        self.selection.without = named(names)?;
        Ok(self)
    }
}

fn named(names: &str) -> Result<shape::Features, String> {
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(|name| Feature::named(name).ok_or_else(|| name.to_owned())).collect()
}

/// The names of all features, for [`Options::only`] and [`Options::without`].
pub fn features() -> impl Iterator<Item = &'static str> {
    Feature::NAMES.iter().map(|(name, _)| *name)
}

/// A seed whose history broke an invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// Which invariant was broken and how, or the message of the panic.
    pub what: String,
    /// The faults that the history could have beyond the basic ones.
    pub faults: Vec<&'static str>,
    /// The shortest history that was found to fail, one action per entry.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        writeln!(f, "in {} actions (faults: {}):", self.story.len(), self.faults.join(", "))?;
        self.story.iter().try_for_each(|action| writeln!(f, "  {action}"))
    }
}

impl std::error::Error for Failure {}

/// Runs the history of a seed to its end.
///
/// # Errors
///
/// Fails with the shortest story that was found, if an invariant is broken. Panics of the engine
/// are caught and count as failures. The panic hook should be silent, because shortening causes
/// many panics.
pub fn run(seed: u64, options: &Options) -> Result<Figures, Box<Failure>> {
    let shape = Shape::of(seed, options.selection);
    let steps = action::steps(seed, options.steps, shape);
    let history = History { seed, shape, beside: options.beside };
    history.tell(&steps).map_err(|_| {
        let steps = history.shorten(steps);
        let what = history.tell(&steps).err().unwrap_or_default();
        let story = steps.iter().map(|step| format!("{:?}", step.action)).collect();
        Box::new(Failure { seed, what, faults: shape.faults(), story })
    })
}

/// Runs the history of a seed to its end, and does not shorten a history that fails.
///
/// # Errors
///
/// Fails with a message of one line if an invariant is broken.
pub fn run_briefly(seed: u64, options: &Options) -> Result<Figures, String> {
    let shape = Shape::of(seed, options.selection);
    let history = History { seed, shape, beside: options.beside };
    history.tell(&action::steps(seed, options.steps, shape)).map_err(|what| {
        let what: String = what.chars().take(300).collect();
        format!("seed {seed} ({}): {}", shape.faults().join(", "), what.replace('\n', " "))
    })
}

/// What all tellings of a history have in common.
struct History {
    seed: u64,
    shape: Shape,
    beside: Option<NewStore>,
}

impl History {
    fn tell(&self, steps: &[Step]) -> Result<Figures, String> {
        let Self { seed, shape, beside } = *self;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let beside = beside.map(|new| new(seed, shape.nodes, shape.partitions));
            let mut world = World::new(shape, beside);
            for step in steps {
                world.apply(*step);
            }
            world.rest();
            let (tasks, attempts) = (world.witness.tasks, world.witness.attempts);
            Figures { tasks, attempts, events: world.events }
        }));
        ran.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "the engine panicked".to_owned())
        })
    }

    /// Removes pieces as long as the history still fails: half of it first, single actions at the
    /// end.
    fn shorten(&self, mut steps: Vec<Step>) -> Vec<Step> {
        let mut piece = steps.len().div_ceil(2);
        while piece > 0 {
            let (mut at, before) = (0, steps.len());
            while at < steps.len() {
                let mut less = steps.clone();
                less.drain(at..(at + piece).min(steps.len()));
                match self.tell(&less) {
                    Err(_) => steps = less,
                    Ok(_) => at += piece,
                }
            }
            if piece == 1 && steps.len() == before {
                break;
            }
            piece = if piece == 1 { 1 } else { piece / 2 };
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FASTJOB_SEED=7 cargo test -p fastjob-engine whatever` replays one seed.
    #[test]
    fn the_invariants_hold_whatever_fails() {
        let seeds = match std::env::var("FASTJOB_SEED") {
            Ok(seed) => {
                let seed = seed.parse().expect("FASTJOB_SEED is a number");
                seed..seed + 1
            }
            Err(_) => 0..2_000,
        };
        for seed in seeds {
            if let Err(failure) = run(seed, &Options::default()) {
                panic!("replay it with FASTJOB_SEED={seed}: {failure}");
            }
        }
    }
}
