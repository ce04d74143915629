//! Changes to jobs of which attempts were sent early.
//!
//! When a change is answered, nothing follows the old definition any more. Attempts that were sent
//! before they are due cannot be revoked with certainty, because their executor may be
//! disconnected. So a change waits until they are due, which takes at most
//! [`EARLY`](super::early::EARLY) and a margin. Meanwhile no other attempt of the job leaves early.
//! What executors declare does not wait: it is no answer to a person.

use std::time::Duration;

use fastjob_core::{Cause, Job, JobId};

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

/// How much later than the coordinator an executor may consider a fire due: the time that a message
/// takes, and the accuracy of timers.
const MARGIN: Duration = Duration::from_millis(5);

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
        let jobs = self.changed_by(&command);
        let until = |job: &JobId| self.changes.last_of(*job).max(self.early_until(now, *job));
        match jobs.iter().filter_map(until).max() {
            Some(at) => self.changes.add(Change { jobs, command, others, at }),
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
        self.catalog.allow_links(0);
        self.command(now, command, out);
        self.catalog.set_others(Directory::default());
    }

    /// Carries out the changes whose time has come.
    pub(crate) fn run_changes(&mut self, now: Now, out: &mut Effects) {
        for Change { command, others, .. } in self.changes.take_ready(now.uptime) {
            self.command_with(now, command, others, out);
        }
    }

    /// The existing jobs that a command changes.
    fn changed_by(&self, command: &Command) -> Vec<JobId> {
        let named = |job: &Job| self.catalog.named(&job.service, &job.name).map(JobEntry::id);
        match command {
            Command::Save { job, .. } => named(job).into_iter().collect(),
            Command::Apply { ask, .. } if ask.is_dry => Vec::new(),
            Command::Apply { ask, .. } => {
                ask.edits.iter().filter_map(|edit| named(&edit.job)).collect()
            }
            Command::Delete { job, .. }
            | Command::Switch { job, .. }
            | Command::Release { job, .. } => self.catalog.resolve(job).into_iter().collect(),
            Command::Start { .. }
            | Command::Backfill { .. }
            | Command::Rerun { .. }
            | Command::Stop { .. }
            | Command::Open { .. }
            | Command::Live { .. }
            | Command::CountOpen { .. }
            | Command::Survey { .. }
            | Command::Lives { .. }
            | Command::Executors { .. } => Vec::new(),
        }
    }

    /// The uptime at which no fire of the job is entered any more that has left early; `None` if there
    /// are none.
    fn early_until(&self, now: Now, job: JobId) -> Option<Duration> {
        // An earlier engine may have sent fires whose instants are unknown, because its clock may
        // have been another one.
        let may_be_out = |open: &Open| {
            let is_fire = open.row.cause == Cause::Schedule && open.row.number == 1;
            is_fire && open.is_out() && open.started_at.is_none()
        };
        let others = self.left.others_until();
        let is_out = now.uptime < others && {
            let mut open = self.attempts.of_job(job).filter_map(|id| self.attempts.get(id));
            open.any(may_be_out)
        };
        let until = self.left.until(job).max(is_out.then_some(others));
        until.map(|until| until + MARGIN).filter(|until| *until > now.uptime)
    }
}
