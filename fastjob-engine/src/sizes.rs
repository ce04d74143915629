//! How much an engine remembers, for the limits that the simulation checks.

use fastjob_core::AttemptId;

use crate::{engine::Engine, record::LifeId, state::attempts::Open};

/// How much an engine remembers.
#[derive(Debug)]
pub(crate) struct Sizes {
    pub(crate) open: usize,
    pub(crate) jobs: usize,
    pub(crate) lives: usize,
    /// Commits that are not durable, and their rows.
    pub(crate) unwritten: usize,
    /// Collections of what is open, each with its limit.
    pub(crate) of_open: Vec<(&'static str, usize, usize)>,
    /// Collections that are at most proportional to what is not durable.
    pub(crate) of_unwritten: [(&'static str, usize); 4],
    /// An attempt that was sent, while nothing waits for its executor.
    pub(crate) stray: Option<String>,
    /// The number of open tasks, if it is not what a new count says.
    pub(crate) miscounted: Option<String>,
    /// A timer of what is over.
    pub(crate) outlived: Option<Outlived>,
}

/// What a timer was for.
#[derive(Debug)]
#[expect(dead_code, reason = "for messages")]
pub(crate) enum Outlived {
    Attempt(AttemptId),
    Life(LifeId),
}

impl Engine {
    /// The size of every collection.
    pub(crate) fn sizes(&self) -> Sizes {
        let (jobs, names, settings) = self.catalog.sizes();
        let (open, lives) = (self.attempts.len(), self.fleet.len());
        let (round, fires) = self.agenda.sizes();
        let (lanes, in_lanes) = self.lanes.sizes();
        // What a chore is about may be over by the time it gets there.
        let chores = 32 + 2 * (open + jobs + lives);
        let mut of_open = vec![
            ("timers of attempts", self.attempts.timers(), open),
            ("timers of lives", self.fleet.timers(), lives),
            ("lanes", lanes, jobs),
            ("attempts in lanes", in_lanes, open),
            ("held attempts", self.fleet.held(), open),
            ("chores", self.chores.len(), chores),
            ("jobs in the round", round, 2 * jobs),
            ("names", names, jobs),
            ("settings", settings, 2 * (jobs + lives + 1_024) + self.journal.unwritten()),
            ("fires", fires, jobs),
            ("sessions and seats", self.fleet.sessions_and_seats(), 2 * lives),
            ("lives in groups", self.fleet.grouped(), lives),
        ];
        of_open.extend(self.attempts.indexes().map(|(name, size)| (name, size, open)));
        assert!(self.attempts.is_counted_well(), "the counts of attempts by step have drifted");
        let outlived = self.attempts.outlived_timer().map(Outlived::Attempt);
        Sizes {
            open,
            jobs,
            lives,
            unwritten: self.journal.unwritten(),
            of_open,
            of_unwritten: self.journal.sizes(),
            stray: self.stray(),
            miscounted: self.miscounted(),
            outlived: outlived.or(self.fleet.outlived_timer().map(Outlived::Life)),
        }
    }

    fn miscounted(&self) -> Option<String> {
        let (count, again) = (self.attempts.task_counts(), self.attempts.task_counts_recounted());
        (*count != again).then(|| format!("{count:?}, and there are {again:?}"))
    }

    fn stray(&self) -> Option<String> {
        let is_stray = |open: &Open| {
            !open.life().is_some_and(|life| {
                self.fleet.session_at(Some(life)).is_some() || self.fleet.is_away(life)
            })
        };
        // What a lost executor held ends in slices.
        let mut sent = self.attempts.iter().filter(|open| open.is_out());
        let stray = sent.find(|open| self.chores.is_empty() && is_stray(open));
        stray.map(|open| format!("{}: {open:?}", open.id()))
    }
}
