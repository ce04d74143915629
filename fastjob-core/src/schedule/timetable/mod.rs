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

/// Longest jitter.
pub const JITTER_MOST: Duration = Duration::from_secs(3600);

/// One look for the next fire passes over at most so many excluded spans, at less than a microsecond
/// each.
pub const SPANS_MOST: usize = 1_000;

/// [`Timetable::next_after`], and a list of fires, pass over so many times as many.
///
/// 10,000 excluded fires in a row, each in a span of its own, are 27 years of a fire a day.
const LOOKS_MOST: usize = 10;

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

/// What one look for the next fire found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next fire.
    Fire(Timestamp),
    /// No fire up to and including this instant, and the look has done its share of the work: look
    /// again for fires later than this, at once or when that instant has come.
    LookAgain(Timestamp),
    /// No fire, however long one waits.
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
    ///
    /// # Work
    ///
    /// Without a calendar this is a single step: a cron expression visits each month up to its next
    /// fire, and ends with the year 2199. With a calendar each excluded span that has fires is one
    /// step more, and each day of it is looked at once. The search ends at [`END`] and after ten
    /// times [`SPANS_MOST`] spans, and then returns `None`. Callers that have to know whether there
    /// really is no fire, or that have to stay responsive, use [`look_after`](Self::look_after).
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        self.look(after, anchor, &mut { LOOKS_MOST * SPANS_MOST }).fire()
    }

    /// As [`next_after`](Self::next_after), but stops after [`SPANS_MOST`] excluded spans and says
    /// up to where there is no fire.
    pub fn look_after(&self, after: Timestamp, anchor: Timestamp) -> Next {
        self.look(after, anchor, &mut { SPANS_MOST })
    }

    /// Looks for the next fire, and takes the excluded spans that it passes over from `spans`.
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

    /// The instant after which, and the anchor from which, the plain schedule has the fires that
    /// are not before `start_at`.
    fn since_start(
        &self,
        limits: &Limits,
        after: Timestamp,
        anchor: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let Some(start) = limits.start_at else { return Some((after, anchor)) };
        let after = after.max(anchor).max(before(start));
        match &self.schedule {
            // The first fire after this anchor is at `start`.
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

/// The step of SplitMix64 (Steele, Lea, Flood 2014): every bit of the one decides about half the
/// bits of the other.
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
