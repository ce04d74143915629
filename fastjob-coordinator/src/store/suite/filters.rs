//! Filters and orders of lists of tasks, against a list in memory that is searched task by task.

use std::{cmp::Reverse, collections::BTreeSet, time::Duration};

use fastjob_core::{Cause, FailReason, ServiceName, TaskId, TaskState};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Home, rows::*, write};
use crate::store::{
    Attempt, Commit, EndedAttempt, Listed, NewAttempt, OpenNow, Order, Partition, Place, TaskFilter,
};

const CAUSES: [Cause; 3] = [Cause::Schedule, Cause::Api, Cause::Manual];
const MESSAGES: [&str; 3] = ["Connection refused", "timed out: no CONNECTION", "ünknown √"];
const TEXTS: [&str; 5] = ["connection", "REFUSED", "no con", "√", "100%_"];
const ENDS: [TaskState; 4] =
    [TaskState::Succeeded, TaskState::Failed, TaskState::Stopped, TaskState::Skipped];

/// What is known of a task.
#[derive(Debug)]
struct Known {
    id: i64,
    is_of_other: bool,
    cause: Cause,
    created: i64,
    /// As its engine knows it.
    state: TaskState,
    executors: BTreeSet<&'static str>,
    /// Of each attempt that has ended: its message, its reason, and how late it was.
    attempts: Vec<(Option<&'static str>, Option<FailReason>, i64)>,
    run_time: Option<i64>,
}

/// Chooses one.
fn any<T: Copy>(dice: &mut StdRng, of: &[T]) -> T {
    *of.choose(dice).unwrap()
}

/// One of these or none.
fn maybe<T: Copy>(dice: &mut StdRng, of: &[T]) -> Option<T> {
    dice.random_bool(0.3).then(|| any(dice, of))
}

/// Places an attempt on an executor or on none.
fn place(dice: &mut StdRng, attempt: &mut NewAttempt) -> Option<&'static str> {
    let on = dice.random_bool(0.7).then(|| any(dice, &[1, 2]));
    attempt.life = on.map(crate::store::LifeId);
    on.map(|on| if on == 1 { "e1" } else { "e2" })
}

/// Writes a task, which may have a retry, and may still be open.
async fn task(home: &impl Home, dice: &mut StdRng, id: i64, created: i64) -> Known {
    let is_of_other = dice.random_bool(0.4);
    let cause = any(dice, &CAUSES);
    let mut known = Known {
        id,
        is_of_other,
        cause,
        created,
        state: TaskState::Queued,
        executors: BTreeSet::new(),
        attempts: Vec::new(),
        run_time: None,
    };
    let job = if is_of_other { OTHER } else { JOB };
    let service: ServiceName = name(if is_of_other { "billing" } else { "default" });
    let mut first_start = None;
    let mut attempt = NewAttempt {
        row: Attempt { job, cause, created_at: at(created), due_at: at(created), ..head(id).row },
        ..head(id)
    };
    known.executors.extend(place(dice, &mut attempt));
    write(home, [plan([attempt.clone()])]).await;
    for number in 1.. {
        let row = attempt.row;
        if dice.random_bool(0.15) {
            known.state = any(dice, &[TaskState::Queued, TaskState::Running]);
            break;
        }
        let to = any(dice, &ENDS);
        let state = match to {
            TaskState::Succeeded => fastjob_core::AttemptState::Succeeded,
            TaskState::Failed => fastjob_core::AttemptState::Failed,
            TaskState::Stopped => fastjob_core::AttemptState::Stopped,
            TaskState::Skipped | TaskState::Queued | TaskState::Running | TaskState::Stopping => {
                fastjob_core::AttemptState::Skipped
            }
        };
        let is_retried = to == TaskState::Failed && number < 3 && dice.random_bool(0.5);
        let started = (to != TaskState::Skipped).then(|| created + dice.random_range(0..5));
        let end = created + dice.random_range(5..60);
        first_start = first_start.into_iter().chain(started).min();
        let message = (to == TaskState::Failed).then(|| any(dice, &MESSAGES));
        let reason = (to == TaskState::Failed).then(|| any(dice, &FailReason::ALL));
        known.attempts.push((message, reason, started.unwrap_or(end) - created));
        let ended = EndedAttempt {
            reason,
            message: message.map(str::to_owned),
            started_at: started.map(at),
            ended_at: at(end),
            task_state: Some(if is_retried { TaskState::Running } else { to }),
            service: Some(service.key()),
            ..last(id, row.attempt.0, state, to)
        };
        if !is_retried {
            known.state = to;
            known.run_time = first_start.map(|start| end - start);
            write(home, [super::rows::end([ended])]).await;
            break;
        }
        let again = id + 10_000 * number;
        attempt = NewAttempt {
            row: Attempt {
                attempt: fastjob_core::AttemptId(again),
                number: u32::try_from(number).unwrap() + 1,
                fire_at: None,
                ..row
            },
            ..attempt
        };
        known.executors.extend(place(dice, &mut attempt));
        write(home, [Commit { planned: vec![attempt.clone()], ..super::rows::end([ended]) }]).await;
    }
    known
}

