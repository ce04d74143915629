//! `fastjob alarm silence`, `silences` and `unsilence`: suppresses alarms for a while.

use fastjob_client::{
    Call, Client,
    types::{Page, SilenceRequest},
};
use std::time::Duration;

use clap::{ArgGroup, Args};
use fastjob_core::duration;

use crate::cli::{
    error::Error,
    options::{job_name, span},
    out::Out,
    table::Table,
    times::{Moment, moment},
};

#[derive(Args)]
#[command(
    group = ArgGroup::new("what").args(["job", "channel"]).required(true).multiple(true),
    group = ArgGroup::new("end").args(["span", "until"]).required(true),
    override_usage = "fastjob alarm silence [--job <NAME>] [--channel <NAME>] \
                      <--for <SPAN> | --until <WHEN>> [--reason <TEXT>]\n\n\
                      Set a job, a channel, or both, and the end of the silence."
)]
pub(in crate::cli) struct Silence {
    /// Silence this job, on every channel or only on --channel
    #[arg(long, value_name = "NAME", value_parser = job_name)]
    job: Option<String>,
    /// Silence this channel, for every job or only for --job
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Silence for this long, such as 2h, at most 30 days
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    span: Option<Duration>,
    /// Silence until this instant, such as 18:00, tomorrow or 2026-12-01T08:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// The reason, in at most 200 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Silence {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let times = out.times();
        let until = times.future_if(self.until.as_ref())?;
        let ask = SilenceRequest {
            job: self.job,
            channel: self.channel,
            until: until.map(|until| until.to_string()),
            span: self.span.map(duration::to_text),
            reason: self.reason,
        };
        let answer = client.answer(Call::silence(&ask)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let silence = answer.read()?;
        let until = times.seconds(Some(silence.until));
        out.line(format_args!("silence {} until {until}", silence.id))
    }
}

#[derive(Args)]
pub(in crate::cli) struct Unsilence {
    /// The silence's number, as `fastjob alarm silences` shows it
    id: i64,
}

impl Unsilence {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        client.unsilence(self.id).await?;
        if out.is_json() {
            return out.json(&serde_json::json!({ "id": self.id, "ended": true }));
        }
        out.line(format_args!("silence {} ended", self.id))
    }
}

pub(super) async fn list(client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let times = out.times();
    let answer = client.answer(Call::silences()).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    let Page { items: silences, .. } = answer.read()?;
    if silences.is_empty() {
        return out.line("nothing is silenced");
    }
    let mut table = Table::new(&[">SILENCE", "JOB", "CHANNEL", "SINCE", "UNTIL", "REASON"]);
    for silence in silences {
        table.row([
            silence.id.to_string(),
            silence.job.unwrap_or_else(|| "every job".to_owned()),
            silence.channel.unwrap_or_else(|| "every channel".to_owned()),
            times.seconds(Some(silence.created_at)),
            times.seconds(Some(silence.until)),
            silence.reason,
        ]);
    }
    out.table(&table)
}
