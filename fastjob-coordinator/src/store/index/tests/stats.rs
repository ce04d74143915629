//! Statistics are the sums over all tasks, whatever was merged.

use fastjob_core::Cause;

use super::*;
use crate::store::{
    index::by_job::by_job_of,
    stats::{Bucket, LastAttempt, StatFilter, Stats},
};

/// A task: of which job, in which state, when it ended in seconds, how long it waited and ran in
/// milliseconds, and whether its schedule started it.
type Task = (bool, u8, i64, Option<(i64, i64)>, bool);

fn task() -> impl Strategy<Value = Task> {
    let millis = || prop_oneof![0..50_i64, 0..1_000_000_i64];
    let second = prop_oneof![0..300_i64, 0..300_000_i64];
    let times = proptest::option::weighted(0.9, (millis(), millis()));
    (any::<bool>(), 3..7_u8, second, times, any::<bool>())
}

fn ended_of(id: i64, (is_other, state, second, times, is_scheduled): Task) -> Ended {
    let job = if is_other { OTHER } else { JOB };
    let ended_at = at(second * 1_000);
    let before = |millis: i64| at(second * 1_000 - millis);
    let (wait, run_time) = times.unwrap_or_default();
    let last = LastAttempt {
        cause: if is_scheduled { Cause::Schedule } else { Cause::Api },
        number: 1,
        fire_at: Some(before(run_time + wait)),
        due_at: before(run_time + wait),
        started_at: times.map(|_| before(run_time)),
        ended_at,
    };
    let state = crate::store::codes::task_state(i64::from(state)).unwrap();
    Ended { ended_at, times: Times::of(&last), ..ended(id, job, state) }
}

fn naive(all: &[Ended], filter: &StatFilter) -> Vec<Bucket> {
    let mut sums: BTreeMap<i64, Stats> = BTreeMap::new();
    for end in all {
        let minute = end.ended_at.as_second().div_euclid(60);
        let is_of = match filter.subject {
            Subject::Job(job) => end.job == job,
            Subject::Service(service) => end.service == Some(service),
            Subject::All => true,
        };
        if is_of && (filter.from..filter.until).contains(&minute) {
            let from = minute - minute.rem_euclid(filter.bucket);
            sums.entry(from).or_default().add(end.state, end.times);
        }
    }
    sums.into_iter().map(|(from, stats)| Bucket { from, stats }).collect()
}

#[derive(Clone, Debug)]
enum Step {
    End(Vec<Task>),
    Merge,
    MergeLargest,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => proptest::collection::vec(task(), 1..60).prop_map(Step::End),
        1 => Just(Step::Merge),
        1 => Just(Step::MergeLargest),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn statistics_are_the_sums_over_all_tasks_whatever_was_merged(
        steps in proptest::collection::vec(step(), 1..80),
        from in 0..400_i64,
        minutes in 1..5_000_i64,
    ) {
        let (mut memory, mut all) = (Memory::default(), Vec::new());
        for step in steps {
            match step {
                Step::End(tasks) => {
                    let first = all.len() as i64 + 1;
                    let ids = first..;
                    let ended: Vec<_> =
                        ids.zip(tasks).map(|(id, task)| ended_of(id, task)).collect();
                    memory.end(&ended);
                    all.extend(ended);
                }
                Step::Merge => while memory.merge() {},
                Step::MergeLargest => while memory.merge_to(Some(MERGED)) {},
            }
        }
        let start = at(0).as_second().div_euclid(60);
        for bucket in [1, 5, 60, 1_440] {
            for subject in [
                Subject::Job(JOB),
                Subject::Job(OTHER),
                Subject::Service(service(JOB)),
                Subject::Service(service(OTHER)),
                Subject::All,
            ] {
                let from = (start + from).div_euclid(bucket) * bucket;
                let until = (from + minutes + bucket).div_euclid(bucket) * bucket;
                let filter = StatFilter { subject, from, until, bucket };
                let read = runtime().block_on(buckets(&mut memory, &filter)).unwrap();
                prop_assert_eq!(read, naive(&all, &filter), "{:?}", filter);
            }
        }
    }
}

