//! Against an index that is searched entry by entry.

mod lists;
mod memory;
mod stats;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use fastjob_core::{Cause, ExecutorName, JobId, ServiceName, TaskId, TaskState};
use jiff::Timestamp;
use proptest::prelude::*;

use self::memory::Memory;
use super::{block::entries, find::list, *};
use crate::store::{
    Error, JobEnd, LifeId, Order, TaskFilter,
    journal::Candidates,
    suite::rows::{JOB, OTHER, at, name},
};

/// The jobs are of the services `a` and `b`.
fn service(job: JobId) -> ServiceKey {
    let service: ServiceName = name(if job == JOB { "a" } else { "b" });
    service.key()
}

fn ended(task: i64, job: JobId, state: TaskState) -> Ended {
    let service = (job == JOB || task % 7 > 0).then(|| service(job));
    Ended {
        task: TaskId(task),
        job,
        service,
        state,
        created_at: at(task),
        ended_at: at(task),
        times: None,
    }
}

fn written(entries: &BTreeSet<Entry>) -> Vec<Block> {
    let mut writer = block::Writer::default();
    entries.iter().for_each(|entry| writer.push(*entry));
    writer.finish()
}

fn entry() -> impl Strategy<Value = Entry> {
    let value = prop_oneof![any::<i64>(), 0..5_i64];
    (0..6_u8, value, prop_oneof![any::<i64>(), 0..1_000_i64])
        .prop_map(|(kind, value, task)| Entry { key: Key { kind, value }, task })
}

