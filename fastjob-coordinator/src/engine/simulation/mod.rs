//! The engine in a world that fails: coordinators and executors that crash, streams that break with
//! what is on them, messages that come twice or in another order, commits that are lost or whose
//! answer is lost, clocks that jump either way, and people who edit, switch, stop and delete. All
//! of it comes from one seed, and what must hold is in `invariants`. Most defects show only where
//! several rare things meet, so what is rare in most histories is frequent in some.
//!
//! Odd seeds run three nodes that share four partitions by leases: they are cut off from the
//! database, sleep past their lease and wake, die and come back, and their clocks do not run alike.
//! Every second pair of seeds has further faults, chosen by the seed; [`features`] lists them.
//!
//! A history that breaks an invariant is repeated with less and less in it, until nothing can be
//! left out: that is the story to read.

mod action;
mod asks;
mod clocks;
mod cluster;
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
mod streams;
mod world;
mod writes;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

#[cfg(test)]
pub(super) use self::model::ModelStore;
use self::{
    action::Action,
    shape::{Feature, Selection, Shape},
    world::World,
};

/// Actions of one history.
pub const STEPS: usize = 3_000;

/// What one history was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tasks that were recorded.
    pub tasks: u64,
    /// Attempts that were recorded.
    pub attempts: u64,
    /// Events that the engine was notified of.
    pub events: u64,
}

/// Which histories run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    steps: usize,
    selection: Selection,
}

impl Default for Options {
    fn default() -> Self {
        Self { steps: STEPS, selection: Selection::default() }
    }
}

impl Options {
    /// Histories of so many actions.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Features that the engine is known to fail with are on as well.
    #[must_use]
    pub fn known(mut self) -> Self {
        self.selection.known = true;
        self
    }

    /// Extended histories have exactly these faults, separated by commas.
    ///
    /// # Errors
    ///
    /// Fails with the name that is not a feature's.
    pub fn only(mut self, names: &str) -> Result<Self, String> {
        self.selection.only = Some(named(names)?);
        Ok(self)
    }

    /// These features are off, separated by commas.
    ///
    /// # Errors
    ///
    /// Fails with the name that is not a feature's.
    pub fn without(mut self, names: &str) -> Result<Self, String> {
        self.selection.without = named(names)?;
        Ok(self)
    }
}

fn named(names: &str) -> Result<shape::Features, String> {
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(|name| Feature::named(name).ok_or_else(|| name.to_owned())).collect()
}

/// The names of all features.
pub fn features() -> impl Iterator<Item = &'static str> {
    Feature::NAMES.iter().map(|(name, _)| *name)
}

/// A seed whose history broke an invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was found.
    pub what: String,
    /// Which faults beyond the basic ones the history could have.
    pub faults: Vec<&'static str>,
    /// The shortest history that was found with it, one action a line.
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
/// are caught and count; the panic hook should be silent, for shortening meets many.
pub fn run(seed: u64, options: &Options) -> Result<Figures, Box<Failure>> {
    let shape = Shape::of(seed, options.selection);
    let actions = action::actions(seed, options.steps, shape);
    tell(&actions, shape).map_err(|_| {
        let actions = shorten(actions, shape);
        let what = tell(&actions, shape).err().unwrap_or_default();
        let story = actions.iter().map(|action| format!("{action:?}")).collect();
        Box::new(Failure { seed, what, faults: shape.faults(), story })
    })
}

/// Runs the history of a seed to its end, and does not shorten it if it fails.
///
/// # Errors
///
/// Fails with one line if an invariant is broken.
pub fn run_briefly(seed: u64, options: &Options) -> Result<Figures, String> {
    let shape = Shape::of(seed, options.selection);
    let told = tell(&action::actions(seed, options.steps, shape), shape);
    told.map_err(|what| {
        let what: String = what.chars().take(300).collect();
        format!("seed {seed} ({}): {}", shape.faults().join(", "), what.replace('\n', " "))
    })
}

fn tell(actions: &[Action], shape: Shape) -> Result<Figures, String> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(shape);
        for action in actions {
            world.apply(*action);
        }
        world.rest();
        let (tasks, attempts) = (world.witness.tasks, world.witness.attempts);
        Figures { tasks, attempts, events: world.events }
    }));
    told.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "the engine panicked".to_owned())
    })
}

/// Leaves out pieces, half the history at first and single actions at last, while it still fails.
fn shorten(mut actions: Vec<Action>, shape: Shape) -> Vec<Action> {
    let mut piece = actions.len().div_ceil(2);
    while piece > 0 {
        let (mut at, before) = (0, actions.len());
        while at < actions.len() {
            let mut less = actions.clone();
            less.drain(at..(at + piece).min(actions.len()));
            match tell(&less, shape) {
                Err(_) => actions = less,
                Ok(_) => at += piece,
            }
        }
        if piece == 1 && actions.len() == before {
            break;
        }
        piece = if piece == 1 { 1 } else { piece / 2 };
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FASTJOB_SEED=7 cargo test -p fastjob-coordinator whatever` replays one seed.
    #[test]
    fn whatever_fails_what_must_hold_holds() {
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
