//! Reruns: a task that has ended runs again, as a new task that refers to it.
//!
//! The new task is one of the job as it is now, so all its rules apply: route, retries, block
//! strategy. If only some shards run again, they keep their places, *i* of *n*, whatever the shard
//! strategy has become: handlers divide their work by these numbers.

use std::sync::Arc;

use fastjob_core::{ExecutorName, JobId};

use super::{
    plan::{Head, NewTask},
    spread::Layout,
};
use crate::{
    answer::{JobRefused, StartAnswer, StartedTask},
    engine::Engine,
    event::{Now, Part, Rerun},
    record::{LifeId, RerunOf},
    state::keys::Found,
};

impl Engine {
    pub(super) fn rerun(&mut self, now: Now, ask: Rerun) -> StartAnswer {
        let job = ask.job;
        if self.catalog.get(job).is_none_or(|entry| entry.is_deleted()) {
            return Err(JobRefused::JobOfTaskDeleted(ask.task));
        }
        let looked_at = ask.key.as_ref().map(|key| key.looked_at);
        let key = ask.key.map(|key| (job, key.text));
        if let Some((key, looked_at)) = key.as_ref().zip(looked_at) {
            match self.keys.find(key, looked_at) {
                Found::Task(task) => return Ok(StartedTask { task, is_new: false }),
                Found::LookAgain => return Err(JobRefused::LookAgain),
                Found::Nothing => {}
            }
        }
        let attempts = ask.part.as_ref().map_or(1, |part| part.shards().len());
        self.attempts.admit(attempts, ask.param.as_deref())?;
        let shards = ask.part.as_ref().map(Part::indexes).unwrap_or_default();
        let head = Head { key: key.as_ref().map(|(_, key)| Arc::clone(key)), ..Head::default() };
        let task = self.new_task(
            now,
            NewTask {
                fire_at: ask.fire_at,
                param: ask.param,
                wanted: ask.executor.filter(|_| ask.part.is_none()),
                rerun: Some(Arc::new(RerunOf { task: ask.task, shards })),
                part: ask.part,
                trace: ask.trace,
                head,
                ..NewTask::new(job, ask.cause, now.wall)
            },
        );
        if let Some(key) = key {
            self.keys.remember(key, task, self.journal.commit_id());
        }
        Ok(StartedTask { task, is_new: true })
    }

    /// The executors of the shards of a part. A shard that every executor has one of goes to the
    /// executor that had it, if that is connected; the job's route chooses for all others.
    pub(super) fn layout_of(&self, part: &Part, job: JobId) -> Layout {
        let bound = self.catalog.job(job).filter(|job| job.shard.is_bound());
        let hosts: Vec<_> = match bound {
            Some(job) => self.fleet.live_hosts(&job.service, &job.handler).collect(),
            None => Vec::new(),
        };
        let life_of = |name: &ExecutorName| -> Option<LifeId> {
            hosts.iter().find(|(_, life)| life.executor() == name).map(|(id, _)| *id)
        };
        let place =
            |(index, on): &(u32, Option<ExecutorName>)| (*index, on.as_ref().and_then(life_of));
        Layout::of_part(part.total(), part.shards().iter().map(place).collect())
    }
}
