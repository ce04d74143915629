//! What is asked of the engines: commands, and the jobs of the simulated world.

use fastjob_core::{Job, JobDraft};
use tokio::sync::oneshot;

use super::{jobs, world::World};
use crate::{
    engine::{Command, Directory, Event, JobPath, SaveMode, Switch},
    record::{Origin, Partition},
};

impl World {
    /// Asks the node that acts on the partition, if there is one.
    pub(super) fn command(&mut self, partition: Partition, command: Command) {
        if let Some(m) = self.owner(partition) {
            self.notify(m, partition, Event::Command(command));
        }
    }

    pub(super) fn save(&mut self, draft: JobDraft) {
        let job = Job::try_from(draft).expect("a job of the simulation is valid");
        let partition = self.partition_of(job.name.as_str());
        if let Some(m) = self.owner(partition).filter(|_| self.shape.partitions > 1) {
            let directory = Directory::new(self.store.jobs.values().cloned());
            self.notify(m, partition, Event::Directory(directory));
        }
        let (answer, _) = oneshot::channel();
        let (job, mode, origin) = (Box::new(job), SaveMode::Replace, Origin::Api);
        self.command(partition, Command::Save { job, mode, origin, answer });
    }

    pub(super) fn switch(&mut self, job: &str, to: Switch) {
        let (answer, wait) = oneshot::channel();
        let partition = self.partition_of(job);
        self.witness.off_since.remove(job);
        self.disabled.retain(|(_, other, _)| other != job);
        self.command(partition, Command::Switch { job: JobPath(job.to_owned()), to, answer });
        if to == Switch::Off {
            self.disabled.push((wait, job.to_owned(), partition));
        }
    }

    /// Disables that were answered hold from their answers on.
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

    /// Answers that were under way are lost.
    pub(super) fn forget_disabled(&mut self) {
        self.disabled.clear();
    }
}
