//! Rows to write: each is complete and minimal, and a test changes only what it is about.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, FailReason, Job, JobDraft, JobId, ServiceKey, ServiceName,
    Shard, TaskId, TaskState,
};
use fastjob_engine::record::{AlarmRow, Checkpoint, MovedTask, Placed, SpreadTask};
use jiff::Timestamp;

use crate::store::{
    AlarmKind, Attempt, Commit, EndedAttempt, JobRow, LifeId, LifeRow, NewAttempt, Origin,
    Overrides, TaskTrace,
};

/// The default job of tasks. It is in the first partition, as the lease of commits.
pub(crate) const JOB: JobId = JobId(32);
/// Another job, of the same partition.
pub(crate) const OTHER: JobId = JobId(64);

/// This many milliseconds after a fixed instant.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_750_000_000_000 + millis).unwrap()
}

/// A name of any kind.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn job(id: JobId, name: &str) -> JobRow {
    job_of(id, "default", name)
}

pub(crate) fn job_of(id: JobId, service: &str, name: &str) -> JobRow {
    let draft = JobDraft {
        name: name.to_owned(),
        service: Some(service.to_owned()),
        ..JobDraft::default()
    };
    JobRow {
        id,
        job: Arc::new(Job::try_from(draft).unwrap()),
        declared: None,
        children: [JobId(7), JobId(i64::MAX)].into(),
        origin: Origin::Api,
        overrides: Overrides::default(),
        revision: 1,
        anchor: at(0),
        created_at: at(0),
        updated_at: at(0),
        deleted_at: None,
    }
}

/// The next save of a job.
pub(crate) fn saved(before: &JobRow, description: &str) -> JobRow {
    let mut draft = JobDraft::from(&*before.job);
    draft.description = Some(description.to_owned());
    JobRow {
        job: Arc::new(Job::try_from(draft).unwrap()),
        revision: before.revision + 1,
        updated_at: at(before.revision),
        ..before.clone()
    }
}

pub(crate) fn life(id: i64, executor: &str) -> LifeRow {
    LifeRow {
        id: LifeId(id),
        service: name("default"),
        executor: name(executor),
        incarnation: name(&format!("life{id}")),
        since: at(id),
    }
}

/// A task with its first attempt, planned and without an executor.
pub(crate) fn head(id: i64) -> NewAttempt {
    NewAttempt {
        row: Attempt {
            attempt: AttemptId(id),
            task: TaskId(id),
            job: JOB,
            number: 1,
            shard: Shard::WHOLE,
            cause: Cause::Schedule,
            fire_at: Some(at(id)),
            due_at: at(id),
            created_at: at(id),
        },
        parent: None,
        lineage: None,
        rerun: None,
        trace: None,
        wanted: None,
        key: None,
        life: None,
        param: None,
        note: None,
        state: AttemptState::Planned,
        task_state: TaskState::Queued,
        service: None,
    }
}

/// The service of all jobs of [`job`].
pub(crate) fn service_key() -> ServiceKey {
    name::<ServiceName>("default").key()
}

/// Another attempt of a task.
pub(crate) fn retry(task: i64, id: i64, number: u32) -> NewAttempt {
    NewAttempt {
        row: Attempt { task: TaskId(task), number, fire_at: None, ..head(id).row },
        ..head(id)
    }
}

/// The attempt of a shard; the first is the head.
pub(crate) fn shard(task: i64, id: i64, index: u32, total: u32) -> NewAttempt {
    NewAttempt {
        row: Attempt { shard: Shard { index, total }, ..retry(task, id, 1).row },
        ..retry(task, id, 1)
    }
}

/// An outcome that ends its task.
pub(crate) fn last(task: i64, attempt: i64, state: AttemptState, to: TaskState) -> EndedAttempt {
    let failed = state == AttemptState::Failed;
    EndedAttempt {
        attempt: AttemptId(attempt),
        task: TaskId(task),
        state,
        reason: failed.then_some(FailReason::Error),
        message: failed.then(|| format!("attempt {attempt} failed")),
        result: (state == AttemptState::Succeeded).then(|| format!("result {attempt}")),
        log_tail: String::new(),
        log_at: 0,
        started_at: Some(at(attempt + 1)),
        ended_at: at(attempt + 10),
        task_state: Some(to),
        task_result: None,
        service: Some(service_key()),
    }
}

pub(crate) fn succeeded(task: i64, attempt: i64) -> EndedAttempt {
    last(task, attempt, AttemptState::Succeeded, TaskState::Succeeded)
}

pub(crate) fn failed(task: i64, attempt: i64) -> EndedAttempt {
    last(task, attempt, AttemptState::Failed, TaskState::Failed)
}

/// A failed attempt that is retried.
pub(crate) fn failed_once(task: i64, attempt: i64) -> EndedAttempt {
    last(task, attempt, AttemptState::Failed, TaskState::Running)
}

/// An outcome of a shard whose task continues.
pub(crate) fn part(task: i64, attempt: i64, state: AttemptState) -> EndedAttempt {
    EndedAttempt { task_state: None, ..last(task, attempt, state, TaskState::Running) }
}

pub(crate) fn placed(attempt: i64, life: Option<i64>) -> Placed {
    Placed { attempt: AttemptId(attempt), life: life.map(LifeId) }
}

pub(crate) fn moved(task: i64, state: TaskState) -> MovedTask {
    MovedTask { task: TaskId(task), state }
}

pub(crate) fn spread(task: i64, total: u32) -> SpreadTask {
    SpreadTask { task: TaskId(task), total }
}

pub(crate) fn checkpoint(task: i64, shard: u32, value: &str) -> Checkpoint {
    Checkpoint { task: TaskId(task), shard, value: value.into() }
}

/// An alarm of [`JOB`] for the channel `mail`.
pub(crate) fn alarm(id: i64, task: Option<i64>, kind: AlarmKind) -> AlarmRow {
    AlarmRow {
        id,
        job: JOB,
        task: task.map(TaskId),
        kind,
        channels: vec![name("mail")],
        at: at(id),
        job_name: "default.a".to_owned(),
        reason: "error".to_owned(),
        message: format!("alarm {id}"),
        executor: Some("e1".to_owned()),
        attempts: 1,
    }
}

/// Two jobs, `default.a` and `default.b`, and the lives `e1` and `e2`.
pub(crate) fn base() -> Commit {
    Commit {
        jobs: vec![job(JOB, "a"), job(OTHER, "b")],
        lives: vec![life(1, "e1"), life(2, "e2")],
        ids_until: Some(1_000),
        ..Commit::default()
    }
}

pub(crate) fn plan(planned: impl IntoIterator<Item = NewAttempt>) -> Commit {
    Commit { planned: planned.into_iter().collect(), ..Commit::default() }
}

pub(crate) fn end(ended: impl IntoIterator<Item = EndedAttempt>) -> Commit {
    Commit { ended: ended.into_iter().collect(), ..Commit::default() }
}

/// A trace with all that one can have, of a task that was created then.
pub(crate) fn trace(created_at: Timestamp) -> Arc<TaskTrace> {
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1,b@c=2";
    Arc::new(TaskTrace { trace: text.parse().unwrap(), since: created_at })
}