async fn history(home: &impl Home, dice: &mut StdRng) -> Vec<Known> {
    let jobs = Commit { jobs: vec![job(JOB, "a"), job_of(OTHER, "billing", "b")], ..base() };
    write(home, [jobs]).await;
    let (mut all, mut id, mut created) = (Vec::new(), 10, 100);
    for n in 0..120 {
        id += dice.random_range(1..4);
        created += dice.random_range(0..20);
        all.push(task(home, dice, id, created).await);
        if n == 70 {
            while home.store().merge_index(&[Partition(0)]).await.unwrap() {}
        }
    }
    all
}

fn filter(dice: &mut StdRng, last: i64) -> TaskFilter {
    let order = any(dice, &[Order::Newest, Order::Newest, Order::Oldest, Order::RunTime]);
    let min_run_time = maybe(dice, &[5, 30, 50]).map(Duration::from_millis);
    let is_ended = order == Order::RunTime || min_run_time.is_some();
    let open = [TaskState::Queued, TaskState::Running];
    let states = ENDS.into_iter().chain(open.into_iter().filter(|_| !is_ended));
    let few = dice.random_bool(0.5);
    let states = states.filter(|_| few && dice.random_bool(0.4)).collect();
    let bounds: [i64; 2] = std::array::from_fn(|_| dice.random_range(0..last + 50));
    TaskFilter {
        job: maybe(dice, &[JOB, OTHER]),
        service: maybe(dice, &["default", "billing", "none"]).map(name),
        states,
        causes: CAUSES.into_iter().filter(|_| few && dice.random_bool(0.5)).collect(),
        executor: maybe(dice, &["e1", "e2", "e3"]).map(name),
        since: maybe(dice, &[bounds[0].min(bounds[1])]).map(at),
        until: maybe(dice, &[bounds[0].max(bounds[1])]).map(at),
        text: maybe(dice, &TEXTS).map(str::to_owned),
        reasons: maybe(dice, &FailReason::ALL).into_iter().collect(),
        late: maybe(dice, &[2, 4, 30]).map(Duration::from_millis),
        min_run_time,
        order,
        limit: any(dice, &[1, 3, 10, 200]),
        most: maybe(dice, &[1, 7, 40]).filter(|_| order != Order::RunTime),
        ..TaskFilter::default()
    }
}

