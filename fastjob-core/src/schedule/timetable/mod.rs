//! A schedule with its limits: when a job actually fires.
//!
//! | | cron, fixed_rate | fixed_delay | once |
//! |---|---|---|---|
//! | before `start_at` | skipped; the grid of a rate begins at `start_at`, with a fire there | moved to `start_at` | rejected |
//! | after `end_at` | skipped | skipped | rejected |
//! | in an excluded span | skipped | moved to its end, otherwise it would never fire again | rejected |
//!
//! A fire may be exactly at `start_at` or `end_at`. This rule is pure: the caller passes the last
//! fire to get the next one, and may repeat the call.

mod back;
mod backfill;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::backfill::{Fires, NoBackfill};
use super::{Calendar, END, Schedule};
use crate::id::JobId;

/// Maximum jitter.
pub const JITTER_MOST: Duration = Duration::from_secs(3600);

/// Maximum number of excluded spans that one search for the next fire skips, at less than a
/// microsecond each.
pub const SPANS_MOST: usize = 1_000;

/// [`Timetable::next_after`], and a list of fires, skip this many times as many.
///
/// 10,000 consecutive excluded fires, each in its own span, are 27 years with one fire per day.
const LOOKS_MOST: usize = 10;

/// Everything is stored in whole milliseconds, so subtracting this gives the previous instant.
const BEFORE: SignedDuration = SignedDuration::from_millis(1);

/// When a job fires: its schedule and its limits.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timetable {
    schedule: Schedule,
    /// Most jobs have no limits.
    limits: Option<Box<Limits>>,
}

/// The limits of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// No fires before this instant; a fixed rate counts from here.
    pub start_at: Option<Timestamp>,
    /// No fires after this instant.
    pub end_at: Option<Timestamp>,
    /// Days and hours without fires.
    pub exclude: Option<Calendar>,
    /// Maximum delay of fires; each fire of each job gets its own delay.
    pub jitter: Duration,
}

/// The result of one search for the next fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next fire.
    Fire(Timestamp),
    /// There is no fire up to and including this instant, and the search has reached its limit.
    /// Search again for fires after this instant, at once or when it has come.
    LookAgain(Timestamp),
    /// There will never be another fire.
    Never,
}

impl Next {
    /// The fire, if one was found.
    pub const fn fire(self) -> Option<Timestamp> {
        match self {
            Self::Fire(fire) => Some(fire),
            Self::LookAgain(_) | Self::Never => None,
        }
    }
}

impl From<Option<Timestamp>> for Next {
    fn from(fire: Option<Timestamp>) -> Self {
        fire.map_or(Self::Never, Self::Fire)
    }
}

impl From<Schedule> for Timetable {
    fn from(schedule: Schedule) -> Self {
        Self { schedule, limits: None }
    }
}

impl Timetable {
    /// Creates a timetable of a schedule and its limits.
    pub fn new(schedule: Schedule, limits: Limits) -> Self {
        let limits = (limits != Limits::default()).then(|| Box::new(limits));
        Self { schedule, limits }
    }

