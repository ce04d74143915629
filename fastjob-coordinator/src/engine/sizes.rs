//! How much an engine remembers, for the limits that the simulation checks.

use super::{Engine, timers::Watched};

/// How much an engine remembers.
#[derive(Debug)]
pub(super) struct Sizes {
    pub(super) open: usize,
    pub(super) jobs: usize,
    pub(super) lives: usize,
    /// Commits that are not durable, and their rows.
    pub(super) unwritten: usize,
    /// Collections of what is open, each with the most that it may have.
    pub(super) of_open: [(&'static str, usize, usize); 15],
    /// Collections that are at most proportional to what is not durable.
    pub(super) of_unwritten: [(&'static str, usize); 3],
    /// An attempt that was sent, while nothing waits for its executor.
    pub(super) stray: Option<String>,
    /// A timer of what is over.
    pub(super) outlived: Option<Watched>,
}

impl Engine {
    /// The size of every collection.
    pub(super) fn sizes(&self) -> Sizes {
        let is_stray = |open: &super::Open| {
            let life = open.life.and_then(|life| Some((life, self.lives.get(&life)?)));
            !life.is_some_and(|(id, life)| {
                life.session.is_some() || self.timers.is_set(Watched::Life(id))
            })
        };
        let mut sent = self.open.iter().filter(|(_, open)| open.is_out());
        // What a lost executor had ends in slices.
        let stray = sent.find(|(_, open)| self.chores.is_empty() && is_stray(open));
        let is_over = |watched: &Watched| match watched {
            Watched::Attempt(attempt) => !self.open.contains_key(attempt),
            Watched::Life(life) => !self.lives.contains_key(life),
        };
        let after = self.in_flight.values().map(|commit| commit.after.len());
        let lanes = self.lanes.values().map(|lane| lane.active.len() + lane.queue.len());
        let (jobs, names) = self.catalog.sizes();
        let of_jobs = self.catalog.iter().map(|(_, entry)| entry.open.len());
        let (open, lives) = (self.open.len(), self.lives.len());
        // What a chore is about may be over by the time it gets there.
        let chores = 32 + 2 * (open + jobs + lives);
        Sizes {
            open,
            jobs,
            lives,
            unwritten: self.unwritten + self.in_flight.len() + self.commit.rows(),
            of_open: [
                ("timers", self.timers.len(), open + lives),
                ("waiting attempts", self.waiting.len(), open),
                ("due attempts", self.due.len(), open),
                ("open attempts of jobs", of_jobs.sum(), open),
                ("lanes", self.lanes.len(), jobs),
                ("attempts in lanes", lanes.sum(), open),
                (
                    "held attempts",
                    self.lives.values().map(|life| life.holds() as usize).sum(),
                    open,
                ),
                ("retried tasks", self.retried.len(), open),
                ("spread tasks", self.spreads.len(), open),
                ("chores", self.chores.len(), chores),
                ("jobs in the round", self.round.len(), 2 * jobs),
                ("names", names, jobs),
                ("fires", self.fires.len(), jobs),
                ("sessions and seats", self.sessions.len() + self.seats.len(), 2 * lives),
                ("lives in groups", self.groups.values().map(Vec::len).sum(), lives),
            ],
            of_unwritten: [
                ("settling attempts", self.settling.len()),
                ("checkpoints", self.checkpoints.len()),
                ("steps after commits", self.after.len() + after.sum::<usize>()),
            ],
            stray: stray.map(|(id, open)| format!("{id}: {open:?}")),
            outlived: self.timers.all().find(is_over),
        }
    }
}
