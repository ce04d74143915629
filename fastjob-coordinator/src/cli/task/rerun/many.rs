//! Reruns of all tasks that filters name: found first, counted and confirmed, then started.
//!
//! Each task has one rerun, unless `--again` asks for another one. So a command that was interrupted
//! continues when it is repeated, and one that was complete starts nothing.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, IsTerminal, Write},
};

use fastjob_client::{
    Call, Client, ClientError,
    types::{RerunRequest, Started, TaskOrder},
};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

use super::Rerun;
use crate::cli::{
    error::{Error, Failure},
    out::{Out, remark},
    table::Table,
    times::Times,
};

/// How many reruns are requested at the same time.
const TOGETHER: usize = 8;
/// After how many reruns the progress is reported.
const REPORT: usize = 500;
/// Most jobs, and most tasks that could not be rerun, that are listed.
const SHOWN: usize = 20;

/// The tasks that the filters name.
#[derive(Default)]
struct Found {
    /// The oldest first.
    tasks: Vec<i64>,
    by_job: BTreeMap<String, usize>,
    /// When the first one was created that is reached.
    first: Option<Timestamp>,
    /// When the first one was created that the limit leaves out.
    rest: Option<Timestamp>,
    /// How many were left out because they are reruns themselves.
    reruns: usize,
}

/// What became of them, as JSON shows it.
#[derive(Serialize)]
struct Done {
    matched: usize,
    more: bool,
    /// With this `--since`, the command continues with the others.
    continue_since: Option<Timestamp>,
    /// How many were left out because they are reruns themselves.
    left_out_reruns: usize,
    jobs: BTreeMap<String, usize>,
    /// The tasks that were started.
    started: Vec<Link>,
    /// The tasks of earlier reruns.
    existing: Vec<Link>,
    refused: Vec<Refused>,
    /// The tasks of which another rerun may have been started: the answer was lost.
    may_have_started: Vec<i64>,
    /// How many were not tried, because of an error.
    not_tried: usize,
}

#[derive(Serialize)]
struct Link {
    task: i64,
    reruns: i64,
}

#[derive(Serialize)]
struct Refused {
    task: i64,
    why: String,
}

impl Rerun {
    /// Reruns the tasks that the filters name.
    pub(super) async fn many(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let states = self.filters.states();
        if states.is_empty() {
            return Err(Error::Misuse(
                "name a task, or the tasks by how they ended and other filters, such as --state \
                 failed --since yesterday"
                    .to_owned(),
            ));
        }
        if let Some(open) = states.iter().find(|state| !state.is_final()) {
            return Err(Error::Misuse(format!(
                "--state {open}: only tasks that have ended run again: succeeded, failed, stopped, \
                 skipped"
            )));
        }
        let ask = self.request();
        let found = find(&self, client, &out.times()).await?;
        if self.dry_run || found.tasks.is_empty() {
            return if out.is_json() { out.json(&Done::of(&found)) } else { found.show(out) };
        }
        found.confirm(self.yes)?;
        let (done, failed) = found.rerun(client, &ask).await;
        match out.is_json() {
            true => out.json(&done)?,
            false => done.show(out)?,
        }
        match failed {
            Some(failure) => Err(done.explain(failure, self.again).into()),
            None if done.refused.is_empty() => Ok(()),
            None => Err(Error::Reported),
        }
    }
}

/// Reads the whole list, as far as the limit allows: whatever is started meanwhile is not in it.
async fn find(how: &Rerun, client: &Client, times: &Times) -> Result<Found, Error> {
    let list = how.filters.clone().apply(client.tasks(), times)?.order(TaskOrder::Oldest);
    let (mut pages, mut found) = (list.pages(), Found::default());
    while let Some(page) = pages.next().await? {
        for task in page.items {
            // A rerun that failed as well belongs to the task that it reruns, which is listed too.
            if task.reruns.is_some() && !how.again {
                found.reruns += usize::from(found.rest.is_none());
                continue;
            }
            if found.tasks.len() == how.limit {
                // Numbers follow the time of creation only roughly.
                let at = task.created_at;
                found.rest = Some(found.rest.map_or(at, |rest| rest.min(at)));
                continue;
            }
            found.first = Some(found.first.map_or(task.created_at, |at| at.min(task.created_at)));
            found.tasks.push(task.id);
            *found.by_job.entry(format!("{}.{}", task.service, task.job)).or_default() += 1;
        }
        if found.rest.is_some() {
            break;
        }
    }
    Ok(found)
}

