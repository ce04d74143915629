//! Overlap rules that hold across all executors of a job.
//!
//! A due attempt is admitted, waits for its turn in its job's lane, or is refused. Shards of one
//! task never block each other, and a retry queues again.

use fastjob_core::{
    AttemptId, JobId, TaskId,
    attempt::End,
    block::{Block, BlockScope, BlockStrategy},
};

use crate::{
    effect::Effects,
    engine::Engine,
    event::Now,
    state::{attempts::Step, lanes::Lane},
};

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
        if lane.is_active(attempt) {
            return true;
        }
        // Only the first attempt of a task replaces other tasks. A retry, or an attempt that its
        // executor returned, may come after a task that has replaced its own: it yields to that
        // task.
        let replaces = block.strategy == BlockStrategy::ReplaceRunning;
        let comes_again = open.row.number > 1 || open.rare().was_placed;
        let newest = if replaces && comes_again { lane.tasks().last().copied() } else { None };
        if let Some(newer) = newest.filter(|newest| *newest > task) {
            let why = format!("replaced by task {newer}");
            self.end_here(now, attempt, End::Stopped, Some(why));
            return false;
        }
        if lane.is_next(task) && lane.has_room(block, task) {
            lane.enter(attempt, task);
            return true;
        }
        if let Some(message) = refusal(block, lane) {
            self.end_here(now, attempt, End::Skipped, Some(message));
            return false;
        }
        lane.queue(attempt, task);
        let life = open.life();
        self.move_to(attempt, Step::Queued, life);
        self.displace_later(now, attempt);
        if replaces {
            self.replace(now, job, task, out);
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
            && let Some((next, task)) = lane.next()
            && lane.has_room(block, task)
        {
            lane.leave(next);
            let Some(open) = self.attempts.at_step(next, Step::Queued) else { continue };
            lane.enter(next, task);
            let life = open.life();
            self.move_to(next, Step::NotDue, life);
            self.attempts.set_due(next, now.wall);
        }
        self.lanes.forget_if_empty(job);
    }

    /// Rebuilds the lane of a job from its open attempts, if its rule holds across the cluster.
    pub(super) fn load_lane(&mut self, job: JobId) {
        if !self.is_exclusive(job) {
            return;
        }
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

/// Why a due attempt that cannot run now is refused; `None` if it may wait.
fn refusal(block: Block, lane: &Lane) -> Option<String> {
    let waiting = lane.waiting();
    match block.strategy {
        BlockStrategy::SkipNew => Some("another task of the job was running".to_owned()),
        BlockStrategy::Serial | BlockStrategy::Parallel => (waiting >= block.max_waiting as usize)
            .then(|| format!("{waiting} attempts of the job were waiting already")),
        BlockStrategy::ReplaceRunning => None,
    }
}
