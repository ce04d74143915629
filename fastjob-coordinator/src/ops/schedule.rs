//! When all jobs fire.

use std::collections::BinaryHeap;

use fastjob_core::{JobName, ServiceName, instant, schedule::Schedule};
use jiff::{SignedDuration, Timestamp};

use super::{
    Error, FireView, Ops, PAGE_BYTES, PAGE_MAX, ScheduleView, all_jobs::WhichJobs, out_of_bounds,
};
use crate::{
    clock::wall_now,
    store::{JobPage, JobRow},
};

/// Fires of each job, unless the request says otherwise.
const PER_JOB: u32 = 10;
const PER_JOB_MAX: u32 = 1_000;
/// Fires of all jobs, unless the request says otherwise.
const FIRES: u32 = 500;
const FIRES_MAX: u32 = 10_000;

/// Which fires to list, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskSchedule {
    pub(crate) service: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) per_job: Option<u32>,
    pub(crate) limit: Option<u32>,
}

/// A range of fires, and how many are listed.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: Timestamp,
    until: Timestamp,
    per_job: usize,
    limit: usize,
}

/// A fire, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fire {
    at: Timestamp,
    service: ServiceName,
    name: JobName,
    zone: Option<String>,
    more: bool,
}

/// The first fires in a range, at most one more than the limit.
#[derive(Debug, Default)]
struct First(BinaryHeap<Fire>);

impl First {
    fn add(&mut self, row: &JobRow, range: Range) {
        let job = &row.job;
        if !job.enabled {
            return;
        }
        // Nothing later than the last one of a full list is listed.
        let is_full = self.0.len() > range.limit;
        let last = self.0.peek().filter(|_| is_full).map(|last| last.at);
        let follows = job.timetable.follows_the_last_end();
        let most = if follows { 1 } else { range.per_job };
        let after_last =
            last.and_then(|last| last.checked_add(SignedDuration::from_millis(1)).ok());
        let until = after_last.map_or(range.until, |at| at.min(range.until));
        let fires = job.timetable.fires_within((range.from, until), row.anchor, most);
        let zone = match job.timetable.schedule() {
            Schedule::Cron(_, zone) => Some(zone.name().to_owned()),
            Schedule::None
            | Schedule::FixedRate(_)
            | Schedule::FixedDelay(_)
            | Schedule::Once(_) => None,
        };
        let count = fires.fires.len();
        for (number, at) in (1..).zip(fires.fires) {
            if last.is_some_and(|last| at > last) {
                break;
            }
            let more = number == count && (follows || fires.more);
            let (service, name) = (job.service.clone(), job.name.clone());
            self.0.push(Fire { at, service, name, zone: zone.clone(), more });
            if self.0.len() > range.limit + 1 {
                self.0.pop();
            }
        }
    }

    fn into_view(self, range: Range) -> ScheduleView {
        let Range { from, until, limit, .. } = range;
        let mut fires = self.0.into_sorted_vec();
        let mut cut_at = None;
        if fires.len() > limit {
            cut_at = fires.last().map(|fire| fire.at);
            // All fires before the cut are there, so that the list can be continued from it.
            match fires.partition_point(|fire| Some(fire.at) < cut_at) {
                // More jobs fire at one instant than are listed.
                0 => {
                    fires.truncate(limit);
                    let next = SignedDuration::from_millis(1);
                    cut_at = cut_at.and_then(|at| at.checked_add(next).ok());
                }
                whole => fires.truncate(whole),
            }
        }
        let view = |Fire { at, service, name, zone, more }| FireView {
            at,
            job: name.to_string(),
            service: service.to_string(),
            zone,
            more,
        };
        ScheduleView { from, until, items: fires.into_iter().map(view).collect(), cut_at }
    }
}