/// Says how many reruns are left out.
fn left_out(reruns: usize) -> Option<String> {
    let which = match reruns {
        0 => return None,
        1 => "1 task that is a rerun itself".to_owned(),
        many => format!("{many} tasks that are reruns themselves"),
    };
    Some(format!("left out: {which}; name one to rerun it, or use --again"))
}

/// At most [`TOGETHER`] tasks.
fn named(tasks: &[i64]) -> String {
    tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

impl Found {
    fn table(&self) -> Table {
        let mut table = Table::new(&[">TASKS", "JOB"]);
        let mut jobs: Vec<_> = self.by_job.iter().collect();
        jobs.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (job, count) in jobs.iter().take(SHOWN) {
            table.row([count.to_string(), (*job).clone()]);
        }
        if let Some(rest) = jobs.get(SHOWN..).filter(|rest| !rest.is_empty()) {
            let count: usize = rest.iter().map(|(_, count)| **count).sum();
            table.row([count.to_string(), format!("of {} more jobs", rest.len())]);
        }
        table
    }

    /// The count as a sentence.
    fn said(&self) -> String {
        let more = if self.rest.is_some() { ", the oldest; there are more" } else { "" };
        format!("{}{more}", tasks(self.tasks.len()))
    }

    fn show(&self, out: &mut Out<'_>) -> Result<(), Error> {
        if self.tasks.is_empty() {
            out.line("no tasks")?;
        } else {
            out.line(self.said())?;
            out.line(format_args!("\n{}", self.table()))?;
        }
        left_out(self.reruns).map_or(Ok(()), |said| out.line(said))
    }

    /// Shows the tasks, and asks whether to rerun them, unless that `is_clear`.
    fn confirm(&self, is_clear: bool) -> Result<(), Error> {
        remark(format_args!("to rerun: {}\n\n{}", self.said(), self.table()));
        if is_clear {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure {
                title: "nothing was rerun: there is no terminal to confirm it".to_owned(),
                hints: vec!["add --yes to rerun these tasks".to_owned()],
                ..Failure::default()
            }
            .into());
        }
        let mut answer = String::new();
        write!(io::stderr(), "rerun {}? [y/N] ", tasks(self.tasks.len())).ok();
        // Without an answer, nothing is started.
        io::stdin().lock().read_line(&mut answer).ok();
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::failed("nothing was rerun")),
        }
    }

    /// Reruns the tasks until an error that the others would meet as well.
    async fn rerun(&self, client: &Client, ask: &RerunRequest) -> (Done, Option<Failure>) {
        let (mut done, mut failed) = (Done::of(self), None);
        for some in self.tasks.chunks(TOGETHER) {
            let calls = some.iter().map(|task| client.call(Call::rerun(*task, ask)));
            for (task, answer) in some.iter().zip(join_all(calls).await) {
                done.take(*task, answer, ask.again, &mut failed);
            }
            if failed.is_some() {
                break;
            }
            let count = self.tasks.len() - done.not_tried;
            if count % REPORT < some.len() && done.not_tried > 0 {
                remark(format_args!("{count} of {} done", tasks(self.tasks.len())));
            }
        }
        (done, failed)
    }
}

impl Done {
    fn of(found: &Found) -> Self {
        Self {
            matched: found.tasks.len(),
            more: found.rest.is_some(),
            // From the same instant on, the list would begin with the same tasks.
            continue_since: found.rest.filter(|rest| found.first < Some(*rest)),
            left_out_reruns: found.reruns,
            jobs: found.by_job.clone(),
            started: Vec::new(),
            existing: Vec::new(),
            refused: Vec::new(),
            may_have_started: Vec::new(),
            not_tried: found.tasks.len(),
        }
    }

