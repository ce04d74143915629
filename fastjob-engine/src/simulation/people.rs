//! Commands of users and programs.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::{AttemptState, Cause, JobName, JobPath, TaskId, Trace, TraceContext};
use rand::{RngExt, rngs::SmallRng};
use tokio::sync::oneshot;

use super::{
    jobs::{self, name},
    world::World,
};
use crate::{
    Command, Condition, Part, Rerun, Start, StartKey, Switch, Target, When, record::LifeId,
    rerun_key,
};

impl World {
    pub(super) fn people(&mut self, dice: &mut SmallRng) {
        match dice.random_range(0..12) {
            0..3 => {
                let to = if dice.random_bool(0.5) { Switch::On } else { Switch::Off };
                let jobs = jobs::switched();
                let job = jobs[dice.random_range(0..jobs.len())];
                self.switch(job, to);
            }
            3..6 => self.start_one(dice),
            6 => self.rerun_one(dice),
            7 => {
                let job: JobPath = name("edited");
                if dice.random_bool(0.3) {
                    let (answer, _) = oneshot::channel();
                    let partition = self.partition_of(job.as_str());
                    self.command(
                        partition,
                        Command::Delete {
                            job,
                            only: None,
                            condition: Condition::Unconditional,
                            answer,
                        },
                    );
                } else {
                    self.save(jobs::edited(dice.random_range(0..4)));
                }
            }
            8 => self.drain_or_resume(dice),
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
                    self.command(partition, Command::Stop { task, why: None, answer });
                }
            }
        }
    }

    /// Starts a job that runs one task at a time, due at once.
    pub(super) fn start_exclusive(&mut self, dice: &mut SmallRng) {
        let jobs = ["serial", "skip_new", "serial_shards"];
        let job: JobPath = name(jobs[dice.random_range(0..jobs.len())]);
        let (answer, _) = oneshot::channel();
        let (cause, at) = (Cause::Api, When::Now);
        let (executor, key, trace) = (None, None, any_trace(dice));
        let partition = self.partition_of(job.as_str());
        let job = Target::Path(job);
        let ask = Start { job, cause, param: None, at, executor, key, trace };
        self.command(partition, Command::Start { ask, answer });
    }

    fn start_one(&mut self, dice: &mut SmallRng) {
        let started = jobs::started();
        let job: JobName = name(started[dice.random_range(0..started.len())]);
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
            let (cause, param, trace) = (Cause::Api, Some("p".into()), any_trace(dice));
            let partition = self.partition_of(job.as_str());
            // Some callers name the service. This is not rolled, so a seed gives the same history.
            let job = match at {
                When::At(_) => Target::WithService(name(&format!("default.{job}"))),
                When::Now | When::After(_) => Target::Path(name(job.as_str())),
            };
            let ask = Start { job, cause, param, at, executor, key, trace };
            self.command(partition, Command::Start { ask, answer });
        }
    }

    /// Runs a task that has ended again: as a whole, or the shards that did not succeed.
    fn rerun_one(&mut self, dice: &mut SmallRng) {
        // Some of the latest ones: older ones may have been removed.
        let ended: Vec<_> = self.store.ends.keys().rev().take(40).copied().collect();
        if ended.is_empty() {
            return;
        }
        let task = ended[dice.random_range(0..ended.len())];
        let is_once = dice.random_bool(0.5);
        let Some(head) = self.store.attempts.get(&task.first_attempt()) else { return };
        let row = head.new.row;
        let param = head.new.param.clone();
        let key = (row.job, rerun_key(task));
        // As the edge does: the engine is not asked if the store has the key already.
        if is_once && self.store.keys.contains_key(&key) {
            return;
        }
        let part = if dice.random_bool(0.7) { self.failed_part(task) } else { None };
        let name = self.store.jobs.get(&row.job).map(|row| row.job.name.as_str().to_owned());
        let looked_at = self.uptime_at(&name.unwrap_or_default());
        let key = is_once.then_some(StartKey { text: key.1, looked_at });
        let (job, fire_at) = (row.job, row.fire_at);
        let cause = Cause::Api;
        let (executor, trace) = (None, any_trace(dice));
        let ask = Rerun { task, job, cause, fire_at, param, executor, part, key, trace };
        let (answer, _) = oneshot::channel();
        let partition = self.partition_of_id(task.0);
        self.command(partition, Command::Rerun { ask, answer });
    }

    /// The shards of a task whose last attempts did not succeed.
    fn failed_part(&self, task: TaskId) -> Option<Part> {
        let rows = self.store.attempts.range(task.first_attempt()..).map(|(_, row)| row);
        let mut last: BTreeMap<u32, (u32, bool, Option<LifeId>)> = BTreeMap::new();
        let mut total = 0;
        for row in rows.filter(|row| row.new.row.task == task) {
            let (shard, number) = (row.new.row.shard, row.new.row.number);
            let state = row.ended.as_ref().map(|ended| ended.state);
            let failed = state != Some(AttemptState::Succeeded);
            total = shard.total;
            let at = last.entry(shard.index).or_insert((0, failed, None));
            if number > at.0 {
                *at = (number, failed, row.new.life);
            }
        }
        let failed = last.into_iter().filter(|(_, (_, failed, _))| *failed);
        let on = |life: LifeId| Some(self.store.lives.get(&life)?.executor.clone());
        let shards = failed.map(|(index, (_, _, life))| (index, life.and_then(on)));
        Part::new(total, shards.collect())
    }
}

/// Some callers are part of a trace.
fn any_trace(dice: &mut SmallRng) -> Option<Trace> {
    dice.random_bool(0.3).then(|| {
        let root = TraceContext::root(dice.random(), dice.random());
        let context = TraceContext { is_sampled: dice.random_bool(0.5), ..root };
        Trace { context, state: dice.random_bool(0.5).then(|| "a=1,b@c=2".into()) }
    })
}
