//! Questions about all jobs: which have some labels, when they fire, and which have not run.

use std::{
    collections::{BinaryHeap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fastjob_core::{Job, JobId, JobName, ServiceName, instant, schedule::Schedule};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::SemaphorePermit;

use super::{ENDS_MAX, Error, FireView, Ops, PAGE_BYTES, PAGE_MAX, ScheduleView};
use crate::{
    clock::wall_now,
    store::{JobPage, JobRow, TaskFilter},
};

/// How long a request waits for its turn to read all jobs.
const TURN: Duration = Duration::from_secs(10);
/// Jobs that a search looks at before it ends a page.
const LOOKED_AT: usize = 5_000;
/// Approximate bytes of a job in a list, without its texts.
const JOB_BYTES: u64 = 2_000;
/// How long the jobs with some labels are remembered, for the next page of a list.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Fires of each job, unless the request says otherwise.
const PER_JOB: u32 = 10;
const PER_JOB_MAX: u32 = 1_000;
/// Fires of all jobs, unless the request says otherwise.
const FIRES: u32 = 500;
const FIRES_MAX: u32 = 10_000;

/// A label that a job must have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    key: String,
    /// Any, if omitted.
    value: Option<String>,
}

/// Which jobs a question is about.
#[derive(Clone, Debug, Default)]
pub(super) struct WhichJobs {
    service: Option<ServiceName>,
    labels: Vec<Label>,
}

impl WhichJobs {
    /// Parses what a request says.
    pub(super) fn parse(service: Option<String>, labels: &[String]) -> Result<Self, Error> {
        let service = service.map(|service| service.parse()).transpose();
        let service = service.map_err(|err| Error::invalid("service", err))?;
        let labels = labels.iter().map(|label| {
            let (key, value) = match label.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (label.as_str(), None),
            };
            match key.is_empty() {
                true => Err(Error::invalid("label", "write it as key=value, or as key")),
                false => Ok(Label { key: key.to_owned(), value }),
            }
        });
        Ok(Self { service, labels: labels.collect::<Result<_, _>>()? })
    }

    pub(super) fn are_all(&self) -> bool {
        self.service.is_none() && self.labels.is_empty()
    }

    pub(super) fn has(&self, job: &Job) -> bool {
        let has = |label: &Label| {
            let is_it = |(key, value): (&str, &str)| {
                key == label.key && label.value.as_ref().is_none_or(|wanted| wanted == value)
            };
            job.labels().any(is_it)
        };
        self.service.as_ref().is_none_or(|service| job.service == *service)
            && self.labels.iter().all(has)
    }
}

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

/// Since when a job has not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// It has never run, as far as the history goes.
    Ever,
    /// Since this instant.
    Since(Timestamp),
    /// Since the newest executor with its handler started.
    Release,
}

impl Idle {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "ever" => Ok(Self::Ever),
            "release" => Ok(Self::Release),
            at => match instant::parse(at) {
                Ok(at) => Ok(Self::Since(at)),
                Err(err) => {
                    let message = format!("{err}; or write `ever` or `release`");
                    Err(Error::invalid("idle_since", message))
                }
            },
        }
    }
}

/// The jobs with the labels of the last search.
#[derive(Debug, Default)]
pub(crate) struct Labelled(Mutex<Option<(Vec<String>, Arc<HashSet<JobId>>, Instant)>>);

impl Labelled {
    fn get(&self, labels: &[String]) -> Option<Arc<HashSet<JobId>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, jobs, at) = known.as_ref()?;
        (of == labels && at.elapsed() < REMEMBERED).then(|| Arc::clone(jobs))
    }

    fn remember(&self, labels: &[String], jobs: HashSet<JobId>) -> Arc<HashSet<JobId>> {
        let jobs = Arc::new(jobs);
        let known = (labels.to_vec(), Arc::clone(&jobs), Instant::now());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        jobs
    }
}

