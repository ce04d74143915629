//! Invariants of the store beside the model: what it loads is what the model loads, each task and
//! attempt that ended has one row with its first outcome, and nothing that ended is open.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
};

use super::super::{
    model::{ModelStore, Row},
    store::{PastAttempt, PastTask, Rows},
};
use crate::record::{Loaded, Partition};

/// Compares what two stores load.
pub(in super::super) fn see_loaded(partition: Partition, expected: &Loaded, found: &Loaded) {
    if expected == found {
        return;
    }
    let plain =
        |loaded: &Loaded| (loaded.ids_until, loaded.watermark, loaded.clock, loaded.next_life);
    assert_eq!(plain(expected), plain(found), "{partition:?}: ids, watermark, clock, next life");
    let jobs = |loaded: &Loaded| loaded.jobs.rows().collect::<Vec<_>>();
    see_list(partition, "jobs", &jobs(expected), &jobs(found));
    see_list(partition, "cursors", &expected.cursors, &found.cursors);
    see_list(partition, "fires ahead", &expected.fired_ahead, &found.fired_ahead);
    see_list(partition, "open attempts", &expected.open, &found.open);
    see_list(partition, "ended shards", &expected.ended_shards, &found.ended_shards);
    see_list(partition, "failing jobs", &expected.failing, &found.failing);
    see_list(partition, "lives", &expected.lives, &found.lives);
    see_list(partition, "children to start", &expected.child_starts, &found.child_starts);
    panic!("{partition:?} is loaded as {found:?}, not {expected:?}");
}

/// Fails with the first difference between two lists.
fn see_list<T: Debug + PartialEq>(partition: Partition, what: &str, expected: &[T], found: &[T]) {
    if expected == found {
        return;
    }
    let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    panic!(
        "{partition:?} is loaded with other {what}: at {at} of {} there is {:?}, not {:?} of {}",
        found.len(),
        found.get(at),
        expected.get(at),
        expected.len()
    );
}

/// Checks rows of the history.
pub(in super::super) fn see_rows(rows: &Rows, store: &ModelStore) {
    for found in &rows.tasks {
        let expected = past_task(store, found);
        let is_same = expected.as_ref() == Some(found);
        assert!(is_same, "the history has {found:?}, not {expected:?}");
    }
    for found in &rows.attempts {
        let row = store.attempts.get(&found.attempt);
        let expected = row.and_then(past_attempt);
        let is_same = expected.as_ref() == Some(found);
        assert!(is_same, "the history has {found:?}, not {expected:?}");
    }
}

/// Checks the whole history.
pub(in super::super) fn see_all_rows(rows: &Rows, store: &ModelStore) {
    see_rows(rows, store);
    let mut tasks: BTreeMap<_, u32> = BTreeMap::new();
    for row in &rows.tasks {
        *tasks.entry(row.task).or_default() += 1;
    }
    let attempts: HashSet<_> = rows.attempts.iter().map(|row| row.attempt).collect();
    assert_eq!(attempts.len(), rows.attempts.len(), "an attempt has several rows");
    for (attempt, row) in &store.attempts {
        let ended = attempts.contains(attempt);
        assert_eq!(ended, !row.is_open(), "whether the end of {attempt} is in the history");
        if row.new.row.is_head() {
            let count = tasks.get(&row.new.row.task).copied().unwrap_or_default();
            let expected = u32::from(row.task_state.is_final());
            assert_eq!(count, expected, "the rows of task {} as {row:?}", row.new.row.task);
        }
    }
}

fn past_task(store: &ModelStore, like: &PastTask) -> Option<PastTask> {
    let head = store.attempts.get(&like.task.first_attempt())?;
    let (ended_at, result) = store.ends.get(&like.task)?;
    let new = &head.new;
    Some(PastTask {
        task: new.row.task,
        job: new.row.job,
        cause: new.row.cause,
        state: head.task_state,
        fire_at: new.row.fire_at,
        created_at: new.row.created_at,
        ended_at: *ended_at,
        parent: new.parent,
        reruns: new.rerun.as_ref().map(|rerun| rerun.task),
        trace: new.trace.as_ref().map(|trace| trace.trace.context.trace),
        param: new.param.clone(),
        note: new.note.clone(),
        result: result.clone(),
    })
}

fn past_attempt(row: &Row) -> Option<PastAttempt> {
    if row.is_open() {
        return None;
    }
    let (new, ended) = (&row.new, row.ended.as_ref());
    Some(PastAttempt {
        attempt: new.row.attempt,
        task: new.row.task,
        number: new.row.number,
        shard: new.row.shard,
        life: new.life,
        state: ended.map_or(new.state, |ended| ended.state),
        reason: ended.and_then(|ended| ended.reason),
        due_at: new.row.due_at,
        started_at: ended.and_then(|ended| ended.started_at),
        ended_at: ended.map_or(new.row.created_at, |ended| ended.ended_at),
        message: ended.and_then(|ended| ended.message.clone()),
        result: ended.and_then(|ended| ended.result.clone()),
        log_tail: ended.map(|ended| ended.log_tail.clone()).unwrap_or_default(),
    })
}
