//! Many rows at once, many commits in a row, and commits that fail: all of a commit is written, or
//! nothing.

use fastjob_core::{AttemptId, JobId, TaskId, TaskState};

use super::{
    Home,
    rows::*,
    view::{load, remove_ended, tasks, view},
    write,
};
use crate::store::{AlarmKind, Commit, EndedAttempt, Error, LifeId, NewAttempt, TaskFilter};

/// More than one statement takes.
const MANY: i64 = 5_000;

/// All tasks on one page, however many a search looks at.
fn every() -> TaskFilter {
    TaskFilter { limit: 20_000, most: Some(20_000), ..TaskFilter::default() }
}

pub(crate) async fn five_thousand_rows_of_each_part(home: &mut impl Home) {
    let keyed = |id: i64| NewAttempt { key: Some(format!("k{id}").into()), ..head(id) };
    let (ends, stays) = (0..MANY, MANY..2 * MANY);
    let first = Commit {
        jobs: (1..=MANY).map(|id| job(JobId(id), &format!("j{id}"))).collect(),
        lives: (1..=MANY).map(|id| life(id, &format!("e{id}"))).collect(),
        planned: ends.clone().map(head).chain(stays.clone().map(keyed)).collect(),
        ..Commit::default()
    };
    let goes = (2 * MANY..3 * MANY).map(head).collect();
    let second = Commit { planned: goes, ..Commit::default() };
    let third = Commit {
        cancelled: (2 * MANY..3 * MANY).map(AttemptId).collect(),
        placed: stays.clone().map(|id| placed(id, Some(id - MANY + 1))).collect(),
        checkpoints: stays.clone().map(|id| checkpoint(id, 0, &format!("c{id}"))).collect(),
        ended: ends
            .clone()
            .map(|id| EndedAttempt { log_tail: format!("said {id}\n"), ..succeeded(id, id) })
            .collect(),
        moved: stays.clone().map(|id| moved(id, TaskState::Stopping)).collect(),
        anchors: (1..=MANY).map(|id| (JobId(id), at(id))).collect(),
        alarms: (1..=MANY).map(|id| alarm(id, None, AlarmKind::RunsLong)).collect(),
        ..Commit::default()
    };
    write(home, [first, second, third]).await;
    home.reopen().await;

    let loaded = view(home).await.loaded;
    assert_eq!(loaded.open.len(), 5_000, "cancelled attempts are gone");
    for (open, id) in loaded.open.iter().zip(stays) {
        assert_eq!((open.planned.row.attempt.0, open.task_state), (id, TaskState::Stopping));
        assert_eq!(open.planned.life, Some(LifeId(id - MANY + 1)));
        assert_eq!(open.checkpoint.as_deref(), Some(format!("c{id}").as_str()));
    }
    assert_eq!((loaded.lives.len(), loaded.next_life), (5_000, MANY + 1));
    assert!(loaded.jobs.rows().all(|job| job.anchor == at(job.id.0)));
    assert_eq!(loaded.jobs.len(), 5_000);

    let store = home.store();
    let ids: Vec<_> = (0..3 * MANY).map(TaskId).collect();
    assert_eq!(store.tasks_by_id(&ids).await.unwrap().len(), 10_000);
    let filter = TaskFilter { states: vec![TaskState::Succeeded], ..every() };
    assert_eq!(store.task_ids(&filter).await.unwrap().ids().len(), 5_000);
    let tail = store.log_tail(AttemptId(MANY - 1)).await.unwrap();
    assert_eq!(tail.unwrap().text, "said 4999\n");
    let key = store.task_of_key(JOB, "k9999").await.unwrap();
    assert_eq!(key, Some(TaskId(2 * MANY - 1)));
    let alarms = store.waiting_alarms(&name("mail"), 0, 20_000).await.unwrap();
    assert_eq!(alarms.len(), 5_000);
    let numbers: Vec<_> = alarms.iter().map(|alarm| alarm.number).collect();
    assert_eq!(store.alarms_sent(&numbers, at(0)).await.unwrap(), 5_000);
    assert_eq!(remove_ended(&*store, at(100_000), 20_000).await, 5_000);
}

