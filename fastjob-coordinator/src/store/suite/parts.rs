//! The parts of a commit and of several commits in one call: their order, and which value wins.

use fastjob_core::{AttemptId, AttemptState, Shard, TaskId, TaskState};
use fastjob_engine::record::NOT_SPREAD;

use super::{
    Home,
    rows::*,
    view::{task, view},
    write,
};
use crate::store::{Attempt, Commit, LifeId, Loaded, NewAttempt};

pub(crate) async fn planning_and_cancelling_in_one_call_changes_nothing(home: &mut impl Home) {
    write(home, [base()]).await;
    let before = view(home).await;
    let back = |id| Commit { cancelled: vec![AttemptId(id)], ..Commit::default() };
    write(home, [Commit { planned: vec![head(10)], ..back(10) }]).await;
    assert_eq!(view(home).await, before, "in one commit");
    home.store().commit(&[plan([head(11)]), back(11)]).await.unwrap();
    assert_eq!(view(home).await, before, "in two commits");
}

pub(crate) async fn an_attempt_planned_and_ended_in_one_call_has_ended(home: &mut impl Home) {
    write(home, [base(), Commit { ended: vec![succeeded(10, 10)], ..plan([head(10)]) }]).await;
    home.store().commit(&[plan([head(11)]), end([failed(11, 11)])]).await.unwrap();
    assert_eq!(task(home, 10).await.state, TaskState::Succeeded);
    assert_eq!(task(home, 11).await.state, TaskState::Failed);
    assert_eq!(view(home).await.loaded.open, []);
}

pub(crate) async fn a_retry_is_planned_with_the_outcome_before_it(home: &mut impl Home) {
    let again = Commit { planned: vec![retry(10, 11, 2)], ..end([failed_once(10, 10)]) };
    write(home, [base(), plan([head(10)]), again]).await;
    let task = task(home, 10).await;
    let states: Vec<_> = task.attempts.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Failed, AttemptState::Planned]);
    assert_eq!((task.state, task.ended_at), (TaskState::Running, None));
}

pub(crate) async fn cancelling_removes_only_planned_attempts_and_their_heads(home: &mut impl Home) {
    let back = Commit { cancelled: [10, 11, 13, 99].map(AttemptId).into(), ..Commit::default() };
    let tasks = plan([head(10), head(11), head(12), retry(12, 13, 2), head(14)]);
    write(home, [base(), tasks, end([succeeded(11, 11), failed_once(12, 12)]), back]).await;
    assert_eq!(home.store().task(TaskId(10)).await.unwrap(), None, "the head was removed with it");
    assert_eq!(task(home, 11).await.state, TaskState::Succeeded, "it had ended");
    let tried = task(home, 12).await;
    assert_eq!(
        (tried.attempts.len(), tried.state),
        (1, TaskState::Running),
        "its retry was removed"
    );
    let open: Vec<_> =
        view(home).await.loaded.open.iter().map(|o| o.planned.row.attempt.0).collect();
    assert_eq!(open, [14]);
}

pub(crate) async fn a_cancelled_task_frees_its_key(home: &mut impl Home) {
    let keyed = |id| NewAttempt { key: Some("k".into()), ..head(id) };
    let back = Commit { cancelled: vec![AttemptId(10)], ..Commit::default() };
    write(home, [base(), plan([keyed(10)]), back]).await;
    assert_eq!(home.store().task_of_key(JOB, "k").await.unwrap(), None);
    write(home, [plan([keyed(11)])]).await;
    assert_eq!(home.store().task_of_key(JOB, "k").await.unwrap(), Some(TaskId(11)));
}

pub(crate) async fn the_latest_placement_of_an_attempt_wins(home: &mut impl Home) {
    let place = |life| Commit { placed: vec![placed(10, life)], ..Commit::default() };
    write(home, [base(), plan([head(10)])]).await;
    for (first, second) in [(Some(1), Some(2)), (Some(2), Some(1)), (Some(1), None)] {
        home.store().commit(&[place(first), place(second)]).await.unwrap();
        let open = view(home).await.loaded.open;
        assert_eq!(open[0].planned.life, second.map(LifeId), "first {first:?}");
    }
}

pub(crate) async fn the_latest_move_of_a_task_wins(home: &mut impl Home) {
    use TaskState::*;
    let to = |state| Commit { moved: vec![moved(10, state)], ..Commit::default() };
    write(home, [base(), plan([head(10)])]).await;
    for states in [[Running, Stopping], [Stopping, Running]] {
        home.store().commit(&states.map(to)).await.unwrap();
        assert_eq!(task(home, 10).await.state, states[1]);
    }
}

pub(crate) async fn a_head_is_spread_once(home: &mut impl Home) {
    let spread = |total| Commit { spread: vec![spread(10, total)], ..Commit::default() };
    let waiting = NewAttempt { row: Attempt { shard: NOT_SPREAD, ..head(10).row }, ..head(10) };
    write(home, [base(), plan([waiting])]).await;
    assert_eq!(view(home).await.loaded.open[0].planned.row.shard, NOT_SPREAD);
    write(home, [spread(3), spread(5)]).await;
    assert_eq!(view(home).await.loaded.open[0].planned.row.shard, Shard { index: 0, total: 3 });
}

pub(crate) async fn ids_watermark_clock_and_anchors_only_grow(home: &mut impl Home) {
    let anchor = |loaded: &Loaded| loaded.jobs.rows().next().map(|job| job.anchor);
    let step = |n: i64| Commit {
        ids_until: Some(2_000 + n),
        watermark: Some(at(n)),
        clock: Some(at(n + 1)),
        anchors: vec![(JOB, at(n + 2))],
        fired_ahead: vec![(JOB, at(n + 3))],
        ..Commit::default()
    };
    write(home, [base()]).await;
    for (n, highest) in [(5, 5), (4, 5), (-900_000, 5), (10, 10), (9, 10)] {
        write(home, [step(n)]).await;
        let loaded = view(home).await.loaded;
        assert_eq!(loaded.ids_until, 2_000 + highest);
        assert_eq!(loaded.watermark, Some(at(highest)));
        assert_eq!(loaded.clock, Some(at(highest + 1)));
        assert_eq!(anchor(&loaded), Some(at(highest + 2)));
        assert_eq!(loaded.fired_ahead, [(JOB, at(highest + 3))]);
    }
    home.store().commit(&[step(30), step(20)]).await.unwrap();
    let loaded = view(home).await.loaded;
    assert_eq!((loaded.watermark, anchor(&loaded)), (Some(at(30)), Some(at(32))));
    assert_eq!(loaded.fired_ahead, [(JOB, at(33))]);
}

pub(crate) async fn the_last_cursor_of_a_job_wins(home: &mut impl Home) {
    let step = |seconds: &[i64]| Commit {
        cursors: seconds.iter().map(|second| (JOB, at(*second))).collect(),
        ..Commit::default()
    };
    write(home, [base(), step(&[5]), step(&[9, 7])]).await;
    assert_eq!(view(home).await.loaded.cursors, [(JOB, at(7))]);
    home.store().commit(&[step(&[30]), step(&[20])]).await.unwrap();
    assert_eq!(view(home).await.loaded.cursors, [(JOB, at(20))]);
}
