//! The open tasks that have run longest.

use fastjob_engine::{LiveTask, OpenAsk};
use jiff::{SignedDuration, Timestamp};

use super::{
    Error, Ops, PAGE_MAX, Page, TaskView,
    listing::{cursor, sort},
    live::OPEN_MOST,
};
use crate::{
    clock::wall_now,
    store::{Place, TaskFilter, TaskRow},
};

impl Ops {
    /// A page of the open tasks in the states of the filter, the longest run first. Those that have
    /// not started are left out.
    pub(super) async fn longest_open(
        &self,
        filter: &TaskFilter,
        limit: u32,
    ) -> Result<Page<TaskView>, Error> {
        let ask = OpenAsk {
            states: filter.states.clone(),
            job: filter.job,
            since: filter.since,
            until: filter.until,
            is_oldest_first: true,
            after: None,
            limit: OPEN_MOST,
        };
        let (tasks, mut unanswered) = self.open(&ask).await?;
        if tasks.len() >= OPEN_MOST as usize {
            let message = format!(
                "by run_time, a list reads fewer than {OPEN_MOST} open tasks, and there are more: \
                 narrow them with job, since and until"
            );
            return Err(Error::invalid("order", message));
        }
        let least = SignedDuration::try_from(filter.min_run_time.unwrap_or_default());
        let least = least.map_err(|err| Error::invalid("min_run_time", err))?;
        let latest = wall_now().checked_sub(least).unwrap_or(Timestamp::MIN);
        let mut places = Vec::new();
        for part in tasks.chunks(PAGE_MAX as usize) {
            let live = self.live(part.to_vec()).await?;
            let started = live.tasks.values().filter_map(started);
            places.extend(started.filter(|(_, at)| *at <= latest).map(|(task, at)| Place {
                // Unlike the time since then, it is the same on each page.
                run_time: at.as_millisecond().saturating_neg(),
                task,
            }));
        }
        places.retain(|place| filter.after.is_none_or(|after| *place < after));
        places.sort_unstable_by(|a, b| b.cmp(a));
        let limit = limit as usize;
        let mut items: Vec<TaskView> = Vec::new();
        for part in places.chunks(PAGE_MAX as usize) {
            let ids: Vec<_> = part.iter().map(|place| place.task).collect();
            let rows = self.store.tasks_by_id(&ids).await?;
            let rows = rows.into_iter().filter(|row| has_row(filter, row)).collect();
            let mut views = self.with_live(rows).await?;
            views.retain(|view| is_on(filter, view));
            sort(&mut views, &ids);
            items.extend(views);
            if items.len() > limit {
                break;
            }
        }
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let last = items.last().filter(|_| !is_last);
        let last = last.and_then(|last| places.iter().find(|place| place.task.0 == last.id));
        unanswered.extend(items.iter().filter_map(|item| item.unanswered.clone()));
        unanswered.sort_unstable();
        unanswered.dedup();
        let next_cursor = last.map(|place| cursor(filter.order, *place));
        Ok(Page { items, next_cursor, searched_to: None, unanswered })
    }
}

/// When the first of its attempts that are open started.
fn started(task: &LiveTask) -> Option<(fastjob_core::TaskId, Timestamp)> {
    let at = task.attempts.iter().filter_map(|attempt| attempt.started_at).min();
    at.map(|at| (task.task, at))
}

fn has_row(filter: &TaskFilter, row: &TaskRow) -> bool {
    let needle = filter.needle();
    let has_text = |needle: &String| {
        let mut messages = row.attempts.iter().filter_map(|attempt| attempt.message.as_ref());
        messages.any(|message| message.to_ascii_lowercase().contains(needle))
    };
    filter.has_job(row.job)
        && filter.has_cause(row.cause)
        && filter.service.as_ref().is_none_or(|service| row.service == *service)
        && needle.as_ref().is_none_or(has_text)
}

/// Whether an attempt is or was on the executor of the filter.
fn is_on(filter: &TaskFilter, view: &TaskView) -> bool {
    filter.executor.as_ref().is_none_or(|executor| {
        view.attempts.iter().any(|attempt| attempt.executor.as_deref() == Some(executor.as_str()))
    })
}
