//! A job's lane: what happens to an attempt that arrives while others of its job run.
//!
//! An executor has a lane for each job whose overlap rule holds within executors; the coordinator
//! has one for each job whose rule holds across the cluster. Both use this rule. They differ in what
//! they do with [`Shards`] of one task, and in what they keep beside a waiting attempt.

use std::collections::{BTreeMap, HashMap};

use crate::{
    block::{Block, BlockStrategy},
    id::{AttemptId, TaskId},
};

/// Whether shards of one task may run beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shards {
    /// They may: each is meant for another executor.
    #[default]
    Together,
    /// They take turns, because they are on one executor.
    InTurn,
}

/// An arriving attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// Whether it may arrive after a newer task: a retry, or an attempt that was returned. A task
    /// replaces others with its first arrival only; later ones yield to newer tasks.
    pub comes_again: bool,
}

/// What happens to an arriving attempt. One that does not enter the lane is handed back.
#[derive(Debug, PartialEq)]
pub enum Verdict<T> {
    /// It runs now.
    Run(T),
    /// It waits for its turn.
    Wait,
    /// It waits, and all other tasks in the lane have to be stopped.
    Replace,
    /// It does not run, because this newer task has replaced its task.
    Yield(T, TaskId),
    /// It is skipped.
    Skip(T, Refusal),
}

/// Why an arriving attempt is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The job does not start while another task runs.
    #[error("another task of the job was running")]
    Busy,
    /// The maximum number of attempts wait.
    #[error("{0} attempts of the job were waiting already, no more may (block.max_waiting)")]
    Full(usize),
}

/// The attempts of one job that run, and those that wait, each with a `T`.
#[derive(Debug)]
pub struct Lane<T> {
    shards: Shards,
    running: BTreeMap<AttemptId, TaskId>,
    /// By place in the queue.
    waiting: BTreeMap<u64, Waiting<T>>,
    places: HashMap<AttemptId, u64>,
    next_place: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    attempt: AttemptId,
    task: TaskId,
    item: T,
}

impl<T> Lane<T> {
    /// An empty lane.
    pub fn new(shards: Shards) -> Self {
        let (running, waiting, places) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
        Self { shards, running, waiting, places, next_place: 0 }
    }

    /// Decides about an attempt that arrives. It enters the lane, waits in it, or is handed back.
    pub fn arrive(&mut self, block: Block, arrival: Arrival, item: T) -> Verdict<T> {
        let Arrival { attempt, task, comes_again } = arrival;
        let replaces = block.strategy == BlockStrategy::ReplaceRunning;
        if replaces
            && comes_again
            && let Some(newer) = self.newest().filter(|newest| *newest > task)
        {
            return Verdict::Yield(item, newer);
        }
        if self.may_pass(task) && self.has_room(block, task) {
            self.enter(attempt, task);
            return Verdict::Run(item);
        }
        let refusal = match block.strategy {
            BlockStrategy::SkipNew => self.others(task).next().map(|_| Refusal::Busy),
            BlockStrategy::Serial | BlockStrategy::Parallel => {
                let waiting = self.waiting.len();
                (waiting >= block.max_waiting as usize).then_some(Refusal::Full(waiting))
            }
            BlockStrategy::ReplaceRunning => None,
        };
        if let Some(refusal) = refusal {
            return Verdict::Skip(item, refusal);
        }
        self.waiting.insert(self.next_place, Waiting { attempt, task, item });
        self.places.insert(attempt, self.next_place);
        self.next_place += 1;
        if replaces { Verdict::Replace } else { Verdict::Wait }
    }

    /// Adds an attempt that runs, without asking the rule.
    pub fn enter(&mut self, attempt: AttemptId, task: TaskId) {
        self.running.insert(attempt, task);
    }

    /// Removes an attempt, whether it ran or waited.
    pub fn leave(&mut self, attempt: AttemptId) {
        if self.running.remove(&attempt).is_none() {
            self.stop_waiting(attempt);
        }
    }

    /// Removes an attempt that waits; one that runs stays.
    pub fn stop_waiting(&mut self, attempt: AttemptId) {
        if let Some(place) = self.places.remove(&attempt) {
            self.waiting.remove(&place);
        }
    }