    /// The schedule without its limits.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The limits, if there are any.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_deref()
    }

    /// Whether the next fire depends on the end of the last task.
    pub const fn follows_the_last_end(&self) -> bool {
        self.schedule.follows_the_last_end()
    }

    /// The first fire later than `after`.
    ///
    /// `anchor` is the instant that the schedule counts from: when it was set or, for a fixed
    /// delay, the end of the last task. No fire is at or before the anchor. A fixed rate with a
    /// `start_at` counts from that instead, so that its grid does not move when the job is edited.
    ///
    /// # Work
    ///
    /// Without a calendar this is a single step: a cron expression visits each month up to its next
    /// fire, and ends with the year 2199. With a calendar, each excluded span that has fires costs
    /// one more step, and each of its days is visited once. The search ends at [`END`] and after
    /// ten times [`SPANS_MOST`] spans, and then returns `None`. Callers that need to know whether
    /// there really is no fire, or that must stay responsive, use [`look_after`](Self::look_after).
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        self.look(after, anchor, &mut { LOOKS_MOST * SPANS_MOST }).fire()
    }

    /// Like [`next_after`](Self::next_after), but stops after [`SPANS_MOST`] excluded spans and
    /// returns the instant up to which there is no fire.
    pub fn look_after(&self, after: Timestamp, anchor: Timestamp) -> Next {
        self.look(after, anchor, &mut { SPANS_MOST })
    }

    /// Searches the next fire, and subtracts the excluded spans that it skips from `spans`.
    fn look(&self, after: Timestamp, anchor: Timestamp, spans: &mut usize) -> Next {
        let limits = match (self.limits(), &self.schedule) {
            (Some(limits), Schedule::Cron(..) | Schedule::FixedRate(_)) => {
                return self.first_open(limits, after, anchor, spans);
            }
            (limits, _) => limits,
        };
        let Some(limits) = limits else {
            return self.schedule.next_after(after, anchor).into();
        };
        let fire = match &self.schedule {
            Schedule::FixedDelay(_) => self
                .schedule
                .next_after(Timestamp::MIN, anchor)
                .map(|fire| limits.start_at.map_or(fire, |start| fire.max(start)))
                .and_then(|fire| limits.open_from(fire))
                .filter(|fire| *fire > after),
            Schedule::Once(_) => self.schedule.next_after(after, anchor).filter(|fire| {
                limits.start_at.is_none_or(|start| *fire >= start)
                    && limits.open_from(*fire) == Some(*fire)
            }),
            Schedule::None | Schedule::Cron(..) | Schedule::FixedRate(_) => None,
        };
        fire.filter(|fire| limits.reach(*fire)).into()
    }

    /// Whether the calendar excludes `at`.
    pub fn excludes(&self, at: Timestamp) -> bool {
        let exclude = self.limits().and_then(|limits| limits.exclude.as_ref());
        exclude.is_some_and(|calendar| calendar.excludes(at))
    }

    /// When a fire of `job` is due: at `fire_at`, plus its jitter.
    ///
    /// The same fire of the same job is always due at the same instant, on every node. The fires of
    /// many jobs at one instant are spread evenly. The delay in milliseconds is the upper 64 bits
    /// of `mix(mix(job) ^ fire_at) * jitter`, with `mix` as in SplitMix64.
    pub fn due_at(&self, job: JobId, fire_at: Timestamp) -> Timestamp {
        let Some(jitter) = self.limits().map(|limits| limits.jitter.as_millis()) else {
            return fire_at;
        };
        // Only the bits matter, not the sign.
        let hash = mix(mix(job.0.cast_unsigned()) ^ fire_at.as_millisecond().cast_unsigned());
        let offset = (u128::from(hash) * jitter) >> 64;
        let offset = SignedDuration::from_millis(i64::try_from(offset).unwrap_or_default());
        // Near the end of time, there may be no later instant.
        fire_at.checked_add(offset).unwrap_or(fire_at)
    }

    /// The first fire of a grid that is not excluded. Skips whole spans, not single fires.
    fn first_open(
        &self,
        limits: &Limits,
        after: Timestamp,
        anchor: Timestamp,
        spans: &mut usize,
    ) -> Next {
        let mut after = after;
        loop {
            let fire = self.on_the_grid(limits, after, anchor);
            let Some(fire) = fire.filter(|fire| limits.reach(*fire)) else { return Next::Never };
            match limits.open_from(fire) {
                Some(opens) if opens == fire => return Next::Fire(fire),
                Some(opens) => after = before(opens),
                None => return Next::Never,
            }
            *spans = spans.saturating_sub(1);
            if *spans == 0 {
                return Next::LookAgain(after);
            }
        }
    }

    /// The first fire that is not before `start_at`.
    fn on_the_grid(
        &self,
        limits: &Limits,
        after: Timestamp,
        anchor: Timestamp,
    ) -> Option<Timestamp> {
        let (after, anchor) = self.since_start(limits, after, anchor)?;
        self.schedule.next_after(after, anchor)
    }

    /// The instant and the anchor for which the plain schedule returns the fires that are not
    /// before `start_at`.
    fn since_start(
        &self,
        limits: &Limits,
        after: Timestamp,
        anchor: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let Some(start) = limits.start_at else { return Some((after, anchor)) };
        let after = after.max(anchor).max(before(start));
        match &self.schedule {
            // With this anchor, the first fire is at `start`.
            Schedule::FixedRate(rate) => {
                let anchor = start.checked_sub(SignedDuration::try_from(*rate).ok()?).ok()?;
                Some((after, anchor))
            }
            Schedule::None | Schedule::Cron(..) | Schedule::FixedDelay(_) | Schedule::Once(_) => {
                Some((after, anchor))
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
        at <= self.last()
    }

    /// The last instant that a fire can have.
    fn last(&self) -> Timestamp {
        let end = self.end_at.unwrap_or(Timestamp::MAX);
        if self.exclude.is_some() { end.min(before(END)) } else { end }
    }
}

/// The last instant before `at`.
fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(BEFORE).unwrap_or(Timestamp::MIN)
}

/// The mixing step of SplitMix64 (Steele, Lea, Flood 2014): every input bit affects about half of
/// the output bits.
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
