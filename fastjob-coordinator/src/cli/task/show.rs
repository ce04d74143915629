//! `fastjob task show`.

use crate::cli::{
    error::Error,
    out::Out,
    table::{Facts, Table, millis, seconds, took},
};
use fastjob_client::{Call, Client};

pub(super) async fn run(task: i64, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::task(task)).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    let task = answer.read()?;
    let mut facts = Facts::default();
    facts.add("task", task.id.to_string());
    facts.add("job", format!("{}.{}", task.service, task.job));
    facts.add("state", task.state.to_string());
    facts.add("cause", task.cause.to_string());
    facts.add("fire at", seconds(task.fire_at));
    facts.add("created", seconds(Some(task.created_at)));
    facts.add("started", seconds(task.started_at));
    facts.add("ended", seconds(task.ended_at));
    facts.add("took", took(task.started_at, task.ended_at));
    facts.add("reruns", task.reruns.map(|task| task.to_string()).unwrap_or_default());
    facts.add("rerun by", task.rerun_by.map(|task| task.to_string()).unwrap_or_default());
    facts.add("param", task.param.unwrap_or_default());
    facts.add("result", task.result.unwrap_or_default());
    facts.add("note", task.note.unwrap_or_default());
    out.line(facts)?;
    if task.attempts.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[
        ">ATTEMPT", "SHARD", ">NUMBER", "STATE", "EXECUTOR", "DUE", "STARTED", "ENDED", "REASON",
        "MESSAGE",
    ]);
    for attempt in task.attempts {
        table.row([
            attempt.id.to_string(),
            match attempt.shards {
                0 | 1 => String::new(),
                shards => format!("{} of {shards}", attempt.shard),
            },
            attempt.number.to_string(),
            attempt.state.to_string(),
            attempt.executor.unwrap_or_default(),
            millis(Some(attempt.due_at)),
            millis(attempt.started_at),
            millis(attempt.ended_at),
            attempt.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            attempt.message.unwrap_or_default(),
        ]);
    }
    out.line(format_args!("\n{table}"))
}
