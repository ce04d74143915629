//! What needs attention, the worst first.

use fastjob_client::types::{Attention, AttentionKind, ExecutorState};
use fastjob_core::{ExecutorName, JobPath, ServiceName, TaskId, duration};
use jiff::{SignedDuration, Timestamp};

use super::survey::{Held, Long, Surveyed};
use crate::{
    ops::{ExecutorView, Ops, executors::ByName},
    store::{AlarmFilter, AlarmState},
};

/// Most items that are kept.
const MOST: usize = 1_000;
/// How far back alarms are looked for.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The newest alarms that are looked at.
const ALARMS: u32 = 500;

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) kind: AttentionKind,
    pub(super) job: Option<String>,
    /// `None` if it concerns the whole coordinator.
    pub(super) service: Option<ServiceName>,
    pub(super) task: Option<TaskId>,
    pub(super) executor: Option<ExecutorName>,
    pub(super) since: Option<Timestamp>,
    pub(super) count: u64,
    pub(super) message: String,
}

impl Item {
    pub(super) fn new(kind: AttentionKind, message: String) -> Self {
        let (job, service, task, executor, since) = (None, None, None, None, None);
        Self { kind, job, service, task, executor, since, count: 1, message }
    }

    pub(super) fn of(self, service: &ServiceName, job: Option<&JobPath>, task: TaskId) -> Self {
        let (service, job) = (Some(service.clone()), job.map(ToString::to_string));
        Self { service, job, task: Some(task), ..self }
    }

    pub(super) fn view(&self) -> Attention {
        Attention {
            kind: self.kind.into(),
            job: self.job.clone(),
            service: self.service.as_ref().map(ToString::to_string),
            task: self.task.map(|task| task.0),
            executor: self.executor.as_ref().map(ToString::to_string),
            since: self.since,
            count: self.count,
            message: self.message.clone(),
        }
    }
}

impl Ops {
    /// What needs attention. If the store does not answer, that is one of the items.
    pub(super) async fn attention(
        &self,
        now: Timestamp,
        surveyed: &Surveyed,
        executors: &ByName,
    ) -> Vec<Item> {
        let mut items: Vec<_> = surveyed.problems.iter().cloned().map(problem).collect();
        if let Some(until) = surveyed.paused_until
            && !items.iter().any(|item| item.kind == AttentionKind::Clock)
        {
            let message = format!("a clock was set back: schedules are paused until {until}");
            items.push(Item::new(AttentionKind::Clock, message));
        }
        items.extend(surveyed.waits.iter().map(waits));
        items.extend(surveyed.late.iter().map(|held| late(now, held)));
        let lost = executors.iter().filter(|(_, view)| view.state == ExecutorState::Lost);
        items.extend(lost.map(|((service, name), view)| lost_executor(service, name, view)));
        match self.failing(now).await {
            Ok(failing) => items.extend(failing),
            Err(err) => items.push(unreadable(&err)),
        }
        match self.given_up(now).await {
            Ok(given_up) => items.extend(given_up),
            Err(err) => items.push(unreadable(&err)),
        }
        match self.unusual(now, &surveyed.long).await {
            Ok(long) => {
                items.extend(long.into_iter().map(|(run, usual)| runs_long(now, run, usual)));
            }
            Err(err) => items.push(unreadable(&err)),
        }
        in_order(items)
    }

    /// The alarms of the last day that could not be sent, by channel.
    async fn given_up(&self, now: Timestamp) -> Result<Vec<Item>, crate::ops::Error> {
        let filter = AlarmFilter { limit: ALARMS, ..AlarmFilter::default() };
        let begin = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
        let mut items: Vec<(fastjob_core::ChannelName, Item)> = Vec::new();
        for past in self.store.past_alarms(&filter).await? {
            if past.state != AlarmState::GivenUp || past.alarm.at < begin {
                continue;
            }
            match items.iter_mut().find(|(channel, _)| *channel == past.channel) {
                Some((_, item)) => {
                    item.count += 1;
                    item.since = Some(past.alarm.at);
                }
                None => {
                    let why = past.last_error.as_deref().unwrap_or("it is not configured");
                    let message =
                        format!("alarms could not be sent over `{}`: {why}", past.channel);
                    let item = Item::new(AttentionKind::AlarmGivenUp, message);
                    let job = Some(past.alarm.job_name);
                    let (task, since) = (past.alarm.task, Some(past.alarm.at));
                    items.push((past.channel, Item { job, task, since, ..item }));
                }
            }
        }
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }
}