fn naive(all: &[Known], filter: &TaskFilter) -> Vec<i64> {
    let is_long = |task: &&Known| match (filter.min_run_time, filter.order) {
        (None, Order::Newest | Order::Oldest) => true,
        (least, _) => task.run_time.is_some_and(|took| {
            took >= i64::try_from(least.unwrap_or_default().as_millis()).unwrap()
        }),
    };
    let needle = filter.text.as_ref().map(|text| text.to_lowercase());
    let mut found: Vec<_> = all
        .iter()
        .filter(|task| filter.job.is_none_or(|job| (job == OTHER) == task.is_of_other))
        .filter(|task| match filter.service.as_ref().map(ServiceName::as_str) {
            Some("default") => !task.is_of_other,
            Some("billing") => task.is_of_other,
            Some(_) => false,
            None => true,
        })
        .filter(|task| filter.states.is_empty() || filter.states.contains(&task.state))
        .filter(|task| filter.causes.is_empty() || filter.causes.contains(&task.cause))
        .filter(|task| {
            let executor = filter.executor.as_ref();
            executor.is_none_or(|executor| task.executors.contains(executor.as_str()))
        })
        .filter(|task| filter.since.is_none_or(|since| at(task.created) >= since))
        .filter(|task| filter.until.is_none_or(|until| at(task.created) < until))
        .filter(|task| {
            let late = filter.late.map(|late| i64::try_from(late.as_millis()).unwrap());
            let is_it = |(message, reason, was_late): &(Option<&str>, Option<FailReason>, i64)| {
                let message = message.map(str::to_lowercase).unwrap_or_default();
                needle.as_ref().is_none_or(|needle| message.contains(needle))
                    && (filter.reasons.is_empty()
                        || reason.is_some_and(|reason| filter.reasons.contains(&reason)))
                    && late.is_none_or(|late| *was_late >= late)
            };
            // Whether an open task is late is what its engine knows.
            let is_open = late.is_some() && !task.state.is_final();
            !filter.asks_of_attempts() || is_open || task.attempts.iter().any(is_it)
        })
        .filter(is_long)
        .collect();
    match filter.order {
        Order::Newest => found.reverse(),
        Order::Oldest => {}
        Order::RunTime => found.sort_by_key(|task| Reverse((task.run_time, task.id))),
    }
    found.into_iter().map(|task| task.id).collect()
}

/// What the engines list: the open tasks in the states that come after the last page, or a part.
fn open_now(dice: &mut StdRng, all: &[Known], filter: &TaskFilter) -> OpenNow {
    let is_listed = |task: &&Known| {
        let id = TaskId(task.id);
        !task.state.is_final()
            && filter.states.contains(&task.state)
            && filter.after.is_none_or(|after| filter.order.is_before(after.task, id))
    };
    let mut tasks: Vec<_> = all.iter().filter(is_listed).map(|task| TaskId(task.id)).collect();
    tasks.sort_by(|a, b| filter.order.compare(*a, *b));
    let most = if dice.random_bool(0.5) { 3 } else { tasks.len() + 1 };
    let is_complete = tasks.len() < most;
    tasks.truncate(most);
    OpenNow { tasks, is_complete }
}

/// Where the next page begins.
fn next(page: &Listed, filter: &TaskFilter) -> Option<Place> {
    match page.stopped {
        Some(stopped) => Some(stopped.task.into()),
        None => page.places.last().copied().filter(|_| page.places.len() == filter.limit as usize),
    }
}

pub(crate) async fn every_filter_lists_what_a_search_of_all_tasks_does<H: Home>(home: &mut H) {
    for seed in 0..2 {
        let mut dice = StdRng::seed_from_u64(seed);
        *home = H::fresh().await;
        let all = history(home, &mut dice).await;
        let last = all.last().unwrap().created;
        let mut matched = 0;
        for _ in 0..120 {
            let mut filter = filter(&mut dice, last);
            let (mut listed, mut pages) = (Vec::new(), 0);
            let expected = naive(&all, &filter);
            loop {
                filter.open = open_now(&mut dice, &all, &filter);
                let page = home.store().task_ids(&filter).await.unwrap();
                assert!(page.places.len() <= filter.limit as usize, "{filter:?}");
                listed.extend(page.ids().into_iter().map(|task| task.0));
                pages += 1;
                let Some(next) = next(&page, &filter) else { break };
                filter.after = Some(next);
                assert!(pages < 1_000, "the pages do not end: {filter:?}");
            }
            assert_eq!(listed, expected, "seed {seed}, {pages} pages: {filter:?}");
            matched += expected.len();
        }
        assert!(matched > 500, "the filters match enough to be of use: {matched}");
    }
}

