//! Statistics: each task counts once, whatever happens to the index.

use std::collections::BTreeMap;

use fastjob_core::{Cause, ServiceName, Shard, TaskState};

use super::{
    Home,
    index::merge,
    rows::*,
    view::{remove_ended, tasks},
    write,
};
use crate::store::{
    AlarmKind, Attempt, Bucket, Commit, EndedAttempt, NewAttempt, StatFilter, Stats, Subject,
    TaskFilter, TaskRow,
    stats::{LastAttempt, Times},
};

fn billing() -> ServiceName {
    name("billing")
}

/// Tasks of two jobs of two services, one every three minutes: of one attempt, of several, of two
/// shards, and skipped ones.
async fn history(home: &impl Home) {
    let jobs = vec![job(JOB, "a"), job_of(OTHER, "billing", "b")];
    write(home, [Commit { jobs, ids_until: Some(10_000), ..base() }]).await;
    for id in 10..110 {
        let (job, service) =
            if id % 2 == 0 { (JOB, service_key()) } else { (OTHER, billing().key()) };
        let cause = if id % 4 < 2 { Cause::Schedule } else { Cause::Api };
        let minute = id * 3;
        let made = Attempt {
            job,
            cause,
            fire_at: Some(at(minute * 60_000 - 2_000)),
            due_at: at(minute * 60_000 - 1_000),
            ..head(id).row
        };
        let planned = NewAttempt { row: made, ..head(id) };
        let ended = |ended: EndedAttempt| EndedAttempt {
            started_at: (id % 13 > 0).then(|| at(minute * 60_000 - 500 - id)),
            ended_at: at(minute * 60_000),
            service: Some(service),
            ..ended
        };
        let second = 1_000 + id;
        let commits = match id % 10 {
            3 => vec![plan([NewAttempt {
                row: Attempt { created_at: at(minute * 60_000), ..made },
                state: fastjob_core::AttemptState::Skipped,
                task_state: TaskState::Skipped,
                service: Some(service),
                ..planned
            }])],
            5 | 6 => {
                let row = Attempt { attempt: retry(id, second, 2).row.attempt, number: 2, ..made };
                let again = NewAttempt { row, ..head(id) };
                vec![
                    plan([planned]),
                    Commit { planned: vec![again], ..end([failed_once(id, id)]) },
                    end([ended(succeeded(id, second))]),
                ]
            }
            7 => {
                let of = |index, row| Attempt { shard: Shard { index, total: 2 }, ..row };
                let row = Attempt { attempt: retry(id, second, 1).row.attempt, ..made };
                vec![
                    plan([
                        NewAttempt { row: of(0, made), ..planned },
                        NewAttempt { row: of(1, row), ..head(id) },
                    ]),
                    end([part(id, id, fastjob_core::AttemptState::Succeeded)]),
                    end([ended(failed(id, second))]),
                ]
            }
            8 => vec![plan([planned]), end([ended(failed(id, id))])],
            _ => vec![plan([planned]), end([ended(succeeded(id, id))])],
        };
        write(home, commits).await;
    }
}

/// The statistics of these tasks, as a list of them shows.
fn counted(tasks: &[TaskRow], filter: &StatFilter) -> Vec<Bucket> {
    let mut sums: BTreeMap<i64, Stats> = BTreeMap::new();
    for task in tasks {
        let is_of = match filter.subject {
            Subject::Job(job) => task.job == job,
            Subject::Service(service) => task.service.key() == service,
            Subject::All => true,
        };
        let ended_at = task.ended_at.unwrap();
        let minute = ended_at.as_millisecond().div_euclid(60_000);
        if !is_of || !(filter.from..filter.until).contains(&minute) {
            continue;
        }
        let last = task.attempts.iter().rfind(|attempt| attempt.ended_at == Some(ended_at));
        let last = last.unwrap();
        let times = Times::of(&LastAttempt {
            cause: task.cause,
            number: last.number,
            fire_at: task.fire_at,
            due_at: last.due_at,
            started_at: last.started_at,
            ended_at,
        });
        sums.entry(minute - minute.rem_euclid(filter.bucket)).or_default().add(task.state, times);
    }
    sums.into_iter().map(|(from, stats)| Bucket { from, stats }).collect()
}

