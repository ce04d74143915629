//! Misfire strategies, after a coordinator outage. Fires that are at least 5 s late are misfires,
//! which the job's strategy handles; the others run as usual.
//!
//! ```text
//! cargo run --bin misfires
//! ```

use std::{process::ExitCode, time::Duration};

use fastjob_client::types::TaskView;
use fastjob_examples::{Stage, StageError, example, say};
use fastjob_executor::prelude::*;
use serde_json::json;

const DOWN: Duration = Duration::from_secs(12);

#[job("work")]
async fn work() {}

#[tokio::main]
async fn main() -> ExitCode {
    example(include_str!("misfires.rs"), Stage::show(&[("e1", "a")], show)).await
}

async fn show(stage: &mut Stage) -> Result<(), StageError> {
    let strategies = [
        ("skip", json!("skip")),
        ("once", json!("fire_once")),
        ("all", json!({"fire_all": {}})),
        ("newest-2", json!({"fire_all": {"max": 2}})),
        ("last-7s", json!({"fire_all": {"window": "7s"}})),
    ];
    for (name, misfire) in &strategies {
        let job = json!({"name": name, "handler": "work", "misfire": misfire,
            "schedule": {"fixed_rate": "1s"}});
        stage.save(job).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    say(format_args!("the coordinator is down for {DOWN:?}"))?;
    stage.interrupt(DOWN).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;

    for (name, misfire) in strategies {
        say(format_args!("\n{name}: misfire = {misfire}"))?;
        let mut tasks = stage.client().tasks().job(name).all().await?;
        tasks.sort_by_key(|task| task.fire_at);
        let kind = |task: &TaskView| {
            (task.cause.clone(), task.state.clone(), task.note.clone().unwrap_or_default())
        };
        for alike in tasks.chunk_by(|a, b| kind(a) == kind(b)) {
            let fire = |task: &TaskView| task.fire_at.map(|at| at.strftime("%T").to_string());
            let [first, last] = [&alike[0], &alike[alike.len() - 1]].map(fire);
            let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
            let ((cause, state, note), count) = (kind(&alike[0]), alike.len());
            say(format_args!("  {first} to {last}  {count:2}  {cause:8}  {state:9}  {note}"))?;
        }
    }
    Ok(())
}