    /// Lets the attempt run that waits longest, if its turn has come by the rule that `block` gives
    /// for it.
    pub fn advance(&mut self, block: impl FnOnce(&T) -> Block) -> Option<(AttemptId, T)> {
        let (place, first) = self.waiting.first_key_value()?;
        if !self.has_room(block(&first.item), first.task) {
            return None;
        }
        let place = *place;
        let Waiting { attempt, task, item } = self.waiting.remove(&place)?;
        self.places.remove(&attempt);
        self.enter(attempt, task);
        Some((attempt, item))
    }

    /// Takes out the waiting attempts of all other tasks.
    pub fn take_waiting_of_others(&mut self, task: TaskId) -> Vec<T> {
        let others = self.waiting.extract_if(.., |_, waiting| waiting.task != task);
        let others = others.map(|(_, waiting)| {
            self.places.remove(&waiting.attempt);
            waiting.item
        });
        others.collect()
    }

    /// Whether an attempt runs.
    pub fn is_running(&self, attempt: AttemptId) -> bool {
        self.running.contains_key(&attempt)
    }

    /// The running attempts of other tasks.
    pub fn others(&self, task: TaskId) -> impl Iterator<Item = AttemptId> {
        let others = self.running.iter().filter(move |(_, other)| **other != task);
        others.map(|(attempt, _)| *attempt)
    }

    /// The tasks in the lane, each once, in the order of their ids.
    pub fn tasks(&self) -> Vec<TaskId> {
        let mut tasks: Vec<_> = self.all_tasks().collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }

    /// How many attempts run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many attempts wait before this one, counted up to `most`; 0 if it does not wait.
    pub fn ahead(&self, attempt: AttemptId, most: usize) -> usize {
        let place = self.places.get(&attempt);
        place.map_or(0, |place| self.waiting.range(..place).take(most).count())
    }

    /// How many attempts run and wait.
    pub fn len(&self) -> usize {
        self.running.len() + self.waiting.len()
    }

