//! Property tests: for every kind of schedule, a plan equals what a walk over all fires finds.

use proptest::prelude::*;

use super::*;

const JOB: JobId = JobId(7);

/// Zones, each with an instant near a clock change.
const ZONES: &[(&str, &str)] = &[
    ("UTC", "2026-03-01T00:00:00Z"),
    ("Asia/Shanghai", "1991-09-14T15:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2151-11-07T06:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
    ("Africa/Cairo", "2027-04-29T22:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
];

const CRONS: &[&str] = &[
    "* * * * * ?",
    "*/7 * * * * ?",
    "0 * * * * ?",
    "0 0/7 * * * ?",
    "0 0 * * * ?",
    "0 30 1-3 * * ?",
    "15,45 0,30 0-3 * * ?",
    "0 30 2 * * ?",
    "0 0 0 * * ?",
    "0 0 12 L * ?",
    "0 0 12 LW * ?",
    "0 0 12 15W * ?",
    "0 0 12 L-3W 3,10 ?",
    "0 0 6 ? * MON-FRI",
    "0 0 6 ? * 6#3",
    "0 0 6 ? * 1L",
    "0 0 0 29 2 ?",
    "0 0 1-3 29 3 ? 2026-2030",
    "0 0 0 1 1 ? 2199",
    "*/20 * * * *",
    "30 2 * * 0",
    "0 0 13 * 5",
    "@monthly",
];

const DAYS: &[&str] =
    &["mon", "thu", "sat..sun", "03-29", "10-25..11-01", "2026-03-01..2026-04-15"];

#[derive(Clone, Debug)]
struct Case {
    timetable: Timetable,
    strategy: MisfireStrategy,
    anchor: Timestamp,
    after: Timestamp,
    now: Timestamp,
}

fn any_schedule() -> impl Strategy<Value = (Schedule, Zone, Timestamp)> {
    let cron = proptest::sample::select(CRONS).prop_map(|text| text.parse().unwrap());
    (
        proptest::sample::select(ZONES),
        0..10_u8,
        cron,
        100..400_000_000_u64,
        -72 * 3600..72 * 3600_i64,
    )
        .prop_map(|((zone, near), kind, cron, millis, seconds)| {
            let (zone, near): (Zone, Timestamp) = (zone.parse().unwrap(), near.parse().unwrap());
            let every = Duration::from_millis(millis);
            let schedule = match kind {
                0 => Schedule::None,
                1 => Schedule::Once(near + SignedDuration::from_secs(seconds)),
                2 => Schedule::FixedDelay(every),
                // Rates of seconds, and of days.
                3 => Schedule::FixedRate(Duration::from_millis(millis % 20_000 + 100)),
                4 => Schedule::FixedRate(every),
                _ => Schedule::Cron(cron, zone.clone()),
            };
            (schedule, zone, near)
        })
}

/// Days and hours that are excluded, whether there is a start and an end, and the jitter.
type AnyLimits = (Vec<&'static str>, Vec<(u8, u8)>, bool, bool, u64);

fn any_limits() -> impl Strategy<Value = AnyLimits> {
    (
        prop_oneof![2 => Just(vec![]), 1 => proptest::sample::subsequence(DAYS.to_vec(), 1..3)],
        prop_oneof![2 => Just(vec![]), 1 => proptest::collection::vec((0..24_u8, 1..14_u8), 1..3)],
        prop_oneof![3 => Just(false), 1 => Just(true)],
        prop_oneof![3 => Just(false), 1 => Just(true)],
        prop_oneof![2 => Just(0), 1 => 1..60_u64, 1 => 60..3600_u64],
    )
}

fn any_strategy() -> impl Strategy<Value = MisfireStrategy> {
    prop_oneof![
        Just(MisfireStrategy::Skip),
        Just(MisfireStrategy::FireOnce),
        (1..50_u32, proptest::option::of(1..400_000_u64)).prop_map(|(max, window)| {
            MisfireStrategy::FireAll { max, window: window.map(Duration::from_secs) }
        }),
    ]
}

fn any_case() -> impl Strategy<Value = Case> {
    // From seconds to years.
    let gap =
        (0..9_u32, 1.0..10.0_f64).prop_map(|(size, by)| (10_f64.powi(size as i32) * by) as i64);
    let near = proptest::array::uniform4(-72 * 3_600_000..72 * 3_600_000_i64);
    (any_schedule(), any_limits(), any_strategy(), near, gap).prop_map(
        |((schedule, zone, near), (days, hours, starts, ends, jitter), strategy, millis, gap)| {
            let at = |index: usize| near + SignedDuration::from_millis(millis[index]);
            let hours = hours
                .into_iter()
                .map(|(from, long)| format!("{from}-{}", (from + long) % 24).parse().unwrap());
            let hours: Vec<_> = hours.collect();
            let days: Vec<_> = days.into_iter().map(|text| text.parse().unwrap()).collect();
            let some = !days.is_empty() || !hours.is_empty();
            let limits = Limits {
                start_at: starts.then(|| at(2)),
                end_at: ends.then(|| at(3)),
                exclude: some.then(|| Calendar::new(days, hours, zone).ok()).flatten(),
                jitter: Duration::from_secs(jitter),
            };
            let now = at(1) + SignedDuration::from_secs(gap);
            let timetable = Timetable::new(schedule, limits);
            Case { timetable, strategy, anchor: at(0), after: at(1), now }
        },
    )
}

impl Case {
    /// The fires of the range, found one by one. If there are too many, the case is shortened.
    fn walk(&mut self) -> Vec<Timestamp> {
        let grace = SignedDuration::from_secs(5);
        let mut fires = Vec::new();
        let mut from = self.after;
        while let Some(fire) = self.timetable.next_after(from, self.anchor) {
            if fire > self.now - grace {
                break;
            }
            fires.push(fire);
            from = fire;
            if fires.len() == 4_000 {
                self.now = fire + grace;
            }
        }
        fires
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_plan_is_what_a_walk_over_all_fires_finds(mut case in any_case()) {
        let fires = case.walk();
        let Case { timetable, strategy, anchor, after, now } = &case;
        let (found, from) = plan(*strategy, JOB, timetable, *anchor, *after, *now);

        let late = |fire: &Timestamp| is_misfire(timetable.due_at(JOB, *fire), *now);
        let (mut missed, in_time): (Vec<_>, Vec<_>) = fires.into_iter().partition(late);
        let total = missed.len() as u64;
        let (most, oldest) = strategy.keeps(*now);
        let mut caught_up = missed.split_off(missed.len().saturating_sub(most));
        let too_old = caught_up.partition_point(|fire| *fire < oldest);
        missed.extend(caught_up.drain(..too_old));

        prop_assert_eq!(&found.in_time, &in_time);
        prop_assert_eq!(&found.caught_up, &caught_up);
        let counted = |count: Count, number: u64| {
            if count.at_least { count.number <= number } else { count.number == number }
        };
        let skips = *strategy != MisfireStrategy::FireOnce && !missed.is_empty();
        prop_assert_eq!(found.skipped.is_some(), skips);
        if let Some(skipped) = &found.skipped {
            prop_assert_eq!(Some(&skipped.first), missed.first());
            prop_assert_eq!(Some(&skipped.last), missed.last());
            prop_assert!(counted(skipped.count, missed.len() as u64), "{skipped:?} of {total}");
        }
        let stands_for = match strategy {
            MisfireStrategy::FireOnce => total,
            MisfireStrategy::Skip | MisfireStrategy::FireAll { .. } => u64::from(!caught_up.is_empty()),
        };
        prop_assert!(counted(found.stands_for, stands_for), "{:?} of {total}", found.stands_for);
        if timetable.limits().is_none_or(|limits| limits.exclude.is_none()) {
            prop_assert!(!found.stands_for.at_least);
        }

        // No decided fire fires again, and no later fire is lost.
        prop_assert_eq!(from, (*now - SignedDuration::from_secs(5)).max(*after));
    }
}
