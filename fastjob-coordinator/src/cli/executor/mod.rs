//! `fastjob executor`: the executors and their state.

mod drain;

use clap::Subcommand;
use fastjob_client::{
    Client, List,
    types::{ExecutorState, ExecutorView},
};

use super::{
    client::items,
    error::Error,
    options::{job_name, limit},
    out::{Out, remark},
    table::Table,
    times::Times,
};

#[derive(Subcommand)]
pub(super) enum Executor {
    /// List executors with what they run, and those that were lost recently
    List {
        /// Only executors of this service
        #[arg(long)]
        service: Option<String>,
        /// Only executors with this in their name, service, address, version, labels or handlers
        #[arg(long)]
        text: Option<String>,
        /// Show at most this many, up to 10000 [default: all]
        #[arg(long, value_name = "N", value_parser = limit)]
        limit: Option<usize>,
    },
    /// Send an executor no new work; it keeps what it holds
    Drain {
        /// The executor, as name or service.name
        #[arg(value_parser = job_name)]
        name: String,
        /// Wait until it holds nothing
        #[arg(long)]
        wait: bool,
    },
    /// Send a drained executor work again
    Resume {
        /// The executor, as name or service.name
        #[arg(value_parser = job_name)]
        name: String,
    },
}

impl Executor {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        match self {
            Self::List { service, text, limit } => {
                let mut executors = client.executors();
                if let Some(service) = service {
                    executors = executors.service(service);
                }
                if let Some(text) = text {
                    executors = executors.text(text);
                }
                list(executors, limit, out).await
            }
            Self::Drain { name, wait: false } => drain::drain(&name, client, out).await,
            Self::Drain { name, wait: true } => drain::drain_and_wait(&name, client, out).await,
            Self::Resume { name } => drain::resume(&name, client, out).await,
        }
    }
}

async fn list(
    executors: List<ExecutorView>,
    limit: Option<usize>,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    let times = out.times();
    let list = items(executors, limit).await?;
    if out.is_json() {
        return out.json(&list);
    }
    let unanswered = list.unanswered().join(", ");
    let executors: Vec<ExecutorView> = list.read()?;
    if executors.is_empty() {
        out.line("no executors")?;
    } else {
        out.table(&table(executors, &times))?;
    }
    if !unanswered.is_empty() {
        remark(format_args!(
            "no answer from {unanswered}: what it sent to executors is not counted"
        ));
    }
    Ok(())
}

fn table(executors: Vec<ExecutorView>, times: &Times) -> Table {
    let mut table = Table::new(&[
        "EXECUTOR",
        "SERVICE",
        "STATE",
        ">HELD",
        ">RUNNING",
        ">WAITING",
        ">CAPACITY",
        ">CPU",
        ">MEMORY FREE",
        "HANDLERS",
        "VERSION",
        "SINCE",
        "LAST SEEN",
    ]);
    for executor in executors {
        let is_lost = executor.state == ExecutorState::Lost;
        let held = if is_lost { executor.lost_attempts } else { executor.attempts };
        // Figures of an executor that is gone are outdated.
        let figure = |text: String| if executor.connected { text } else { "-".to_owned() };
        let state = state(&executor);
        table.row([
            executor.name,
            executor.service,
            state,
            held.to_string(),
            figure(executor.running.to_string()),
            figure(executor.waiting.to_string()),
            figure(executor.capacity.to_string()),
            figure(format!("{:.0}%", executor.cpu * 100.0)),
            figure(format!("{} MiB", executor.memory_free / (1024 * 1024))),
            executor.handlers.into_keys().collect::<Vec<_>>().join(","),
            executor.version,
            times.seconds(executor.lost_at.or(Some(executor.since))),
            times.seconds(executor.last_seen),
        ]);
    }
    table
}

/// Its state, and whether it will get work when it is back.
fn state(executor: &ExecutorView) -> String {
    let is_said = executor.state == ExecutorState::Drained || !executor.drained;
    if is_said { executor.state.to_string() } else { format!("{}, drained", executor.state) }
}
