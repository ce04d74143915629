//! Lists of fires: of a past range, for which a backfill starts tasks, and those to come, which a
//! preview shows.
//!
//! Only schedules whose fires depend on nothing but the clock have fires in the past; the others
//! are refused. A list costs the work of each of its fires; the excluded spans on the way, which may
//! be many for each, are counted together and bounded.

use jiff::{SignedDuration, Timestamp};

use super::{LOOKS_MOST, Next, SPANS_MOST, Schedule, Timetable};

/// Fires of a range, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fires {
    /// The first of them, as many as were asked for at most.
    pub fires: Vec<Timestamp>,
    /// Whether the range has more, or may have more that were not looked for: a list passes over at
    /// most ten times [`SPANS_MOST`] excluded spans.
    pub more: bool,
}

/// The schedule has no fires in the past that one could speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only jobs with cron or fixed_rate can be filled in; the schedule of this one is {0}")]
pub struct NoBackfill(&'static str);

impl Timetable {
    /// The fires from `from` on and before `until`, at most `most` of them.
    ///
    /// They are those that the timetable, as it is now, would have had: also before `anchor`, the
    /// instant it was set, whose grid is carried on into the past. `start_at`, `end_at` and
    /// excluded days and hours hold.
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
                // Whole rates back, until it is no later than `after`.
                let since = anchor.as_millisecond().saturating_sub(after.as_millisecond()).max(0);
                let back = (since / rate + 1).saturating_mul(rate);
                anchor.checked_sub(SignedDuration::from_millis(back)).unwrap_or(Timestamp::MIN)
            }
        };
        Ok(self.list(after, super::before(until), anchor, most))
    }

    /// The next fires after `after`, at most `most` of them.
    ///
    /// There are fewer, and [`Fires::more`] is set, if the search passed over too many excluded
    /// spans.
    pub fn fires_after(&self, after: Timestamp, anchor: Timestamp, most: usize) -> Fires {
        self.list(after, Timestamp::MAX, anchor, most)
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
