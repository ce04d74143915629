//! The fires of a past range: what a backfill starts tasks for.
//!
//! Only schedules whose fires hang on nothing but the clock have such fires; the others are refused.

use jiff::{SignedDuration, Timestamp};

use super::{Schedule, Timetable};

/// Fires of a range, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fires {
    /// The first of them, as many as were asked for at most.
    pub fires: Vec<Timestamp>,
    /// Whether the range has more.
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
        let mut after = super::before(from);
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
        let mut found = Fires::default();
        while let Some(fire) = self.next_after(after, anchor).filter(|fire| *fire < until) {
            if found.fires.len() == most {
                found.more = true;
                break;
            }
            found.fires.push(fire);
            after = fire;
        }
        Ok(found)
    }
}
