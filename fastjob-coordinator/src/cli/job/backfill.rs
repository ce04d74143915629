//! `fastjob job backfill`: starts tasks for the fires of a past range.

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{BackfillRequest, Backfilled},
};

use crate::cli::{
    error::Error,
    options::job_name,
    out::Out,
    progress::Progress,
    times::{Moment, moment},
};

#[derive(Args)]
pub(in crate::cli) struct Backfill {
    /// The job, as name or service.name
    #[arg(value_parser = job_name)]
    name: String,
    /// First instant of the range, such as yesterday, 24h or 2026-12-01T00:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    from: Moment,
    /// End of the range, exclusive [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// At most this many fires, up to 1000, the earliest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    max: u32,
    /// Also start fires that were backfilled before
    #[arg(long, conflicts_with = "key")]
    again: bool,
    /// Start each fire once for this key, also if it was backfilled before; safe to repeat
    #[arg(long)]
    key: Option<String>,
}

impl Backfill {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let times = out.times();
        let until = times.past_if(self.until.as_ref())?;
        let ask = BackfillRequest {
            from: times.past(&self.from)?.to_string(),
            until: until.map(|until| until.to_string()),
            max: Some(self.max),
            again: self.again,
            key: self.key.clone(),
        };
        let what = format!("starting tasks for the fires of {}", self.name);
        let progress = Progress::begin(out.progress(), what);
        let answer = client.answer(Call::backfill(&self.name, &ask)).await;
        drop(progress);
        let answer = answer?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let Backfilled { tasks, existing, more, .. } = answer.read()?;
        let (count, s) = (tasks.len(), if tasks.len() == 1 { "" } else { "s" });
        match (tasks.first(), tasks.last()) {
            (Some(first), Some(last)) => {
                out.line(format_args!("{count} task{s} started, {first} to {last}"))?;
            }
            _ if !existing.is_empty() => {}
            _ => out.line("there are no fires in that range")?,
        }
        if let (Some(first), Some(last)) = (existing.first(), existing.last()) {
            let (count, were) =
                (existing.len(), if existing.len() == 1 { " was" } else { "s were" });
            let (with, next) = match &self.key {
                Some(_) => (" with this key", "another --key"),
                None => ("", "--again"),
            };
            out.line(format_args!(
                "{count} fire{were} backfilled before{with}, as task {first} to {last}: {next} starts \
                 them again"
            ))?;
        }
        if more {
            out.line(format_args!("there are more than {} fires: see --max", self.max))?;
        }
        Ok(())
    }
}
