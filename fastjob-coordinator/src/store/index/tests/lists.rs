//! What lists read, and where their pages end.

use super::*;
use crate::store::index::plan::Created;

#[tokio::test]
async fn the_last_ends_of_many_jobs_are_found_in_blocks_that_they_share() {
    let mut memory = Memory::default();
    // Some blocks have many jobs, and one job has many blocks.
    for round in 0..20 {
        let job = |n: i64| JobId(if n % 3 == 0 { 500 } else { n % 700 });
        let all: Vec<_> = (0..2_000)
            .map(|n| ended(round * 2_000 + n + 1, job(n), TaskState::Succeeded))
            .collect();
        memory.end(&all);
        while round == 12 && memory.merge() {}
    }
    let jobs: Vec<_> = (0..800).map(JobId).collect();
    for each in [0, 1, 20, 3_000] {
        let last = last_ends(&mut memory, &jobs, each, 1).await.unwrap();
        for job in &jobs {
            let mut all = memory.naive(&TaskFilter { job: Some(*job), ..TaskFilter::default() });
            all.truncate(each);
            let found = last.get(job).map(Vec::as_slice).unwrap_or_default();
            let found: Vec<_> = found.iter().map(|end| end.task).collect();
            assert_eq!(found, all, "{job} {each}");
        }
    }
}

#[test]
fn a_partition_that_is_idle_does_not_widen_a_range_of_time() {
    let created = |partition, task, at| Created { partition: Partition(partition), task, at };
    let all = [
        created(0, 100, 1_000),
        created(0, 900, 9_000),
        created(1, 101, 1_010),
        created(1, 201, 2_000),
        created(2, 802, 8_000),
        created(2, 902, 9_000),
    ];
    let at = |millis| Some(Timestamp::from_millisecond(millis).unwrap());
    let range =
        |since, until| Range::of(&all, &TaskFilter { since, until, ..TaskFilter::default() });
    assert_eq!(range(at(5_000), None).first, 101, "after the first one of the partition 0");
    assert_eq!(range(at(5_000), None).last, 902, "the last one of all");
    assert_eq!(range(None, at(3_000)).last, 899, "before the last one of the partition 0");
    assert!(range(at(20_000), None).is_empty());
    assert!(range(None, at(500)).is_empty());
}

#[tokio::test]
async fn a_range_of_time_is_found_however_long_tasks_took_and_which_were_removed() {
    for longest in [1, 50, 8_000] {
        let mut memory = Memory::default();
        let late = |task: i64| task * 7_919 % longest;
        let all: Vec<_> = (1..=8_000)
            .map(|task| Ended {
                ended_at: at(task + late(task)),
                ..ended(task, JOB, TaskState::Failed)
            })
            .collect();
        memory.end(&all);
        memory.history.retain(|task, _| task % 5 > 0);
        for (since, until) in [(3_000, 9_000), (0, 4_000), (2_001, 2_003), (6_999, 7_500)] {
            for order in [Order::Newest, Order::Oldest] {
                let (since, until) = (Some(at(since)), Some(at(until)));
                let states = vec![TaskState::Failed];
                let filter =
                    TaskFilter { order, since, until, states, limit: 500, ..TaskFilter::default() };
                assert_eq!(memory.pages(&filter).await, memory.naive(&filter), "{longest}");
                let filter = TaskFilter { limit: 2, ..filter };
                let page = list(&mut memory, &filter, Candidates::default()).await.unwrap();
                let mut first = memory.naive(&filter);
                first.truncate(2);
                assert!(longest > 50 || page.ids() == first, "{longest}: {page:?}");
            }
        }
    }
}

#[tokio::test]
async fn entries_of_removed_tasks_end_no_page_early_before_there_are_many() {
    let mut memory = Memory::default();
    let all: Vec<_> = (1..=400).map(|task| ended(task, JOB, TaskState::Failed)).collect();
    memory.end(&all);
    memory.history.retain(|task, _| *task > 300);
    let filter = TaskFilter {
        job: Some(JOB),
        order: Order::Oldest,
        limit: 5,
        most: Some(10),
        ..TaskFilter::default()
    };
    let first = list(&mut memory, &filter, Candidates::default()).await.unwrap();
    let stopped = first.stopped.unwrap();
    assert_eq!(stopped.created_at, Some(at(1)), "the first one of the segment, not before it");
    assert_eq!(memory.pages(&filter).await, memory.naive(&filter));
    let few = TaskFilter { most: None, ..filter };
    let listed = list(&mut memory, &few, Candidates::default()).await.unwrap();
    assert_eq!(listed.ids(), [301, 302, 303, 304, 305].map(TaskId));
}
