//! Tasks that have ended in every way, and some that run or wait when people look.

use std::time::Duration;

use fastjob_client::{Client, TaskHandle};
use fastjob_core::TaskState;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stage::Stage;

/// Starts that are sent at the same time.
const AT_ONCE: usize = 16;
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// What the tasks of the history are, in turn.
fn task(number: usize) -> (&'static str, Value) {
    let month = json!({"month": format!("2026-{:02}", 1 + number % 11), "customers": 40});
    match number % 16 {
        0 | 5 | 9 | 13 => ("billing.charge-cards", Value::Null),
        1 => ("billing.invoice-run", month),
        2 | 10 => ("sync.pull-exchange-rates", Value::Null),
        3 | 12 => ("search.warm-cache", Value::Null),
        4 | 14 => ("reports.daily-sales", json!({"regions": ["eu", "us"], "day": "2026-11-29"})),
        6 => ("sync.sync-inventory", Value::Null),
        7 => ("billing.dunning-mail", Value::Null),
        8 => ("reports.month-end", Value::Null),
        11 => ("search.learn-words", Value::Null),
        _ => ("search.renamed-handler", Value::Null),
    }
}

/// Runs this many tasks to their ends.
pub(crate) async fn make(stage: &Stage, tasks: usize) {
    let client = stage.rest.client();
    let mut ended = Vec::new();
    let numbers: Vec<usize> = (0..tasks).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let mut starts = JoinSet::new();
        for &number in numbers {
            let client = client.clone();
            starts.spawn(async move {
                let (job, param) = task(number);
                start(&client, job, &param, number % 4 == 0).await
            });
        }
        ended.extend(starts.join_all().await);
    }
    if tasks > 0 {
        ended.push(start(client, "reports.cube-of-all-sales", &Value::Null, true).await);
    }
    for task in &ended {
        task.wait(ENDS_WITHIN).await.expect("a task of the history ends");
    }
    // Some are repeated, and one with another param.
    for task in ended.iter().take(3) {
        task.rerun().manual().send().await.expect("the task is started again");
    }
}

/// Leaves tasks that run, wait, were stopped and were skipped, an executor that drains, and one that
/// has gone.
pub(crate) async fn leave_open(stage: &mut Stage) {
    stage.dismiss("sync", "sync-3").await;
    let client = stage.rest.client();
    let none = &Value::Null;
    let stopped = start(client, "sync.one-push-at-a-time", none, true).await;
    runs(&stopped).await;
    let skipped = start(client, "sync.one-push-at-a-time", none, true).await;
    skipped.wait(ENDS_WITHIN).await.expect("a second push is skipped");
    stopped.stop().await.expect("the task is stopped");
    stopped.wait(ENDS_WITHIN).await.expect("a stopped task ends");
    start(client, "ledger.ledger-archive", none, true).await;
    for job in ["sync.push-orders", "reports.orders-to-lake", "billing.invoice-preview"] {
        runs(&start(client, job, none, true).await).await;
    }
    let later = client.job("reports.daily-sales").start().delay(Duration::from_secs(3600));
    later.key("tomorrow").send().await.expect("the task is planned");
    client.drain_executor("search.search-2").await.expect("the executor drains");
}

async fn start(client: &Client, job: &str, param: &Value, by_hand: bool) -> TaskHandle<Client> {
    let mut start = client.job(job).start();
    if !param.is_null() {
        start = start.param(param);
    }
    if by_hand {
        start = start.manual();
    }
    start.send().await.unwrap_or_else(|err| panic!("{job} is not started: {err:?}"))
}

async fn runs(task: &TaskHandle<Client>) {
    fastjob_tests::eventually("the task runs", ENDS_WITHIN, || async {
        let view = task.get().await.ok()?;
        (view.state == TaskState::Running).then_some(())
    })
    .await;
}
