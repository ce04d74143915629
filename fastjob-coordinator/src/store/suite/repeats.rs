//! A commit whose answer was lost is sent again: whatever it contains, the second time changes
//! nothing.

use fastjob_core::{AttemptId, AttemptState, TaskId, TaskState};

use super::{
    Home,
    rows::*,
    view::{View, remove_ended, view},
    write,
};
use crate::store::{
    AlarmKind, Attempt, ChildStart, Commit, EndedAttempt, NewAttempt, Partition, Shard,
};

fn child(id: i64) -> ChildStart {
    ChildStart {
        id,
        partition: Partition(0),
        job: JOB,
        parent: TaskId(3),
        param: None,
        lineage: None,
        trace: None,
    }
}

/// Writes `before`, then `commit` once, again, and twice in one call.
async fn check(home: &mut impl Home, before: Vec<Commit>, commit: Commit) {
    check_shown(home, before, commit, |view| view).await;
}

async fn check_shown(
    home: &mut impl Home,
    before: Vec<Commit>,
    commit: Commit,
    shown: fn(View) -> View,
) {
    write(home, before).await;
    let before = shown(view(home).await);
    write(home, [commit.clone()]).await;
    let once = shown(view(home).await);
    assert_ne!(before, once, "it does something");
    write(home, [commit.clone()]).await;
    assert_eq!(shown(view(home).await), once, "again");
    home.store().commit(&[commit.clone(), commit]).await.unwrap();
    assert_eq!(shown(view(home).await), once, "twice in one call");
}

