//! Outcomes are accepted only for open attempts: the first one wins, and later ones change nothing.

use fastjob_core::{AttemptId, AttemptState, TaskState};

use super::{
    Home,
    rows::*,
    view::{task, view},
    write,
};
use crate::store::{Commit, EndedAttempt};

pub(crate) async fn the_first_outcome_wins(home: &mut impl Home) {
    let first = EndedAttempt { log_tail: "first\n".to_owned(), ..succeeded(10, 10) };
    write(home, [base(), plan([head(10), head(11)]), end([first, failed(11, 11)])]).await;
    let before = view(home).await;
    let late = |task, state, to| EndedAttempt {
        log_tail: "late\n".to_owned(),
        ended_at: at(500),
        result: Some("late".to_owned()),
        ..last(task, task, state, to)
    };
    use AttemptState as A;
    for (state, to) in [
        (A::Failed, TaskState::Failed),
        (A::Failed, TaskState::Running),
        (A::Stopped, TaskState::Stopped),
        (A::Skipped, TaskState::Skipped),
    ] {
        write(home, [end([late(10, state, to)])]).await;
    }
    assert_eq!(view(home).await, before);
    let shards = EndedAttempt {
        log_tail: String::new(),
        task_result: Some("[]".to_owned()),
        ..late(11, A::Succeeded, TaskState::Succeeded)
    };
    write(home, [end([shards])]).await;
    assert_eq!(view(home).await, before);
}

pub(crate) async fn the_first_outcome_of_a_retry_wins(home: &mut impl Home) {
    let again = Commit { planned: vec![retry(10, 11, 2)], ..end([failed_once(10, 10)]) };
    let once_more = Commit { planned: vec![retry(10, 12, 3)], ..end([failed_once(10, 11)]) };
    write(home, [base(), plan([head(10)]), again, once_more]).await;
    let before = view(home).await;
    write(home, [end([succeeded(10, 11)])]).await;
    assert_eq!(view(home).await, before, "the task continues with its third attempt");
}

pub(crate) async fn the_first_of_two_outcomes_in_one_call_wins(home: &mut impl Home) {
    write(home, [base(), plan([head(10), head(11)])]).await;
    let pairs = [[succeeded(10, 10), failed(10, 10)], [failed(11, 11), succeeded(11, 11)]];
    for pair in pairs {
        let (id, first) = (pair[0].task.0, pair[0].state);
        home.store().commit(&pair.map(|ended| end([ended]))).await.unwrap();
        assert_eq!(task(home, id).await.attempts[0].state, first);
    }
}

pub(crate) async fn an_ended_attempt_is_not_placed_cancelled_or_moved(home: &mut impl Home) {
    write(home, [base(), plan([head(10), head(11)]), end([succeeded(10, 10), failed(11, 11)])])
        .await;
    let before = view(home).await;
    let late = Commit {
        cancelled: [10, 11].map(AttemptId).into(),
        placed: vec![placed(10, Some(1)), placed(11, Some(2))],
        moved: vec![moved(10, TaskState::Stopping), moved(11, TaskState::Running)],
        ..Commit::default()
    };
    write(home, [late]).await;
    assert_eq!(view(home).await, before);
}

pub(crate) async fn the_log_of_the_accepted_outcome_is_stored(home: &mut impl Home) {
    let silent = succeeded(10, 10);
    let late = EndedAttempt { log_tail: "late\n".to_owned(), ..failed(10, 10) };
    write(home, [base(), plan([head(10)]), end([silent]), end([late])]).await;
    assert_eq!(home.store().log_tail(AttemptId(10)).await.unwrap(), None);
}

pub(crate) async fn an_outcome_of_an_unknown_attempt_changes_nothing(home: &mut impl Home) {
    write(home, [base(), plan([head(10)])]).await;
    let before = view(home).await;
    let unknown = EndedAttempt { log_tail: "said\n".to_owned(), ..succeeded(99, 99) };
    let of_a_task = EndedAttempt { attempt: AttemptId(98), ..failed(10, 98) };
    write(home, [end([unknown, of_a_task])]).await;
    assert_eq!(view(home).await, before);
}
