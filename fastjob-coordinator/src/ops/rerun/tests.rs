//! Which tasks and shards run again.

use fastjob_core::{AttemptId, Cause, JobId, Shard};
use jiff::Timestamp;

use super::*;
use crate::ops::{live::Live, tasks::view_of};

use AttemptState::{Failed, Skipped, Stopped, Succeeded};

/// A task that ended, with these last attempts: shard and state.
fn row(state: TaskState, total: u32, shards: &[(u32, AttemptState)]) -> TaskRow {
    let attempt = |(index, state): &(u32, AttemptState)| AttemptRow {
        attempt: AttemptId(7 + i64::from(*index)),
        number: 1,
        shard: Shard { index: *index, total },
        state: *state,
        reason: None,
        message: None,
        executor: Some(format!("e{index}").parse().unwrap()),
        due_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        ended_at: Some(Timestamp::UNIX_EPOCH),
    };
    TaskRow {
        task: TaskId(7),
        job: JobId(1),
        service: "default".parse().unwrap(),
        name: "a".parse().unwrap(),
        state,
        cause: Cause::Schedule,
        fire_at: None,
        created_at: Timestamp::UNIX_EPOCH,
        ended_at: Some(Timestamp::UNIX_EPOCH),
        param: None,
        result: None,
        note: None,
        parent: None,
        reruns: None,
        trace: None,
        attempts: shards.iter().map(attempt).collect(),
    }
}

#[track_caller]
fn indexes(row: &TaskRow, which: Option<&str>) -> Option<Vec<u32>> {
    part(row, which).unwrap().map(|part| part.indexes().to_vec())
}

#[track_caller]
fn refused(row: &TaskRow, which: &str, why: &str) {
    let err = part(row, Some(which)).unwrap_err().to_string();
    assert!(err.contains(why), "{err}");
}

#[test]
fn failed_shards_are_those_whose_last_attempt_did_not_succeed() {
    let states = [(0, Succeeded), (1, Failed), (2, Stopped), (3, Skipped), (4, Succeeded)];
    let mut task = row(TaskState::Failed, 5, &states);
    assert_eq!(indexes(&task, Some("failed")), Some(vec![1, 2, 3]));
    let retried = AttemptRow { number: 2, state: Succeeded, ..task.attempts[1].clone() };
    task.attempts.insert(2, retried);
    let found = part(&task, Some("failed")).unwrap().unwrap();
    assert_eq!((found.total(), &*found.indexes()), (5, &[2, 3][..]));
    assert_eq!(found.shards()[0].1.as_ref().unwrap().as_str(), "e2");
    assert_eq!(indexes(&task, Some("all")), None, "it is spread again, as a start is");
    assert_eq!(indexes(&task, None), None);
    assert_eq!(indexes(&task, Some("4, 0,4")), Some(vec![0, 4]));
    refused(&task, "5", "task 7 has no shard 5: it has 0, 1, 2, 3, 4");
    refused(&task, "some", "`some` is neither all nor failed, nor numbers");
    refused(&task, "-1", "neither");
    refused(&task, "", "neither");
}

#[test]
fn an_earlier_rerun_with_other_shards_or_elsewhere_is_not_the_answer() {
    let row = row(TaskState::Failed, 5, &[(1, Failed), (3, Succeeded)]);
    let before = view_of(row, &Live::default());
    let [here, there]: [ExecutorName; 2] = ["e1", "e9"].map(|name| name.parse().unwrap());
    let none = || Asked { param: None, part: None, executor: None };
    let some = |indexes: &[u32]| Asked { part: Some(Some(indexes.into())), ..none() };
    assert_eq!(none().differs_in(&before), None);
    assert_eq!(some(&[1, 3]).differs_in(&before), None);
    assert_eq!(some(&[1]).differs_in(&before), Some("with other shards"));
    let whole = Asked { part: Some(None), ..none() };
    assert_eq!(whole.differs_in(&before), Some("with other shards"));
    let param = Asked { param: Some("x"), ..none() };
    assert_eq!(param.differs_in(&before), Some("with another param"));
    let on = |name| Asked { executor: Some(name), ..none() };
    assert_eq!(on(&there).differs_in(&before), Some("on another executor"));
    let mut planned = before.clone();
    planned.attempts.truncate(1);
    assert_eq!(on(&here).differs_in(&planned), None);
    planned.attempts.clear();
    for asked in [some(&[1]), Asked { part: Some(None), ..none() }, on(&there)] {
        assert_eq!(asked.differs_in(&planned), None, "nothing is known of it");
    }
}

#[test]
fn a_task_without_several_shards_runs_as_a_whole() {
    let task = row(TaskState::Failed, 1, &[(0, Failed)]);
    for which in [None, Some("all"), Some("failed"), Some("0")] {
        assert_eq!(indexes(&task, which), None);
    }
    refused(&task, "1", "task 7 has no shard 1: it has 0");
    assert_eq!(indexes(&row(TaskState::Stopped, 0, &[(0, Stopped)]), Some("failed")), None);
    assert_eq!(indexes(&row(TaskState::Skipped, 1, &[]), Some("failed")), None);
    let task = row(TaskState::Succeeded, 1, &[(0, Succeeded)]);
    refused(&task, "failed", "task 7 has succeeded");
    assert_eq!(indexes(&task, None), None);
}

#[test]
fn a_rerun_of_some_shards_has_these_shards_when_it_runs_again() {
    let task = row(TaskState::Failed, 8, &[(2, Succeeded), (5, Failed)]);
    assert_eq!(indexes(&task, None), Some(vec![2, 5]));
    assert_eq!(indexes(&task, Some("all")), Some(vec![2, 5]));
    assert_eq!(indexes(&task, Some("failed")), Some(vec![5]));
    refused(&task, "3", "task 7 has no shard 3: it has 2, 5");
}
