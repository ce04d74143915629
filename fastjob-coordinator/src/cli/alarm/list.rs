//! `fastjob alarm list`.

use clap::Args;
use fastjob_client::{Client, types::AlarmView};

use crate::cli::{
    client::items,
    error::Error,
    options::{job_name, limit},
    out::{Out, remark},
    table::Table,
};

#[derive(Args)]
pub(in crate::cli) struct List {
    /// Only alarms of this job
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    job: Option<String>,
    /// Only alarms on this channel
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Only alarms with this in the name of their job, their reason, message, executor or last error
    #[arg(long)]
    text: Option<String>,
    /// Show at most this many, up to 10000
    #[arg(long, value_name = "N", default_value = "50", value_parser = limit)]
    limit: usize,
}

impl List {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let times = out.times();
        let mut list = client.alarms();
        if let Some(job) = self.job {
            list = list.job(job);
        }
        if let Some(channel) = self.channel {
            list = list.channel(channel);
        }
        if let Some(text) = self.text {
            list = list.text(text);
        }
        let list = items(list, Some(self.limit)).await?;
        if out.is_json() {
            return out.json(&list);
        }
        if let Some(at) = list.searched_to() {
            remark(format_args!(
                "the search stopped at {}, because few alarms match: narrow it with --job or --channel",
                times.seconds(Some(at))
            ));
        }
        let alarms: Vec<AlarmView> = list.read()?;
        if alarms.is_empty() {
            return out.line("no alarms");
        }
        let mut table = Table::new(&[
            "RAISED",
            "JOB",
            "KIND",
            ">TASK",
            "CHANNEL",
            "STATE",
            ">TRIES",
            "DONE",
            "LAST ERROR",
        ]);
        for alarm in alarms {
            table.row([
                times.seconds(Some(alarm.at)),
                alarm.job,
                alarm.kind,
                alarm.task.map(|task| task.to_string()).unwrap_or_default(),
                alarm.channel,
                alarm.state,
                alarm.tries.to_string(),
                times.seconds(alarm.done_at),
                alarm.last_error.unwrap_or_default(),
            ]);
        }
        out.table(&table)
    }
}
