//! Lists of tasks: filters, newest first, and stable pages.

use std::collections::BTreeSet;

use fastjob_core::{AttemptId, AttemptState, TaskId, TaskState};

use super::{
    Home,
    rows::*,
    view::{task, view},
    write,
};
use crate::store::{Attempt, Commit, EndedAttempt, LifeId, LogTail, NewAttempt, TaskFilter};

fn every() -> TaskFilter {
    TaskFilter { limit: 100, ..TaskFilter::default() }
}

/// The ids of the tasks that match the filter, in order.
async fn ids(home: &impl Home, filter: TaskFilter) -> Vec<i64> {
    let tasks = home.store().task_ids(&filter).await.unwrap().ids();
    tasks.into_iter().map(|task| task.0).collect()
}

pub(crate) async fn filters_of_tasks(home: &mut impl Home) {
    use AttemptState as A;
    let of = |job, id| NewAttempt { row: Attempt { job, ..head(id).row }, ..head(id) };
    let tasks = [of(JOB, 10), of(JOB, 11), of(JOB, 12), of(JOB, 13), of(OTHER, 14), of(OTHER, 15)];
    let again = Commit { planned: vec![retry(12, 16, 2)], ..end([failed_once(12, 12)]) };
    let ends = end([
        succeeded(10, 10),
        failed(11, 11),
        last(13, 13, A::Stopped, TaskState::Stopped),
        failed(14, 14),
    ]);
    let ended_later = end([failed(12, 16)]);
    write(home, [base(), plan(tasks), again, ends, ended_later]).await;

    let state = |state| TaskFilter { states: vec![state], ..every() };
    let job = |job| TaskFilter { job: Some(job), ..every() };
    for (filter, expected) in [
        (every(), &[15, 14, 13, 12, 11, 10][..]),
        (job(JOB), &[13, 12, 11, 10]),
        (job(OTHER), &[15, 14]),
        (job(fastjob_core::JobId(9)), &[]),
        (state(TaskState::Succeeded), &[10]),
        (state(TaskState::Failed), &[14, 12, 11]),
        (state(TaskState::Stopped), &[13]),
        (state(TaskState::Skipped), &[]),
        (TaskFilter { job: Some(JOB), ..state(TaskState::Failed) }, &[12, 11]),
        (TaskFilter { job: Some(JOB), ..state(TaskState::Succeeded) }, &[10]),
        (TaskFilter { since: Some(at(13)), ..every() }, &[15, 14, 13]),
        (TaskFilter { since: Some(at(13)), ..job(JOB) }, &[13]),
        (TaskFilter { since: Some(at(99)), ..every() }, &[]),
        (TaskFilter { after: Some(TaskId(12).into()), ..every() }, &[11, 10]),
        (TaskFilter { after: Some(TaskId(10).into()), ..every() }, &[]),
        (TaskFilter { limit: 2, ..every() }, &[15, 14]),
        (TaskFilter { limit: 0, ..every() }, &[]),
        (
            TaskFilter { limit: 1, after: Some(TaskId(14).into()), ..state(TaskState::Failed) },
            &[12],
        ),
    ] {
        assert_eq!(ids(home, filter.clone()).await, expected, "{filter:?}");
    }
}

pub(crate) async fn tasks_by_id_are_newest_first_and_only_those_that_exist(home: &mut impl Home) {
    let on_one = NewAttempt { life: Some(LifeId(1)), parent: Some(TaskId(10)), ..head(11) };
    let again = Commit { planned: vec![retry(10, 12, 2)], ..end([failed_once(10, 10)]) };
    write(home, [base(), plan([head(10), on_one]), again]).await;
    let asked = [10, 12, 11, 99, 10].map(TaskId);
    let tasks = home.store().tasks_by_id(&asked).await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.task.0).collect::<Vec<_>>(), [11, 10]);
    assert_eq!(tasks, view(home).await.tasks, "they are as in the list");
    assert_eq!(tasks[0].parent, Some(TaskId(10)));
    let executor = tasks[0].attempts[0].executor.as_ref();
    assert_eq!(executor.map(fastjob_core::ExecutorName::as_str), Some("e1"));
    assert_eq!(home.store().tasks_by_id(&[]).await.unwrap(), []);
    assert_eq!(home.store().task(TaskId(12)).await.unwrap(), None, "it is a retry, no task");
}

pub(crate) async fn pages_of_tasks_are_stable_while_new_ones_arrive(home: &mut impl Home) {
    write(home, [base(), plan((10..60).map(head)), end((10..60).map(|id| succeeded(id, id)))])
        .await;
    let of_a_state = TaskFilter { states: vec![TaskState::Succeeded], ..every() };
    for filter in [every(), of_a_state, TaskFilter { job: Some(JOB), ..every() }] {
        let newest = task_ids(home).await.last().copied().unwrap_or_default();
        let (mut seen, mut page_filter) = (Vec::new(), TaskFilter { limit: 7, ..filter });
        for new in newest + 1.. {
            let page = ids(home, page_filter.clone()).await;
            let Some(end_of_page) = page.last() else { break };
            page_filter.after = Some(TaskId(*end_of_page).into());
            seen.extend(page);
            write(home, [plan([head(new)]), end([succeeded(new, new)])]).await;
        }
        let expected: Vec<_> = (10..=newest).rev().collect();
        assert_eq!(seen, expected, "each of those that were there, once");
    }
}

/// All tasks.
async fn task_ids(home: &impl Home) -> BTreeSet<i64> {
    ids(home, TaskFilter { limit: 10_000, ..every() }).await.into_iter().collect()
}