/// Where a page of jobs ends.
type NextJob = Option<(ServiceName, JobName)>;

impl Ops {
    /// The next jobs that a search finds, and where it ended. A search that finds few jobs ends its
    /// page early.
    pub(super) async fn jobs_searched(
        &self,
        (which, idle): (&WhichJobs, Option<Idle>),
        mut after: NextJob,
        limit: usize,
    ) -> Result<(Vec<JobRow>, NextJob), Error> {
        let _turn = self.turn_to_scan().await?;
        let releases = match idle {
            Some(Idle::Release) => self.releases().await?,
            Some(Idle::Ever | Idle::Since(_)) | None => Releases::new(),
        };
        let (mut rows, mut looked_at, mut bytes) = (Vec::new(), 0, 0);
        while looked_at < LOOKED_AT {
            let page = self.store.jobs(after.take(), PAGE_MAX, PAGE_BYTES).await?;
            looked_at += page.jobs.len();
            let mut found: Vec<_> =
                page.jobs.into_iter().filter(|row| which.has(&row.job)).collect();
            if let Some(idle) = idle {
                found = self.idle(found, idle, &releases).await?;
            }
            after = page.next;
            for row in found {
                bytes += size(&row);
                rows.push(row);
                if rows.len() == limit || bytes >= PAGE_BYTES {
                    let last =
                        rows.last().map(|row| (row.job.service.clone(), row.job.name.clone()));
                    return Ok((rows, last));
                }
            }
            if after.is_none() {
                break;
            }
        }
        Ok((rows, after))
    }

    /// Waits for the only turn to read all jobs.
    pub(super) async fn turn_to_scan(&self) -> Result<SemaphorePermit<'_>, Error> {
        match tokio::time::timeout(TURN, self.scanning.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // It is never closed.
            Ok(Err(_)) | Err(_) => {
                let why = "other requests read all jobs at the moment: try again later";
                Err(Error::Unavailable(why.to_owned()))
            }
        }
    }

    /// The jobs with all these labels; `None` without labels.
    pub(super) async fn jobs_labelled(
        &self,
        labels: &[String],
    ) -> Result<Option<Arc<HashSet<JobId>>>, Error> {
        let which = WhichJobs::parse(None, labels)?;
        if which.are_all() {
            return Ok(None);
        }
        if let Some(known) = self.labelled.get(labels) {
            return Ok(Some(known));
        }
        let _turn = self.turn_to_scan().await?;
        // Another request may have found them meanwhile.
        if let Some(known) = self.labelled.get(labels) {
            return Ok(Some(known));
        }
        let (mut found, mut after) = (HashSet::new(), None);
        loop {
            let JobPage { jobs, next } = self.store.jobs(after, PAGE_MAX, PAGE_BYTES).await?;
            found.extend(jobs.iter().filter(|row| which.has(&row.job)).map(|row| row.id));
            match next {
                Some(next) => after = Some(next),
                None => return Ok(Some(self.labelled.remember(labels, found))),
            }
        }
    }

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

    /// Those of the jobs that have not run for so long.
    async fn idle(
        &self,
        rows: Vec<JobRow>,
        idle: Idle,
        releases: &Releases,
    ) -> Result<Vec<JobRow>, Error> {
        let jobs: Vec<_> = rows.iter().map(|row| row.id).collect();
        let activity = self.activity(&jobs, ENDS_MAX).await?;
        let mut earlier = HashMap::new();
        for (job, activity) in &activity {
            // Of a task that waits or was skipped, no handler has run.
            let none_ran = activity.ends.iter().all(|end| end.started_at.is_none());
            if none_ran && activity.ends.len() >= ENDS_MAX as usize {
                earlier.insert(*job, self.last_run(*job).await?);
            }
        }
        let is_idle = |row: &JobRow| {
            let Some(activity) = activity.get(&row.id) else { return true };
            let ended = activity.ends.iter().filter(|end| end.started_at.is_some());
            let last = match earlier.get(&row.id) {
                Some(LastRun::At(at)) => Some(*at),
                // It is not called idle without knowing.
                Some(LastRun::Unknown) => return false,
                Some(LastRun::Never) | None => ended.map(|end| end.ended_at).max(),
            };
            let since = match idle {
                Idle::Ever => None,
                Idle::Since(at) => Some(at),
                Idle::Release => {
                    let of = (row.job.service.clone(), row.job.handler.to_string());
                    match releases.get(&of) {
                        Some(at) => Some(*at),
                        // Without an executor, it has run with none.
                        None => return true,
                    }
                }
            };
            let runs = activity.running.is_none_or(|running| running > 0);
            !runs && last.is_none_or(|last| since.is_some_and(|since| last < since))
        };
        Ok(rows.into_iter().filter(is_idle).collect())
    }
}