proptest! {
    #[test]
    fn entries_are_read_as_they_were_written(
        all in proptest::collection::btree_set(entry(), 0..3_000),
    ) {
        let blocks = written(&all);
        let read: Vec<_> = blocks.iter().flat_map(|block| entries(&block.bytes).unwrap()).collect();
        prop_assert_eq!(&read, &all.into_iter().collect::<Vec<_>>());
        for block in &blocks {
            prop_assert_eq!(entries(&block.bytes).unwrap()[0], block.first);
            prop_assert!(block.bytes.len() < 3_800, "{}", block.bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_read_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // With a correct checksum, so that the rest is read.
        let mut sealed = vec![2];
        sealed.extend(bytes);
        let _ = entries(&crate::store::binary::seal(sealed).0);
    }
}

#[test]
fn a_damaged_block_is_rejected_as_a_whole() {
    let all = (0..100).map(|task| Entry { key: Key::job(JOB), task }).collect();
    let block = written(&all).remove(0);
    for at in 0..block.bytes.len() {
        let mut bytes = block.bytes.clone();
        bytes[at] ^= 1;
        let refused = entries(&bytes).unwrap_err();
        assert!(matches!(refused, Error::Corrupt { .. }), "{at}: {refused}");
        assert!(entries(&block.bytes[..at]).is_err(), "{at}");
    }
}

#[test]
fn the_tasks_of_a_key_take_two_bytes_each() {
    let all: BTreeSet<_> =
        (0..10_000).map(|n| Entry { key: Key::job(JOB), task: 1_000 * n }).collect();
    let bytes: usize = written(&all).iter().map(|block| block.bytes.len()).sum();
    assert!(bytes < 20_500, "{bytes}");
}

/// What happens to an index.
#[derive(Clone, Debug)]
enum Step {
    End(Vec<(bool, u8, u8)>),
    Merge,
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let ended = (any::<bool>(), 3..7_u8, 0..30_u8);
    prop_oneof![
        20 => proptest::collection::vec(ended, 1..40).prop_map(Step::End),
        3 => Just(Step::Merge),
        1 => (1..100_u8).prop_map(Step::Remove),
    ]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_list_has_what_is_in_the_history_whatever_was_merged_and_removed(
        steps in proptest::collection::vec(step(), 1..80),
        limit in prop_oneof![1..10_u32, Just(500)],
        most in prop_oneof![5..50_usize, Just(10_000)],
    ) {
        runtime().block_on(async {
            let mut memory = Memory::default();
            let (mut next, mut was_removed) = (1, false);
            for step in steps {
                match step {
                    Step::End(tasks) => {
                        let all: Vec<_> = tasks.iter().map(|(is_other, state, late)| {
                            next += 1;
                            let job = if *is_other { OTHER } else { JOB };
                            let state = crate::store::codes::task_state(i64::from(*state)).unwrap();
                            Ended { ended_at: at(next + i64::from(*late)), ..ended(next, job, state) }
                        }).collect();
                        memory.end(&all);
                    }
                    Step::Merge => while memory.merge() {},
                    Step::Remove(percent) => {
                        let before = at(next * i64::from(percent) / 100);
                        loop {
                            let due = due(&mut memory, Partition(0), before, 7).await.unwrap();
                            let tasks = Due::tasks(&due);
                            was_removed |= !tasks.is_empty();
                            for task in &tasks {
                                memory.history.remove(task);
                            }
                            let removals = Due::removed(&due, tasks.len());
                            if removals.is_empty() {
                                break;
                            }
                            memory.apply(&removals);
                        }
                        let is_due = |task: &&i64| memory.ends[*task] < before;
                        assert_eq!(memory.history.keys().find(is_due), None, "left");
                    }
                }
            }
            let each = limit as usize;
            let last = last_ends(&mut memory, &[JOB, OTHER, JobId(9)], each, 1).await.unwrap();
            assert!(!last.contains_key(&JobId(9)));
            for job in [JOB, OTHER] {
                let filter = TaskFilter { job: Some(job), limit, ..TaskFilter::default() };
                let mut all = memory.naive(&filter);
                all.truncate(each);
                let last = last.get(&job).map(Vec::as_slice).unwrap_or_default();
                let last: Vec<_> = last.iter().map(|end| end.task).collect();
                assert!(all.starts_with(&last), "{last:?} of {all:?}");
                // Removed tasks that are still in the index take the places of older ones.
                assert!(was_removed || last.len() == all.len(), "{last:?} of {all:?}");
            }
            let states: [&[TaskState]; 4] = [
                &[],
                &[TaskState::Failed],
                &[TaskState::Skipped, TaskState::Stopped],
                &[TaskState::Failed, TaskState::Succeeded],
            ];
            let (early, late) = (at(next / 2), at(next * 3 / 4));
            for order in [Order::Newest, Order::Oldest, Order::RunTime] {
                for (job, service) in [
                    (None, None), (Some(JOB), None), (Some(OTHER), None), (None, Some("b")),
                ] {
                    for states in states {
                        for (since, until) in [
                            (None, None), (Some(early), None), (None, Some(early)),
                            (Some(early), Some(late)),
                        ] {
                            let filter = TaskFilter {
                                order, job, since, until, limit, states: states.to_vec(),
                                service: service.map(name),
                                most: (order != Order::RunTime).then_some(most),
                                ..TaskFilter::default()
                            };
                            let listed = memory.pages(&filter).await;
                            assert_eq!(listed, memory.naive(&filter), "{filter:?}");
                        }
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn the_number_of_segments_grows_with_the_logarithm_of_the_transactions() {
    let mut memory = Memory::default();
    for task in 1..=5_000 {
        memory.end(&[ended(task, JOB, TaskState::Succeeded)]);
        while memory.merge() {}
    }
    assert!(memory.segments.len() < 64, "{}", memory.segments.len());
    let filter =
        TaskFilter { job: Some(JOB), limit: 5_000, most: Some(5_000), ..TaskFilter::default() };
    let listed = list(&mut memory, &filter, Candidates::default()).await.unwrap();
    assert_eq!(listed.places.len(), 5_000);
}

#[test]
fn a_segment_has_a_bounded_number_of_tasks_and_a_bounded_span() {
    let segment = |number, tasks, end: i64| Segment {
        partition: Partition(0),
        level: 0,
        number,
        tasks,
        not_succeeded: 0,
        first_task: number,
        last_task: number,
        first_created: end,
        last_created: end,
        end_at: end,
        end_task: i64::MIN,
        last_end: end,
    };
    let large: Vec<_> = (0..20).map(|n| segment(n, 30_000, n)).collect();
    let chosen = choose(&large).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (3, MERGED));
    let days: Vec<_> = (0..20).map(|n| segment(n, 3_000, n * 3_600_000 * 10)).collect();
    let chosen = choose(&days).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (3, MERGED));
    let quiet: Vec<_> = (0..20).map(|n| segment(n, 1, n * 3_600_000 * 1_000)).collect();
    let chosen = choose(&quiet).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (20, 1), "few tasks may have a long span");
    assert_eq!(choose(&large[..1]), None);
    assert_eq!(choose(&days[..15]), None);
    // One that is too large already is not written again for nothing more than once.
    let huge: Vec<_> = (0..2).map(|n| segment(n, 1_000_000, n)).collect();
    let chosen = choose(&huge).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (1, MERGED));
}
