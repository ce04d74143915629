//! `fastjob job next`: the next fires of a job.

use clap::Args;
use fastjob_client::{Call, Client, types::Fires};

use crate::cli::{error::Error, options::job_name, out::Out};

#[derive(Args)]
pub(in crate::cli) struct Next {
    /// The job, as name or service.name
    #[arg(value_parser = job_name)]
    name: String,
    /// How many fires to show, up to 1000
    #[arg(long, value_name = "N", default_value_t = 5)]
    count: u32,
}

impl Next {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let times = out.times();
        let answer = client.answer(Call::next_fires(&self.name, self.count)).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let Fires { fires } = answer.read()?;
        if fires.is_empty() {
            return out.line(format_args!("{} does not fire", self.name));
        }
        fires.into_iter().try_for_each(|fire| out.line(times.seconds(Some(fire))))
    }
}
