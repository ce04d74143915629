//! Everything that a store shows, to compare what it was with what it is.

use fastjob_core::{AttemptId, TaskId};

use super::{Home, rows::name};
use crate::store::{Loaded, TaskFilter, TaskRow, WaitingAlarm};

/// All that can be asked of a small store.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub(super) loaded: Loaded,
    pub(super) tasks: Vec<TaskRow>,
    tails: Vec<(AttemptId, String)>,
    pub(super) alarms: Vec<WaitingAlarm>,
}

/// Looks at everything. Tails are looked for at ids below 200, of attempts that are there or not.
pub(super) async fn view(home: &impl Home) -> View {
    let store = home.store();
    let mut loaded = store.load().await.unwrap();
    // Their order is nobody's promise.
    loaded.jobs.sort_by_key(|job| job.id);
    loaded.open.sort_by_key(|open| open.planned.attempt);
    loaded.lives.sort_by_key(|life| life.id);
    loaded.failing.sort();
    // It is made when the store is, and differs between two.
    loaded.cluster.clear();
    let filter = TaskFilter { limit: 10_000, ..TaskFilter::default() };
    let tasks = store.tasks(&filter).await.unwrap();
    let mut tails = Vec::new();
    for attempt in (0..200).map(AttemptId) {
        tails.extend(store.log_tail(attempt).await.unwrap().map(|tail| (attempt, tail)));
    }
    let alarms = store.waiting_alarms(&name("mail"), 0, 1_000).await.unwrap();
    View { loaded, tasks, tails, alarms }
}

/// The task, which has to be there.
pub(super) async fn task(home: &impl Home, id: i64) -> TaskRow {
    home.store().task(TaskId(id)).await.unwrap().unwrap_or_else(|| panic!("there is no task {id}"))
}
