//! Lists of jobs that are not sorted by name.
//!
//! No index has these orders, because few jobs change and many are read: a list reads all jobs once,
//! and remembers the order for the pages that follow.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use fastjob_core::{JobName, ServiceName, schedule::Next};
use jiff::Timestamp;
use tokio::{sync::Mutex, time::Instant};

use super::{
    Error, Ops, PAGE_BYTES, PAGE_MAX,
    all_jobs::{Search, size},
    job_filters::JobOrder,
};
use crate::{
    clock::wall_now,
    store::{JobPage, JobRow},
};

/// How long the order of a list is remembered.
const REMEMBERED: Duration = Duration::from_secs(15);
/// Most jobs of a sorted list.
const MOST: usize = 200_000;

/// The last list that was sorted.
#[derive(Default)]
pub(crate) struct SortedJobs(Mutex<Option<Known>>);

struct Known {
    search: Search,
    order: JobOrder,
    at: Instant,
    jobs: Arc<[(ServiceName, JobName)]>,
}

/// A page, where the next one begins, and how many jobs match in all.
pub(super) type SortedPage = (Vec<JobRow>, Option<usize>, usize);

impl Ops {
    /// A page of a list in another order than by name, from a place on.
    pub(super) async fn jobs_sorted(
        &self,
        search: &Search,
        order: JobOrder,
        from: usize,
        limit: usize,
    ) -> Result<SortedPage, Error> {
        let jobs = self.all_sorted(search, order).await?;
        let (mut rows, mut bytes, mut at) = (Vec::new(), 0, from);
        while let Some((service, name)) = jobs.get(at).filter(|_| rows.len() < limit) {
            // One that was deleted meanwhile is left out.
            if let Some(row) = self.store.job(service, name).await? {
                bytes += size(&row);
                rows.push(row);
            }
            at += 1;
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        Ok((rows, (at < jobs.len()).then_some(at), jobs.len()))
    }

    async fn all_sorted(
        &self,
        search: &Search,
        order: JobOrder,
    ) -> Result<Arc<[(ServiceName, JobName)]>, Error> {
        let mut last = self.sorted.0.lock().await;
        if let Some(known) = &*last
            && known.order == order
            && known.search == *search
            && known.at.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(&known.jobs));
        }
        let _turn = self.turn_to_scan().await?;
        let releases = self.releases_for(search).await?;
        let (now, mut after) = (wall_now(), None);
        let mut found: Vec<(Key, ServiceName, JobName)> = Vec::new();
        loop {
            let JobPage { jobs, next } = self.store.jobs(after, PAGE_MAX, PAGE_BYTES).await?;
            for row in self.matching(jobs, search, &releases).await? {
                found.push((key(order, &row, now), row.job.service.clone(), row.job.name.clone()));
            }
            if found.len() > MOST {
                let message = format!(
                    "of more than {MOST} jobs, there is only the order by name: narrow the list"
                );
                return Err(Error::invalid("order", message));
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
            tokio::task::yield_now().await;
        }
        found.sort_unstable();
        let jobs: Arc<[_]> = found.into_iter().map(|(_, service, name)| (service, name)).collect();
        let (search, at) = (search.clone(), Instant::now());
        *last = Some(Known { search, order, at, jobs: Arc::clone(&jobs) });
        Ok(jobs)
    }
}

/// The place of a job: by what comes first, and last if there is nothing.
type Key = (bool, Reverse<i64>, i64);

fn key(order: JobOrder, row: &JobRow, now: Timestamp) -> Key {
    match order {
        JobOrder::Name => (false, Reverse(0), 0),
        JobOrder::NextFire => {
            let next = row.job.enabled.then(|| row.job.timetable.look_after(now, row.anchor));
            match next.and_then(Next::fire) {
                Some(at) => (false, Reverse(0), at.as_millisecond()),
                None => (true, Reverse(0), 0),
            }
        }
        JobOrder::Changed => (false, Reverse(row.updated_at.as_millisecond()), 0),
    }
}
