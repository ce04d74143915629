//! What must hold, whatever happens. Each is checked where it could first be broken: when a commit
//! is applied, when a message is sent, when a handler is entered, and when all has come to rest.

use std::collections::{BTreeMap, HashMap};

use fastjob_core::{
    AttemptId, AttemptState, Cause, JobId, TaskId, TaskState,
    block::{BlockScope, BlockStrategy},
};
use jiff::Timestamp;

use super::{executor::Executor, model::ModelStore};
use crate::{
    engine::StartAttempt,
    record::{Commit, NOT_SPREAD, NewAttempt},
};

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// How often an attempt was entered in one life of an executor.
    entered: HashMap<(String, u32, AttemptId), u32>,
    fires: HashMap<(JobId, Timestamp), TaskId>,
    /// By job: since when a disable is acknowledged.
    pub(super) off_since: HashMap<String, Timestamp>,
    pub(super) tasks: u64,
    pub(super) attempts: u64,
}

impl Witness {
    /// A commit is about to become durable for the first time.
    pub(super) fn see_commit(&mut self, commit: &Commit, before: &ModelStore) {
        for row in commit.taken_back.iter().filter_map(|attempt| before.attempts.get(attempt)) {
            if let Some(at) = row.new.fire_at {
                self.fires.remove(&(row.new.job, at));
            }
        }
        let kept = |new: &&NewAttempt| !commit.taken_back.contains(&new.attempt);
        for new in commit.planned.iter().filter(kept) {
            self.attempts += 1;
            let is_head = new.attempt == new.task.first_attempt();
            self.tasks += u64::from(is_head);
            let scheduled = matches!(new.cause, Cause::Schedule | Cause::Misfire);
            if let (true, true, Some(at)) = (is_head, scheduled, new.fire_at)
                && new.task_state != TaskState::Skipped
            {
                let other = self.fires.insert((new.job, at), new.task);
                assert!(
                    other.is_none(),
                    "job {} fired twice for {at}: {other:?} and {} in {commit:?}",
                    new.job,
                    new.task
                );
            }
        }
        for ended in &commit.ended {
            let here = commit.planned.iter().any(|new| new.attempt == ended.attempt);
            let open = before.attempts.get(&ended.attempt).is_some_and(|row| row.is_open());
            assert!(here || open, "attempt {} ended a second time", ended.attempt);
            // A task that was stopped before it ran does not keep a schedule that is switched off
            // and on from firing at the same instant.
            let row = before.attempts.get(&ended.attempt).map(|row| &row.new);
            let new = row.or(commit.planned.iter().find(|new| new.attempt == ended.attempt));
            if let (AttemptState::Stopped, None, Some(new)) = (ended.state, ended.started_at, new)
                && let Some(at) = new.fire_at
                && self.fires.get(&(new.job, at)) == Some(&new.task)
                && before.jobs.get(&new.job).is_some_and(|row| row.job.name.as_str() != "second")
            {
                self.fires.remove(&(new.job, at));
            }
        }
    }

    /// An attempt is about to be sent.
    pub(super) fn see_send(&self, start: &StartAttempt, to: &Executor, store: &ModelStore) {
        let row = store.attempts.get(&start.attempt);
        let row = row.unwrap_or_else(|| panic!("{} was sent before it was durable", start.attempt));
        assert!(row.is_open(), "{} was sent after its end", start.attempt);
        assert!(row.new.shard != NOT_SPREAD, "{} was sent before it was spread", start.attempt);
        let life = row.new.life.and_then(|life| store.lives.get(&life));
        let life = life.unwrap_or_else(|| panic!("{} has no durable place", start.attempt));
        assert_eq!(life.executor.as_str(), to.name, "{} is placed elsewhere", start.attempt);
    }

    /// A handler is about to be entered on executor `n`.
    pub(super) fn see_enter(
        &mut self,
        start: &StartAttempt,
        due_at: Timestamp,
        n: usize,
        all: &[Executor],
    ) {
        let executor = &all[n];
        let id = start.attempt;
        let key = (executor.name.clone(), executor.incarnation, id);
        let times = self.entered.entry(key).or_default();
        *times += 1;
        assert_eq!(*times, 1, "attempt {id} was entered twice on {}", executor.name);

        let name = start.job.name.as_str();
        if let (Some(since), Cause::Schedule, 1) =
            (self.off_since.get(name), start.cause, start.number)
        {
            assert!(due_at <= *since, "{name} fired at {due_at}, disabled since {since}");
        }

        match name {
            "on_e1" => assert_eq!(executor.name, "e1", "{id} is for another executor"),
            "much_memory" => assert_ne!(executor.name, "e0", "{id} does not meet its filter"),
            _ => {}
        }

        let block = start.job.block;
        if block.scope == BlockScope::Executor {
            let running = executor.running.values().filter(|other| other.job_id == start.job_id);
            let most = match block.strategy {
                BlockStrategy::Parallel => block.max_running as usize,
                BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => 1,
            };
            assert!(running.count() < most, "{name} overlaps on {}", executor.name);
        }
        let others = all.iter().flat_map(|executor| {
            let ghosts = executor.ghosts.iter().flat_map(|ghost| ghost.running.values());
            executor.running.values().chain(ghosts)
        });
        let others = others.filter(|other| other.job_id == start.job_id);
        if block.is_exclusive() && block.strategy != BlockStrategy::Parallel {
            let other = others.clone().find(|other| other.task != start.task);
            assert!(other.is_none(), "{name} overlaps: {id} with {other:?}");
        } else if block.is_exclusive() {
            let running = others.count();
            assert!(running < block.max_running as usize, "{name} runs {} times", running + 1);
        }
    }