/// Compares all statistics with the tasks in the history.
async fn agree(home: &impl Home, count: usize) {
    let filter = TaskFilter { limit: 10_000, ..TaskFilter::default() };
    let tasks = tasks(&*home.store(), &filter).await;
    assert_eq!(tasks.len(), count);
    let first = at(0).as_millisecond().div_euclid(60_000);
    for (bucket, from, until) in
        [(1, 0, 400), (1, 100, 101), (5, 30, 200), (60, 0, 400), (60, 120, 180), (1_440, 0, 2_880)]
    {
        let rounded = |minute: i64| (first + minute).div_euclid(bucket) * bucket;
        for subject in [
            Subject::All,
            Subject::Job(JOB),
            Subject::Job(OTHER),
            Subject::Service(service_key()),
            Subject::Service(billing().key()),
            Subject::Service(name::<ServiceName>("unknown").key()),
        ] {
            let (from, until) = (rounded(from), rounded(until));
            let filter = StatFilter { subject, from, until, bucket };
            let read = home.store().stats(&filter).await.unwrap();
            assert_eq!(read, counted(&tasks, &filter), "{filter:?}");
        }
    }
}

pub(crate) async fn statistics_are_those_of_the_tasks_in_the_history(home: &mut impl Home) {
    history(home).await;
    agree(home, 100).await;
    assert!(merge(home).await > 0);
    agree(home, 100).await;
    home.reopen().await;
    agree(home, 100).await;
    home.store().rebuild_index().await.unwrap();
    agree(home, 100).await;
}

pub(crate) async fn statistics_have_each_state_and_each_duration(home: &mut impl Home) {
    history(home).await;
    let filter =
        StatFilter { subject: Subject::All, from: 0, until: 60_000_000, bucket: 60_000_000 };
    let read = home.store().stats(&filter).await.unwrap();
    let [all] = &read[..] else { panic!("{read:?}") };
    let states = [TaskState::Succeeded, TaskState::Failed, TaskState::Stopped, TaskState::Skipped];
    assert_eq!(states.map(|state| all.stats.ended(state)), [70, 20, 0, 10]);
    let Stats { run_time, wait, lateness, .. } = &all.stats;
    // Skipped tasks and those with ids of 26, 39, … did not start. Half are of a schedule, and of these
    // the retried ones have no lateness.
    assert_eq!([run_time.count, wait.count, lateness.count], [83, 83, 33]);
    assert_eq!([run_time.max, wait.max, lateness.max], [609, 490, 1_488]);
}

pub(crate) async fn statistics_are_removed_with_the_history(home: &mut impl Home) {
    history(home).await;
    let filter =
        StatFilter { subject: Subject::All, from: 0, until: 60_000_000, bucket: 60_000_000 };
    // Each task has a segment of its own, so the statistics go with the tasks.
    while remove_ended(&*home.store(), at(60 * 60_000), 100).await > 0 {}
    agree(home, 90).await;
    merge(home).await;
    agree(home, 90).await;
    while remove_ended(&*home.store(), at(1_000 * 60_000), 100).await > 0 {}
    assert_eq!(home.store().stats(&filter).await.unwrap(), []);
}

pub(crate) async fn a_task_counts_once_when_its_commit_failed_before(home: &mut impl Home) {
    write(home, [base(), plan([head(10)])]).await;
    let ends = Commit {
        planned: vec![head(11)],
        alarms: vec![alarm(1, Some(10), AlarmKind::Failed)],
        ..end([succeeded(10, 10), succeeded(11, 11)])
    };
    home.refuse_alarms().await;
    home.store().commit(std::slice::from_ref(&ends)).await.unwrap_err();
    let filter =
        StatFilter { subject: Subject::All, from: 0, until: 60_000_000, bucket: 60_000_000 };
    assert_eq!(home.store().stats(&filter).await.unwrap(), []);
    home.take_alarms().await;
    write(home, [ends]).await;
    let read = home.store().stats(&filter).await.unwrap();
    assert_eq!(read[0].stats.ended(TaskState::Succeeded), 2);
}

pub(crate) async fn a_task_counts_once_when_its_end_is_written_again(home: &mut impl Home) {
    let filter =
        StatFilter { subject: Subject::All, from: 0, until: 60_000_000, bucket: 60_000_000 };
    write(home, [base(), plan([head(10), head(11)])]).await;
    for _ in 0..2 {
        write(home, [end([succeeded(10, 10)]), end([failed(10, 10), succeeded(10, 10)])]).await;
        home.reopen().await;
    }
    let read = home.store().stats(&filter).await.unwrap();
    let counts = read.iter().map(|all| all.stats.ended(TaskState::Succeeded));
    assert_eq!(counts.collect::<Vec<_>>(), [1]);
    assert_eq!(read[0].stats.ended(TaskState::Failed), 0);
}
