//! The list of jobs, and searches of all jobs: which have some labels, and which have not run.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fastjob_core::{Job, JobId, JobName, ServiceName, instant};
use jiff::Timestamp;
use tokio::sync::SemaphorePermit;

use super::{
    ENDS_MAX, Error, JobView, Ops, PAGE_BYTES, PAGE_MAX, Page,
    jobs::{page, parse_cursor, view},
};
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

/// Which jobs to list, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListJobs {
    pub(crate) service: Option<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) idle_since: Option<String>,
    pub(crate) ends: Option<u32>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
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
pub(crate) struct Labelled(Mutex<Option<Known>>);

/// The labels, their jobs, and when these were found.
type Known = (Vec<String>, Arc<HashSet<JobId>>, Instant);

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
    /// Jobs by service and name; with `ends`, each with its activity and so many of its last ends.
    pub(crate) async fn list_jobs(&self, ask: ListJobs) -> Result<Page<JobView>, Error> {
        let limit = page(ask.limit)?;
        let which = WhichJobs::parse(ask.service, &ask.labels)?;
        let idle = ask.idle_since.as_deref().map(Idle::parse).transpose()?;
        let after = ask.cursor.map(|cursor| parse_cursor(&cursor)).transpose()?;
        let (rows, after) = match which.are_all() && idle.is_none() {
            true => {
                let page = self.store.jobs(after, limit, PAGE_BYTES).await?;
                (page.jobs, page.next)
            }
            false => self.jobs_searched((&which, idle), after, limit as usize).await?,
        };
        let now = wall_now();
        let mut items: Vec<_> = rows.iter().map(|row| view(row, now)).collect();
        if let Some(ends) = ask.ends {
            let jobs: Vec<_> = rows.iter().map(|row| row.id).collect();
            let mut activity = self.activity(&jobs, ends).await?;
            for (item, job) in items.iter_mut().zip(&jobs) {
                item.activity = activity.remove(job);
            }
        }
        let next_cursor = after.map(|(service, name)| format!("{service}/{name}"));
        Ok(Page::new(items, next_cursor))
    }

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

#[cfg(test)]
mod tests {
    use fastjob_core::JobDraft;

    use super::*;

    #[test]
    fn jobs_are_chosen_by_service_and_labels() {
        let json = r#"{"name": "a", "service": "s", "labels": {"team": "x", "tier": "1"}}"#;
        let job = Job::try_from(serde_json::from_str::<JobDraft>(json).unwrap()).unwrap();
        let has = |service: Option<&str>, labels: &[&str]| {
            let labels: Vec<_> = labels.iter().map(|&label| label.to_owned()).collect();
            WhichJobs::parse(service.map(str::to_owned), &labels).unwrap().has(&job)
        };
        assert!(has(None, &[]) && has(Some("s"), &["team=x", "tier"]) && has(None, &["tier=1"]));
        assert!(!has(Some("t"), &[]) && !has(None, &["team=y"]) && !has(None, &["team=x", "no"]));
        assert!(WhichJobs::parse(None, &["=x".to_owned()]).is_err());
    }
}