    /// All faults are over, and everything has had its time.
    pub(super) fn see_rest(&self, store: &ModelStore) {
        let mut children: HashMap<TaskId, u32> = HashMap::new();
        let mut by_task: BTreeMap<TaskId, Vec<AttemptId>> = BTreeMap::new();
        for row in store.attempts.values() {
            by_task.entry(row.new.task).or_default().push(row.new.attempt);
            if let Some(parent) = row.new.parent {
                *children.entry(parent).or_default() += 1;
            }
        }
        for (task, attempts) in &by_task {
            let head = &store.attempts[&task.first_attempt()];
            assert!(head.task_state.is_final(), "a task stayed open: {head:?}");
            let job = &store.jobs[&head.new.job].job;
            let wanted =
                job.children.iter().filter(|child| child.on.follows(head.task_state)).count();
            let found = children.get(task).copied().unwrap_or(0);
            assert_eq!(found as usize, wanted, "children of {task}, {:?}", head.task_state);
            if head.new.shard.total < 2 && head.task_state == TaskState::Skipped {
                assert_eq!(attempts.len(), 1, "{task} was skipped, though it had failed before");
            }
            if head.new.shard.total > 1 {
                check_shards(*task, head.new.shard.total, attempts, store);
            }
        }
        assert!(store.child_starts.is_empty(), "never started: {:?}", store.child_starts);
        for ((job, key), task) in &store.keys {
            let heads = store
                .attempts
                .values()
                .filter(|row| row.new.job == *job && row.new.key.as_deref() == Some(key.as_ref()));
            assert_eq!(heads.count(), 1, "key {key} started more than task {task}");
        }
        self.check_every_second(store);
    }

    /// `second` makes up for whatever it missed, so that no second is without its task.
    fn check_every_second(&self, store: &ModelStore) {
        let Some(job) = store.jobs.values().find(|row| row.job.name.as_str() == "second") else {
            return;
        };
        let mut seconds: Vec<_> =
            self.fires.keys().filter(|(id, _)| *id == job.id).map(|(_, at)| *at).collect();
        seconds.sort();
        for pair in seconds.windows(2) {
            let gap = pair[1].duration_since(pair[0]);
            assert_eq!(gap.as_millis(), 1_000, "after {} comes {}", pair[0], pair[1]);
        }
    }
}

/// Each shard has ended, and the worst end is the task's.
fn check_shards(task: TaskId, total: u32, attempts: &[AttemptId], store: &ModelStore) {
    let mut last: BTreeMap<u32, (u32, AttemptState)> = BTreeMap::new();
    for attempt in attempts {
        let row = &store.attempts[attempt];
        let mut state = row.ended.as_ref().map_or(row.new.state, |ended| ended.state);
        if state == AttemptState::Skipped && row.new.number > 1 {
            // That a retry was refused does not undo the failure before it.
            state = AttemptState::Failed;
        }
        let at = last.entry(row.new.shard.index).or_insert((0, state));
        assert!(row.new.number != at.0, "shard {} of {task} has two attempts at once", at.0);
        if row.new.number > at.0 {
            *at = (row.new.number, state);
        }
    }
    assert_eq!(last.len(), total as usize, "{task} lost a shard");
    let has = |state| last.values().any(|(_, at)| *at == state);
    let worst = if has(AttemptState::Failed) {
        TaskState::Failed
    } else if has(AttemptState::Stopped) {
        TaskState::Stopped
    } else if has(AttemptState::Skipped) {
        TaskState::Skipped
    } else {
        TaskState::Succeeded
    };
    let head = &store.attempts[&task.first_attempt()];
    // After a stop was asked for, a failure or a refusal counts as stopped.
    let stopped = head.task_state == TaskState::Stopped
        && matches!(worst, TaskState::Failed | TaskState::Skipped);
    assert!(head.task_state == worst || stopped, "{task}: {:?} and {last:?}", head.task_state);
}
