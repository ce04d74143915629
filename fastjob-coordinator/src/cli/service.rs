//! `fastjob service`: what has jobs, executors or open tasks of one name.

use clap::Subcommand;
use fastjob_client::{Call, Client};

use super::{error::Error, out::Out, table::Table};

#[derive(Subcommand)]
pub(super) enum Service {
    /// List the services with the number of their jobs, executors and open tasks
    List,
}

impl Service {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let Self::List = self;
        let answer = client.answer(Call::services()).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let services = answer.read()?.items;
        if services.is_empty() {
            return out.line("no services");
        }
        let mut table =
            Table::new(&["SERVICE", ">JOBS", ">ENABLED", ">EXECUTORS", ">QUEUED", ">RUNNING"]);
        let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        for service in services {
            table.row([
                service.service,
                service.jobs.to_string(),
                service.enabled.to_string(),
                service.executors.to_string(),
                count(service.queued),
                count(service.running),
            ]);
        }
        out.table(&table)
    }
}