pub(crate) async fn open_tasks_of_many_commits_are_listed(home: &mut impl Home) {
    let ids = 10..710;
    write(home, [base()]).await;
    write(home, ids.clone().map(|id| plan([head(id)]))).await;
    let filter = TaskFilter { limit: 10_000, ..TaskFilter::default() };
    let listed = home.store().task_ids(&filter).await.unwrap().ids();
    assert_eq!(listed, ids.rev().map(TaskId).collect::<Vec<_>>());
}

pub(crate) async fn log_tails_are_of_attempts(home: &mut impl Home) {
    let said =
        |log_at, text: &str, ended| EndedAttempt { log_tail: text.to_owned(), log_at, ..ended };
    let first = said(0, "first\n", failed_once(10, 10));
    let again = Commit { planned: vec![retry(10, 11, 2)], ..end([first]) };
    let ends = end([said(5_000_000_000, "second\n", succeeded(10, 11)), succeeded(12, 12)]);
    write(home, [base(), plan([head(10), head(12)]), again, ends]).await;
    let tail = |at, text: &str| Some(LogTail { at, text: text.to_owned() });
    let tails = [(10, tail(0, "first\n")), (11, tail(5_000_000_000, "second\n"))];
    for (attempt, tail) in tails.into_iter().chain([(12, None), (99, None)]) {
        let found = home.store().log_tail(AttemptId(attempt)).await.unwrap();
        assert_eq!(found, tail, "attempt {attempt}");
    }
    assert_eq!(task(home, 10).await.state, TaskState::Succeeded);
}

pub(crate) async fn keys_identify_tasks_of_their_job(home: &mut impl Home) {
    let keyed = |job, id, key: &str| NewAttempt {
        row: Attempt { job, ..head(id).row },
        key: Some(key.into()),
        ..head(id)
    };
    let tasks = [keyed(JOB, 10, "k"), keyed(OTHER, 11, "k"), keyed(JOB, 12, "K"), head(13)];
    write(home, [base(), plan(tasks)]).await;
    for (job, key, task) in [
        (JOB, "k", Some(10)),
        (OTHER, "k", Some(11)),
        (JOB, "K", Some(12)),
        (OTHER, "K", None),
        (JOB, "", None),
    ] {
        let found = home.store().task_of_key(job, key).await.unwrap();
        assert_eq!(found, task.map(TaskId), "{job} {key}");
    }
    write(home, [plan([keyed(JOB, 14, "k")])]).await;
    let found = home.store().task_of_key(JOB, "k").await.unwrap();
    assert_eq!(found, Some(TaskId(10)), "the first task of a key holds");
    let keys = ["k", "K", "none"].map(str::to_owned);
    let found = home.store().tasks_of_keys(JOB, &keys).await.unwrap();
    let expected = [("k", 10), ("K", 12)].map(|(key, task)| (key.to_owned(), TaskId(task)));
    assert_eq!(found, expected.into());
}

pub(crate) async fn the_bytes_of_a_task_are_those_of_all_its_texts(home: &mut impl Home) {
    let long = |bytes: usize| "é".repeat(bytes / 2);
    let param = NewAttempt { param: Some(long(10_000).into()), ..head(10) };
    let said = EndedAttempt { message: Some(long(5_000)), ..failed_once(10, 10) };
    let result = EndedAttempt { result: Some(long(20_000)), ..succeeded(10, 11) };
    let again = Commit { planned: vec![retry(10, 11, 2)], ..end([said]) };
    write(home, [base(), plan([param, head(12)]), again, end([result])]).await;
    let bytes = home.store().task_bytes(&[10, 11, 12, 99].map(TaskId)).await.unwrap();
    assert_eq!(bytes.len(), 2, "{bytes:?}");
    let (long, short) = (bytes[&TaskId(10)], bytes[&TaskId(12)]);
    assert!((35_000..37_000).contains(&long), "{long}");
    assert!((100..1_000).contains(&short), "{short}");
}

pub(crate) async fn the_last_ends_of_jobs_are_listed(home: &mut impl Home) {
    let of = |job, id| NewAttempt { row: Attempt { job, ..head(id).row }, ..head(id) };
    let tasks = [of(JOB, 10), of(JOB, 11), of(OTHER, 14), of(JOB, 12), of(JOB, 13)];
    write(home, [base(), plan(tasks)]).await;
    let started = EndedAttempt { started_at: Some(at(15)), ..failed_once(11, 11) };
    let again = Commit { planned: vec![retry(11, 16, 2)], ..end([started]) };
    write(home, [again, end([failed(11, 16)]), end([failed(14, 14)])]).await;
    write(home, [end([succeeded(12, 12), succeeded(10, 10)])]).await;
    let none = fastjob_core::JobId(9);
    let last = home.store().last_ends(&[JOB, none, OTHER], 2).await.unwrap();
    let tasks = |job| last.get(&job).map(|ends| ends.iter().map(|end| end.task.0).collect());
    assert_eq!(tasks(JOB), Some(vec![12, 11]), "an open task has not ended");
    assert_eq!(tasks(OTHER), Some(vec![14]));
    assert_eq!(tasks(none), None);
    let retried = last[&JOB][1];
    assert_eq!((retried.state, retried.started_at), (TaskState::Failed, Some(at(15))));
    assert_eq!(last[&OTHER][0].ended_at, at(24));
    assert_eq!(home.store().last_ends(&[], 2).await.unwrap().len(), 0);
}
