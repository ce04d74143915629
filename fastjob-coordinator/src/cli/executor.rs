//! `fastjob executor`: the connected executors and their state.

use clap::Subcommand;
use fastjob_client::{Client, types::ExecutorView};

use super::{client::items, error::Error, options::limit, out::Out, table::Table};

#[derive(Subcommand)]
pub(super) enum Executor {
    /// List executors with what they run
    List {
        /// Show at most this many, up to 10000 [default: all]
        #[arg(long, value_name = "N", value_parser = limit)]
        limit: Option<usize>,
    },
}

impl Executor {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let Self::List { limit } = self;
        let times = out.times();
        let list = items(client.executors(), limit).await?;
        if out.is_json() {
            return out.json(&list);
        }
        let executors: Vec<ExecutorView> = list.read()?;
        if executors.is_empty() {
            return out.line("no executors");
        }
        let mut table = Table::new(&[
            "EXECUTOR",
            "SERVICE",
            "STATE",
            ">RUNNING",
            ">WAITING",
            ">CAPACITY",
            ">CPU",
            ">MEMORY FREE",
            "HANDLERS",
            "VERSION",
            "SINCE",
        ]);
        for executor in executors {
            let state = match (executor.connected, executor.leaving) {
                (false, _) => "disconnected",
                (true, true) => "draining",
                (true, false) => "connected",
            };
            table.row([
                executor.name,
                executor.service,
                state.to_owned(),
                executor.running.to_string(),
                executor.waiting.to_string(),
                executor.capacity.to_string(),
                format!("{:.0}%", executor.cpu * 100.0),
                format!("{} MiB", executor.memory_free / (1024 * 1024)),
                executor.handlers.into_keys().collect::<Vec<_>>().join(","),
                executor.version,
                times.seconds(Some(executor.since)),
            ]);
        }
        out.table(&table)
    }
}
