//! Property tests: fires only advance, respect the limits, and equal those of the plain schedule
//! except for the excluded ones.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{JITTER_MOST, Limits, Timetable};
use crate::{
    id::JobId,
    schedule::{Calendar, Schedule, Zone},
};

const ZONES: &[(&str, &str)] = &[
    ("UTC", "2026-03-01T00:00:00Z"),
    ("Asia/Shanghai", "2026-03-01T00:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ("Africa/Cairo", "2027-04-29T22:00:00Z"),
];

/// A test case. Its instants are near a clock change.
#[derive(Clone, Debug)]
struct Case {
    timetable: Timetable,
    anchor: Timestamp,
    after: Timestamp,
}

fn any_grid() -> impl Strategy<Value = Case> {
    let crons =
        vec!["0 * * * * ?", "0 0/7 * * * ?", "0 30 2 * * ?", "0 0 0/3 * * ?", "30 15 1-4 * * ?"];
    let cron = proptest::sample::select(crons).prop_map(Err);
    let schedule = prop_oneof![cron, (20_000..20_000_000_u64).prop_map(Ok)];
    (
        proptest::sample::select(ZONES),
        schedule,
        proptest::array::uniform4(-72 * 3600..72 * 3600_i64),
        (any::<bool>(), any::<bool>()),
        proptest::collection::vec((0..24_u8, 1..14_u8), 0..3),
        proptest::sample::subsequence(
            vec!["mon", "thu", "sat..sun", "03-29", "10-25..11-01"],
            0..3,
        ),
    )
        .prop_map(|((zone, near), schedule, seconds, (starts, ends), hours, days)| {
            let zone: Zone = zone.parse().unwrap();
            let near: Timestamp = near.parse().unwrap();
            let at = |index: usize| near + SignedDuration::from_secs(seconds[index]);
            let schedule = match schedule {
                Ok(millis) => Schedule::FixedRate(Duration::from_millis(millis)),
                Err(cron) => Schedule::Cron(cron.parse().unwrap(), zone.clone()),
            };
            let hours = hours
                .into_iter()
                .map(|(from, long)| format!("{from}-{}", (from + long) % 24).parse().unwrap())
                .collect();
            let days = days.into_iter().map(|text| text.parse().unwrap()).collect();
            let limits = Limits {
                start_at: starts.then(|| at(2)),
                end_at: ends.then(|| at(3)),
                exclude: Calendar::new(days, hours, zone).ok(),
                jitter: Duration::ZERO,
            };
            Case { timetable: Timetable::new(schedule, limits), anchor: at(0), after: at(1) }
        })
}

impl Case {
    /// All fires up to `until`, found by checking each fire of the plain schedule.
    fn by_looking(&self, until: Timestamp) -> Vec<Timestamp> {
        let limits = self.timetable.limits().cloned().unwrap_or_default();
        let start = limits.start_at;
        let mut found = Vec::new();
        let mut step = |fire: Timestamp| {
            let fits = fire > self.after
                && fire > self.anchor
                && start.is_none_or(|start| fire >= start)
                && limits.end_at.is_none_or(|end| fire <= end)
                && limits.exclude.as_ref().is_none_or(|calendar| !calendar.excludes(fire));
            if fits {
                found.push(fire);
            }
        };
        match (self.timetable.schedule(), start) {
            (Schedule::FixedRate(rate), Some(start)) => {
                let mut fire = start;
                while fire <= until {
                    step(fire);
                    fire += *rate;
                }
            }
            (schedule, _) => {
                let mut from = self.after;
                while let Some(fire) = schedule.next_after(from, self.anchor) {
                    if fire > until {
                        break;
                    }
                    step(fire);
                    from = fire;
                }
            }
        }
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_fire_is_missed_or_invented(case in any_grid()) {
        let until = case.after.max(case.anchor) + SignedDuration::from_hours(5 * 24);
        let mut after = case.after;
        for fire in case.by_looking(until) {
            prop_assert_eq!(case.timetable.next_after(after, case.anchor), Some(fire));
            after = fire;
        }
        let next = case.timetable.next_after(after, case.anchor);
        prop_assert!(next.is_none_or(|next| next > until), "{:?}", next);
    }

    #[test]
    fn the_next_fire_is_later_within_the_limits_and_monotonic(
        case in any_grid(),
        later in 0..400_000_000_i64,
    ) {
        let (timetable, anchor) = (&case.timetable, case.anchor);
        let limits = timetable.limits().cloned().unwrap_or_default();
        let later = case.after + SignedDuration::from_millis(later);
        let (first, second) =
            (timetable.next_after(case.after, anchor), timetable.next_after(later, anchor));
        for (after, fire) in [(case.after, first), (later, second)] {
            let Some(fire) = fire else { continue };
            prop_assert!(fire > after && fire > anchor);
            prop_assert!(limits.start_at.is_none_or(|start| fire >= start));
            prop_assert!(limits.end_at.is_none_or(|end| fire <= end));
            prop_assert!(limits.exclude.as_ref().is_none_or(|calendar| !calendar.excludes(fire)));
        }
        match (first, second) {
            (None, second) => prop_assert_eq!(second, None),
            (Some(first), Some(second)) => prop_assert!(first <= second),
            (Some(_), None) => {}
        }
    }

    #[test]
    fn a_backfill_equals_the_planned_fires(case in any_grid(), hours in 1..48_i64) {
        // If the anchor is long ago, both are the same.
        let anchor = case.anchor - SignedDuration::from_hours(24 * 30);
        let (from, until) = (case.after, case.after + SignedDuration::from_hours(hours));
        let found = case.timetable.fires_between(from, until, anchor, usize::MAX).unwrap();
        prop_assert!(!found.more);
        let mut after = from - SignedDuration::from_millis(1);
        for fire in found.fires {
            prop_assert_eq!(case.timetable.next_after(after, anchor), Some(fire));
            after = fire;
        }
        let next = case.timetable.next_after(after, anchor);
        prop_assert!(next.is_none_or(|next| next >= until));
    }

    #[test]
    fn a_fixed_delay_fires_once_outside_excluded_spans_and_not_too_early(
        case in any_grid(),
        delay in 100..200_000_000_u64,
    ) {
        let limits = case.timetable.limits().cloned().unwrap_or_default();
        let delay = Duration::from_millis(delay);
        let timetable = Timetable::new(Schedule::FixedDelay(delay), limits.clone());
        let soonest = case.anchor + delay;
        let soonest = limits.start_at.map_or(soonest, |start| soonest.max(start));
        match timetable.next_after(case.anchor, case.anchor) {
            Some(fire) => {
                prop_assert!(fire >= soonest);
                prop_assert!(limits.exclude.as_ref().is_none_or(|c| !c.excludes(fire)));
                prop_assert!(limits.end_at.is_none_or(|end| fire <= end));
                prop_assert_eq!(timetable.next_after(fire, case.anchor), None);
            }
            // It always moves to the end of a span; only `end_at` removes it.
            None => prop_assert!(limits.end_at.is_some()),
        }
    }

    #[test]
    fn jitter_is_stable_and_within_its_bound(
        job in any::<i64>(),
        fire in -100_000_000_000_000..100_000_000_000_000_i64,
        jitter in 1..=JITTER_MOST.as_millis() as u64,
    ) {
        let jitter = Duration::from_millis(jitter);
        let limits = Limits { jitter, ..Limits::default() };
        let timetable = Timetable::new(Schedule::None, limits);
        let fire = Timestamp::from_millisecond(fire).unwrap();
        let due = timetable.due_at(JobId(job), fire);
        prop_assert!(fire <= due && due < fire + jitter);
        prop_assert_eq!(due, timetable.clone().due_at(JobId(job), fire));
    }
}
