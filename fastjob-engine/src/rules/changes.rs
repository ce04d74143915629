//! Changes to jobs of which attempts were sent early.
//!
//! When a change is answered, nothing follows the old definition any more. Attempts that were sent
//! before they are due cannot be taken back with certainty, because their executor may be
//! disconnected. So a change waits until they are due, which takes at most
//! [`EARLY`](super::early::EARLY). Meanwhile no other attempt of the job leaves early.

use std::time::Duration;

use fastjob_core::{Cause, JobId};

use super::early::EARLY;
use crate::{
    effect::Effects,
    engine::Engine,
    event::{Command, Now},
    state::{
        attempts::Open,
        catalog::{Directory, JobEntry},
        changes::Change,
    },
};

impl Engine {
    /// Carries out a command now, or when its job has no attempts left that were sent early.
    /// `others` are the jobs of other partitions, for the names in the command.
    pub(crate) fn command_or_wait(
        &mut self,
        now: Now,
        command: Command,
        others: Option<Directory>,
        out: &mut Effects,
    ) {
        let job = self.changed_by(&command);
        let until = job.and_then(|job| self.changes.last_of(job).max(self.early_until(now, job)));
        match job.zip(until) {
            Some((job, at)) => self.changes.add(Change { job, command, others, at }),
            None => self.command_with(now, command, others, out),
        }
    }

    fn command_with(
        &mut self,
        now: Now,
        command: Command,
        others: Option<Directory>,
        out: &mut Effects,
    ) {
        self.catalog.set_others(others.unwrap_or_default());
        self.command(now, command, out);
        self.catalog.set_others(Directory::default());
    }

    /// Carries out the changes whose time has come.
    pub(crate) fn run_changes(&mut self, now: Now, out: &mut Effects) {
        for Change { command, others, .. } in self.changes.take_ready(now.uptime) {
            self.command_with(now, command, others, out);
        }
    }

    /// The existing job that a command changes.
    fn changed_by(&self, command: &Command) -> Option<JobId> {
        match command {
            Command::Save { job, .. } => {
                self.catalog.named(&job.service, &job.name).map(JobEntry::id)
            }
            Command::Delete { job, .. } | Command::Switch { job, .. } => {
                self.catalog.resolve(job).ok()
            }
            Command::Start { .. }
            | Command::Backfill { .. }
            | Command::Stop { .. }
            | Command::Open { .. }
            | Command::Live { .. }
            | Command::CountOpen { .. }
            | Command::Lives { .. }
            | Command::Executors { .. } => None,
        }
    }

    /// The uptime at which all attempts of the job that may have been sent early are due; `None` if
    /// there are none. An earlier engine may have sent some, too.
    fn early_until(&self, now: Now, job: JobId) -> Option<Duration> {
        let is_early = |open: &&Open| {
            open.row.cause == Cause::Schedule && open.row.number == 1 && open.is_out()
        };
        let open = self.attempts.of_job(job).filter_map(|attempt| self.attempts.get(attempt));
        let due = open.filter(is_early).map(|open| open.row.due_at).max()?;
        let wait = Duration::try_from(due.duration_since(now.wall)).unwrap_or_default();
        // Of an engine whose clock was ahead, they may be due much later by this clock.
        (!wait.is_zero()).then(|| now.uptime + wait.min(EARLY))
    }
}
