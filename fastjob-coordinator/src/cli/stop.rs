//! `fastjob stop`: stops a task, or all that filters name.

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{BulkTask, StopAnswer, TaskAction, TaskOrder, TaskState, TasksRequest},
};

use super::{
    error::Error,
    many::Words,
    options::task_id,
    out::{Out, remark},
    task::Filters,
};

/// Most tasks of one command.
const MOST: usize = 10_000;

const WORDS: Words = Words { verb: "stop", past: "stopped", noun: "task", repeats: true };

#[derive(Args)]
pub(super) struct Stop {
    /// The task's number, as `fastjob task list` shows it; without it, every task that the filters
    /// name stops, if it is queued or running
    #[arg(value_parser = task_id, conflicts_with_all = ["Filters", "yes", "dry_run"])]
    task: Option<i64>,
    #[command(flatten)]
    filters: Filters,
    /// Why, for the note of each task
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Only show which tasks the filters name
    #[arg(long)]
    dry_run: bool,
}

impl Stop {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let how = (self.dry_run, self.yes || self.task.is_some());
        let (found, note) = match (self.task, self.note) {
            (Some(task), None) => return one(task, client, out).await,
            (Some(task), note) => (vec![task], note),
            (None, note) => (find(self.filters, client, out).await?, note),
        };
        let call = async |tasks: Vec<i64>| {
            let request = TasksRequest {
                reason: note.clone(),
                ..TasksRequest::named(TaskAction::Stop, tasks)
            };
            client.call(Call::bulk_tasks(&request)).await
        };
        WORDS.run::<BulkTask>(found, how, call, out).await
    }
}

async fn one(task: i64, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::stop(task)).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    match answer.read()? {
        StopAnswer { stopped: true, state } => out.line(format_args!("task {task} is {state}")),
        StopAnswer { stopped: false, state } => {
            out.line(format_args!("task {task} has already ended: {state}"))
        }
    }
}

/// The tasks that the filters name.
async fn find(filters: Filters, client: &Client, out: &Out<'_>) -> Result<Vec<i64>, Error> {
    if filters.are_none() {
        return Err(Error::Misuse(
            "name a task, or tasks by filters such as --job billing.report or --state running"
                .to_owned(),
        ));
    }
    if let Some(ended) = filters.states().iter().find(|state| state.is_final()) {
        return Err(Error::Misuse(format!(
            "--state {ended}: only tasks that have not ended stop: queued, running, stopping"
        )));
    }
    let (has_states, by_run_time) = (!filters.states().is_empty(), filters.is_by_run_time());
    let mut list = filters.apply(client.tasks(), &out.times())?;
    list = match (has_states, by_run_time) {
        (true, _) => list,
        // A task that waits has no run time.
        (false, true) => list.state(TaskState::Running),
        (false, false) => list.states([TaskState::Queued, TaskState::Running]),
    };
    if by_run_time {
        list = list.order(TaskOrder::RunTime);
    }
    let (mut pages, mut found) = (list.pages(), Vec::new());
    while let Some(page) = pages.next().await? {
        found.extend(page.items.into_iter().map(|task| task.id));
        if !page.unanswered.is_empty() {
            let silent = page.unanswered.join(", ");
            remark(format_args!("note: no answer from {silent}: its tasks may be missing"));
        }
        if found.len() > MOST {
            found.truncate(MOST);
            remark(format_args!("note: there are more than {MOST} tasks: repeat the command"));
            break;
        }
    }
    Ok(found)
}
