//! Lists fires: of a past range, for a backfill, and of the future, for a preview.
//!
//! Only schedules that depend on nothing but the clock have past fires; others are rejected. A list
//! costs the work of each of its fires. The excluded spans between them, which may be many per
//! fire, are counted together and bounded.

use jiff::{SignedDuration, Timestamp};

use super::{LOOKS_MOST, Next, SPANS_MOST, Schedule, Timetable};

/// Fires of a range, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fires {
    /// The first fires of the range, up to the requested number.
    pub fires: Vec<Timestamp>,
    /// Whether the range has more fires, or may have more: a search skips at most ten times
    /// [`SPANS_MOST`] excluded spans.
    pub more: bool,
}

/// The schedule has no past fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("backfill needs a cron or fixed_rate schedule; this job's schedule is {0}")]
pub struct NoBackfill(&'static str);

impl Timetable {
    /// The fires from `from` on and before `until`, at most `most` of them.
    ///
    /// These are the fires that the current timetable would have had, also before `anchor`, the
    /// instant it was set: its grid is extended into the past. `start_at`, `end_at` and excluded
    /// days and hours apply.
    ///
    /// # Errors
    ///
    /// Fails with [`NoBackfill`] if the schedule is neither cron nor a fixed rate.
    pub fn fires_between(
        &self,
        from: Timestamp,
        until: Timestamp,
        anchor: Timestamp,
        most: usize,
    ) -> Result<Fires, NoBackfill> {
        let after = super::before(from);
        let anchor = match &self.schedule {
            Schedule::None => return Err(NoBackfill("none")),
            Schedule::FixedDelay(_) => return Err(NoBackfill("fixed_delay")),
            Schedule::Once(_) => return Err(NoBackfill("once")),
            Schedule::Cron(..) => Timestamp::MIN,
            Schedule::FixedRate(_) if self.limits().is_some_and(|l| l.start_at.is_some()) => {
                Timestamp::MIN
            }
            Schedule::FixedRate(rate) => {
                let rate = i64::try_from(rate.as_millis()).unwrap_or(i64::MAX).max(1);
                // Go back by whole rates, until it is not later than `after`.
                let since = anchor.as_millisecond().saturating_sub(after.as_millisecond()).max(0);
                let back = (since / rate + 1).saturating_mul(rate);
                anchor.checked_sub(SignedDuration::from_millis(back)).unwrap_or(Timestamp::MIN)
            }
        };
        Ok(self.list(after, super::before(until), anchor, most))
    }

    /// The next fires after `after`, at most `most` of them.
    ///
    /// There are fewer, and [`Fires::more`] is set, if the search skipped too many excluded spans.
    pub fn fires_after(&self, after: Timestamp, anchor: Timestamp, most: usize) -> Fires {
        self.list(after, Timestamp::MAX, anchor, most)
    }

    /// The fires from `from` on and before `until`, at most `most` of them, as the schedule stands:
    /// unlike [`fires_between`](Self::fires_between), none before `anchor`. [`Fires::more`] is set if
    /// there are, or may be, more.
    pub fn fires_within(
        &self,
        (from, until): (Timestamp, Timestamp),
        anchor: Timestamp,
        most: usize,
    ) -> Fires {
        self.list(super::before(from), super::before(until), anchor, most)
    }

    /// The first fires later than `after` and not later than `until`.
    fn list(&self, after: Timestamp, until: Timestamp, anchor: Timestamp, most: usize) -> Fires {
        let (mut after, mut spans) = (after, LOOKS_MOST * SPANS_MOST);
        let mut found = Fires::default();
        loop {
            match self.look(after, anchor, &mut spans) {
                Next::Fire(at) | Next::LookAgain(at) if at > until => return found,
                Next::Never => return found,
                Next::Fire(fire) if found.fires.len() < most => {
                    found.fires.push(fire);
                    after = fire;
                }
                Next::Fire(_) | Next::LookAgain(_) => {
                    found.more = true;
                    return found;
                }
            }
        }
    }
}
