//! Commands of users and programs.

use std::time::Duration;

use fastjob_core::{Cause, JobPath};
use rand::{RngExt, rngs::SmallRng};
use tokio::sync::oneshot;

use super::{
    jobs::{self, name},
    world::World,
};
use crate::{Command, Start, StartKey, Switch, When};

impl World {
    pub(super) fn people(&mut self, dice: &mut SmallRng) {
        match dice.random_range(0..11) {
            0..3 => {
                let to = if dice.random_bool(0.5) { Switch::On } else { Switch::Off };
                let jobs = jobs::switched();
                let job = jobs[dice.random_range(0..jobs.len())];
                self.switch(job, to);
            }
            3..6 => self.start_one(dice),
            6 => {
                let job: JobPath = name("edited");
                if dice.random_bool(0.3) {
                    let (answer, _) = oneshot::channel();
                    let partition = self.partition_of(job.as_str());
                    self.command(partition, Command::Delete { job, only: None, answer });
                } else {
                    self.save(jobs::edited(dice.random_range(0..4)));
                }
            }
            7 => self.drain_or_resume(dice),
            _ => {
                let open: Vec<_> = self
                    .store
                    .attempts
                    .values()
                    .filter(|row| row.is_open())
                    .map(|row| row.new.row.task)
                    .collect();
                if !open.is_empty() {
                    let task = open[dice.random_range(0..open.len())];
                    let (answer, _) = oneshot::channel();
                    let partition = self.partition_of_id(task.0);
                    self.command(partition, Command::Stop { task, answer });
                }
            }
        }
    }

    /// Starts a job that runs one task at a time, due at once.
    pub(super) fn start_exclusive(&mut self, dice: &mut SmallRng) {
        let jobs = ["serial", "skip_new", "serial_shards"];
        let job = name(jobs[dice.random_range(0..jobs.len())]);
        let (answer, _) = oneshot::channel();
        let (cause, at) = (Cause::Api, When::Now);
        let ask = Start { job, cause, param: None, at, executor: None, key: None };
        let partition = self.partition_of(ask.job.as_str());
        self.command(partition, Command::Start { ask, answer });
    }

    fn start_one(&mut self, dice: &mut SmallRng) {
        let started = jobs::started();
        let job: JobPath = name(started[dice.random_range(0..started.len())]);
        let at = match dice.random_range(0..3) {
            0 => When::Now,
            1 => When::After(Duration::from_millis(dice.random_range(0..3_000))),
            _ => When::At(self.wall + Duration::from_millis(dice.random_range(0..3_000))),
        };
        let executor = dice.random_bool(0.2).then(|| jobs::name("e1"));
        let key = dice.random_bool(0.3).then(|| format!("k{}", dice.random_range(0..50)));
        // As the edge does: the engine is not asked if the store has the key already.
        let row = self.store.jobs.values().find(|row| row.job.name.as_str() == job.as_str());
        let known = row
            .zip(key.as_deref())
            .is_some_and(|(row, key)| self.store.keys.contains_key(&(row.id, key.into())));
        if !known {
            let (answer, _) = oneshot::channel();
            let looked_at = self.uptime_at(job.as_str());
            let key = key.map(|text| StartKey { text: text.into(), looked_at });
            let ask = Start { job, cause: Cause::Api, param: Some("p".into()), at, executor, key };
            let partition = self.partition_of(ask.job.as_str());
            self.command(partition, Command::Start { ask, answer });
        }
    }
}