impl Ops {
    /// When all jobs fire in a range.
    pub(crate) async fn schedule(&self, ask: AskSchedule) -> Result<ScheduleView, Error> {
        let which = WhichJobs::parse(ask.service, &ask.labels)?;
        let at = |field: &str, text: Option<String>| {
            let at = text.map(|text| instant::parse(&text)).transpose();
            at.map_err(|err| Error::invalid(field, err))
        };
        let from = at("from", ask.from)?.unwrap_or_else(wall_now);
        let day = SignedDuration::from_hours(24);
        let until = match at("until", ask.until)? {
            Some(until) => until,
            None => from.checked_add(day).map_err(|err| Error::invalid("from", err))?,
        };
        if until <= from {
            return Err(Error::invalid("until", format_args!("{until} is not after {from}")));
        }
        let range = Range {
            from,
            until,
            per_job: many("per_job", ask.per_job, (PER_JOB, PER_JOB_MAX))?,
            limit: many("limit", ask.limit, (FIRES, FIRES_MAX))?,
        };
        let _turn = self.turn_to_scan().await?;
        let (mut first, mut after) = (First::default(), None);
        loop {
            let JobPage { jobs, next } = self.store.jobs(after, PAGE_MAX, PAGE_BYTES).await?;
            let which = which.clone();
            // A search for fires can take a millisecond for each job.
            let add = tokio::task::spawn_blocking(move || {
                for row in jobs.iter().filter(|row| which.has(&row.job)) {
                    first.add(row, range);
                }
                first
            });
            first = add.await.map_err(|err| Error::Unavailable(format!("no fires: {err}")))?;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(first.into_view(range)),
            }
        }
    }
}

/// How many to list.
fn many(field: &str, count: Option<u32>, (usual, most): (u32, u32)) -> Result<usize, Error> {
    match count.unwrap_or(usual) {
        count if (1..=most).contains(&count) => Ok(count as usize),
        count => Err(Error::invalid(field, out_of_bounds(count, most))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fastjob_core::{JobDraft, JobId};
    use fastjob_engine::record::{Origin, Overrides};

    use super::*;

    fn row(id: i64, json: &str) -> JobRow {
        let draft: JobDraft = serde_json::from_str(json).unwrap();
        let at = "2026-11-29T12:00:00Z".parse().unwrap();
        JobRow {
            id: JobId(id),
            job: Arc::new(draft.try_into().unwrap()),
            declared: None,
            children: Arc::default(),
            origin: Origin::Api,
            overrides: Overrides::default(),
            revision: 1,
            anchor: at,
            created_at: at,
            updated_at: at,
            deleted_at: None,
        }
    }

    fn listed(limit: usize, rows: &[JobRow]) -> (Vec<String>, Option<String>) {
        let (from, until) = ("2026-11-30T18:00:00Z", "2026-12-01T06:00:00Z");
        let (from, until) = (from.parse().unwrap(), until.parse().unwrap());
        let range = Range { from, until, per_job: 2, limit };
        let mut first = First::default();
        rows.iter().for_each(|row| first.add(row, range));
        let view = first.into_view(range);
        let shown = |fire: &FireView| {
            let more = if fire.more { "+" } else { "" };
            format!("{} {}{more}", fire.at.strftime("%H:%M"), fire.job)
        };
        let cut = view.cut_at.map(|at| at.strftime("%H:%M").to_string());
        (view.items.iter().map(shown).collect(), cut)
    }

    #[test]
    fn fires_of_all_jobs_are_listed_by_time_and_each_job_a_few_times() {
        let rows = [
            row(1, r#"{"name": "often", "schedule": {"cron": "0 * * * *"}}"#),
            row(
                2,
                r#"{"name": "night", "schedule": {"cron": "30 2 * * *", "zone": "Asia/Tokyo"}}"#,
            ),
            row(3, r#"{"name": "off", "enabled": false, "schedule": {"cron": "0 * * * *"}}"#),
            row(4, r#"{"name": "begin", "schedule": {"cron": "0 18 * * *"}}"#),
            row(5, r#"{"name": "end", "schedule": {"cron": "0 6 * * *"}}"#),
            row(6, r#"{"name": "delay", "schedule": {"fixed_delay": "30h"}}"#),
        ];
        let (fires, cut) = listed(10, &rows);
        let expected = ["18:00 begin", "18:00 delay+", "18:00 often", "19:00 often+"];
        assert_eq!((fires.as_slice(), cut), (&expected.map(str::to_owned)[..], None));
        let (fires, cut) = listed(3, &rows);
        let expected = ["18:00 begin", "18:00 delay+", "18:00 often"];
        assert_eq!(fires, expected);
        assert_eq!(cut.as_deref(), Some("19:00"), "continue from here");
        let (fires, cut) = listed(1, &rows);
        assert_eq!((fires.len(), cut.as_deref()), (1, Some("18:00")), "just after that instant");
    }
}
