//! `fastjob task show`.

use fastjob_client::{
    Call, Client, LogQuery,
    types::{AttemptView, JobView, TaskView},
};
use fastjob_core::JobDraft;

use super::list::{late, took_so_far, waits_for};
use crate::cli::{
    error::{Error, Failure},
    job::zone,
    out::Out,
    table::{Facts, Table},
};

pub(super) async fn run(task: i64, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::task(task)).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    let (task, times): (TaskView, _) = (answer.read()?, out.times());
    let name = format!("{}.{}", task.service, task.job);
    // A job that was deleted has no definition.
    let job = client.call(Call::job(&name)).await.ok();
    let mut facts = Facts::default();
    facts.add("task", task.id.to_string());
    facts.add("job", name);
    facts.add("state", task.state.to_string());
    facts.add("waits for", waits_for(&task).unwrap_or_default());
    facts.add("progress", task.attempts.iter().find_map(progress).unwrap_or_default());
    facts.add("cause", task.cause.to_string());
    let zone = job.as_ref().and_then(|job| zone(&job.job));
    facts.add("fire at", times.seconds_and_in(task.fire_at, zone));
    facts.add("created", times.seconds(Some(task.created_at)));
    facts.add("started", times.seconds(task.started_at));
    facts.add("late", late(&task, times.now()));
    facts.add("ended", times.seconds(task.ended_at));
    facts.add("took", took_so_far(&task, times.now()));
    facts.add("retries", retries(&task, job.as_ref()).unwrap_or_default());
    facts.add("reruns", task.reruns.map(|task| task.to_string()).unwrap_or_default());
    facts.add("rerun by", task.rerun_by.map(|task| task.to_string()).unwrap_or_default());
    facts.add("trace", task.trace_id.as_deref().unwrap_or_default());
    facts.add("param", task.param.as_deref().unwrap_or_default());
    facts.add("result", task.result.as_deref().unwrap_or_default());
    facts.add("note", task.note.as_deref().unwrap_or_default());
    facts.add("log", place_of_log(&task, client).await);
    out.facts(&facts)?;
    if task.attempts.is_empty() {
        return Ok(());
    }
    let has_shards = task.attempts.iter().any(|attempt| attempt.shards > 1);
    let mut headings = vec![">ATTEMPT", "STATE", "EXECUTOR", "DUE", "STARTED", "ENDED"];
    headings.extend(["REASON", "MESSAGE", ">ID"]);
    if has_shards {
        headings.insert(0, "SHARD");
    }
    let mut table = Table::new(&headings);
    for attempt in task.attempts {
        let now = progress(&attempt).or_else(|| attempt.waits_for.clone());
        let waits = now.map(|now| match attempt.waits_for.is_some() {
            true => format!("waits for {now}"),
            false => now,
        });
        let mut cells = vec![
            attempt.number.to_string(),
            attempt.state.to_string(),
            attempt.executor.unwrap_or_default(),
            times.millis(Some(attempt.due_at)),
            times.millis(attempt.started_at),
            times.millis(attempt.ended_at),
            attempt.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            attempt.message.or(waits).unwrap_or_default(),
            attempt.id.to_string(),
        ];
        if has_shards {
            cells.insert(0, format!("{} of {}", attempt.shard, attempt.shards));
        }
        table.row(cells);
    }
    out.line("")?;
    out.table(&table)
}

/// The progress of an attempt that runs.
pub(in crate::cli) fn progress(attempt: &AttemptView) -> Option<String> {
    let progress = attempt.progress.as_ref()?;
    let (done, total) = (progress.done, progress.total);
    let count = match u128::from(done) * 100 {
        _ if total == 0 => done.to_string(),
        parts => format!("{done} of {total} ({} %)", parts / u128::from(total)),
    };
    match progress.note.as_str() {
        "" => Some(count),
        note => Some(format!("{count}: {note}")),
    }
}

/// How many retries there were, and how many may follow.
fn retries(task: &TaskView, job: Option<&JobView>) -> Option<String> {
    let used = task.attempts.iter().map(|attempt| attempt.number).max()?.saturating_sub(1);
    let most = job.map_or(used, |job| retry_count(&job.job));
    if used == 0 && most == 0 {
        return None;
    }
    if task.has_ended() {
        return Some(format!("{used} of {most}"));
    }
    Some(match most.saturating_sub(used) {
        0 => format!("{used} of {most}: none follows"),
        left => format!("{used} of {most}: up to {left} follow"),
    })
}

fn retry_count(job: &JobDraft) -> u32 {
    job.retry.as_ref().and_then(|retry| retry.count).unwrap_or_default()
}

/// Where the log of the task is read from.
async fn place_of_log(task: &TaskView, client: &Client) -> String {
    if task.started_at.is_none() {
        return String::new();
    }
    let last = task.attempts.iter().rev().find(|attempt| attempt.started_at.is_some());
    let executor = last.and_then(|last| last.executor.as_deref()).unwrap_or("its executor");
    let mut query = LogQuery::default();
    query.limit = Some(4);
    let read = format!("fastjob task log {}", task.id);
    match client.call(Call::log(task.id, &query)).await {
        Ok(log) if log.source == "executor" => format!("on executor `{executor}`: {read}"),
        Ok(log) if log.source == "archive" => format!("kept by the coordinator: {read}"),
        Ok(log) if log.text.is_empty() => {
            format!("on executor `{executor}`, which is not connected; no end of it was received")
        }
        Ok(_) => format!("its end, as `{executor}` is not connected: {read}"),
        Err(err) => format!("cannot be read: {}", Failure::from(err).title),
    }
}