    /// Whether nothing runs or waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn newest(&self) -> Option<TaskId> {
        self.all_tasks().max()
    }

    fn all_tasks(&self) -> impl Iterator<Item = TaskId> {
        self.running.values().copied().chain(self.waiting.values().map(|waiting| waiting.task))
    }

    /// Whether an attempt need not queue behind those that wait: nothing waits, or it is a shard of
    /// a task that runs, and shards run together.
    fn may_pass(&self, task: TaskId) -> bool {
        let runs = || self.running.values().any(|other| *other == task);
        self.waiting.is_empty() || (self.shards == Shards::Together && runs())
    }

    /// Whether another attempt of `task` may run beside those that do.
    fn has_room(&self, block: Block, task: TaskId) -> bool {
        match block.strategy {
            BlockStrategy::Parallel => self.running.len() < block.max_running.max(1) as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => {
                match self.shards {
                    Shards::Together => self.others(task).next().is_none(),
                    Shards::InTurn => self.running.is_empty(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(strategy: BlockStrategy) -> Block {
        Block { strategy, max_waiting: 2, max_running: 2, ..Block::default() }
    }

    /// Attempt `id` of task `id / 10`; a multiple of 10 is the task's first attempt.
    fn arrival(id: i64) -> Arrival {
        Arrival { attempt: AttemptId(id), task: TaskId(id / 10), comes_again: id % 10 > 0 }
    }

    fn any_strategy() -> impl Strategy<Value = BlockStrategy> {
        prop::sample::select(BlockStrategy::NAMES.map(|(_, strategy)| strategy).to_vec())
    }

    fn any_shards() -> impl Strategy<Value = Shards> {
        prop::sample::select(vec![Shards::Together, Shards::InTurn])
    }

    proptest! {
        #[test]
        fn the_rule_holds_after_every_step_and_nothing_waits_forever(
            strategy in any_strategy(),
            shards in any_shards(),
            steps in prop::collection::vec((10_i64..60, any::<bool>()), 1..60),
        ) {
            let block = block(strategy);
            let mut lane = Lane::new(shards);
            let mut queue = std::collections::VecDeque::new();
            let mut inside = std::collections::BTreeSet::new();
            for (id, arrives) in steps {
                if arrives && inside.insert(id) {
                    let mine = TaskId(id / 10);
                    match lane.arrive(block, arrival(id), id) {
                        Verdict::Run(_) => {}
                        Verdict::Wait => queue.push_back(id),
                        Verdict::Replace => {
                            for gone in lane.take_waiting_of_others(mine) {
                                queue.retain(|other| *other != gone);
                                inside.remove(&gone);
                            }
                            queue.push_back(id);
                        }
                        Verdict::Yield(_, newer) => {
                            prop_assert!(newer > mine);
                            inside.remove(&id);
                        }
                        Verdict::Skip(_, refusal) => {
                            let busy = lane.others(mine).next().is_some();
                            prop_assert!(busy || refusal == Refusal::Full(2));
                            inside.remove(&id);
                        }
                    }
                } else if inside.remove(&id) {
                    lane.leave(AttemptId(id));
                    queue.retain(|other| *other != id);
                    while let Some((attempt, item)) = lane.advance(|_| block) {
                        prop_assert_eq!(attempt.0, item);
                        prop_assert_eq!(queue.pop_front(), Some(item), "first in, first out");
                    }
                }
                prop_assert_eq!(lane.len(), inside.len());
                let running: Vec<_> =
                    inside.iter().filter(|id| lane.is_running(AttemptId(**id))).collect();
                let tasks: std::collections::BTreeSet<_> =
                    running.iter().map(|id| **id / 10).collect();
                match (strategy, shards) {
                    (BlockStrategy::Parallel, _) => prop_assert!(running.len() <= 2),
                    (_, Shards::InTurn) => prop_assert!(running.len() <= 1),
                    (_, Shards::Together) => prop_assert!(tasks.len() <= 1),
                }
                if strategy.waits() {
                    prop_assert!(queue.len() <= 2);
                }
                prop_assert!(queue.is_empty() || !running.is_empty(), "something waits for nothing");
            }
            for id in inside {
                lane.leave(AttemptId(id));
                while lane.advance(|_| block).is_some() {}
            }
            prop_assert!(lane.is_empty());
        }
    }

    #[test]
    fn the_first_arrival_of_a_task_replaces_a_newer_task_and_a_later_one_yields_to_it() {
        let mut lane = Lane::new(Shards::Together);
        let block = block(BlockStrategy::ReplaceRunning);
        assert_eq!(lane.arrive(block, arrival(20), ()), Verdict::Run(()));
        assert_eq!(lane.arrive(block, arrival(11), ()), Verdict::Yield((), TaskId(2)));
        assert_eq!(lane.arrive(block, arrival(10), ()), Verdict::Replace);
        assert_eq!(lane.others(TaskId(1)).collect::<Vec<_>>(), [AttemptId(20)]);
    }

    #[test]
    fn a_waiting_attempt_knows_how_many_wait_before_it() {
        let mut lane = Lane::new(Shards::Together);
        let block = block(BlockStrategy::Serial);
        let arrives = [10, 20, 30].map(|id| lane.arrive(block, arrival(id), ()));
        assert_eq!(arrives, [Verdict::Run(()), Verdict::Wait, Verdict::Wait]);
        let ahead = |lane: &Lane<()>, id| lane.ahead(AttemptId(id), 9);
        assert_eq!([10, 20, 30, 40].map(|id| ahead(&lane, id)), [0, 0, 1, 0]);
        assert_eq!((lane.running(), lane.ahead(AttemptId(30), 0)), (1, 0));
    }

    #[test]
    fn a_shard_overtakes_waiting_attempts_only_where_shards_run_together() {
        for (shards, verdict) in
            [(Shards::Together, Verdict::Run(())), (Shards::InTurn, Verdict::Wait)]
        {
            let mut lane = Lane::new(shards);
            let block = block(BlockStrategy::Serial);
            assert_eq!(lane.arrive(block, arrival(10), ()), Verdict::Run(()));
            assert_eq!(lane.arrive(block, arrival(20), ()), Verdict::Wait);
            assert_eq!(lane.arrive(block, arrival(11), ()), verdict);
        }
    }
}
