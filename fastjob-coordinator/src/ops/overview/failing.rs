//! Jobs whose newest ended task failed.
//!
//! Found among the newest failures of the last day, a bounded number of them. A job that fails rarely
//! is missed if others fail thousands of times after it.

use std::{collections::BTreeMap, time::Duration};

use fastjob_client::types::AttentionKind;
use fastjob_core::{JobId, JobName, JobPath, ServiceName, TaskState};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Mutex, time::Instant};

use super::attention::Item;
use crate::{
    ops::{Error, Ops, pages::fit},
    store::TaskFilter,
};

/// How far back failures are looked for.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Failures that are looked at: so many pages of so many.
const PAGES: usize = 4;
const PAGE: u32 = 500;
/// Tasks that are read from the store at once.
const TASKS: usize = 100;
/// Jobs whose last ends are read at once.
const JOBS: usize = 100;
/// Most jobs that are looked at.
const MOST: usize = 500;
/// How long the result is used.
const FRESH: Duration = Duration::from_secs(10);

/// The last search.
#[derive(Default)]
pub(super) struct Failing(Mutex<Option<(Instant, Vec<Item>)>>);

/// The failures of a job.
struct Of {
    service: ServiceName,
    name: JobName,
    count: u64,
}

impl Ops {
    /// Enabled jobs whose newest ended task failed.
    pub(super) async fn failing(&self, now: Timestamp) -> Result<Vec<Item>, Error> {
        let mut last = self.overviews.failing.0.lock().await;
        if let Some((at, items)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(items.clone());
        }
        let failed = self.failed_since(now.checked_sub(DAY).unwrap_or(Timestamp::MIN)).await?;
        let mut items = Vec::new();
        let jobs: Vec<_> = failed.keys().copied().collect();
        for jobs in jobs.chunks(JOBS) {
            let ends = self.store.last_ends(jobs, 1).await?;
            for (job, ends) in ends {
                let (Some(end), Some(of)) = (ends.first(), failed.get(&job)) else { continue };
                if end.state != TaskState::Failed {
                    continue;
                }
                let row = self.store.job(&of.service, &of.name).await?;
                if !row.is_some_and(|row| row.id == job && row.job.enabled) {
                    continue;
                }
                let message = match of.count {
                    1 => "its last task failed".to_owned(),
                    count => format!("its last task failed, and {count} within a day"),
                };
                let item = Item::new(AttentionKind::Failing, message);
                let (count, since) = (of.count, Some(end.ended_at));
                let path = JobPath::of(&of.service, &of.name);
                items.push(Item { count, since, ..item.of(&of.service, Some(&path), end.task) });
            }
        }
        *last = Some((Instant::now(), items.clone()));
        Ok(items)
    }

    /// The jobs of the newest failures since an instant.
    async fn failed_since(&self, since: Timestamp) -> Result<BTreeMap<JobId, Of>, Error> {
        let mut failed: BTreeMap<JobId, Of> = BTreeMap::new();
        let mut filter = TaskFilter {
            states: vec![TaskState::Failed],
            since: Some(since),
            limit: PAGE,
            ..TaskFilter::default()
        };
        for _ in 0..PAGES {
            let listed = self.store.task_ids(&filter).await?;
            let ids = listed.ids();
            let bytes = self.store.task_bytes(&ids).await?;
            let mut rest = ids.as_slice();
            while !rest.is_empty() {
                let bytes = rest.iter().map(|task| bytes.get(task).copied().unwrap_or_default());
                let (these, later) = rest.split_at(fit(bytes, TASKS).max(1).min(rest.len()));
                rest = later;
                for row in self.store.tasks_by_id(these).await? {
                    let new = || Of { service: row.service, name: row.name, count: 0 };
                    failed.entry(row.job).or_insert_with(new).count += 1;
                }
            }
            filter.after = listed.places.last().copied();
            if ids.len() < PAGE as usize || failed.len() >= MOST {
                break;
            }
        }
        Ok(failed)
    }
}