    /// Takes the answer to one rerun. An error that is not about the task is kept.
    fn take(
        &mut self,
        task: i64,
        answer: Result<Started, ClientError>,
        is_again: bool,
        failed: &mut Option<Failure>,
    ) {
        match answer {
            Ok(Started { task: new, created, .. }) => {
                let link = Link { task: new, reruns: task };
                if created { self.started.push(link) } else { self.existing.push(link) }
            }
            Err(
                err @ (ClientError::NotFound(_)
                | ClientError::Conflict(_)
                | ClientError::Invalid(_)),
            ) => {
                self.refused.push(Refused { task, why: Failure::from(err).title });
            }
            Err(err) => {
                // Only with `--again`, it matters: otherwise a repeated command starts it once.
                let may_have_started = is_again && err.may_have_had_effect();
                failed.get_or_insert_with(|| Failure::from(err));
                if !may_have_started {
                    return;
                }
                self.may_have_started.push(task);
            }
        }
        self.not_tried -= 1;
    }

    fn show(&self, out: &mut Out<'_>) -> Result<(), Error> {
        // Requests overlap, so the tasks are not always numbered in their order.
        let numbers = || self.started.iter().map(|link| link.task);
        match (numbers().min(), numbers().max()) {
            (Some(first), Some(last)) if first != last => {
                let started = tasks(self.started.len());
                out.line(format_args!("{started} started, {first} to {last}"))?;
            }
            (Some(first), _) => out.line(format_args!("1 task started: {first}"))?,
            _ => out.line("no task started")?,
        }
        match self.existing.len() {
            0 => {}
            1 => out.line("1 task was rerun before: --again reruns it another time")?,
            many => out.line(format_args!(
                "{many} tasks were rerun before: --again reruns them another time"
            ))?,
        }
        if !self.refused.is_empty() {
            out.line(format_args!("{} could not be rerun:", tasks(self.refused.len())))?;
        }
        for Refused { task, why } in self.refused.iter().take(SHOWN) {
            out.line(format_args!("  {task}: {}", crate::cli::text::one_line(why)))?;
        }
        if let Some(rest @ 1..) = self.refused.len().checked_sub(SHOWN) {
            out.line(format_args!("  and {rest} more"))?;
        }
        if !self.may_have_started.is_empty() {
            let (count, names) = (self.may_have_started.len(), named(&self.may_have_started));
            out.line(format_args!("{} may have been rerun: {names}", tasks(count)))?;
        }
        if let Some(said) = left_out(self.left_out_reruns) {
            out.line(said)?;
        }
        // After an error, the same command is repeated first.
        if let Some(since) = self.continue_since.filter(|_| self.not_tried == 0) {
            // What is shown is rounded down, so nothing is left out.
            let since = out.times().millis(Some(since));
            out.line(format_args!("there are more tasks: continue with --since {since}"))?;
        } else if self.more && self.not_tried == 0 {
            out.line("there are more tasks: raise --limit, or narrow them with --job or --label")?;
        }
        Ok(())
    }

    /// Adds to an error what it left undone.
    fn explain(&self, mut failure: Failure, is_again: bool) -> Failure {
        if self.not_tried > 0 {
            failure.hint(format!(
                "{} of {} not rerun, because of this error",
                self.not_tried,
                if self.matched == 1 {
                    "1 task was".to_owned()
                } else {
                    format!("{} tasks were", self.matched)
                }
            ));
        }
        if !self.may_have_started.is_empty() {
            let names = named(&self.may_have_started);
            failure.hint(match self.may_have_started.len() {
                1 => format!(
                    "the answer for {names} was lost, so it may have been rerun: see \
                     `fastjob task list --since 5m`"
                ),
                _ => format!(
                    "the answers for {names} were lost, so each may have been rerun: see \
                     `fastjob task list --since 5m`"
                ),
            });
        }
        failure.hint(match is_again {
            false => "repeat the command: it starts only what it has not started yet",
            true => {
                "with --again, the repeated command would start all of them another time: leave it \
                 out to start only those that were never rerun"
            }
        });
        failure
    }
}
