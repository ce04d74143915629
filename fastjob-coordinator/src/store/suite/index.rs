//! The index of the history: merging it changes no list and no removal.

use fastjob_core::{TaskId, TaskState};

use super::{Home, rows::*, view::remove_ended, write};
use crate::store::{Attempt, EndedAttempt, Error, NewAttempt, Partition, TaskFilter};

/// Tasks of two jobs, each with a transaction of its own; every third fails.
async fn history(home: &impl Home, tasks: std::ops::Range<i64>) {
    write(home, [base()]).await;
    for id in tasks {
        let job = if id % 2 == 0 { JOB } else { OTHER };
        let planned = NewAttempt { row: Attempt { job, ..head(id).row }, ..head(id) };
        let ended = if id % 3 == 0 { failed(id, id) } else { succeeded(id, id) };
        write(home, [plan([planned]), end([ended])]).await;
    }
}

pub(super) async fn merge(home: &impl Home) -> usize {
    let mut merged = 0;
    while home.store().merge_index(&[Partition(0), Partition(1)]).await.unwrap() {
        merged += 1;
    }
    merged
}

/// Every list that the index answers.
async fn lists(home: &impl Home) -> Vec<Vec<TaskId>> {
    let mut lists = Vec::new();
    for job in [Some(JOB), Some(OTHER), None] {
        for states in [vec![TaskState::Failed], vec![TaskState::Succeeded], Vec::new()] {
            for after in [None, Some(TaskId(40).into())] {
                let states = states.clone();
                let filter = TaskFilter { job, states, after, limit: 20, ..TaskFilter::default() };
                lists.push(home.store().task_ids(&filter).await.unwrap().ids());
            }
        }
    }
    lists
}

pub(crate) async fn merging_changes_no_list(home: &mut impl Home) {
    history(home, 10..60).await;
    let before = lists(home).await;
    assert_eq!(before[0], [54, 48, 42, 36, 30, 24, 18, 12].map(TaskId));
    assert!(merge(home).await > 0);
    assert_eq!(lists(home).await, before);
    assert_eq!(merge(home).await, 0, "nothing is left to merge");
    home.reopen().await;
    history(home, 60..80).await;
    let before = lists(home).await;
    assert_eq!(before[0][0], TaskId(78));
    merge(home).await;
    assert_eq!(lists(home).await, before);
}

pub(crate) async fn what_was_merged_is_removed_when_it_is_old(home: &mut impl Home) {
    history(home, 10..60).await;
    // A part is removed before the merge, a part after it, and the rest with the segment.
    assert_eq!(remove_ended(&*home.store(), at(25), 100).await, 5);
    merge(home).await;
    assert_eq!(remove_ended(&*home.store(), at(25), 100).await, 0);
    assert_eq!(remove_ended(&*home.store(), at(45), 6).await, 6);
    assert_eq!(remove_ended(&*home.store(), at(45), 100).await, 14);
    let filter = TaskFilter { job: Some(JOB), limit: 100, ..TaskFilter::default() };
    let left = home.store().task_ids(&filter).await.unwrap().ids();
    assert_eq!(left.last(), Some(&TaskId(36)));
    assert_eq!(remove_ended(&*home.store(), at(1_000), 100).await, 25);
    assert_eq!(home.store().task_ids(&filter).await.unwrap().ids(), []);
    assert_eq!(remove_ended(&*home.store(), at(1_000), 100).await, 0);
}

pub(crate) async fn a_damaged_segment_does_not_stop_the_merges_of_others(home: &mut impl Home) {
    history(home, 10..30).await;
    home.damage_the_index().await;
    assert!(merge(home).await > 1, "the damaged one is left out, the others are merged");
    let filter = TaskFilter { job: Some(JOB), limit: 1, ..TaskFilter::default() };
    let refused = home.store().task_ids(&filter).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    assert_eq!(home.store().rebuild_index().await.unwrap(), 20);
    assert_eq!(home.store().task_ids(&filter).await.unwrap().ids(), [TaskId(28)]);
}

pub(crate) async fn a_rebuilt_index_has_the_same_lists(home: &mut impl Home) {
    history(home, 10..60).await;
    let before = lists(home).await;
    merge(home).await;
    assert_eq!(home.store().count_tasks().await.unwrap(), 50);
    for _ in 0..2 {
        assert_eq!(home.store().rebuild_index().await.unwrap(), 50);
        assert_eq!(lists(home).await, before);
    }
    home.reopen().await;
    assert_eq!(remove_ended(&*home.store(), at(25), 100).await, 5);
}

pub(crate) async fn segments_do_not_hide_tasks_that_ended_late(home: &mut impl Home) {
    let late = EndedAttempt { ended_at: at(90_000_000_000), ..succeeded(10, 10) };
    write(home, [base(), plan((10..60).map(head)), end([late])]).await;
    for id in 11..60 {
        write(home, [end([succeeded(id, id)])]).await;
    }
    merge(home).await;
    assert_eq!(remove_ended(&*home.store(), at(1_000), 100).await, 49);
    assert_eq!(remove_ended(&*home.store(), at(1_000), 100).await, 0);
    let filter = TaskFilter { job: Some(JOB), limit: 10, ..TaskFilter::default() };
    assert_eq!(home.store().task_ids(&filter).await.unwrap().ids(), [TaskId(10)]);
    assert_eq!(remove_ended(&*home.store(), at(90_000_000_001), 100).await, 1);
}
