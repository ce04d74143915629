//! Commands to the engines, and saving the jobs of the simulated world.

use std::time::Duration;

use fastjob_core::{Job, JobDraft};
use tokio::sync::oneshot;

use super::{jobs::name, world::World};
use crate::{
    Command, Condition, Directory, Event, SaveMode, Switch,
    record::{JobLink, Origin, Partition},
};

impl World {
    /// The uptime of the node that acts on a job.
    pub(super) fn uptime_at(&self, job: &str) -> Duration {
        let owner = self.owner(self.partition_of(job));
        owner.map_or(Duration::ZERO, |m| self.nodes[m].uptime(self.uptime))
    }

    /// Sends a command to the node that acts on the partition, if there is one.
    pub(super) fn command(&mut self, partition: Partition, command: Command) {
        if let Some(m) = self.owner(partition) {
            self.notify(m, partition, Event::Command(command));
        }
    }

    pub(super) fn save(&mut self, draft: JobDraft) {
        let job = Job::try_from(draft).expect("a job of the simulation is valid");
        let partition = self.partition_of(job.name.as_str());
        let (answer, _) = oneshot::channel();
        let (job, mode, origin) = (Box::new(job), SaveMode::Replace, Origin::Api);
        let command =
            Command::Save { job, mode, origin, condition: Condition::Unconditional, answer };
        match self.owner(partition).filter(|_| self.shape.partitions > 1) {
            Some(m) => {
                let others = Directory::new(self.store.jobs.values().filter_map(JobLink::of));
                self.notify(m, partition, Event::CommandWith(others, command));
            }
            None => self.command(partition, command),
        }
    }

    pub(super) fn switch(&mut self, job: &str, to: Switch) {
        let (answer, wait) = oneshot::channel();
        let partition = self.partition_of(job);
        self.witness.off_since.remove(job);
        self.disabled.retain(|(_, other, _)| other != job);
        self.command(
            partition,
            Command::Switch { job: name(job), to, condition: Condition::Unconditional, answer },
        );
        if to == Switch::Off {
            self.disabled.push((wait, job.to_owned(), partition));
        }
    }

    /// Checks disables for answers: an answered disable applies from its answer on.
    pub(super) fn see_disabled(&mut self) {
        let mut answered = Vec::new();
        for (wait, job, partition) in &mut self.disabled {
            if let Ok(Ok(_)) = wait.try_recv() {
                answered.push((job.clone(), *partition));
            }
        }
        for (job, partition) in answered {
            let Some(m) = self.owner(partition) else { continue };
            if let Some(running) = self.nodes[m].engines.get(&partition) {
                self.witness.off_since.insert(job, running.engine.floor);
            }
        }
    }

    /// Forgets the disables whose answers are lost.
    pub(super) fn forget_disabled(&mut self) {
        self.disabled.clear();
    }
}
