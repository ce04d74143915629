//! `fastjob repair`: fixes a store after a wrong clock, a restored backup or damage to its index.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    error::Error,
    options,
    out::{Out, remark},
    table::Table,
};
use crate::{
    Config,
    coordinator::repair::{self, ClockRepair, IdsRepair, IndexRepair, Mode},
};

#[derive(Subcommand)]
pub(super) enum Repair {
    /// Set the clocks of the store back to now, after a coordinator ran with a clock that was ahead
    ///
    /// Schedules are paused until the clock has caught up with the times recorded in the store.
    /// This sets the recorded times back, so that schedules resume now. First correct the machine's
    /// clock and stop all coordinators.
    Clock(What),
    /// Raise the ids of the store by 1,000,000,000, after a backup was restored
    ///
    /// This ensures that ids assigned after the backup are never assigned again. First stop all
    /// coordinators.
    Ids(What),
    /// Rebuild the index of ended tasks, after lists or logs report that it cannot be read
    ///
    /// Lists by job and by state, and the removal of old tasks, use the index. It is built from the
    /// tasks themselves, about a million in ten seconds. First stop all coordinators.
    Index(What),
}

#[derive(Args)]
pub(super) struct What {
    /// The store, as sqlite:PATH or postgres://… (FASTJOB_STORE) [default: sqlite:fastjob-data/fastjob.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Take the password for the store from this file (FASTJOB_STORE_PASSWORD_FILE)
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// Write; without it, only show what would be written
    #[arg(long)]
    yes: bool,
}

impl What {
    fn over(&self, config: &mut Config) -> Result<Mode, Error> {
        if let Some(store) = &self.store {
            config.coordinator.store = options::store(store)?;
            options::shows_password(&config.coordinator.store).into_iter().for_each(remark);
        }
        if let Some(path) = &self.store_password_file {
            config.coordinator.store_password_file = Some(path.clone());
        }
        Ok(if self.yes { Mode::Write } else { Mode::Show })
    }
}

impl Repair {
    pub(super) async fn run(self, mut config: Config, out: &mut Out<'_>) -> Result<(), Error> {
        match self {
            Self::Clock(what) => {
                let mode = what.over(&mut config)?;
                let repaired = repair::clock(&config, mode).await;
                show_clock(&repaired.map_err(|err| Error::from_chain(&err))?, out)
            }
            Self::Ids(what) => {
                let mode = what.over(&mut config)?;
                let repaired = repair::ids(&config, mode).await;
                show_ids(&repaired.map_err(|err| Error::from_chain(&err))?, out)
            }
            Self::Index(what) => {
                let mode = what.over(&mut config)?;
                let repaired = repair::index(&config, mode).await;
                show_index(&repaired.map_err(|err| Error::from_chain(&err))?, out)
            }
        }
    }
}

fn show_clock(repaired: &ClockRepair, out: &mut Out<'_>) -> Result<(), Error> {
    if out.is_json() {
        return out.json(repaired);
    }
    let times = out.times();
    let ClockRepair { store, now, written, partitions, jobs, attempts } = repaired;
    if partitions.is_empty() && *jobs == 0 && *attempts == 0 {
        return out.line(format_args!(
            "no time in {store} is later than now, {}",
            times.millis(Some(*now))
        ));
    }
    let mut table =
        Table::new(&["PARTITION", "CLOCK", "CLOCK AFTER", "WATERMARK", "WATERMARK AFTER"]);
    for partition in partitions {
        let (clock, watermark) = (partition.clock, partition.watermark);
        table.row([
            partition.partition.to_string(),
            times.millis(clock.before),
            times.millis(clock.after),
            times.millis(watermark.before),
            times.millis(watermark.after),
        ]);
    }
    out.table(&table)?;
    out.line(format_args!(
        "jobs whose schedule starts from a later time than now: {jobs}\n\
         open attempts created later than now: {attempts}"
    ))?;
    end(*written, store, out)
}

fn show_ids(repaired: &IdsRepair, out: &mut Out<'_>) -> Result<(), Error> {
    if out.is_json() {
        return out.json(repaired);
    }
    let mut table = Table::new(&["PARTITION", ">IDS BELOW", ">AFTER"]);
    for partition in &repaired.partitions {
        let ids = partition.ids_until;
        table.row([partition.partition.to_string(), ids.before.to_string(), ids.after.to_string()]);
    }
    out.table(&table)?;
    end(repaired.written, &repaired.store, out)
}

fn show_index(repaired: &IndexRepair, out: &mut Out<'_>) -> Result<(), Error> {
    if out.is_json() {
        return out.json(repaired);
    }
    let IndexRepair { store, written, tasks } = repaired;
    out.line(format_args!("ended tasks: {tasks}"))?;
    end(*written, store, out)
}

fn end(written: bool, store: &str, out: &mut Out<'_>) -> Result<(), Error> {
    if written {
        return out.line(format_args!("written to {store}"));
    }
    out.line("nothing was written: stop all coordinators, then run this again with --yes")
}
