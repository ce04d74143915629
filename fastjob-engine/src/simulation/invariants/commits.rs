//! Invariants of each commit when it becomes durable for the first time.

use fastjob_core::{AttemptId, AttemptState, Cause, FailReason, TaskId, TaskState};
use jiff::Timestamp;

use super::{
    super::{
        model::{ModelStore, Row},
        shape::Feature,
    },
    Witness,
};
use crate::record::{AlarmKind, Commit, EndedAttempt, NewAttempt};

impl Witness {
    /// Checks a commit that is about to become durable for the first time.
    pub(in super::super) fn see_commit(&mut self, commit: &Commit, before: &ModelStore) {
        for row in commit.cancelled.iter().filter_map(|attempt| before.attempts.get(attempt)) {
            if let Some(at) = row.new.row.fire_at {
                self.fires.remove(&(row.new.row.job, at));
            }
        }
        let kept = |new: &&NewAttempt| !commit.cancelled.contains(&new.row.attempt);
        for new in commit.planned.iter().filter(kept) {
            self.attempts += 1;
            self.tasks += u64::from(new.row.attempt == new.row.task.first_attempt());
            if let Some(at) = fire(new) {
                let other = self.fires.insert((new.row.job, at), new.row.task);
                assert!(
                    other.is_none(),
                    "job {} fired twice for {at}: {other:?} and {} in {commit:?}",
                    new.row.job,
                    new.row.task
                );
            }
        }
        for ended in &commit.ended {
            self.see_ended(ended, commit, before);
        }
        self.see_alarms(commit, before);
        self.see_checkpoints(commit, before);
    }

    pub(super) fn see_fire(&mut self, row: &Row) {
        if let Some(at) = fire(&row.new) {
            self.fires.insert((row.new.row.job, at), row.new.row.task);
        }
    }

    fn see_ended(&mut self, ended: &EndedAttempt, commit: &Commit, before: &ModelStore) {
        let here = commit.planned.iter().find(|new| new.row.attempt == ended.attempt);
        let row = before.attempts.get(&ended.attempt);
        let open = row.is_some_and(|row| row.is_open());
        assert!(here.is_some() || open, "attempt {} ended a second time", ended.attempt);
        // If a task was stopped before it ran, a schedule that is disabled and enabled may fire
        // again at the same instant.
        let new = row.map(|row| &row.new).or(here);
        if let (AttemptState::Stopped, None, Some(new)) = (ended.state, ended.started_at, new)
            && let Some(at) = new.row.fire_at
            && self.fires.get(&(new.row.job, at)) == Some(&new.row.task)
            && before.jobs.get(&new.row.job).is_some_and(|row| row.job.name.as_str() != "second")
        {
            self.fires.remove(&(new.row.job, at));
        }
        if self.shape.has(Feature::Gentle) {
            let lost = ended.reason == Some(FailReason::ExecutorLost);
            assert!(!lost, "{} was lost, though nothing failed: {ended:?}", ended.attempt);
        }
        if self.shape.has(Feature::CheckTimes) {
            let started_at = ended.started_at.unwrap_or(ended.ended_at);
            let by = commit.clock.unwrap_or(ended.ended_at);
            assert!(
                started_at <= ended.ended_at && ended.ended_at <= by,
                "{} is recorded as {started_at} to {}, at {by}",
                ended.attempt,
                ended.ended_at
            );
        }
    }

    /// The final failure of a task has its alarm in the same commit, and so has the recovery of its
    /// job. No other alarms report either.
    fn see_alarms(&mut self, commit: &Commit, before: &ModelStore) {
        let mut wanted: Vec<(TaskId, AlarmKind)> = Vec::new();
        for ended in &commit.ended {
            let attempt = before.attempts.get(&ended.attempt).map(|row| &row.new);
            let attempt =
                attempt.or(commit.planned.iter().find(|new| new.row.attempt == ended.attempt));
            let Some(job) = attempt.map(|new| new.row.job) else { continue };
            let alarmed = before.jobs.get(&job).is_some_and(|row| !row.job.alarms.is_empty());
            if !alarmed {
                continue;
            }
            let failing = self.failing.entry(job).or_default();
            match ended.task_state {
                Some(TaskState::Failed) => {
                    *failing = true;
                    wanted.push((ended.task, AlarmKind::Failed));
                }
                Some(TaskState::Succeeded) if *failing => {
                    *failing = false;
                    wanted.push((ended.task, AlarmKind::Recovered));
                }
                _ => {}
            }
        }
        let about_ends = |kind| matches!(kind, AlarmKind::Failed | AlarmKind::Recovered);
        let alarms = commit.alarms.iter().filter(|alarm| about_ends(alarm.kind));
        let raised: Vec<_> =
            alarms.filter_map(|alarm| alarm.task.map(|task| (task, alarm.kind))).collect();
        assert_eq!(raised, wanted, "alarms about the ends in {commit:?}");
        for (task, kind) in raised {
            let before = before.alarms.get(&(task, kind));
            assert!(before.is_none(), "task {task} has a second alarm of kind {kind:?}");
        }
    }

    /// Checkpoints never go back, and a retry starts from the newest one that is durable with it.
    fn see_checkpoints(&mut self, commit: &Commit, before: &ModelStore) {
        let mut after = std::collections::BTreeMap::new();
        for point in &commit.checkpoints {
            let key = (point.task, point.shard);
            let last = after.get(&key).copied().unwrap_or_else(|| reached(before, key));
            let value = point.value.parse().unwrap_or(0);
            assert!(value >= last, "the checkpoint of {key:?} goes back from {last} to {value}");
            after.insert(key, value);
        }
        for new in &commit.planned {
            let key = (new.row.task, new.row.shard.index);
            let durable = after.get(&key).copied().unwrap_or_else(|| reached(before, key));
            if durable > 0 {
                self.reached.insert(new.row.attempt, durable);
            }
        }
    }

    pub(super) fn see_planned(
        &mut self,
        attempt: AttemptId,
        task: TaskId,
        shard: u32,
        store: &ModelStore,
    ) {
        let durable = reached(store, (task, shard));
        if durable > 0 && store.attempts.get(&attempt).is_some_and(Row::is_open) {
            self.reached.insert(attempt, durable);
        }
    }
}

fn reached(store: &ModelStore, key: (TaskId, u32)) -> u64 {
    store.checkpoints.get(&key).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Attempts that an engine creates after an executor has reported an attempt have higher ids. The
/// executor may have been sent that attempt before the store was restored from a backup.
pub(in super::super) fn see_ids(commit: &Commit, heard: Option<(AttemptId, Timestamp)>) {
    let Some((highest, at)) = heard else { return };
    let again =
        commit.planned.iter().find(|new| new.row.created_at > at && new.row.attempt <= highest);
    assert!(again.is_none(), "an id up to {highest} is assigned again: {again:?}");
}

/// The fire that a head stands for, if no other head may stand for it.
fn fire(new: &NewAttempt) -> Option<Timestamp> {
    let is_head = new.row.attempt == new.row.task.first_attempt();
    let scheduled = matches!(new.row.cause, Cause::Schedule | Cause::Misfire);
    new.row.fire_at.filter(|_| is_head && scheduled && new.task_state != TaskState::Skipped)
}
