//! Rules about overlapping that hold across all executors of a job.
//!
//! A due attempt is let through, or waits for its turn here, or is refused. What was let through
//! counts until it has ended, also while its executor is away: that it is over is known when the
//! executor says so, or is lost. Shards of one task never stand in each other's way, and a retry
//! takes its turn anew.

use fastjob_core::{
    AttemptId, JobId, TaskId,
    attempt::End,
    block::{Block, BlockScope, BlockStrategy},
};

use super::{
    Effects, Engine, Now,
    state::{Lane, Step},
};

impl Lane {
    /// Whether another attempt of `task` may run beside those that do.
    fn has_room(&self, block: Block, task: TaskId) -> bool {
        match block.strategy {
            BlockStrategy::Parallel => self.active.len() < block.max_running as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => {
                self.active.values().all(|other| *other == task)
            }
        }
    }
}

impl Engine {
    /// Whether a due attempt may go to an executor; if not, it waits for its turn or has ended.
    pub(super) fn let_through(&mut self, now: Now, attempt: AttemptId, out: &mut Effects) -> bool {
        let Some(open) = self.open.get(&attempt) else { return false };
        let Some(entry) = self.catalog.get(open.job) else { return false };
        let block = entry.job().block;
        if block.scope == BlockScope::Executor {
            return true;
        }
        let (job, task) = (open.job, open.task);
        let comes_again = open.number > 1 || open.more().was_placed;
        let replaces = block.strategy == BlockStrategy::ReplaceRunning;
        let newest = if replaces && comes_again { self.newest_in_lane(job) } else { None };
        let lane = self.lanes.entry(job).or_default();
        if lane.active.contains_key(&attempt) {
            return true;
        }
        if let Some(newer) = newest.filter(|newest| *newest > task) {
            let why = format!("replaced by task {newer}");
            self.end_here(now, attempt, End::Stopped, Some(why));
            return false;
        }
        let is_next = lane.queue.is_empty() || lane.active.values().any(|other| *other == task);
        if is_next && lane.has_room(block, task) {
            lane.active.insert(attempt, task);
            return true;
        }
        let full = lane.queue.len() >= block.max_waiting as usize;
        let refusal = match block.strategy {
            BlockStrategy::SkipNew => Some("another task of the job was running".to_owned()),
            BlockStrategy::Serial | BlockStrategy::Parallel if full => {
                Some(format!("{} attempts of the job were waiting already", lane.queue.len()))
            }
            BlockStrategy::Serial | BlockStrategy::Parallel | BlockStrategy::ReplaceRunning => None,
        };
        if let Some(message) = refusal {
            self.end_here(now, attempt, End::Skipped, Some(message));
            return false;
        }
        lane.queue.push(attempt);
        let life = self.open.get(&attempt).and_then(|open| open.life);
        self.move_to(attempt, Step::Queued, life);
        self.displace_later(now, attempt);
        if replaces {
            self.replace(now, job, task, out);
        }
        false
    }

    /// The newest task that runs or waits in a lane, by its id.
    ///
    /// A task comes with its first attempt and replaces what is there; a retry, or an attempt that its
    /// executor returned, may come after what has replaced its task, and then has to give way.
    fn newest_in_lane(&self, job: JobId) -> Option<TaskId> {
        let lane = self.lanes.get(&job)?;
        let queued = lane.queue.iter().filter_map(|id| self.open.get(&id)).map(|open| open.task);
        lane.active.values().copied().chain(queued).max()
    }

    /// Stops all other tasks in the lane of a job.
    fn replace(&mut self, now: Now, job: JobId, by: TaskId, out: &mut Effects) {
        let Some(lane) = self.lanes.get(&job) else { return };
        let queued = lane.queue.iter().filter_map(|id| self.open.get(&id)).map(|open| open.task);
        let mut others: Vec<_> =
            lane.active.values().copied().chain(queued).filter(|task| *task != by).collect();
        others.sort_unstable();
        others.dedup();
        for task in others {
            self.stop_task(now, task, &format!("replaced by task {by}"), out);
        }
    }

    /// An attempt does not count any more; those whose turn it is are let through.
    pub(super) fn leave_lane(&mut self, now: Now, job: JobId, attempt: AttemptId) {
        let Some(lane) = self.lanes.get_mut(&job) else { return };
        if lane.active.remove(&attempt).is_none() {
            lane.queue.remove(attempt);
        }
        self.advance_lane(now, job);
    }

    /// Lets through those whose turn it is by the job's rule as it is now.
    pub(super) fn advance_lane(&mut self, now: Now, job: JobId) {
        let Some(entry) = self.catalog.get(job) else { return };
        let mut block = entry.job().block;
        if block.scope == BlockScope::Executor {
            // The rule was changed meanwhile: nothing waits for its turn here any more.
            block = Block { strategy: BlockStrategy::Parallel, max_running: u32::MAX, ..block };
        }
        while let Some(lane) = self.lanes.get_mut(&job)
            && let Some(next) = lane.queue.front()
        {
            let queued = |open: &&super::Open| open.step == Step::Queued;
            let Some(open) = self.open.get(&next).filter(queued) else {
                lane.queue.remove(next);
                continue;
            };
            if !lane.has_room(block, open.task) {
                break;
            }
            lane.queue.remove(next);
            lane.active.insert(next, open.task);
            let life = open.life;
            self.move_to(next, Step::NotDue, life);
            self.due.set(next, now.wall);
        }
        if self.lanes.get(&job).is_some_and(|lane| lane.active.is_empty() && lane.queue.is_empty())
        {
            self.lanes.remove(&job);
        }
    }

    /// Counts what is under way of a job whose rule holds across the cluster.
    pub(super) fn load_lane(&mut self, job: JobId) {
        let Some(entry) = self.catalog.get(job) else { return };
        if entry.job().block.scope != BlockScope::Cluster {
            return;
        }
        for attempt in &entry.open {
            if let Some(open) = self.open.get(attempt).filter(|open| open.step.is_held()) {
                self.lanes.entry(job).or_default().active.insert(*attempt, open.task);
            }
        }
    }

    /// Whether no other task may run while this attempt may.
    pub(super) fn is_exclusive(&self, job: JobId) -> bool {
        self.catalog.get(job).is_some_and(|entry| entry.job().block.is_exclusive())
    }
}