pub(crate) async fn twenty_thousand_rows_in_one_commit(home: &mut impl Home) {
    let tasks = 0..20_000;
    write(home, [base(), plan(tasks.clone().map(head))]).await;
    assert_eq!(load(&*home.store()).await.open.len(), 20_000);
    write(home, [end(tasks.map(|id| succeeded(id, id)))]).await;
    assert_eq!(load(&*home.store()).await.open, []);
}

pub(crate) async fn many_small_commits(home: &mut impl Home) {
    let commit = |id| Commit { ended: vec![succeeded(id, id)], ..plan([head(id)]) };
    let commits: Vec<_> = (0..MANY).map(commit).collect();
    write(home, [base()]).await;
    home.store().commit(&commits).await.unwrap();
    home.store().commit(&[]).await.unwrap();
    home.store().commit(&[Commit::default(), Commit::default()]).await.unwrap();
    let tasks = tasks(&*home.store(), &every()).await;
    assert_eq!(tasks.len(), 5_000);
    assert!(tasks.iter().all(|task| task.state == TaskState::Succeeded));
}

pub(crate) async fn a_commit_that_fails_leaves_nothing(home: &mut impl Home) {
    write(home, [base(), plan([head(10), head(11)])]).await;
    let before = view(home).await;
    let commit = Commit {
        ids_until: Some(9_000),
        jobs: vec![saved(&job(JOB, "a"), "saved"), job(JobId(3), "c")],
        lives: vec![life(3, "e3")],
        planned: vec![head(12)],
        cancelled: vec![AttemptId(11)],
        placed: vec![placed(10, Some(1))],
        ended: vec![EndedAttempt { log_tail: "said\n".to_owned(), ..succeeded(10, 10) }],
        checkpoints: vec![checkpoint(10, 0, "half")],
        anchors: vec![(OTHER, at(90))],
        alarms: vec![alarm(1, Some(10), AlarmKind::Failed)],
        watermark: Some(at(50)),
        clock: Some(at(51)),
        ..Commit::default()
    };
    home.refuse_alarms().await;
    let calls = [vec![commit.clone()], vec![plan([head(13)]), commit.clone(), plan([head(14)])]];
    for commits in calls {
        home.store().commit(&commits).await.unwrap_err();
        assert_eq!(view(home).await, before);
    }
    write(home, [plan([head(15)])]).await;
    home.take_alarms().await;
    write(home, [commit]).await;
    let loaded = view(home).await.loaded;
    let open: Vec<_> = loaded.open.iter().map(|open| open.planned.row.attempt.0).collect();
    assert_eq!(open, [12, 15], "the store keeps working, and the commit succeeds later");
    assert_eq!((loaded.ids_until, loaded.watermark), (9_000, Some(at(50))));
}

pub(crate) async fn a_commit_that_fails_is_not_mistaken_for_a_loss(home: &mut impl Home) {
    write(home, [base(), plan([head(10)])]).await;
    home.refuse_alarms().await;
    let failing = Commit { alarms: vec![alarm(1, None, AlarmKind::Failed)], ..plan([head(11)]) };
    for _ in 0..2 {
        let refused = home.store().commit(std::slice::from_ref(&failing)).await;
        assert!(refused.as_ref().is_err_and(Error::is_refusal), "{refused:?}");
    }
    home.take_alarms().await;
    write(home, [failing, Commit::default(), plan([head(12)])]).await;
    let open = load(&*home.store()).await.open;
    let open: Vec<_> = open.iter().map(|open| open.planned.row.attempt.0).collect();
    assert_eq!(open, [10, 11, 12]);
}
