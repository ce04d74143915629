//! Which jobs failed most, ran longest, or ran most.
//!
//! The statistics of all jobs are read from the index, the newest first, and a bounded part of it: if
//! more tasks ended in the range, the answer says from when on it is complete. An answer is kept for a
//! while for others who ask the same, and one is computed at a time.

use std::{cmp::Reverse, sync::Arc, time::Duration};

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
/// Most jobs whose statistics are kept for the next request.
const KEPT: usize = 20_000;
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

/// The last statistics that were read, with their range in minutes.
#[derive(Default)]
pub(crate) struct JobStatsCache(Mutex<Option<Known>>);

struct Known {
    range: (i64, i64),
    at: Instant,
    sums: Arc<JobSums>,
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
        let sums = self.sums(range).await?;
        let mut jobs: Vec<_> = sums
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
        Ok(JobStatsView { since: at(sums.from)?, until: at(range.1)?, items })
    }

    async fn sums(&self, range: (i64, i64)) -> Result<Arc<JobSums>, Error> {
        let known = tokio::time::timeout(TURN, self.job_stats.0.lock()).await;
        let mut known = known.map_err(|_| {
            let why = "other requests read the statistics of all jobs: try again later";
            Error::Unavailable(why.to_owned())
        })?;
        if let Some(known) = &*known
            && known.range == range
            && known.at.elapsed() < FRESH
        {
            return Ok(Arc::clone(&known.sums));
        }
        let sums = Arc::new(self.store.stats_by_job(range.0, range.1).await?);
        let at = Instant::now();
        let kept = Known { range, at, sums: Arc::clone(&sums) };
        *known = Some(kept).filter(|known| known.sums.jobs.len() <= KEPT);
        Ok(sums)
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