pub(crate) async fn ids_and_clocks(home: &mut impl Home) {
    let commit = Commit {
        ids_until: Some(2_000),
        watermark: Some(at(5)),
        clock: Some(at(6)),
        ..Commit::default()
    };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn jobs(home: &mut impl Home) {
    let deleted = |mut row: crate::store::JobRow| {
        row.deleted_at = Some(at(9));
        row
    };
    let commit = Commit {
        jobs: vec![
            saved(&job(JOB, "a"), "saved"),
            deleted(saved(&job(OTHER, "b"), "")),
            job(fastjob_core::JobId(3), "c"),
        ],
        ..Commit::default()
    };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn lives(home: &mut impl Home) {
    let commit = Commit { lives: vec![life(3, "e3")], ..Commit::default() };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn planned(home: &mut impl Home) {
    let commit = plan([
        NewAttempt { param: Some("p".into()), note: Some("n".to_owned()), ..head(10) },
        NewAttempt { key: Some("k".into()), ..head(11) },
        NewAttempt { wanted: Some(name("e1")), life: Some(crate::store::LifeId(1)), ..head(12) },
        shard(13, 13, 0, 2),
        shard(13, 14, 1, 2),
    ]);
    check(home, vec![base()], commit).await;
}

pub(crate) async fn cancelled(home: &mut impl Home) {
    let commit = Commit { cancelled: vec![AttemptId(10), AttemptId(12)], ..Commit::default() };
    let before = plan([head(10), head(11), retry(11, 12, 2)]);
    check(home, vec![base(), before, end([failed_once(11, 11)])], commit).await;
}

pub(crate) async fn spread(home: &mut impl Home) {
    let commit = Commit {
        spread: vec![super::rows::spread(10, 2)],
        planned: vec![shard(10, 11, 1, 2)],
        ..Commit::default()
    };
    let waiting = NewAttempt {
        row: Attempt { shard: fastjob_engine::record::NOT_SPREAD, ..head(10).row },
        ..head(10)
    };
    check(home, vec![base(), plan([waiting])], commit).await;
}

pub(crate) async fn placed(home: &mut impl Home) {
    let placed = [super::rows::placed(10, Some(2)), super::rows::placed(11, None)];
    let commit = Commit { placed: placed.into(), ..Commit::default() };
    let on_one = |id| NewAttempt { life: Some(crate::store::LifeId(1)), ..head(id) };
    check(home, vec![base(), plan([on_one(10), on_one(11)])], commit).await;
}

pub(crate) async fn checkpoints(home: &mut impl Home) {
    let points = [checkpoint(10, 0, "first"), checkpoint(10, 0, "half"), checkpoint(10, 1, "none")];
    let commit = Commit { checkpoints: points.into(), ..Commit::default() };
    check(home, vec![base(), plan([shard(10, 10, 0, 2), shard(10, 11, 1, 2)])], commit).await;
}

pub(crate) async fn ended(home: &mut impl Home) {
    let commit = Commit {
        planned: vec![retry(11, 12, 2)],
        ended: vec![
            EndedAttempt { log_tail: "said\n".to_owned(), ..succeeded(10, 10) },
            failed_once(11, 11),
            EndedAttempt { task_result: Some("[1,2]".to_owned()), ..succeeded(13, 13) },
        ],
        ..Commit::default()
    };
    check(home, vec![base(), plan([head(10), head(11), head(13)])], commit).await;
}

pub(crate) async fn moved(home: &mut impl Home) {
    let commit =
        Commit { moved: vec![super::rows::moved(10, TaskState::Stopping)], ..Commit::default() };
    check(home, vec![base(), plan([head(10)])], commit).await;
}

pub(crate) async fn anchors(home: &mut impl Home) {
    let commit = Commit { anchors: vec![(JOB, at(5)), (JOB, at(7))], ..Commit::default() };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn fired_ahead(home: &mut impl Home) {
    let commit = Commit { fired_ahead: vec![(JOB, at(7)), (JOB, at(5))], ..Commit::default() };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn cursors(home: &mut impl Home) {
    let commit = Commit { cursors: vec![(JOB, at(7)), (JOB, at(5))], ..Commit::default() };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn alarms(home: &mut impl Home) {
    let commit = Commit {
        alarms: vec![alarm(1, None, AlarmKind::Failed), alarm(2, Some(10), AlarmKind::StartsLate)],
        ..Commit::default()
    };
    check(home, vec![base()], commit).await;
}

pub(crate) async fn child_starts(home: &mut impl Home) {
    let commit = Commit { child_starts: vec![child(5), child(6)], ..Commit::default() };
    check(home, vec![base()], commit).await;
    let commit = Commit { children_started: vec![5], ..Commit::default() };
    check(home, vec![], commit).await;
}

pub(crate) async fn notes(home: &mut impl Home) {
    let note = |task, text: &str| (TaskId(task), text.to_owned());
    let notes = vec![note(10, "no child"), note(11, "none"), note(10, "no mail")];
    let noted = NewAttempt { note: Some("backfilled".to_owned()), ..head(11) };
    let commit = Commit { notes, ..end([succeeded(10, 10), succeeded(11, 11)]) };
    check(home, vec![base(), plan([head(10), noted])], commit).await;
    assert_eq!(super::view::task(home, 10).await.note.unwrap(), "no child; no mail");
    assert_eq!(super::view::task(home, 11).await.note.unwrap(), "backfilled; none");
}

pub(crate) async fn a_child_that_has_started_is_not_started_again(home: &mut impl Home) {
    let to_start = Commit { child_starts: vec![child(5)], ..Commit::default() };
    let started = |id| NewAttempt { key: Some(child(5).key()), ..head(id) };
    let starts = Commit { children_started: vec![5], ..plan([started(20)]) };
    write(home, [base(), to_start.clone(), starts.clone(), to_start.clone()]).await;
    assert_eq!(view(home).await.loaded.child_starts, []);
    home.store().commit(&[to_start.clone(), starts]).await.unwrap();
    // Also when its head is removed as history.
    write(home, [end([succeeded(20, 20)])]).await;
    assert_eq!(remove_ended(&*home.store(), at(1_000), 10).await, 1);
    assert_eq!(view(home).await.loaded.child_starts, []);
}

pub(crate) async fn a_child_that_has_started_is_no_longer_waiting(home: &mut impl Home) {
    // Both were written at the same time.
    let to_start = Commit { child_starts: vec![child(5), child(6)], ..Commit::default() };
    let starts = plan([NewAttempt { key: Some(child(5).key()), ..head(20) }]);
    write(home, [base(), to_start, starts]).await;
    assert_eq!(view(home).await.loaded.child_starts, [child(6)]);
    write(home, [end([succeeded(20, 20)])]).await;
    assert_eq!(remove_ended(&*home.store(), at(1_000), 10).await, 1);
    assert_eq!(view(home).await.loaded.child_starts, [child(6)]);
}

pub(crate) async fn everything_at_once(home: &mut impl Home) {
    let commit = Commit {
        ids_until: Some(3_000),
        planned: vec![
            head(20),
            retry(11, 21, 2),
            head(22),
            NewAttempt {
                row: Attempt { shard: Shard { index: 0, total: 1 }, ..head(23).row },
                key: Some("k".into()),
                ..head(23)
            },
        ],
        cancelled: vec![AttemptId(10), AttemptId(22)],
        placed: vec![super::rows::placed(20, Some(1)), super::rows::placed(21, Some(2))],
        ended: vec![
            failed_once(11, 11),
            succeeded(12, 12),
            last(23, 23, AttemptState::Skipped, TaskState::Skipped),
        ],
        moved: vec![super::rows::moved(20, TaskState::Stopping)],
        checkpoints: vec![checkpoint(20, 0, "half")],
        anchors: vec![(JOB, at(100))],
        alarms: vec![alarm(1, Some(11), AlarmKind::RunsLong)],
        watermark: Some(at(50)),
        clock: Some(at(51)),
        ..base()
    };
    // A task that a commit both plans and ends counts again: the store looks it up only if an earlier
    // transaction failed, and without that the writer does not repeat a commit.
    let without_stats = |mut view: View| {
        view.stats.clear();
        view
    };
    let before = vec![base(), plan([head(10), head(11), head(12)])];
    check_shown(home, before, commit, without_stats).await;
}
