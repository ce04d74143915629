//! The list of tasks: its filters, its orders and its pages.
//!
//! Ended tasks come from the store. Open ones are in the store, too, but which of them are queued,
//! running or stopping is what the engines know: a list by such a state asks them first.

use std::time::Duration;

use fastjob_client::types::{TaskOrder, Word};
use fastjob_core::{FailReason, TaskId, TaskState, instant};
use fastjob_engine::OpenAsk;
use jiff::{SignedDuration, Timestamp};

use super::{Error, Ops, Page, TaskView, jobs::page, live::OPEN_MOST, pages::fit};
use crate::{
    clock::wall_now,
    store::{OpenNow, Order, Place, Stopped, TaskFilter},
};

/// The filters of a list of tasks, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListTasks {
    pub(crate) job: Option<String>,
    pub(crate) service: Option<String>,
    /// `key=value`, or a key with any value.
    pub(crate) labels: Vec<String>,
    pub(crate) states: Vec<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) executor: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) min_run_time: Option<Duration>,
    /// Started, or waiting, later than this after it was due.
    pub(crate) late: Option<Duration>,
    /// Why an attempt failed.
    pub(crate) reasons: Vec<String>,
    pub(crate) order: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

impl Ops {
    /// Tasks, in the order that was asked for.
    pub(crate) async fn list_tasks(&self, ask: ListTasks) -> Result<Page<TaskView>, Error> {
        let limit = page(ask.limit)?;
        let key = ask.key.clone();
        let mut filter = TaskFilter { limit: limit + 1, ..self.filter(ask).await? };
        if let Some(key) = key {
            let Some(job) = filter.job else {
                return Err(Error::invalid("key", "it needs a job: each job has its own keys"));
            };
            filter.task = self.store.task_of_key(job, &key).await?;
            if filter.task.is_none() {
                return Ok(Page::new(Vec::new(), None));
            }
        }
        if filter.order == Order::RunTime && filter.is_of_open() {
            return self.longest_open(&filter, limit).await;
        }
        let mut unanswered = Vec::new();
        filter.open = self.open_now(&filter, &mut unanswered).await?;
        let listed = self.store.task_ids(&filter).await?;
        if filter.order == Order::RunTime && listed.stopped.is_some() {
            return Err(Error::invalid(
                "order",
                format_args!(
                    "by run_time, a list reads at most {} tasks, and these filters leave more: \
                     narrow them with since and until, or with job and state",
                    filter.most()
                ),
            ));
        }
        let mut ids = listed.ids();
        let bytes = self.store.task_bytes(&ids).await?;
        let bytes = ids.iter().map(|task| bytes.get(task).copied().unwrap_or_default());
        let fit = fit(bytes, limit as usize);
        let more = ids.len() > fit;
        ids.truncate(fit);
        let last = fit.checked_sub(1).and_then(|last| listed.places.get(last)).filter(|_| more);
        let (end, searched_to) = match (last, listed.stopped) {
            (Some(last), _) => (Some(*last), None),
            (None, Some(stopped)) => {
                (Some(Place::from(stopped.task)), Some(self.created(stopped, &filter).await?))
            }
            (None, None) => (None, None),
        };
        let rows = self.store.tasks_by_id(&ids).await?;
        let mut items = self.with_live(rows).await?;
        sort(&mut items, &ids);
        if let Some(late) = filter.late {
            let now = wall_now();
            items.retain(|item| item.has_ended() || is_late(item, late, &filter.reasons, now));
        }
        let next_cursor = end.map(|end| cursor(filter.order, end));
        unanswered.extend(items.iter().filter_map(|item| item.unanswered.clone()));
        unanswered.sort_unstable();
        unanswered.dedup();
        Ok(Page { searched_to, unanswered, ..Page::new(items, next_cursor) })
    }

    /// When the task was created at which a search stopped.
    async fn created(&self, stopped: Stopped, filter: &TaskFilter) -> Result<Timestamp, Error> {
        if let Some(at) = stopped.created_at {
            return Ok(at);
        }
        let row = self.store.task(stopped.task).await?;
        let begin = match filter.order {
            Order::Newest | Order::RunTime => filter.until,
            Order::Oldest => filter.since,
        };
        Ok(row.map(|row| row.created_at).or(begin).unwrap_or_else(wall_now))
    }

