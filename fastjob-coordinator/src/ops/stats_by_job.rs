//! Which jobs failed most, ran longest, or ran most.
//!
//! The statistics of all jobs are read from the index, the newest first, and a bounded part of it: if
//! more tasks ended in the range, the answer says from when on it is complete. An answer is kept for a
//! while for others who ask the same, and one is computed at a time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use fastjob_client::types::{JobStats, JobStatsOrder, JobStatsView};
use fastjob_core::{JobId, ServiceName, TaskState, instant};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Mutex, time::Instant};

use super::{Error, Ops, how_many, stats::tasks};
use crate::{
    clock::wall_now,
    store::{JobSums, Stats},
};

/// Most jobs of an answer, and the usual number.
const MOST: u32 = 100;
const USUAL: u32 = 10;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// Most jobs of each order whose statistics are kept for the next request.
const KEPT: usize = 1_000;
/// Most ranges and services whose statistics are kept.
const RANGES: usize = 4;
/// Jobs whose names are looked up at once.
const NAMES: usize = 200;
/// How long statistics are used that others have read.
const FRESH: Duration = Duration::from_secs(30);

/// Which statistics to show, as the caller wrote it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskJobStats {
    pub(crate) service: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) order: Option<String>,
    pub(crate) limit: Option<String>,
}

/// The last statistics that were read, the oldest first.
#[derive(Default)]
pub(crate) struct JobStatsCache(Mutex<Vec<Known>>);

struct Known {
    /// In minutes.
    range: (i64, i64),
    /// Of all services, if omitted.
    service: Option<ServiceName>,
    at: Instant,
    best: Arc<Best>,
}

/// The statistics of the jobs that come first in one of the orders.
struct Best {
    /// The first minute from which on they are complete.
    from: i64,
    /// Whether no job was left out.
    are_all: bool,
    jobs: BTreeMap<JobId, Stats>,
}

impl Best {
    fn of(sums: JobSums) -> Self {
        let JobSums { from, mut jobs } = sums;
        let are_all = jobs.len() <= KEPT;
        if !are_all {
            let mut kept = BTreeSet::new();
            for order in JobStatsOrder::ALL {
                let ranks = jobs.iter();
                let ranks = ranks.filter_map(|(job, of)| Some((Reverse(rank(order, of)?), *job)));
                let mut ranks: Vec<_> = ranks.collect();
                ranks.sort_unstable();
                kept.extend(ranks.into_iter().take(KEPT).map(|(_, job)| job));
            }
            jobs.retain(|job, _| kept.contains(job));
        }
        Self { from, are_all, jobs }
    }
}

impl Ops {
    /// The jobs that stand out in the order that is asked for.
    pub(crate) async fn job_stats(&self, ask: AskJobStats) -> Result<JobStatsView, Error> {
        let order = ask.order.as_deref().map(str::parse::<JobStatsOrder>).transpose();
        let order = order.map_err(|err| Error::invalid("order", err))?.unwrap_or_default();
        let limit = ask.limit.as_deref().map(|text| how_many(text, MOST)).transpose();
        let limit = limit.map_err(|err| Error::invalid("limit", err))?.unwrap_or(USUAL);
        let service = ask.service.as_deref().map(str::parse::<ServiceName>).transpose();
        let service = service.map_err(|err| Error::invalid("service", err))?;
        let range = range(ask.since.as_deref(), ask.until.as_deref(), wall_now())?;
        let best = self.best(range, service.as_ref()).await?;
        let mut jobs: Vec<_> = best
            .jobs
            .iter()
            .filter_map(|(job, stats)| Some((Reverse(rank(order, stats)?), *job, stats)))
            .collect();
        jobs.sort_unstable_by_key(|(rank, job, _)| (*rank, *job));
        let mut items = Vec::new();
        for part in jobs.chunks(NAMES) {
            let ids: Vec<_> = part.iter().map(|(_, job, _)| *job).collect();
            let links = self.store.links(&ids).await?;
            let name = |job: JobId| links.iter().find(|link| link.id == job);
            // The statistics of deleted jobs are left out: there is no name to show.
            let named = part.iter().filter_map(|(_, job, stats)| Some((name(*job)?, *stats)));
            let named =
                named.filter(|(link, _)| service.as_ref().is_none_or(|of| link.service == *of));
            items.extend(named.map(|(link, stats)| JobStats {
                job: link.name.to_string(),
                service: link.service.to_string(),
                tasks: tasks(stats),
            }));
            if items.len() >= limit as usize {
                break;
            }
        }
        items.truncate(limit as usize);
        let at = |minute: i64| {
            Timestamp::from_second(minute.saturating_mul(60))
                .map_err(|_| Error::invalid("since", "is too far from now"))
        };
        Ok(JobStatsView { since: at(best.from)?, until: at(range.1)?, items })
    }