pub(crate) async fn a_search_that_stops_says_where_it_continues(home: &mut impl Home) {
    write(home, [base(), plan((10..60).map(head)), end((10..60).map(|id| succeeded(id, id)))])
        .await;
    write(home, [plan([head(60)]), end([failed(60, 60)])]).await;
    let filter = TaskFilter {
        text: Some("ATTEMPT 60".to_owned()),
        most: Some(20),
        limit: 10,
        ..TaskFilter::default()
    };
    let page = home.store().task_ids(&filter).await.unwrap();
    assert_eq!(page.ids(), [TaskId(60)]);
    let stopped = page.stopped.unwrap();
    assert_eq!((stopped.task, stopped.created_at), (TaskId(41), Some(at(41))));
    let after = Some(stopped.task.into());
    let page = home.store().task_ids(&TaskFilter { after, ..filter.clone() }).await.unwrap();
    assert_eq!((page.ids(), page.stopped.unwrap().task), (vec![], TaskId(21)));
    let oldest = TaskFilter { order: Order::Oldest, ..filter };
    let page = home.store().task_ids(&oldest).await.unwrap();
    assert_eq!((page.ids(), page.stopped.unwrap().task), (vec![], TaskId(29)));
}

pub(crate) async fn one_task_is_listed_if_it_matches(home: &mut impl Home) {
    write(home, [base(), plan((10..20).map(head)), end([succeeded(11, 11), failed(12, 12)])]).await;
    for (task, states, expected) in [
        (10, vec![], vec![10]),
        (11, vec![], vec![11]),
        (11, vec![TaskState::Succeeded], vec![11]),
        (11, vec![TaskState::Failed], vec![]),
        (12, vec![TaskState::Failed], vec![12]),
        (99, vec![], vec![]),
    ] {
        let task = Some(TaskId(task));
        let filter = TaskFilter { task, states, limit: 10, ..TaskFilter::default() };
        let ids = home.store().task_ids(&filter).await.unwrap().ids();
        assert_eq!(ids, expected.into_iter().map(TaskId).collect::<Vec<_>>(), "{filter:?}");
    }
}

pub(crate) async fn a_page_does_not_end_before_its_range_of_time_begins(home: &mut impl Home) {
    let ids = 10..6_010;
    let all = [base(), plan(ids.clone().map(head)), end(ids.map(|id| failed(id, id)))];
    write(home, all).await;
    let few = TaskFilter { limit: 3, ..TaskFilter::default() };
    let is_failed = TaskFilter { states: vec![TaskState::Failed], ..few.clone() };
    let text = Some("attempt".to_owned());
    for filter in [
        is_failed.clone(),
        TaskFilter { job: Some(JOB), ..few.clone() },
        TaskFilter { job: Some(JOB), ..is_failed.clone() },
        TaskFilter { text: text.clone(), ..is_failed },
        TaskFilter { text, ..few },
    ] {
        let newest = TaskFilter { until: Some(at(1_500)), ..filter.clone() };
        let oldest = TaskFilter { since: Some(at(4_500)), order: Order::Oldest, ..filter };
        for (filter, expected) in [(newest, [1_499, 1_498, 1_497]), (oldest, [4_500, 4_501, 4_502])]
        {
            let page = home.store().task_ids(&filter).await.unwrap();
            assert_eq!(page.ids(), expected.map(TaskId), "{filter:?}");
            assert_eq!(page.stopped, None, "{filter:?}");
        }
    }
}

pub(crate) async fn a_range_of_time_is_found_in_a_large_segment(home: &mut impl Home) {
    let ids = 10..4_010;
    let all = [base(), plan(ids.clone().map(head)), end(ids.map(|id| succeeded(id, id)))];
    write(home, all).await;
    let (since, until) = (Some(at(1_300)), Some(at(2_700)));
    for order in [Order::Newest, Order::Oldest] {
        for (since, until) in [(None, until), (since, None), (since, until)] {
            let filter = TaskFilter { order, since, until, limit: 3, ..TaskFilter::default() };
            let listed = home.store().task_ids(&filter).await.unwrap().ids();
            let expected = match order {
                Order::Oldest if since.is_some() => [1_300, 1_301, 1_302],
                Order::Oldest => [10, 11, 12],
                Order::Newest | Order::RunTime if until.is_some() => [2_699, 2_698, 2_697],
                Order::Newest | Order::RunTime => [4_009, 4_008, 4_007],
            };
            assert_eq!(listed, expected.map(TaskId), "{filter:?}");
        }
    }
}