fn naive_by_job(all: &[Ended], from: i64, until: i64) -> BTreeMap<JobId, Stats> {
    let mut sums: BTreeMap<JobId, Stats> = BTreeMap::new();
    for end in all {
        let minute = end.ended_at.as_second().div_euclid(60);
        if (from..until).contains(&minute) {
            sums.entry(end.job).or_default().add(end.state, end.times);
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn statistics_by_job_are_complete_from_the_minute_that_they_say(
        steps in proptest::collection::vec(step(), 1..60),
        from in 0..400_i64,
        minutes in 1..5_000_i64,
        most in 1..1_500_i64,
    ) {
        let (mut memory, mut all) = (Memory::default(), Vec::new());
        for step in steps {
            match step {
                Step::End(tasks) => {
                    let ids = all.len() as i64 + 1..;
                    let ended: Vec<_> =
                        ids.zip(tasks).map(|(id, task)| ended_of(id, task)).collect();
                    memory.end(&ended);
                    all.extend(ended);
                }
                Step::Merge => while memory.merge() {},
                Step::MergeLargest => while memory.merge_to(Some(MERGED)) {},
            }
        }
        let start = at(0).as_second().div_euclid(60) + from;
        for unit in [1, 60] {
            let from = start.div_euclid(unit) * unit;
            let until = (start + minutes).div_euclid(unit) * unit + unit;
            for most in [most, i64::MAX] {
                let range = (from, until);
                let read = runtime().block_on(by_job_of(&mut memory, range, most)).unwrap();
                prop_assert!(read.from >= from && (most < i64::MAX || read.from == from));
                prop_assert_eq!(&read.jobs, &naive_by_job(&all, read.from, until), "{:?}", range);
            }
        }
    }
}

#[test]
fn a_large_segment_has_statistics_by_hour_if_it_spans_hours() {
    let hours = |seconds: i64| {
        let mut memory = Memory::default();
        for id in 1..=16 {
            let task = (false, 3, id * seconds, Some((1, 2)), true);
            memory.end(&[ended_of(id, task)]);
        }
        assert!(memory.merge_to(Some(MERGED)));
        let blocks = &memory.segments[0].blocks;
        let all = blocks.iter().flat_map(|block| entries(&block.bytes).unwrap());
        all.filter(|entry| entry.key.kind == ALL_HOURS).count()
    };
    assert_eq!((hours(1), hours(1_000)), (0, 5));
}

#[test]
fn a_rebuilt_segment_has_statistics_by_hour_if_it_spans_hours() {
    let hours = |seconds: i64| {
        let task = |id| ended_of(id, (false, 3, id * seconds, Some((1, 2)), true));
        let all: Vec<_> = (1..=16).map(task).collect();
        let mut rebuild = Rebuild::new(1);
        assert_eq!(rebuild.add(all).count(), 0);
        let segments: Vec<_> = rebuild.finish().collect();
        let all = segments[0].blocks.iter().flat_map(|block| entries(&block.bytes).unwrap());
        all.filter(|entry| entry.key.kind == ALL_HOURS).count()
    };
    assert_eq!((hours(1), hours(1_000)), (0, 5));
}

#[tokio::test]
async fn statistics_by_hour_count_each_task_once_however_often_they_are_merged() {
    let (mut memory, mut all) = (Memory::default(), Vec::new());
    for id in 1..=400 {
        all.push(ended_of(id, (id % 3 == 0, 3, id * 100, Some((id, 2)), true)));
        memory.end(&all[all.len() - 1..]);
        while memory.merge() {}
    }
    let levels: BTreeSet<_> = memory.segments.iter().map(|new| new.segment.level).collect();
    assert!(levels.contains(&2), "merged twice: {levels:?}");
    let start = at(0).as_second().div_euclid(3_600) * 60;
    for subject in [Subject::Job(JOB), Subject::Service(service(OTHER)), Subject::All] {
        let filter = StatFilter { subject, from: start, until: start + 24 * 60, bucket: 60 };
        assert_eq!(buckets(&mut memory, &filter).await.unwrap(), naive(&all, &filter));
    }
}

#[tokio::test]
async fn damaged_statistics_are_rejected_where_they_are_read() {
    let mut memory = Memory::default();
    for id in 1..=16 {
        memory.end(&[ended_of(id, (false, 3, id, Some((1, 2)), true))]);
    }
    // With a correct checksum.
    let mut writer = block::Writer::default();
    let minute = at(0).as_second().div_euclid(60);
    writer.push(Entry { key: Key::job(JOB), task: 1 });
    writer.push_stats(Entry { key: Key::minutes(Subject::All), task: minute }, &[0x12, 1, 2]);
    memory.segments[3].blocks = writer.finish();
    let filter = StatFilter { subject: Subject::All, from: minute, until: minute + 60, bucket: 60 };
    let refused = buckets(&mut memory, &filter).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    let below: Vec<_> = memory.segments.iter().map(|new| new.segment).collect();
    let chosen = choose(&below).unwrap();
    let blocks =
        memory.segments.iter().map(|new| new.blocks.iter().map(|b| b.bytes.clone()).collect());
    let refused = merge(&chosen, blocks.collect()).unwrap_err();
    assert_eq!(refused.segment, memory.segments[3].segment);
}

#[tokio::test]
async fn statistics_of_any_range_are_the_same_after_a_part_of_a_segment_was_removed() {
    let mut memory = Memory::default();
    let hours = |hour: i64| at(hour * 3_600_000);
    let all: Vec<_> = (0..10)
        .map(|n| Ended {
            created_at: at(0),
            ended_at: hours(n),
            ..ended(n + 1, JOB, TaskState::Failed)
        })
        .collect();
    memory.end(&all);
    let start = at(0).as_second().div_euclid(3_600) * 60;
    let mut counts = Vec::new();
    for is_removed in [false, true] {
        if is_removed {
            let due = due(&mut memory, Partition(0), hours(5), 100).await.unwrap();
            let removals = Due::removed(&due, Due::tasks(&due).len());
            memory.apply(&removals);
            assert_eq!(memory.segments[0].segment.end_at, hours(5).as_millisecond());
        }
        for until in [3, 8, 24] {
            for bucket in [60, 20] {
                let (from, until) = (start, start + until * 60);
                let filter = StatFilter { subject: Subject::Job(JOB), from, until, bucket };
                let found = buckets(&mut memory, &filter).await.unwrap();
                let sum: u64 = found.iter().map(|it| it.stats.ended(TaskState::Failed)).sum();
                counts.push(sum);
            }
        }
    }
    assert_eq!(counts[..6], counts[6..]);
    assert!(counts[0] >= 3, "{counts:?}");
}
