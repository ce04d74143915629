//! Overlap rules that hold across all executors of a job.
//!
//! A due attempt is admitted, waits for its turn in its job's lane, or is rejected. Shards of one
//! task never block each other, and a retry queues again.

use fastjob_core::{
    AttemptId, JobId, TaskId,
    attempt::End,
    block::{Block, BlockScope, BlockStrategy},
    lane::{Arrival, Lane, Verdict},
};

use crate::{effect::Effects, engine::Engine, event::Now, state::attempts::Step};

impl Engine {
    /// Whether a due attempt may be sent to an executor. If not, it now waits for its turn or has
    /// ended.
    pub(super) fn let_through(&mut self, now: Now, attempt: AttemptId, out: &mut Effects) -> bool {
        let Some(open) = self.attempts.get(attempt) else { return false };
        let Some(block) = self.catalog.job(open.row.job).map(|job| job.block) else { return false };
        if block.scope == BlockScope::Executor {
            return true;
        }
        let (job, task) = (open.row.job, open.row.task);
        let lane = self.lanes.of(job);
        if lane.is_running(attempt) {
            return true;
        }
        let comes_again = open.row.number > 1 || open.rare().was_placed;
        let (life, arrival) = (open.life(), Arrival { attempt, task, comes_again });
        match lane.arrive(block, arrival, ()) {
            Verdict::Run(()) => return true,
            verdict @ (Verdict::Wait | Verdict::Replace) => {
                self.move_to(attempt, Step::Queued, life);
                self.displace_later(now, attempt);
                if verdict == Verdict::Replace {
                    self.replace(now, job, task, out);
                }
            }
            Verdict::Yield((), newer) => {
                let why = format!("replaced by task {newer}");
                self.end_here(now, attempt, End::Stopped, Some(why));
            }
            Verdict::Skip((), refusal) => {
                self.end_here(now, attempt, End::Skipped, Some(refusal.to_string()));
            }
        }
        false
    }

    /// Stops all other tasks in the lane of a job.
    fn replace(&mut self, now: Now, job: JobId, by: TaskId, out: &mut Effects) {
        let tasks = self.lanes.get(job).map(Lane::tasks).unwrap_or_default();
        for task in tasks.into_iter().filter(|task| *task != by) {
            self.stop_task(now, task, &format!("replaced by task {by}"), out);
        }
    }

    /// Removes an attempt from its lane, and admits those whose turn it is.
    pub(super) fn leave_lane(&mut self, now: Now, job: JobId, attempt: AttemptId) {
        if let Some(lane) = self.lanes.get_mut(job) {
            lane.leave(attempt);
            self.advance_lane(now, job);
        }
    }

    /// Admits the attempts whose turn it is, by the job's current rule.
    pub(super) fn advance_lane(&mut self, now: Now, job: JobId) {
        let Some(mut block) = self.catalog.job(job).map(|job| job.block) else { return };
        if block.scope == BlockScope::Executor {
            // The rule was changed: attempts no longer wait in a lane of the cluster.
            block = Block { strategy: BlockStrategy::Parallel, max_running: u32::MAX, ..block };
        }
        while let Some(lane) = self.lanes.get_mut(job)
            && let Some((next, ())) = lane.advance(|()| block)
        {
            let Some(open) = self.attempts.at_step(next, Step::Queued) else {
                lane.leave(next);
                continue;
            };
            let life = open.life();
            self.move_to(next, Step::NotDue, life);
            self.attempts.set_due(next, now.wall);
        }
        self.lanes.forget_if_empty(job);
    }

    /// Rebuilds the lane of a job whose rule holds across the cluster from its open attempts.
    pub(super) fn load_lane(&mut self, job: JobId) {
        for attempt in self.attempts.of_job(job) {
            if let Some(open) = self.attempts.get(attempt).filter(|open| open.step().is_held()) {
                self.lanes.of(job).enter(attempt, open.row.task);
            }
        }
    }

    /// Whether the overlap rule of the job holds across the cluster.
    pub(super) fn is_exclusive(&self, job: JobId) -> bool {
        self.catalog.job(job).is_some_and(|job| job.block.is_exclusive())
    }
}
