//! The output: a start message, and one line for each task that ends.

use std::{collections::HashSet, error::Error, net::SocketAddr, path::Path, time::Duration};

use fastjob_client::{Client, types::TaskView};
use fastjob_examples::{Unread, say};

const LOOK: Duration = Duration::from_millis(500);
const RESULT_MAX: usize = 60;

pub(crate) fn start(address: SocketAddr, data: &Path) -> Result<(), Unread> {
    let url = format!("http://{address}");
    let server = match url.as_str() {
        "http://127.0.0.1:7070" => String::new(),
        other => format!(" --server {other}"),
    };
    say(format_args!(
        r#"FastJob runs on {url}, a coordinator and an executor in one process.
Open it in a browser: that is the console.

  job      schedule           what it does
  tick     cron, every 5 s    reports which fire it was started for
  primes   every 7 s          counts the primes below its param
  flaky    every 15 s         fails twice, then succeeds: it is retried
  health   every 5 s          calls {url}/healthz (httpJobHandler)
  uname    12 s after its end runs `uname -srm` (commandJobHandler)
  greet    manually           greets the name in its param

Its data: {data} (the store in fastjob.db, attempt logs in logs/).

Try in another terminal:

  cargo run --release --bin fastjob -- start greet --param '{{"name":"Ann"}}' --wait{server}
  curl -X POST {url}/api/v1/jobs/greet/start -H 'content-type: application/json' \
       -d '{{"param":{{"name":"Ann"}}}}'
  curl '{url}/api/v1/tasks?limit=5'
  cargo run --release --bin fastjob -- task list --job flaky{server}

Ctrl-C stops it. Tasks as they end (UTC):
"#,
        data = data.display()
    ))
}

/// Prints every task that ends, forever.
pub(crate) async fn outcomes(client: &Client) -> Result<(), Box<dyn Error>> {
    let mut seen: Option<HashSet<i64>> = None;
    loop {
        let tasks = client.tasks().collect(100).await?;
        let ended: Vec<_> = tasks.iter().filter(|task| task.has_ended()).collect();
        // Tasks that ended before this start are not printed.
        if let Some(seen) = &seen {
            for task in ended.iter().rev().filter(|task| !seen.contains(&task.id)) {
                say(line(task))?;
            }
        }
        seen = Some(ended.iter().map(|task| task.id).collect());
        tokio::time::sleep(LOOK).await;
    }
}

fn line(task: &TaskView) -> String {
    let at = task.ended_at.unwrap_or(task.created_at).strftime("%H:%M:%S").to_string();
    let took = match (task.started_at, task.ended_at) {
        (Some(from), Some(to)) => format!(" in {} ms", to.duration_since(from).as_millis()),
        _ => String::new(),
    };
    let attempts = match task.attempts.len() {
        0 | 1 => String::new(),
        many => format!(", {many} attempts"),
    };
    let last = task.attempts.last();
    let said = [&task.result, &last.and_then(|last| last.message.clone()), &task.note];
    let said = said.into_iter().flatten().next().map(|text| short(text)).unwrap_or_default();
    format!("{at}  {:<7} task {:<4} {}{took}{attempts}  {said}", task.job, task.id, task.state)
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(RESULT_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
