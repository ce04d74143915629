//! Previews when a schedule would fire.

use fastjob_core::{
    instant,
    schedule::{Cron, Zone},
};
use jiff::Timestamp;

use super::{Error, Fires, Ops};
use crate::clock::wall_now;

/// Maximum number of fires in a preview.
const MOST: u32 = 1_000;

impl Ops {
    /// The next fires of a cron expression.
    #[expect(clippy::unused_self, reason = "called like every other operation")]
    pub(crate) fn preview(
        &self,
        cron: &str,
        zone: Option<&str>,
        after: Option<&str>,
        count: Option<u32>,
    ) -> Result<Fires, Error> {
        let cron: Cron = cron.parse().map_err(|err| Error::invalid("cron", err))?;
        let zone: Zone = zone
            .map_or_else(|| Ok(Zone::default()), str::parse)
            .map_err(|err| Error::invalid("zone", err))?;
        let mut after: Timestamp = match after {
            Some(text) => instant::parse(text).map_err(|err| Error::invalid("after", err))?,
            None => wall_now(),
        };
        let most = self::count(count)?;
        let mut fires = Vec::new();
        while fires.len() < most {
            let Some(next) = cron.next_after(after, zone.time_zone()) else { break };
            fires.push(next);
            after = next;
        }
        Ok(Fires { fires })
    }
}

/// How many fires to show.
pub(super) fn count(count: Option<u32>) -> Result<usize, Error> {
    match count {
        None => Ok(5),
        Some(count @ 1..=MOST) => Ok(count as usize),
        Some(other) => Err(Error::invalid("count", format!("{other} is not between 1 and {MOST}"))),
    }
}