/// When executors with a handler of a service started, the newest.
type Releases = HashMap<(ServiceName, String), Timestamp>;

/// When a job has last run.
#[derive(Clone, Copy, Debug)]
enum LastRun {
    At(Timestamp),
    Never,
    /// Too many of its last tasks have not run.
    Unknown,
}

impl Ops {
    async fn releases(&self) -> Result<Releases, Error> {
        let mut releases = Releases::new();
        for executor in self.executors_here().await?.iter().filter(|it| it.session.is_some()) {
            for handler in executor.handlers.keys() {
                let key = (executor.service.clone(), handler.to_string());
                let at = releases.entry(key).or_insert(executor.began_at);
                *at = (*at).max(executor.began_at);
            }
        }
        Ok(releases)
    }

    /// When the last task of a job ended that has run.
    async fn last_run(&self, job: JobId) -> Result<LastRun, Error> {
        let filter = TaskFilter {
            job: Some(job),
            min_run_time: Some(Duration::ZERO),
            limit: 1,
            ..TaskFilter::default()
        };
        let listed = self.store.task_ids(&filter).await?;
        if listed.places.is_empty() {
            let is_whole = listed.stopped.is_none();
            return Ok(if is_whole { LastRun::Never } else { LastRun::Unknown });
        }
        let rows = self.store.tasks_by_id(&listed.ids()).await?;
        let at = rows.first().and_then(|row| row.ended_at);
        Ok(at.map_or(LastRun::Unknown, LastRun::At))
    }
}

/// Approximate bytes of a job in a list.
fn size(row: &JobRow) -> u64 {
    let param = |job: &Job| job.param.as_deref().map_or(0, str::len) as u64 + JOB_BYTES;
    param(&row.job) + row.declared.as_ref().map_or(0, |code| param(code))
}

/// How many to list.
fn many(field: &str, count: Option<u32>, (usual, most): (u32, u32)) -> Result<usize, Error> {
    match count.unwrap_or(usual) {
        count if (1..=most).contains(&count) => Ok(count as usize),
        count => Err(Error::invalid(field, super::out_of_bounds(count, most))),
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::JobDraft;
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

    #[test]
    fn jobs_are_chosen_by_service_and_labels() {
        let row = row(1, r#"{"name": "a", "service": "s", "labels": {"team": "x", "tier": "1"}}"#);
        let has = |service: Option<&str>, labels: &[&str]| {
            let labels: Vec<_> = labels.iter().map(|&label| label.to_owned()).collect();
            WhichJobs::parse(service.map(str::to_owned), &labels).unwrap().has(&row.job)
        };
        assert!(has(None, &[]) && has(Some("s"), &["team=x", "tier"]) && has(None, &["tier=1"]));
        assert!(!has(Some("t"), &[]) && !has(None, &["team=y"]) && !has(None, &["team=x", "no"]));
        assert!(WhichJobs::parse(None, &["=x".to_owned()]).is_err());
    }
}