    /// Reads the filters.
    async fn filter(&self, ask: ListTasks) -> Result<TaskFilter, Error> {
        let order = order(one("order", ask.order)?.unwrap_or_default());
        let states = all("state", &ask.states)?;
        let (since, until) = (at("since", ask.since)?, at("until", ask.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            return Err(Error::invalid("until", format_args!("{until} is not after since")));
        }
        let filter = TaskFilter {
            job: match &ask.job {
                Some(path) => Some(self.find(path).await?.id),
                None => None,
            },
            jobs: self.jobs_labelled(&ask.labels).await?,
            service: one("service", ask.service)?,
            causes: all("cause", &ask.causes)?,
            executor: one("executor", ask.executor)?,
            since,
            until,
            text: ask.text,
            min_run_time: ask.min_run_time,
            late: ask.late,
            reasons: all("reason", &ask.reasons)?,
            order,
            after: ask.cursor.map(|text| place(order, &text)).transpose()?,
            states,
            ..TaskFilter::default()
        };
        let has_open = filter.states.iter().any(|state| !state.is_final());
        if filter.needs_run_time() && filter.states.contains(&TaskState::Queued) {
            let message = "queued tasks have no run time: leave queued out";
            return Err(Error::invalid("state", message));
        }
        if filter.needs_run_time() && has_open && !filter.is_of_open() {
            return Err(Error::invalid(
                "state",
                "ended and open tasks are not listed together by their run time: with \
                 min_run_time, or ordered by run_time, give either succeeded, failed, stopped and \
                 skipped, or running and stopping",
            ));
        }
        if filter.min_run_time.is_some() && has_open && filter.order != Order::RunTime {
            let message = "of open tasks, it needs order=run_time";
            return Err(Error::invalid("min_run_time", message));
        }
        Ok(filter)
    }

    /// The open tasks in the states of the filter. Adds the addresses of nodes that do not answer.
    async fn open_now(
        &self,
        filter: &TaskFilter,
        unanswered: &mut Vec<String>,
    ) -> Result<OpenNow, Error> {
        let states = filter.states.iter().filter(|state| !state.is_final());
        let states: Vec<TaskState> = states.copied().collect();
        if states.is_empty() {
            return Ok(OpenNow::default());
        }
        if let Some(task) = filter.task {
            let live = self.live(vec![task]).await?;
            unanswered.extend(live.unanswered.into_values());
            let live = live.tasks.into_values();
            let tasks = live.filter(|live| states.contains(&live.state)).map(|live| live.task);
            return Ok(OpenNow { tasks: tasks.collect(), is_complete: true });
        }
        let is_whole = filter.service.is_none()
            && filter.jobs.is_none()
            && filter.executor.is_none()
            && filter.causes.is_empty()
            && !filter.asks_of_attempts();
        let limit = if is_whole { filter.limit } else { OPEN_MOST };
        let ask = OpenAsk {
            states,
            job: filter.job,
            since: filter.since,
            until: filter.until,
            is_oldest_first: filter.order == Order::Oldest,
            after: filter.after.map(|after| after.task),
            limit,
        };
        let (tasks, away) = self.open(&ask).await?;
        unanswered.extend(away);
        let is_complete = tasks.len() < limit as usize;
        Ok(OpenNow { tasks, is_complete })
    }
}

/// Whether an attempt of an open task started so long after it was due, or waits so long. Ended tasks
/// are found by the store.
pub(super) fn is_late(
    task: &TaskView,
    late: Duration,
    reasons: &[FailReason],
    now: Timestamp,
) -> bool {
    let late = SignedDuration::try_from(late).unwrap_or(SignedDuration::MAX);
    task.attempts.iter().any(|attempt| {
        let until = attempt.started_at.or(attempt.ended_at).unwrap_or(now);
        let reason = attempt.reason.as_ref().and_then(Word::known);
        let has_reason = reasons.is_empty() || reason.is_some_and(|it| reasons.contains(&it));
        until.duration_since(attempt.due_at) >= late && has_reason
    })
}

/// Sorts tasks by the order of their ids in the list.
pub(super) fn sort(items: &mut [TaskView], ids: &[TaskId]) {
    let places: std::collections::HashMap<_, _> =
        ids.iter().enumerate().map(|(place, id)| (id.0, place)).collect();
    items.sort_by_key(|item| places.get(&item.id).copied());
}

fn order(order: TaskOrder) -> Order {
    match order {
        TaskOrder::Newest => Order::Newest,
        TaskOrder::Oldest => Order::Oldest,
        TaskOrder::RunTime => Order::RunTime,
    }
}

fn one<T>(field: &str, text: Option<String>) -> Result<Option<T>, Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.map(|text| text.parse().map_err(|err| Error::invalid(field, err))).transpose()
}

fn all<T>(field: &str, texts: &[String]) -> Result<Vec<T>, Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    texts.iter().map(|text| text.parse().map_err(|err| Error::invalid(field, err))).collect()
}

fn at(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Error> {
    text.map(|text| instant::parse(&text).map_err(|err| Error::invalid(field, err))).transpose()
}

/// The cursor of the page after a place. The orders have different ones.
pub(super) fn cursor(order: Order, Place { run_time, task }: Place) -> String {
    match order {
        Order::Newest => format!("{task}"),
        Order::Oldest => format!("o{task}"),
        Order::RunTime => format!("r{run_time}-{task}"),
    }
}

fn place(order: Order, text: &str) -> Result<Place, Error> {
    let id = |text: &str| text.parse().ok().filter(|id| *id > 0).map(TaskId);
    let of_newest = || id(text).map(Place::from);
    let of_oldest = || text.strip_prefix('o').and_then(id).map(Place::from);
    let of_run_time = || {
        let (run_time, task) = text.strip_prefix('r')?.rsplit_once('-')?;
        Some(Place { run_time: run_time.parse().ok()?, task: id(task)? })
    };
    let read = match order {
        Order::Newest => of_newest(),
        Order::Oldest => of_oldest(),
        Order::RunTime => of_run_time(),
    };
    read.ok_or_else(|| {
        let is_of_another = of_newest().or_else(of_oldest).or_else(of_run_time).is_some();
        let message = if is_of_another {
            "it came from a list in another order: leave it out to begin with the first page"
        } else {
            "it did not come from a list of tasks"
        };
        Error::invalid("cursor", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_in_its_order_and_rejected_in_others() {
        let orders = [Order::Newest, Order::Oldest, Order::RunTime];
        for of in orders {
            let run_time = if of == Order::RunTime { 1_250 } else { 0 };
            let end = Place { run_time, task: TaskId(42) };
            let text = cursor(of, end);
            for order in orders {
                match place(order, &text) {
                    Ok(read) => assert_eq!((read, order), (end, of)),
                    Err(err) => {
                        assert!(order != of && err.to_string().contains("another order"), "{err}");
                    }
                }
            }
        }
        for text in ["x", "0", "-1", "o", "o0", "r1", "r-1", "r1-x", "1 2", ""] {
            for order in orders {
                let err = place(order, text).unwrap_err();
                assert!(err.to_string().contains("did not come from a list of tasks"), "{err}");
            }
        }
    }
}
