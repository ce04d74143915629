//! `fastjob task log`: the log of a handler, even while it runs.
//!
//! A task with several shards has one log per shard. Unless one is selected, they are printed one
//! after the other, each with a heading.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use fastjob_client::{
    Call, Client, LogPlace, LogQuery, Polling, Step,
    types::{AttemptView, TaskView},
};
use fastjob_core::TaskState;

use super::list::waits_for;
use crate::cli::{
    error::Error,
    options::task_id,
    out::{Out, remark},
    wait::answered,
};

/// How long the coordinator waits for new log text before it answers: less than the request
/// timeout.
const WAIT: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(in crate::cli) struct Log {
    /// The task's number, as `fastjob task list` shows it
    #[arg(value_parser = task_id)]
    task: i64,
    /// The shard, from 0 [default: all, one after the other]
    #[arg(long, value_name = "I")]
    shard: Option<u32>,
    /// The attempt by its number within the shard, from 1 [default: the last]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Print new text until the attempt has ended
    #[arg(long, short)]
    follow: bool,
}

/// The shard whose log was printed, and how many the task has.
struct Printed {
    shard: u32,
    shards: u32,
}

impl Log {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let mut printed = 0;
        let first = self.print(self.shard, client, out, &mut printed).await?;
        if self.shard.is_none() && first.shards > 1 {
            // A rerun may have only some of the shards.
            let task = self.read(client).await?;
            let all: BTreeSet<_> = task.attempts.iter().map(|attempt| attempt.shard).collect();
            for shard in all.into_iter().filter(|shard| *shard != first.shard) {
                self.print(Some(shard), client, out, &mut printed).await?;
            }
        }
        let task = match printed {
            0 => self.read(client).await?,
            // The log is there, and that is what was asked for.
            _ => match client.call(Call::task(self.task)).await {
                Ok(task) => task,
                Err(_) => return Ok(()),
            },
        };
        self.explain(&task, printed > 0, client).await
    }

    /// The task; while the log is followed, across an outage.
    async fn read(&self, client: &Client) -> Result<TaskView, Error> {
        let mut polling = polling();
        loop {
            let answer = client.call(Call::task(self.task)).await;
            if !self.follow {
                return Ok(answer?);
            }
            match answered(&mut polling, answer)? {
                Some(task) => return Ok(task),
                None => polling.pause().await,
            }
        }
    }

    /// Says how a task ended that did not succeed, and why there is no log.
    async fn explain(&self, task: &TaskView, has_text: bool, client: &Client) -> Result<(), Error> {
        let of_shard = |attempt: &&AttemptView| {
            self.shard.is_none_or(|shard| shard == attempt.shard)
                && self.attempt.is_none_or(|number| number == attempt.number)
        };
        let attempts = || task.attempts.iter().filter(of_shard);
        // The last attempt of a shard decides how that ended.
        let is_last = |attempt: &&AttemptView| {
            let is_later =
                |other: &AttemptView| other.shard == attempt.shard && other.number > attempt.number;
            attempt.reason.is_some() && !task.attempts.iter().any(is_later)
        };
        let failed = attempts().rfind(is_last);
        let failed = failed.or_else(|| attempts().rfind(|attempt| attempt.reason.is_some()));
        let why = failed.map(|attempt| {
            let reason = attempt.reason.as_ref().map(ToString::to_string).unwrap_or_default();
            let message = attempt.message.as_deref().unwrap_or_default();
            match message {
                "" => reason,
                message => format!("{reason}: {message}"),
            }
        });
        let (id, state) = (task.id, &task.state);
        let state = match (why, waits_for(task)) {
            (_, Some(waits)) if task.started_at.is_none() => {
                format!("task {id} is {state}: it waits for {waits}")
            }
            (Some(why), _) if task.state == TaskState::Failed => format!("task {id} failed: {why}"),
            (Some(why), _) => format!("task {id} is {state}, an attempt failed: {why}"),
            (None, _) => match &task.note {
                Some(note) => format!("task {id} is {state}: {note}"),
                None => format!("task {id} is {state}"),
            },
        };
        let has_succeeded = task.has_succeeded();
        if has_text {
            if task.has_ended() && !has_succeeded {
                remark(format_args!("-- {state}"));
            }
            return Ok(());
        }
        let executor = failed.or(task.attempts.last()).and_then(|at| at.executor.as_deref());
        match (task.started_at, executor) {
            (None, _) => Err(Error::failed(format!("there is no log: {state}"))),
            (Some(_), _) if has_succeeded => {
                remark(format_args!("task {id} has logged nothing"));
                Ok(())
            }
            (Some(_), Some(executor)) => {
                let call = Call::executor(&format!("{}.{executor}", task.service));
                let place = match client.call(call).await {
                    Ok(view) if view.connected => "its handler has logged nothing".to_owned(),
                    _ => format!(
                        "it has logged nothing, or its log is on executor `{executor}`, which is not \
                         connected"
                    ),
                };
                Err(Error::failed(format!("there is no log: {state}; {place}")))
            }
            (Some(_), None) => Err(Error::failed(format!("there is no log: {state}"))),
        }
    }

    /// Prints the log of one shard, and returns which one it is.
    async fn print(
        &self,
        shard: Option<u32>,
        client: &Client,
        out: &mut Out<'_>,
        printed: &mut usize,
    ) -> Result<Printed, Error> {
        let mut query = LogQuery::default();
        (query.shard, query.attempt) = (shard, self.attempt);
        query.wait = self.follow.then_some(WAIT);
        let (mut place, mut polling) = (LogPlace::new(query), polling());
        let (mut shown, mut is_headed) = (None, false);
        let mut of = Printed { shard: shard.unwrap_or(0), shards: 1 };
        let mut note = None;
        loop {
            let answer = client.answer(Call::log(self.task, place.query())).await;
            if place.is_end(&answer) {
                return Ok(of);
            }
            let answer = match self.follow {
                true => answered(&mut polling, answer)?,
                false => Some(answer?),
            };
            let Some(answer) = answer else {
                polling.pause().await;
                continue;
            };
            let piece = answer.read()?;
            *printed += piece.text.len();
            of = Printed { shard: piece.shard, shards: piece.shards };
            // Headings as in `tail` with several files; a selected shard is printed without one.
            if self.shard.is_none() && of.shards > 1 && !is_headed && !out.is_json() {
                is_headed = true;
                let gap = if shard.is_some() { "\n" } else { "" };
                out.line(format_args!("{gap}==> shard {} of {} <==", of.shard, of.shards))?;
            }
            let before = shown.replace(piece.attempt);
            if before.is_some_and(|before| before != piece.attempt) {
                // A retry has started, which has its own log.
                remark(format_args!("-- attempt {}", piece.attempt));
            }
            let is_first = before != Some(piece.attempt);
            let step = place.advance(&piece);
            let is_shown = matches!(step, Step::Text { .. }) || is_first || piece.note.is_some();
            if out.is_json() && is_shown {
                out.line(answer.text())?;
            } else if !out.is_json() {
                out.raw(&piece.text)?;
            }
            if piece.note.is_some() && piece.note != note && !out.is_json() {
                // Something is missing of the log.
                note.clone_from(&piece.note);
                remark(format_args!("-- {}", piece.note.as_deref().unwrap_or_default().trim_end()));
            }
            match step {
                Step::Text { is_cut } => {
                    polling = self::polling();
                    if self.follow && !is_cut {
                        polling.pause().await;
                    }
                }
                Step::Wait | Step::Retry if !self.follow => return Ok(of),
                Step::Wait => polling.pause().await,
                Step::Retry => {}
                Step::End => return Ok(of),
            }
        }
    }
}

fn polling() -> Polling {
    Polling::new(Duration::from_millis(100), Duration::from_secs(1))
}
