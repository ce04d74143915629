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
    /// Collections that are at most proportional to what is open.
    pub(super) of_open: [(&'static str, usize); 15],
    /// Collections that are at most proportional to what is not durable.
    pub(super) of_unwritten: [(&'static str, usize); 3],
    /// An attempt that was sent, while nothing waits for its executor.
    pub(super) stray: Option<String>,
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
        let after = self.in_flight.values().map(|commit| commit.after.len());
        let lanes = self.lanes.values().map(|lane| lane.active.len() + lane.queue.len());
        Sizes {
            open: self.open.len(),
            jobs: self.jobs.len(),
            lives: self.lives.len(),
            unwritten: self.unwritten + self.in_flight.len() + self.commit.rows(),
            of_open: [
                ("timers", self.timers.len()),
                ("waiting attempts", self.waiting.len()),
                ("due attempts", self.due.len()),
                ("open attempts of jobs", self.jobs.values().map(|job| job.open.len()).sum()),
                ("lanes", self.lanes.len()),
                ("attempts in lanes", lanes.sum()),
                ("held attempts", self.lives.values().map(|life| life.holds() as usize).sum()),
                ("retried tasks", self.retried.len()),
                ("spread tasks", self.spreads.len()),
                ("chores", self.chores.len()),
                ("jobs in the round", self.round.len()),
                ("names", self.by_bare_name.len()),
                ("fires", self.fires.len()),
                ("sessions and seats", self.sessions.len() + self.seats.len()),
                ("lives in groups", self.groups.values().map(Vec::len).sum()),
            ],
            of_unwritten: [
                ("settling attempts", self.settling.len()),
                ("checkpoints", self.checkpoints.len()),
                ("steps after commits", self.after.len() + after.sum::<usize>()),
            ],
            stray: stray.map(|(id, open)| format!("{id}: {open:?}")),
        }
    }
}
