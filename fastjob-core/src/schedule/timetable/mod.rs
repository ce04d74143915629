//! A schedule with its limits: when a job really fires.
//!
//! | | cron, fixed_rate | fixed_delay | once |
//! |---|---|---|---|
//! | before `start_at` | left out; the grid of a rate begins at `start_at`, with a fire there | moved to `start_at` | refused |
//! | after `end_at` | left out | left out | refused |
//! | in an excluded span | left out | moved to its end, or it would never fire again | refused |
//!
//! Both limits are instants that a fire may have. Like every rule this one is pure: who plans asks
//! for the fire after the last one, and may ask again.

mod backfill;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::backfill::{Fires, NoBackfill};
use super::{Calendar, Schedule};
use crate::id::JobId;

/// Longest jitter.
pub const JITTER_MOST: Duration = Duration::from_secs(3600);

/// A search that has met so many excluded fires, each in a span of its own, gives up.
///
/// A fire a day, left out every day, is found out after 27 years of it; at a microsecond a span.
const SPANS_MOST: usize = 10_000;

/// Everything is stored in whole milliseconds, so that this leads from an instant to what is before.
const BEFORE: SignedDuration = SignedDuration::from_millis(1);

/// When a job fires: its schedule, and the limits of that.
///
/// # Examples
///
/// ```
/// use fastjob_core::schedule::{Calendar, Limits, Schedule, Timetable, Zone};
/// use jiff::Timestamp;
///
/// let nights = Calendar::new(vec![], vec!["22-6".parse()?], Zone::default())?;
/// let limits = Limits { exclude: Some(nights), ..Limits::default() };
/// let each_second = Schedule::Cron("* * * * * ?".parse()?, Zone::default());
/// let timetable = Timetable::new(each_second, limits);
///
/// let evening: Timestamp = "2026-01-01T21:59:59Z".parse()?;
/// let morning = "2026-01-02T06:00:00Z".parse()?;
/// assert_eq!(timetable.next_after(evening, Timestamp::UNIX_EPOCH), Some(morning));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    schedule: Schedule,
    /// Most jobs of a million have none.
    limits: Option<Box<Limits>>,
}

/// What a schedule is limited by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// No fire before; a fixed rate counts from here.
    pub start_at: Option<Timestamp>,
    /// No fire after.
    pub end_at: Option<Timestamp>,
    /// Days and hours without fires.
    pub exclude: Option<Calendar>,
    /// Fires are due up to so much later, each job by its own part of it.
    pub jitter: Duration,
}

impl From<Schedule> for Timetable {
    fn from(schedule: Schedule) -> Self {
        Self { schedule, limits: None }
    }
}

impl Timetable {
    /// A schedule and its limits.
    pub fn new(schedule: Schedule, limits: Limits) -> Self {
        let limits = (limits != Limits::default()).then(|| Box::new(limits));
        Self { schedule, limits }
    }

    /// The schedule without its limits.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What the schedule is limited by, if it is.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_deref()
    }

    /// Whether the next fire hangs on the end of the last task.
    pub const fn follows_the_last_end(&self) -> bool {
        self.schedule.follows_the_last_end()
    }

    /// The first fire later than `after`.
    ///
    /// `anchor` is where the schedule counts from: the instant it was set or, for a fixed delay,
    /// the end of the last task. No fire is at or before the anchor. A fixed rate that has a
    /// `start_at` counts from that instead, so that its grid stays where it is when the job is
    /// edited.
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let Some(limits) = self.limits() else { return self.schedule.next_after(after, anchor) };
        let fire = match &self.schedule {
            Schedule::None => None,
            Schedule::Cron(..) | Schedule::FixedRate(_) => self.first_open(limits, after, anchor),
            Schedule::FixedDelay(_) => {
                let fire = self.schedule.next_after(Timestamp::MIN, anchor)?;
                let fire = limits.start_at.map_or(fire, |start| fire.max(start));
                limits.open_from(fire).filter(|fire| *fire > after)
            }
            Schedule::Once(_) => self.schedule.next_after(after, anchor).filter(|fire| {
                limits.start_at.is_none_or(|start| *fire >= start)
                    && limits.open_from(*fire) == Some(*fire)
            }),
        };
        fire.filter(|fire| limits.reach(*fire))
    }

    /// When a fire of `job` is due: at `fire_at`, or as much later as its jitter says.
    ///
    /// The same fire of the same job is due at the same instant whenever, and wherever, one asks;
    /// the fires of many jobs at one instant spread evenly. That is, in milliseconds, `fire_at` and
    /// the upper 64 bits of `mix(mix(job) ^ fire_at) * jitter`, with `mix` as in SplitMix64.
    pub fn due_at(&self, job: JobId, fire_at: Timestamp) -> Timestamp {
        let Some(jitter) = self.limits().map(|limits| limits.jitter.as_millis()) else {
            return fire_at;
        };
        // The bits are what counts, not the sign.
        let hash = mix(mix(job.0.cast_unsigned()) ^ fire_at.as_millisecond().cast_unsigned());
        let offset = (u128::from(hash) * jitter) >> 64;
        let offset = SignedDuration::from_millis(i64::try_from(offset).unwrap_or_default());
        // At the end of time there is no later instant.
        fire_at.checked_add(offset).unwrap_or(fire_at)
    }

    /// The first fire of a grid that is not excluded: from span to span, not from fire to fire.
    fn first_open(
        &self,
        limits: &Limits,
        after: Timestamp,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..SPANS_MOST {
            let fire = self.on_the_grid(limits, after, anchor)?;
            if !limits.reach(fire) {
                return None;
            }
            let opens = limits.open_from(fire)?;
            if opens == fire {
                return Some(fire);
            }
            after = before(opens);
        }
        None
    }

    /// The first fire that is not before `start_at`.
    fn on_the_grid(
        &self,
        limits: &Limits,
        after: Timestamp,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        let Some(start) = limits.start_at else { return self.schedule.next_after(after, anchor) };
        let after = after.max(anchor).max(before(start));
        match &self.schedule {
            // The first fire after this anchor is at `start`.
            Schedule::FixedRate(rate) => {
                let anchor = start.checked_sub(SignedDuration::try_from(*rate).ok()?).ok()?;
                self.schedule.next_after(after, anchor)
            }
            Schedule::None | Schedule::Cron(..) | Schedule::FixedDelay(_) | Schedule::Once(_) => {
                self.schedule.next_after(after, anchor)
            }
        }
    }
}

impl Limits {
    /// The first instant at or after `at` that is not excluded.
    fn open_from(&self, at: Timestamp) -> Option<Timestamp> {
        self.exclude.as_ref().map_or(Some(at), |calendar| calendar.open_from(at))
    }

    /// Whether `at` is not after the end.
    fn reach(&self, at: Timestamp) -> bool {
        self.end_at.is_none_or(|end| at <= end)
    }
}

/// The last instant before `at`.
fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(BEFORE).unwrap_or(Timestamp::MIN)
}

/// The step of SplitMix64 (Steele, Lea, Flood 2014): every bit of the one decides about half the
/// bits of the other.
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