/// Sorts by kind, and by how many tasks it is about, and keeps the first ones.
fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by_key(|item| (item.kind, std::cmp::Reverse(item.count), item.since));
    items.dedup();
    items.truncate(MOST);
    items
}

fn problem(why: String) -> Item {
    let is_clock = why.contains("clock was set back");
    Item::new(if is_clock { AttentionKind::Clock } else { AttentionKind::Store }, why)
}

fn unreadable(err: &crate::ops::Error) -> Item {
    tracing::warn!(%err, "the overview is incomplete: the store did not answer");
    Item::new(AttentionKind::Store, "the store could not be read: see the log".to_owned())
}

fn waits(held: &Held) -> Item {
    let message = format!("waiting: {}", held.why);
    let item = Item::new(AttentionKind::NoExecutor, message);
    let (count, since) = (held.count, Some(held.since));
    Item { count, since, ..item.of(&held.service, Some(&held.job), held.task) }
}

fn late(now: Timestamp, held: &Held) -> Item {
    let late = text(now.duration_since(held.since));
    let message = match held.why.as_str() {
        "" => format!("due {late} ago and not started"),
        why => format!("due {late} ago and not started: {why}"),
    };
    let item = Item::new(AttentionKind::Late, message);
    let (count, since) = (held.count, Some(held.since));
    Item { count, since, ..item.of(&held.service, Some(&held.job), held.task) }
}

fn runs_long(now: Timestamp, run: &Long, usual: u64) -> Item {
    let ran = text(now.duration_since(run.since));
    let usual = text(SignedDuration::from_millis(i64::try_from(usual).unwrap_or(i64::MAX)));
    let message = format!("has run for {ran}; 95 % of its recent runs took {usual} or less");
    let item = Item::new(AttentionKind::RunsLong, message);
    let (executor, since) = (run.executor.clone(), Some(run.since));
    Item { executor, since, ..item.of(&run.service, Some(&run.job), run.task) }
}

fn lost_executor(service: &ServiceName, name: &ExecutorName, view: &ExecutorView) -> Item {
    let message = match view.lost_attempts {
        0 => format!("executor `{name}` was lost"),
        1 => format!("executor `{name}` was lost with one attempt"),
        lost => format!("executor `{name}` was lost with {lost} attempts"),
    };
    Item {
        service: Some(service.clone()),
        executor: Some(name.clone()),
        since: view.lost_at,
        count: view.lost_attempts.into(),
        ..Item::new(AttentionKind::LostExecutor, message)
    }
}

/// A duration in whole seconds.
fn text(length: SignedDuration) -> String {
    duration::to_text(std::time::Duration::from_secs(length.as_secs().max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_everything_comes_first_and_then_what_concerns_most_tasks() {
        let item = |kind, count| Item { count, ..Item::new(kind, String::new()) };
        let (clock, late) = (AttentionKind::Clock, AttentionKind::Late);
        let failing = AttentionKind::Failing;
        let items = vec![item(late, 9), item(failing, 1), item(late, 90), item(clock, 1)];
        let kinds: Vec<_> = in_order(items).iter().map(|item| (item.kind, item.count)).collect();
        assert_eq!(kinds, [(clock, 1), (failing, 1), (late, 90), (late, 9)]);
    }

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        let clock = problem("this machine's clock was set back: schedules are paused".to_owned());
        assert_eq!(clock.kind, AttentionKind::Clock);
        let store = problem("the store cannot be written: disk full".to_owned());
        assert_eq!(store.kind, AttentionKind::Store);
    }
}
