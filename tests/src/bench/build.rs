//! The builds that are compared: this program, and that of `--against`.
//!
//! Of another build only the coordinator and the executor are used: its bench program plays these
//! roles if its environment says so, see [`play_role`](super::play_role), which works in the same way
//! in every commit. Load and measurement are always those of this program. So the figures of both
//! builds have the same meaning, and the other build may be older than a flag or a rule of a bench.

use std::path::PathBuf;

use super::Args;

/// A build of a bench program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// `this` or `other`.
    pub name: &'static str,
    /// The program that plays the roles.
    pub program: PathBuf,
}

impl Build {
    /// This program.
    ///
    /// # Panics
    ///
    /// Panics if the system does not know its path.
    pub fn this() -> Self {
        Self { name: "this", program: std::env::current_exe().expect("this program has a path") }
    }

    /// This program, and the one of `--against` if there is one.
    pub fn of(args: &Args) -> Vec<Self> {
        let other = args.against().map(|program| Self { name: "other", program });
        std::iter::once(Self::this()).chain(other).collect()
    }
}

/// The order in which things are measured: A B B A, and again from the start. What the machine does
/// beside it, if it grows or declines evenly, then affects both alike. With one build it is A A.
#[derive(Clone, Debug)]
pub struct Turns {
    builds: usize,
    turn: usize,
}

impl Turns {
    /// The turns of this many builds.
    pub fn new(builds: usize) -> Self {
        Self { builds: builds.max(1), turn: 0 }
    }

    /// The number of the build whose turn it is.
    pub fn take_turn(&mut self) -> usize {
        let (round, within) = (self.turn / self.builds, self.turn % self.builds);
        self.turn += 1;
        if round.is_multiple_of(2) { within } else { self.builds - 1 - within }
    }

    /// The whole order, if each build has two turns; a single build has one.
    pub fn two_each(builds: usize) -> Vec<usize> {
        let mut turns = Self::new(builds);
        let many = if builds == 1 { 1 } else { 2 * builds };
        (0..many).map(|_| turns.take_turn()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_builds_take_turns_in_the_order_a_b_b_a() {
        let mut turns = Turns::new(2);
        let order: Vec<_> = (0..8).map(|_| turns.take_turn()).collect();
        assert_eq!(order, [0, 1, 1, 0, 0, 1, 1, 0]);
        assert_eq!(Turns::two_each(2), [0, 1, 1, 0]);
        assert_eq!(Turns::two_each(1), [0]);
    }
}
