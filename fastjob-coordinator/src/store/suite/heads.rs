//! Heads: the state of a task, whatever its attempts do.

use fastjob_core::{AttemptState, Cause, FailReason, Shard, TaskState};

use super::{
    Home,
    rows::*,
    view::{load, task},
    write,
};
use crate::store::{Attempt, Commit, EndedAttempt, NewAttempt};

/// Plans a retry together with the outcome before it.
fn again(task: i64, attempt: i64, retry_id: i64, number: u32) -> Commit {
    Commit { planned: vec![retry(task, retry_id, number)], ..end([failed_once(task, attempt)]) }
}

pub(crate) async fn a_task_runs_while_its_retry_waits(home: &mut impl Home) {
    write(home, [base(), plan([head(10)])]).await;
    assert_eq!(task(home, 10).await.state, TaskState::Queued);
    write(home, [again(10, 10, 11, 2)]).await;
    let task = task(home, 10).await;
    assert_eq!((task.state, task.ended_at, task.result), (TaskState::Running, None, None));
    let (first, second) = (&task.attempts[0], &task.attempts[1]);
    assert_eq!((first.number, first.reason), (1, Some(FailReason::Error)));
    assert_eq!(first.message.as_deref(), Some("attempt 10 failed"));
    assert_eq!((first.started_at, first.ended_at), (Some(at(11)), Some(at(20))));
    assert_eq!((second.number, second.state, second.ended_at), (2, AttemptState::Planned, None));
}

pub(crate) async fn a_task_ends_with_its_last_attempt(home: &mut impl Home) {
    write(home, [base(), plan([head(10), head(20)]), again(10, 10, 11, 2), again(20, 20, 21, 2)])
        .await;
    write(home, [end([succeeded(10, 11), failed(20, 21)])]).await;
    let done = task(home, 10).await;
    assert_eq!((done.state, done.ended_at), (TaskState::Succeeded, Some(at(21))));
    assert_eq!(done.result.as_deref(), Some("result 11"), "the result of its retry");
    assert_eq!(done.attempts[0].state, AttemptState::Failed, "the first stays what it was");
    let lost = task(home, 20).await;
    assert_eq!((lost.state, lost.ended_at), (TaskState::Failed, Some(at(31))));
    assert_eq!(lost.result, None);
}

pub(crate) async fn a_task_that_is_retried_several_times_in_one_call_ends(home: &mut impl Home) {
    write(home, [base()]).await;
    let story = [
        plan([head(10)]),
        again(10, 10, 11, 2),
        again(10, 11, 12, 3),
        again(10, 12, 13, 4),
        end([succeeded(10, 13)]),
    ];
    home.store().commit(&story).await.unwrap();
    let task = task(home, 10).await;
    assert_eq!((task.state, task.ended_at), (TaskState::Succeeded, Some(at(23))));
    assert_eq!(task.result.as_deref(), Some("result 13"));
    let numbers: Vec<_> = task.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

pub(crate) async fn a_task_of_shards_has_its_own_result(home: &mut impl Home) {
    let shards = (0..3).map(|i| shard(10, 10 + i, u32::try_from(i).unwrap(), 3));
    let whole = EndedAttempt { task_result: Some("[1,2,3]".to_owned()), ..succeeded(10, 10) };
    let others = [11, 12].map(|id| part(10, id, AttemptState::Succeeded));
    write(home, [base(), plan(shards), end(others)]).await;
    assert_eq!(task(home, 10).await.state, TaskState::Queued, "no shard moved it");
    // The attempt of the head ends last.
    write(home, [end([whole])]).await;
    let task = task(home, 10).await;
    assert_eq!((task.state, task.result.as_deref()), (TaskState::Succeeded, Some("[1,2,3]")));
    assert_eq!(task.ended_at, Some(at(20)));
    let shards: Vec<_> = task.attempts.iter().map(|attempt| attempt.shard).collect();
    assert_eq!(shards, [0, 1, 2].map(|index| Shard { index, total: 3 }), "in their order");
}

pub(crate) async fn a_stopping_task_keeps_its_state_until_it_ends(home: &mut impl Home) {
    let stop = Commit { moved: vec![moved(10, TaskState::Stopping)], ..Commit::default() };
    write(home, [base(), plan([head(10)]), stop]).await;
    let stopping = task(home, 10).await;
    assert_eq!((stopping.state, stopping.ended_at), (TaskState::Stopping, None));
    let stopped = last(10, 10, AttemptState::Stopped, TaskState::Stopped);
    write(home, [end([stopped])]).await;
    let stopped = task(home, 10).await;
    assert_eq!((stopped.state, stopped.ended_at), (TaskState::Stopped, Some(at(20))));
}

pub(crate) async fn a_skipped_task_has_ended_when_it_is_recorded(home: &mut impl Home) {
    let skipped = NewAttempt {
        row: Attempt { cause: Cause::Misfire, ..head(10).row },
        state: AttemptState::Skipped,
        task_state: TaskState::Skipped,
        service: Some(service_key()),
        note: Some("3 fires were missed".to_owned()),
        ..head(10)
    };
    write(home, [base(), plan([skipped])]).await;
    let task = task(home, 10).await;
    assert_eq!((task.state, task.ended_at), (TaskState::Skipped, Some(at(10))));
    assert_eq!(task.note.as_deref(), Some("3 fires were missed"));
    assert_eq!(load(&*home.store()).await.open, []);
}

pub(crate) async fn every_state_cause_and_reason_is_read_back(home: &mut impl Home) {
    write(home, [base()]).await;
    let mut ids = 10_i64..;
    for cause in Cause::ALL {
        let id = ids.next().unwrap();
        write(home, [plan([NewAttempt { row: Attempt { cause, ..head(id).row }, ..head(id) }])])
            .await;
        assert_eq!(task(home, id).await.cause, cause);
    }
    use FailReason::*;
    for reason in [Error, Fatal, TimedOut, ExecutorLost, Panicked, NoExecutor] {
        let id = ids.next().unwrap();
        let ended = EndedAttempt { reason: Some(reason), ..failed(id, id) };
        write(home, [plan([head(id)]), end([ended])]).await;
        assert_eq!(task(home, id).await.attempts[0].reason, Some(reason));
    }
    use AttemptState as A;
    for (state, to) in [
        (A::Succeeded, TaskState::Succeeded),
        (A::Failed, TaskState::Failed),
        (A::Stopped, TaskState::Stopped),
        (A::Skipped, TaskState::Skipped),
        (A::Failed, TaskState::Running),
    ] {
        let id = ids.next().unwrap();
        write(home, [plan([head(id)]), end([last(id, id, state, to)])]).await;
        let task = task(home, id).await;
        assert_eq!((task.attempts[0].state, task.state), (state, to));
        assert_eq!(task.ended_at.is_some(), to.is_final());
    }
}