    /// The statistics of the jobs of a service, or of all, that come first.
    async fn best(
        &self,
        range: (i64, i64),
        service: Option<&ServiceName>,
    ) -> Result<Arc<Best>, Error> {
        let known = tokio::time::timeout(TURN, self.job_stats.0.lock()).await;
        let mut known = known.map_err(|_| {
            let why = "other requests read the statistics of all jobs: try again later";
            Error::Unavailable(why.to_owned())
        })?;
        known.retain(|known| known.at.elapsed() < FRESH);
        let answers = |known: &&Known| {
            let is_whole = known.service.is_none() && known.best.are_all;
            known.range == range && (known.service.as_ref() == service || is_whole)
        };
        if let Some(known) = known.iter().find(answers) {
            return Ok(Arc::clone(&known.best));
        }
        // The sums of all jobs may be large: they are gone when the next request has its turn.
        let mut sums = self.store.stats_by_job(range.0, range.1).await?;
        if let Some(service) = service {
            self.only_of(service, &mut sums).await?;
        }
        let (at, best) = (Instant::now(), Arc::new(Best::of(sums)));
        if known.len() >= RANGES {
            known.remove(0);
        }
        known.push(Known { range, service: service.cloned(), at, best: Arc::clone(&best) });
        Ok(best)
    }

    /// Removes the statistics of the jobs of other services.
    async fn only_of(&self, service: &ServiceName, sums: &mut JobSums) -> Result<(), Error> {
        let ids: Vec<_> = sums.jobs.keys().copied().collect();
        let mut of_service = BTreeSet::new();
        for ids in ids.chunks(NAMES) {
            let links = self.store.links(ids).await?;
            let links = links.iter().filter(|link| link.service == *service);
            of_service.extend(links.map(|link| link.id));
        }
        sums.jobs.retain(|job, _| of_service.contains(job));
        Ok(())
    }
}

/// The place of a job in an order; `None` if it is not listed.
fn rank(order: JobStatsOrder, stats: &Stats) -> Option<u64> {
    let all = [TaskState::Succeeded, TaskState::Failed, TaskState::Stopped, TaskState::Skipped];
    match order {
        JobStatsOrder::Failed => Some(stats.ended(TaskState::Failed)).filter(|failed| *failed > 0),
        JobStatsOrder::RunTime => stats.run_time.percentile(95),
        JobStatsOrder::Tasks => Some(all.into_iter().map(|state| stats.ended(state)).sum()),
    }
}

/// The first minute, and the minute behind the last one. Ranges of more than two hours are rounded to
/// whole hours, so that callers who ask for the last day get the same answer.
fn range(since: Option<&str>, until: Option<&str>, now: Timestamp) -> Result<(i64, i64), Error> {
    let parse = |name, text: Option<&str>| {
        let parse = |text: &str| instant::parse(text).map_err(|err| Error::invalid(name, err));
        text.map(parse).transpose()
    };
    let until = parse("until", until)?.unwrap_or(now);
    let day = SignedDuration::from_hours(24);
    let since = match parse("since", since)? {
        Some(since) => since,
        None => until.checked_sub(day).unwrap_or(Timestamp::MIN),
    };
    if since >= until {
        return Err(Error::invalid("since", format!("{since} is not before {until}")));
    }
    let is_long = until.duration_since(since) > SignedDuration::from_hours(2);
    let unit = if is_long { 60 } else { 1 };
    let (first, last) = (since.as_second().div_euclid(60), until.as_millisecond() - 1);
    let last = last.div_euclid(60_000);
    Ok((first - first.rem_euclid(unit), last - last.rem_euclid(unit) + unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_jobs_those_are_kept_that_come_first() {
        let few = (0..10).map(|id| (JobId(id), Stats::default())).collect();
        let few = Best::of(JobSums { from: 1, jobs: few });
        assert!(few.are_all && few.jobs.len() == 10 && few.from == 1);
        let many = (0..5_000).map(|id| (JobId(id), Stats::default())).collect();
        let many = Best::of(JobSums { from: 1, jobs: many });
        assert!(!many.are_all && many.jobs.len() == KEPT, "{}", many.jobs.len());
    }

    #[test]
    fn a_long_range_is_rounded_to_hours_and_a_short_one_to_minutes() {
        let now = "2026-11-29T10:20:30Z".parse().unwrap();
        let check = |since: Option<&str>, until: Option<&str>, expected: (&str, &str)| {
            let (from, behind) = range(since, until, now).unwrap();
            let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap().to_string();
            assert_eq!((at(from).as_str(), at(behind).as_str()), expected);
        };
        check(None, None, ("2026-11-28T10:00:00Z", "2026-11-29T11:00:00Z"));
        let hour = Some("2026-11-29T09:20:30Z");
        check(hour, None, ("2026-11-29T09:20:00Z", "2026-11-29T10:21:00Z"));
        let (from, until) = ("2026-11-29T07:00:00Z", "2026-11-29T10:00:00Z");
        check(Some(from), Some(until), (from, until));
        let refused = range(Some("2026-11-30T00:00:00Z"), None, now).unwrap_err().to_string();
        assert_eq!(refused, "since: 2026-11-30T00:00:00Z is not before 2026-11-29T10:20:30Z");
    }
}
