//! Everything that a store shows, to compare it before and after.

use fastjob_core::{AttemptId, JobId, TaskId};
use jiff::Timestamp;

use super::{Home, rows::name};
use crate::store::{
    Bucket, JobVersion, Loaded, Partition, StatFilter, Store, Subject, TaskFilter, TaskRow,
    WaitingAlarm,
};

/// Everything that can be read from a small store.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub(super) loaded: Loaded,
    pub(super) tasks: Vec<TaskRow>,
    tails: Vec<(AttemptId, String)>,
    pub(super) stats: Vec<Bucket>,
    pub(super) alarms: Vec<WaitingAlarm>,
    versions: Vec<(JobId, Vec<JobVersion>)>,
}

/// Reads everything. Log tails are read for all ids below 200, whether the attempts exist or not.
pub(super) async fn view(home: &impl Home) -> View {
    let store = home.store();
    let loaded = load(&*store).await;
    let filter = TaskFilter { limit: 10_000, ..TaskFilter::default() };
    let tasks = tasks(&*store, &filter).await;
    let mut tails = Vec::new();
    for attempt in (0..200).map(AttemptId) {
        tails.extend(store.log_tail(attempt).await.unwrap().map(|tail| (attempt, tail.text)));
    }
    let alarms = store.waiting_alarms(&name("mail"), 0, 1_000).await.unwrap();
    let all = StatFilter { subject: Subject::All, from: 0, until: 60_000_000, bucket: 1 };
    let stats = store.stats(&all).await.unwrap();
    let mut versions = Vec::new();
    for job in loaded.jobs.rows().take(50) {
        versions.push((job.id, store.versions(job.id, i64::MAX, 1_000).await.unwrap()));
    }
    View { loaded, tasks, tails, stats, alarms, versions }
}

/// The tasks that match the filter, newest first.
pub(super) async fn tasks(store: &dyn Store, filter: &TaskFilter) -> Vec<TaskRow> {
    let ids = store.task_ids(filter).await.unwrap().ids();
    store.tasks_by_id(&ids).await.unwrap()
}

/// Removes one piece of each partition.
pub(super) async fn remove_ended(store: &dyn Store, before: Timestamp, rows: u32) -> u64 {
    let mut removed = 0;
    for partition in (0..store.facts().await.unwrap().partitions).map(Partition) {
        removed += store.remove_ended(partition, before, rows).await.unwrap();
    }
    removed
}

/// Loads all partitions as one, ordered by id: related rows may be in different partitions here.
pub(super) async fn load(store: &dyn Store) -> Loaded {
    let (mut all, mut jobs) = (Loaded::default(), Vec::new());
    for partition in (0..store.facts().await.unwrap().partitions).map(Partition) {
        let one = store.load(partition).await.unwrap();
        all.ids_until = all.ids_until.max(one.ids_until);
        all.watermark = all.watermark.max(one.watermark);
        all.clock = all.clock.max(one.clock);
        all.next_life = all.next_life.max(one.next_life);
        jobs.extend(one.jobs.rows());
        all.open.extend(one.open);
        all.ended_shards.extend(one.ended_shards);
        all.failing.extend(one.failing);
        all.lives.extend(one.lives);
        all.child_starts.extend(one.child_starts);
        all.cursors.extend(one.cursors);
        all.fired_ahead.extend(one.fired_ahead);
    }
    // Their order is not guaranteed.
    jobs.sort_by_key(|job| job.id);
    all.jobs = jobs.into_iter().collect();
    all.open.sort_by_key(|open| open.planned.row.attempt);
    all.ended_shards.sort_by_key(|ended| (ended.task, ended.shard.index));
    all.ended_shards.dedup();
    all.failing.sort();
    all.lives.sort_by_key(|life| life.id);
    all.lives.dedup();
    all.child_starts.sort_by_key(|child| child.id);
    all.cursors.sort();
    all.fired_ahead.sort();
    all
}

/// The task, which must exist.
pub(super) async fn task(home: &impl Home, id: i64) -> TaskRow {
    home.store().task(TaskId(id)).await.unwrap().unwrap_or_else(|| panic!("there is no task {id}"))
}
