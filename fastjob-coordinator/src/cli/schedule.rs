//! `fastjob schedule`: when all jobs fire.

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{ScheduleQuery, ScheduleView},
};

use super::{
    error::Error,
    options::limit,
    out::{Out, remark},
    table::Table,
    times::{Moment, moment},
};

#[derive(Args)]
pub(super) struct Schedule {
    /// From this instant on, such as 18:00 or tomorrow [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    from: Option<Moment>,
    /// Up to this instant, the next one after --from, such as 06:00 or 12h [default: a day after
    /// --from]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// Only jobs of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only jobs with this label; several are combined
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Show at most this many fires of each job, up to 1000
    #[arg(long, value_name = "N", default_value_t = 10)]
    per_job: u32,
    /// Show at most this many fires, up to 10000
    #[arg(long, value_name = "N", default_value = "500", value_parser = limit)]
    limit: usize,
}

impl Schedule {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let times = out.times();
        let from = times.future_if(self.from.as_ref())?.unwrap_or_else(|| times.now());
        let until = self.until.map(|until| times.future_of(&until, from)).transpose()?;
        let query = ScheduleQuery {
            service: self.service,
            labels: self.label,
            from: Some(from),
            until,
            per_job: Some(self.per_job),
            limit: u32::try_from(self.limit).ok(),
        };
        let answer = client.answer(Call::schedule(&query)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let ScheduleView { items, until, cut_at, .. } = answer.read()?;
        let span = format!("{} to {}", times.seconds(Some(from)), times.seconds(Some(until)));
        if items.is_empty() {
            return out.line(format_args!("no job fires from {span}"));
        }
        let mut table = Table::new(&["FIRES AT", "JOB", ""]);
        for fire in items {
            table.row([
                times.seconds_and_in(Some(fire.at), fire.zone.as_deref()),
                format!("{}.{}", fire.service, fire.job),
                if fire.more { "and more often" } else { "\u{a0}" }.to_owned(),
            ]);
        }
        out.table(&table)?;
        if let Some(at) = cut_at {
            remark(format_args!(
                "there are more fires from {} on: continue there with --from, or raise --limit",
                times.seconds(Some(at))
            ));
        }
        Ok(())
    }
}
