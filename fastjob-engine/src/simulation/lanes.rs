//! Attempts that wait in an executor: for their turn in their job's lane, and then for a place.
//! Attempts that are exclusive across the cluster end when the executor loses contact with the
//! owner of their partition.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::{
    AttemptId, FailReason, TaskId,
    attempt::End,
    block::{BlockScope, BlockStrategy},
};
use jiff::Timestamp;

use super::executor::{Executor, held};
use crate::{StartAttempt, record::Partition};

impl Executor {
    /// Whether the lane of its job lets an attempt run beside the running ones.
    fn has_room(&self, start: &StartAttempt) -> bool {
        let block = start.job.block;
        let running = self.running.values().map(|run| &run.start).chain(&self.ready);
        let running = running.filter(|other| other.row.job == start.row.job).count();
        match block.strategy {
            _ if block.scope == BlockScope::Cluster => true,
            BlockStrategy::Parallel => running < block.max_running as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => {
                running == 0
            }
        }
    }

    /// Adds an attempt that has arrived. It then waits for its turn, or has ended.
    pub(super) fn arrive(&mut self, start: StartAttempt, now: Timestamp) {
        let waits = |other: &StartAttempt| other.row.job == start.row.job;
        if !self.queued.iter().any(waits) && self.has_room(&start) {
            self.ready.push_back(start);
            return;
        }
        let lane = |all: &mut dyn Iterator<Item = &StartAttempt>| -> Vec<(AttemptId, TaskId)> {
            let of = all
                .filter(|other| other.row.job == start.row.job && other.row.task != start.row.task);
            of.map(|other| (other.row.attempt, other.row.task)).collect()
        };
        let running = lane(&mut self.running.values().map(|run| &run.start));
        let ready = lane(&mut self.ready.iter());
        let queued = lane(&mut self.queued.iter());
        match start.job.block.strategy {
            BlockStrategy::SkipNew if !(running.is_empty() && ready.is_empty()) => {
                self.ended(held(&start), End::Skipped, None, now, None);
                return;
            }
            BlockStrategy::ReplaceRunning => {
                let mut others = running.iter().chain(&ready).chain(&queued);
                if start.row.number > 1 && others.any(|(_, task)| *task > start.row.task) {
                    self.ended(held(&start), End::Stopped, None, now, None);
                    return;
                }
                for (attempt, _) in ready.into_iter().chain(queued) {
                    self.stop_waiting(attempt, now);
                }
                for (attempt, _) in running {
                    self.finish(attempt, End::Stopped, now);
                }
            }
            BlockStrategy::Serial | BlockStrategy::Parallel | BlockStrategy::SkipNew => {}
        }
        self.queued.push_back(start);
    }

    /// The next attempt that may be entered, if a place is free.
    pub(super) fn next(&mut self) -> Option<StartAttempt> {
        while let Some(index) = self.queued.iter().position(|start| self.has_room(start)) {
            self.ready.extend(self.queued.remove(index));
        }
        if self.taken() >= self.capacity {
            return None;
        }
        self.ready.pop_front()
    }

    /// The number of places that are taken. A handler that never ends takes none, otherwise the
    /// executor would stay full.
    pub(super) fn taken(&self) -> usize {
        self.running.values().filter(|run| run.start.job.name.as_str() != "hangs").count()
    }

    /// Ends a waiting attempt; returns whether it was waiting.
    pub(super) fn stop_waiting(&mut self, attempt: AttemptId, now: Timestamp) -> bool {
        self.end_waiting(attempt, End::Stopped, now)
    }

    fn end_waiting(&mut self, attempt: AttemptId, end: End, now: Timestamp) -> bool {
        let waits = |start: &StartAttempt| start.row.attempt == attempt;
        let start = match self.queued.iter().position(waits) {
            Some(at) => self.queued.remove(at),
            None => match self.ready.iter().position(waits) {
                Some(at) => self.ready.remove(at),
                None => self.early.iter().position(waits).map(|at| self.early.swap_remove(at)),
            },
        };
        let Some(start) = start else { return false };
        self.ended(held(&start), end, None, now, None);
        true
    }

    /// Ends an attempt that arrived too late, without entering it.
    pub(super) fn refuse(&mut self, start: &StartAttempt, now: Timestamp) {
        self.ended(held(start), End::Failed(FailReason::ExecutorLost), None, now, None);
    }

    /// Whether the owner of the attempt's partition was silent for so long that exclusive attempts
    /// must not run.
    pub(super) fn is_cut(&self, attempt: AttemptId, world: Duration, limit: Duration) -> bool {
        let heard = self.heard_at.get(&self.partition(attempt)).copied().unwrap_or_default();
        self.uptime(world).saturating_sub(heard.at) > limit
    }

    /// Ends exclusive attempts, before another executor may receive them.
    pub(super) fn stop_exclusive(&mut self, world: Duration, limit: Duration, now: Timestamp) {
        // A process that keeps running beside its successor is never suspended in the simulation.
        let partitions = self.partitions();
        for ghost in &mut self.ghosts {
            let heard = &ghost.heard_at;
            ghost.running.retain(|id, run| {
                let partition = Partition::of_id(id.0, partitions);
                !(run.start.job.block.is_exclusive() && is_silent(heard, partition, world, limit))
            });
        }
        self.ghosts.retain(|ghost| !ghost.running.is_empty());
        if self.is_suspended() {
            return;
        }
        let running = self.running.values().map(|run| &run.start);
        let cut: Vec<_> = running
            .chain(self.waiting())
            .filter(|start| start.job.block.is_exclusive())
            .map(|start| start.row.attempt)
            .filter(|id| self.is_cut(*id, world, limit))
            .collect();
        for attempt in cut {
            let end = End::Failed(FailReason::ExecutorLost);
            if !self.end_waiting(attempt, end, now) {
                self.finish(attempt, end, now);
            }
        }
    }
}

fn is_silent(
    heard_at: &BTreeMap<Partition, Duration>,
    partition: Partition,
    world: Duration,
    limit: Duration,
) -> bool {
    let heard = heard_at.get(&partition).copied().unwrap_or_default();
    world.saturating_sub(heard) > limit
}
