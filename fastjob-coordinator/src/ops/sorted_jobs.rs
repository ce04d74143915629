//! Lists of jobs that are not sorted by name.
//!
//! No index has these orders, because few jobs change and many are read: a list reads all jobs once,
//! and remembers the order for the pages that follow.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastjob_core::{JobName, ServiceName, schedule::Next};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Error, Ops, PAGE_BYTES, PAGE_MAX,
    all_jobs::{LOOKED_AT, Search, size},
    job_filters::JobOrder,
};
use crate::{
    clock::wall_now,
    store::{JobPage, JobRow},
};

/// How long the order of a list is remembered.
const REMEMBERED: Duration = Duration::from_secs(15);
/// Most lists that are remembered, which together have at most [`MOST`] jobs.
const LISTS: usize = 8;
/// Most jobs of a sorted list.
const MOST: usize = 200_000;

/// The last lists that were sorted, the oldest first.
#[derive(Default)]
pub(crate) struct SortedJobs(Mutex<Vec<Known>>);

/// Jobs in some order.
type Sorted = Arc<[(ServiceName, JobName)]>;

struct Known {
    search: Search,
    order: JobOrder,
    at: Instant,
    jobs: Sorted,
}

impl SortedJobs {
    fn get(&self, search: &Search, order: JobOrder) -> Option<Sorted> {
        let mut lists = self.lock();
        lists.retain(|known| known.at.elapsed() < REMEMBERED);
        let known = lists.iter().find(|known| known.order == order && known.search == *search)?;
        Some(Arc::clone(&known.jobs))
    }

    fn remember(&self, search: &Search, order: JobOrder, jobs: &Sorted) {
        let (search, at, jobs) = (search.clone(), Instant::now(), Arc::clone(jobs));
        let mut lists = self.lock();
        lists.push(Known { search, order, at, jobs });
        let sum = |lists: &[Known]| lists.iter().map(|known| known.jobs.len()).sum::<usize>();
        while lists.len() > LISTS || sum(&lists) > MOST {
            lists.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    async fn all_sorted(&self, search: &Search, order: JobOrder) -> Result<Sorted, Error> {
        if let Some(known) = self.sorted.get(search, order) {
            return Ok(known);
        }
        let _turn = self.turn_to_scan().await?;
        // Another request may have sorted them meanwhile.
        if let Some(known) = self.sorted.get(search, order) {
            return Ok(known);
        }
        if search.needs_activity() {
            self.check_few(search).await?;
        }
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
        let jobs: Sorted = found.into_iter().map(|(_, service, name)| (service, name)).collect();
        self.sorted.remember(search, order, &jobs);
        Ok(jobs)
    }

    /// Rejects a search that would have to look up what too many jobs do: nobody else could search
    /// meanwhile.
    async fn check_few(&self, search: &Search) -> Result<(), Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let JobPage { jobs, next } = self.store.jobs(after, PAGE_MAX, PAGE_BYTES).await?;
            count += jobs.iter().filter(|row| search.has(row)).count();
            if count > LOOKED_AT {
                let message = format!(
                    "with `last_state`, `running` or `idle_since`, there is only the order by name \
                     of more than {LOOKED_AT} jobs: leave one of them out, or narrow the list with \
                     other filters, such as `service`"
                );
                return Err(Error::invalid("order", message));
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
            tokio::task::yield_now().await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::all_jobs::WhichJobs;

    #[tokio::test(start_paused = true)]
    async fn a_few_lists_are_remembered_for_a_while_and_the_oldest_makes_room() {
        let sorted = SortedJobs::default();
        let job = ("s".parse::<ServiceName>().unwrap(), "j".parse::<JobName>().unwrap());
        let search = |service: usize| {
            let mut search = Search::default();
            search.which = WhichJobs::parse(Some(format!("s{service}")), &[]).unwrap();
            search
        };
        let order = JobOrder::Changed;
        let list = |jobs: usize| -> Sorted { vec![job.clone(); jobs].into() };
        for service in 0..=LISTS {
            sorted.remember(&search(service), order, &list(1));
        }
        assert!(sorted.get(&search(0), order).is_none(), "it was the oldest");
        assert!(sorted.get(&search(1), order).is_some());
        assert!(sorted.get(&search(1), JobOrder::NextFire).is_none());
        sorted.remember(&search(20), order, &list(MOST));
        assert!(sorted.get(&search(LISTS), order).is_none(), "too many jobs together");
        assert_eq!(sorted.get(&search(20), order).unwrap().len(), MOST);
        tokio::time::advance(REMEMBERED).await;
        assert!(sorted.get(&search(20), order).is_none());
    }
}
