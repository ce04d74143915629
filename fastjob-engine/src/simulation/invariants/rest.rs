//! Invariants of the end of a history.

use std::collections::{BTreeMap, HashMap};

use fastjob_core::{AttemptId, AttemptState, TaskId, TaskState};

use super::{super::model::ModelStore, Witness};
use crate::record::RerunOf;

impl Witness {
    /// Checks the store after all faults are over and everything had time to end.
    pub(in super::super) fn see_rest(&self, store: &ModelStore) {
        let mut children: HashMap<TaskId, u32> = HashMap::new();
        let mut by_task: BTreeMap<TaskId, Vec<AttemptId>> = BTreeMap::new();
        for row in store.attempts.values() {
            by_task.entry(row.new.row.task).or_default().push(row.new.row.attempt);
            if let Some(parent) = row.new.parent {
                *children.entry(parent).or_default() += 1;
            }
        }
        for (task, attempts) in &by_task {
            let head = &store.attempts[&task.first_attempt()];
            assert!(head.task_state.is_final(), "a task stayed open: {head:?}");
            let job = &store.jobs[&head.new.row.job].job;
            let wanted =
                job.children.iter().filter(|child| child.on.follows(head.task_state)).count();
            let found = children.get(task).copied().unwrap_or(0);
            assert_eq!(found as usize, wanted, "children of {task}, {:?}", head.task_state);
            if head.new.row.shard.total < 2 && head.task_state == TaskState::Skipped {
                assert_eq!(attempts.len(), 1, "{task} was skipped, though it had failed before");
            }
            if head.new.row.shard.total > 1 {
                let part = head.new.rerun.as_deref().and_then(RerunOf::part);
                let shards = part.map_or(head.new.row.shard.total as usize, <[u32]>::len);
                check_shards(*task, shards, attempts, store);
            }
        }
        assert!(store.child_starts.is_empty(), "never started: {:?}", store.child_starts);
        for ((job, key), task) in &store.keys {
            let heads = store.attempts.values().filter(|row| {
                row.new.row.job == *job && row.new.key.as_deref() == Some(key.as_ref())
            });
            assert_eq!(heads.count(), 1, "key {key} started more than task {task}");
        }
        self.check_every_second(store);
    }

    /// Checks that the job `second` caught up on all missed fires: each second has its task.
    fn check_every_second(&self, store: &ModelStore) {
        if self.long_pause {
            return; // the number of fires that it catches up on is limited
        }
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

/// Checks that each of the task's shards has ended, and that the worst end is the task's.
fn check_shards(task: TaskId, shards: usize, attempts: &[AttemptId], store: &ModelStore) {
    let mut last: BTreeMap<u32, (u32, AttemptState)> = BTreeMap::new();
    for attempt in attempts {
        let row = &store.attempts[attempt];
        let mut state = row.ended.as_ref().map_or(row.new.state, |ended| ended.state);
        if state == AttemptState::Skipped && row.new.row.number > 1 {
            // A skipped retry counts as the failure before it.
            state = AttemptState::Failed;
        }
        let at = last.entry(row.new.row.shard.index).or_insert((0, state));
        assert!(row.new.row.number != at.0, "shard {} of {task} has two attempts at once", at.0);
        if row.new.row.number > at.0 {
            *at = (row.new.row.number, state);
        }
    }
    assert_eq!(last.len(), shards, "{task} lost a shard");
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
    // After a stop request, a failed or skipped attempt counts as stopped.
    let stopped = head.task_state == TaskState::Stopped
        && matches!(worst, TaskState::Failed | TaskState::Skipped);
    assert!(head.task_state == worst || stopped, "{task}: {:?} and {last:?}", head.task_state);
}
