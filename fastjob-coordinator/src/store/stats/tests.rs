//! What is written is read back, and the order of additions does not matter.

use proptest::prelude::*;

use super::*;

/// A task that ended: its state, and its times.
fn task() -> impl Strategy<Value = (TaskState, Option<Times>)> {
    let millis = || prop_oneof![0..20_u64, 0..100_000_u64, 0..i64::MAX as u64];
    let times = (millis(), millis(), proptest::option::of(proptest::option::of(millis())));
    let times = times.prop_map(|(run_time, wait, lateness)| Times {
        run_time,
        wait,
        // Often the same as the wait.
        lateness: lateness.map(|other| other.unwrap_or(wait)),
    });
    (proptest::sample::select(&STATES[..]), proptest::option::weighted(0.8, times))
}

fn sum(tasks: &[(TaskState, Option<Times>)]) -> Stats {
    let mut stats = Stats::default();
    tasks.iter().for_each(|(state, times)| stats.add(*state, *times));
    stats
}

fn written(stats: &Stats) -> Vec<u8> {
    let mut bytes = Vec::new();
    stats.write(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn statistics_add_up_in_any_order_and_any_parts(
        tasks in proptest::collection::vec(task(), 1..60),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 1..8),
        seed in any::<u64>(),
    ) {
        let all = sum(&tasks);
        let mut order: Vec<_> = (0..tasks.len()).collect();
        order.sort_by_key(|at| (*at as u64).wrapping_mul(seed | 1).rotate_left(17));
        let mixed: Vec<_> = order.iter().map(|at| tasks[*at]).collect();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(tasks.len())).collect();
        cuts.sort_unstable();
        let (mut merged, mut read, mut from) = (Stats::default(), Stats::default(), 0);
        for until in cuts.into_iter().chain([tasks.len()]).filter(|until| *until > 0) {
            if until == from {
                continue;
            }
            let part = sum(&mixed[from..until]);
            merged.merge(&part);
            let bytes = written(&part);
            let mut rest = &bytes[..];
            Stats::read(&mut rest, Some(&mut read)).unwrap();
            prop_assert_eq!(rest.len(), 0);
            let mut rest = &bytes[..];
            Stats::read(&mut rest, None).unwrap();
            prop_assert_eq!(rest.len(), 0);
            from = until;
        }
        prop_assert_eq!(&merged, &all);
        prop_assert_eq!(&read, &all);
        prop_assert_eq!(written(&read), written(&all));
    }

    #[test]
    fn any_bytes_are_read_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut stats = Stats::default();
        let mut rest = &bytes[..];
        let read = Stats::read(&mut rest, Some(&mut stats));
        let mut again = &bytes[..];
        prop_assert_eq!(read.is_ok(), Stats::read(&mut again, None).is_ok());
        prop_assert_eq!(rest.len(), again.len());
    }
}

#[test]
fn statistics_that_end_too_early_are_rejected() {
    let times = |run_time| Some(Times { run_time, wait: 3, lateness: Some(400) });
    for tasks in [
        vec![(TaskState::Failed, times(70_000))],
        vec![(TaskState::Succeeded, times(1)), (TaskState::Stopped, times(70_000))],
    ] {
        let bytes = written(&sum(&tasks));
        for len in 0..bytes.len() {
            assert!(Stats::read(&mut &bytes[..len], None).is_err(), "{len}");
        }
    }
}

#[test]
fn a_wrong_histogram_is_rejected() {
    let times = |run_time| Some(Times { run_time, wait: 0, lateness: None });
    let bytes = written(&sum(&[(TaskState::Failed, times(4)), (TaskState::Failed, times(9))]));
    // The form, two tasks, two durations of 13 ms, at most 9 ms, and then two buckets.
    assert_eq!(bytes[..10], [0x72, 2, 2, 13, 9, 4, 1, 5, 1, 2]);
    Stats::read(&mut &bytes[..], None).unwrap();
    for (at, wrong, what) in [
        (2, 0, "no durations"),
        (4, 8, "a bucket beyond the longest duration"),
        (6, 0, "an empty bucket"),
        (6, 3, "more durations than there are"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = wrong;
        let refused = Stats::read(&mut &bytes[..], None).unwrap_err();
        assert_eq!(refused, "it has a wrong histogram", "{what}");
    }
}

#[test]
fn a_task_takes_three_bytes() {
    let stats = |times| written(&sum(&[(TaskState::Succeeded, times)])).len();
    assert_eq!(stats(None), 1);
    assert_eq!(stats(Some(Times { run_time: 5, wait: 2, lateness: Some(2) })), 3);
    assert_eq!(stats(Some(Times { run_time: 500, wait: 2, lateness: Some(3) })), 5);
}

#[test]
fn times_are_those_of_the_last_attempt() {
    let at = |millis: i64| Timestamp::from_millisecond(1_750_000_000_000 + millis).unwrap();
    let first = LastAttempt {
        cause: Cause::Schedule,
        number: 1,
        fire_at: Some(at(0)),
        due_at: at(10),
        started_at: Some(at(15)),
        ended_at: at(40),
    };
    let times = Times { run_time: 25, wait: 5, lateness: Some(15) };
    assert_eq!(Times::of(&first), Some(times));
    assert_eq!(Times::of(&LastAttempt { started_at: None, ..first }), None);
    let late = Some(Times { lateness: None, ..times });
    assert_eq!(Times::of(&LastAttempt { number: 2, ..first }), late, "a retry");
    assert_eq!(Times::of(&LastAttempt { cause: Cause::Misfire, ..first }), late, "a misfire");
    // The clock of the executor is behind.
    let early = Times { run_time: 40, wait: 0, lateness: Some(0) };
    assert_eq!(Times::of(&LastAttempt { started_at: Some(at(0)), ..first }), Some(early));
}
