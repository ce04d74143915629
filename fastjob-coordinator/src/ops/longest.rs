//! The open tasks that have run longest.

use fastjob_core::TaskId;
use fastjob_engine::{LiveTask, OpenAsk};
use jiff::{SignedDuration, Timestamp};

use super::{
    Error, Ops, PAGE_BYTES, PAGE_MAX, Page, TaskView,
    listing::{cursor, is_late, sort},
    live::OPEN_MOST,
    pages::fit,
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
        let mut begun = Vec::new();
        for part in tasks.chunks(PAGE_MAX as usize) {
            let live = self.live(part.to_vec()).await?;
            unanswered.extend(live.unanswered.into_values());
            let (first, later): (Vec<_>, Vec<_>) =
                live.tasks.values().partition(|task| is_at_its_first(task));
            begun.extend(first.into_iter().filter_map(|task| Some((task.task, started(task)?))));
            // The attempts that have ended say when such a task started.
            let ids: Vec<_> = later.iter().map(|task| task.task).collect();
            for row in self.store.tasks_by_id(&ids).await? {
                let ended = row.attempts.iter().filter_map(|attempt| attempt.started_at);
                let open = live.tasks.get(&row.task).and_then(started);
                begun.extend(ended.chain(open).min().map(|at| (row.task, at)));
            }
        }
        let begun = begun.into_iter().filter(|(_, at)| *at <= latest);
        let places = begun.map(|(task, at)| Place {
            // Unlike the time since then, it is the same on each page.
            run_time: at.as_millisecond().saturating_neg(),
            task,
        });
        let mut places: Vec<_> = places
            .filter(|place| filter.task.is_none_or(|task| place.task == task))
            .filter(|place| filter.after.is_none_or(|after| *place < after))
            .collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        let limit = limit as usize;
        let (mut items, mut reached): (Vec<TaskView>, _) = (Vec::new(), None);
        let mut sum = 0;
        for part in places.chunks(limit + 1) {
            let mut ids: Vec<_> = part.iter().map(|place| place.task).collect();
            let bytes = self.store.task_bytes(&ids).await?;
            let bytes = |task: &TaskId| bytes.get(task).copied().unwrap_or_default();
            let fit = fit(ids.iter().map(bytes), ids.len());
            sum += ids.iter().take(fit).map(bytes).sum::<u64>();
            let is_cut = fit < ids.len() || sum >= PAGE_BYTES;
            ids.truncate(fit);
            let rows = self.store.tasks_by_id(&ids).await?;
            let rows = rows.into_iter().filter(|row| has_row(filter, row)).collect();
            let mut views = self.with_live(rows).await?;
            views.retain(|view| is_on(filter, view) && has_attempt(filter, view));
            sort(&mut views, &ids);
            items.extend(views);
            reached = ids.last().copied();
            if items.len() > limit || is_cut {
                break;
            }
        }
        let is_last = items.len() <= limit && reached == places.last().map(|place| place.task);
        items.truncate(limit);
        let end = match items.len() < limit {
            true => reached,
            false => items.last().map(|last| TaskId(last.id)),
        };
        let last = end.filter(|_| !is_last);
        let last = last.and_then(|last| places.iter().find(|place| place.task == last));
        unanswered.extend(items.iter().filter_map(|item| item.unanswered.clone()));
        unanswered.sort_unstable();
        unanswered.dedup();
        let next_cursor = last.map(|place| cursor(filter.order, *place));
        Ok(Page { unanswered, ..Page::new(items, next_cursor) })
    }
}

/// Whether all attempts of the task are open: the only one is its first.
fn is_at_its_first(task: &LiveTask) -> bool {
    matches!(task.attempts.as_slice(), [only] if only.attempt == task.task.first_attempt())
}

/// When the first of its attempts that are open started.
fn started(task: &LiveTask) -> Option<Timestamp> {
    task.attempts.iter().filter_map(|attempt| attempt.started_at).min()
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

/// Whether an attempt of an open task has the reason and the lateness of the filter.
fn has_attempt(filter: &TaskFilter, view: &TaskView) -> bool {
    let is_asked = filter.late.is_some() || !filter.reasons.is_empty();
    let late = filter.late.unwrap_or_default();
    !is_asked || is_late(view, late, &filter.reasons, wall_now())
}

/// Whether an attempt is or was on the executor of the filter.
fn is_on(filter: &TaskFilter, view: &TaskView) -> bool {
    filter.executor.as_ref().is_none_or(|executor| {
        view.attempts.iter().any(|attempt| attempt.executor.as_deref() == Some(executor.as_str()))
    })
}
