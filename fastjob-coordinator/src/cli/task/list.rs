//! `fastjob task list`.

use clap::Args;
use fastjob_client::{
    Client,
    types::{TaskOrder, TaskView},
};
use fastjob_core::TaskState;
use jiff::Timestamp;

use super::filters::Filters;
use crate::cli::{
    client::items,
    error::Error,
    options::limit,
    out::{Out, remark},
    table::{Table, shortened, took},
    times::Times,
};

/// How many requests may end early because few tasks match, before the command stops.
const SEARCHES: usize = 50;
/// The longest message in a table, in characters.
const MESSAGE: usize = 60;
/// The longest reason for a wait in a table, in characters.
const WAITS: usize = 90;

#[derive(Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    filters: Filters,
    /// newest, oldest, or run_time: the longest run first, of tasks that run (--state running) or that
    /// ended, which needs a narrow range
    #[arg(long, default_value_t)]
    order: TaskOrder,
    /// Show at most this many, up to 10000
    #[arg(long, value_name = "N", default_value = "50", value_parser = limit)]
    limit: usize,
}

/// The next whole second after an instant.
fn next_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().saturating_add(1)).unwrap_or(at)
}

impl List {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let (limit, order, times) = (self.limit, self.order, out.times());
        let mut list = self.filters.apply(client.tasks(), &times)?.search_limit(SEARCHES);
        if order != TaskOrder::Newest {
            list = list.order(order);
        }
        let list = items(list, Some(limit)).await?;
        if out.is_json() {
            return out.json(&list);
        }
        let searched_to = list.searched_to();
        let unanswered = list.unanswered().join(", ");
        let tasks: Vec<TaskView> = list.read()?;
        match tasks.as_slice() {
            [] => out.line("no tasks")?,
            tasks => out.table(&table(tasks, &times))?,
        }
        if let Some(at) = searched_to {
            // `--until` is exclusive, and nothing that was not searched may be left out.
            let (option, at) = match order {
                TaskOrder::Oldest => ("--since", at),
                TaskOrder::Newest | TaskOrder::RunTime => ("--until", next_second(at)),
            };
            remark(format_args!(
                "the search stopped at {}, because few tasks match: continue there with {option}, or \
                 narrow it",
                times.seconds(Some(at))
            ));
        }
        if !unanswered.is_empty() {
            remark(format_args!(
                "no answer from {unanswered}: its tasks are shown as they are recorded, and may be \
                 missing in a list by state"
            ));
        }
        Ok(())
    }
}

/// The tasks as a table. It says what queued tasks wait for, and why attempts failed, if there are
/// such tasks.
fn table(tasks: &[TaskView], times: &Times) -> Table {
    let has_failures = tasks.iter().any(|task| task.state == TaskState::Failed);
    let waits = tasks.iter().any(|task| waits_for(task).is_some());
    let mut headings = vec![">TASK", "JOB", "STATE", "CAUSE", "CREATED", ">LATE", ">TOOK"];
    if waits {
        headings.push("WAITS FOR");
    }
    if has_failures {
        headings.extend(["REASON", "MESSAGE"]);
    }
    let mut table = Table::new(&headings);
    for task in tasks {
        let mut cells = vec![
            task.id.to_string(),
            format!("{}.{}", task.service, task.job),
            task.state.to_string(),
            task.cause.to_string(),
            times.seconds(Some(task.created_at)),
            late(task, times.now()),
            took_so_far(task, times.now()),
        ];
        if waits {
            cells.push(waits_for(task).map(|why| shortened(why, WAITS)).unwrap_or_default());
        }
        if has_failures {
            // The last one that failed is the one after which no retry followed.
            let failed = task.attempts.iter().rev().find(|attempt| attempt.reason.is_some());
            let reason = failed.and_then(|attempt| attempt.reason.as_ref());
            let message = failed.and_then(|attempt| attempt.message.as_deref());
            cells.push(reason.map(ToString::to_string).unwrap_or_default());
            cells.push(shortened(message.unwrap_or_default(), MESSAGE));
        }
        table.row(cells);
    }
    table
}

/// What an open task waits for.
pub(super) fn waits_for(task: &TaskView) -> Option<&str> {
    task.attempts.iter().find_map(|attempt| attempt.waits_for.as_deref())
}

/// From when a task was due until it started, or until now if it has not.
pub(super) fn late(task: &TaskView, now: Timestamp) -> String {
    let due = task.attempts.iter().map(|attempt| attempt.due_at).min();
    // What has ended without a start was never late.
    let until = task.started_at.or_else(|| task.ended_at.is_none().then_some(now));
    match (due, until) {
        (Some(due), Some(until)) if until >= due => took(Some(due), Some(until)),
        (Some(_), Some(_)) if task.started_at.is_some() => took(due, due),
        _ => String::new(),
    }
}

/// How long a task took; of one that still runs, how long so far.
pub(super) fn took_so_far(task: &TaskView, now: Timestamp) -> String {
    match (task.started_at, task.ended_at) {
        (Some(started), None) => format!("{}…", took(Some(started), Some(now.max(started)))),
        (started, ended) => took(started, ended),
    }
}
