//! How much an engine remembers, for the limits that the simulation checks.

use super::{
    Engine,
    state::{Step, Timer},
};

/// How much an engine remembers.
#[derive(Debug)]
pub(super) struct Sizes {
    pub(super) open: usize,
    pub(super) jobs: usize,
    pub(super) lives: usize,
    /// Commits that are not durable, and their rows.
    pub(super) unwritten: usize,
    /// Every other collection.
    pub(super) parts: [(&'static str, usize); 15],
    /// An attempt that was sent, while nothing waits for its executor.
    pub(super) stray: Option<String>,
}

impl Engine {
    /// The size of every collection.
    pub(super) fn sizes(&self) -> Sizes {
        let waits = |id| {
            let waits = |timer: &Timer| matches!(timer, Timer::Lost { life, .. } if *life == id);
            self.timers.iter().any(|entry| waits(&entry.timer))
        };
        let stray = self.open.iter().find(|(_, open)| {
            let life = open.life.and_then(|life| Some((life, self.lives.get(&life)?)));
            let watched = life.is_some_and(|(id, life)| life.session.is_some() || waits(id));
            matches!(open.step, Step::Sent | Step::Unsure) && !watched
        });
        let after = self.in_flight.values().map(|commit| commit.after.len());
        Sizes {
            open: self.open.len(),
            jobs: self.jobs.len(),
            lives: self.lives.len(),
            unwritten: self.unwritten + self.in_flight.len(),
            parts: [
                ("timers", self.timers.len()),
                ("waiting attempts", self.waiting.values().map(|queue| queue.len()).sum()),
                ("waiting queues", self.waiting.len()),
                ("due attempts", self.due.values().map(Vec::len).sum()),
                ("planned attempts", self.jobs.values().map(|job| job.planned.len()).sum()),
                ("lanes", self.lanes.len()),
                (
                    "attempts in lanes",
                    self.lanes.values().map(|lane| lane.active.len() + lane.queue.len()).sum(),
                ),
                ("settling attempts", self.settling.len()),
                ("retried tasks", self.retried.len()),
                ("spread tasks", self.spreads.len()),
                ("fires", self.fires.values().map(Vec::len).sum()),
                ("sessions", self.sessions.len()),
                ("seats", self.seats.len()),
                ("lives in groups", self.groups.values().map(Vec::len).sum()),
                ("things after commits", self.after.len() + after.sum::<usize>()),
            ],
            stray: stray.map(|(id, open)| format!("{id}: {open:?}")),
        }
    }
}
