//! The list of jobs, and searches of all jobs: which have some labels, and which have not run.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fastjob_core::{Job, JobId, JobName, ServiceName};
use tokio::sync::SemaphorePermit;

use super::{
    Error, JobView, Ops, PAGE_BYTES, PAGE_MAX, Page,
    idle::{Idle, Releases},
    job_filters::{AskJobFilters, JobFilters, JobOrder},
    jobs::{page, parse_cursor, view},
};
use crate::{
    clock::wall_now,
    store::{JobPage, JobRow},
};

/// How long a request waits for its turn to read all jobs.
const TURN: Duration = Duration::from_secs(10);
/// Jobs that a search looks at before it ends a page.
pub(super) const LOOKED_AT: usize = 5_000;
/// The same of a search that only reads definitions.
const LOOKED_AT_CHEAPLY: usize = 20_000;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// A place shortly before the first job of the service; `None` without a service, or if only the
    /// beginning of the list is certain to be before it. Lists are ordered by bytes.
    fn begins_after(&self) -> NextJob {
        let service = self.service.as_ref()?.as_str();
        let (at, last) = service.char_indices().next_back()?;
        let head = &service[..at];
        let less = u32::from(last).checked_sub(1).and_then(char::from_u32);
        let places = [less.map(|less| format!("{head}{less}zzzz")), Some(head.to_owned())];
        let mut places = places.into_iter().flatten().filter(|place| place.as_str() < service);
        Some((places.find_map(|place| place.parse().ok())?, "z".parse().ok()?))
    }

    /// Whether all jobs after this place are of later services.
    fn ends_before(&self, place: &NextJob) -> bool {
        match (&self.service, place) {
            (Some(service), Some((next, _))) => next.as_str() > service.as_str(),
            (None, Some(_)) => false,
            (_, None) => true,
        }
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
    pub(crate) filters: AskJobFilters,
    /// `name`, `next_fire` or `changed`.
    pub(crate) order: Option<String>,
    pub(crate) ends: Option<u32>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

/// Which jobs a list looks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) which: WhichJobs,
    pub(super) idle: Option<Idle>,
    filters: JobFilters,
}

impl Search {
    fn is_of_all(&self) -> bool {
        self.which.are_all() && self.idle.is_none() && self.filters.are_none()
    }

    /// Whether more than the definition of a job has to be looked at.
    pub(super) const fn needs_activity(&self) -> bool {
        self.idle.is_some() || self.filters.need_activity()
    }

    /// Whether the definition matches.
    pub(super) fn has(&self, row: &JobRow) -> bool {
        self.which.has(&row.job) && self.filters.has(row)
    }

    /// How many jobs are looked at for a page.
    const fn most(&self) -> usize {
        if self.needs_activity() { LOOKED_AT } else { LOOKED_AT_CHEAPLY }
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

/// The place at which a page of a sorted list begins.
fn parse_place(cursor: &str) -> Result<usize, Error> {
    let place = cursor.strip_prefix('@').and_then(|place| place.parse().ok());
    place.ok_or_else(|| {
        let message =
            "it came from a list in another order: leave it out to begin with the first page";
        Error::invalid("cursor", message)
    })
}

/// Where a page of jobs ends.
type NextJob = Option<(ServiceName, JobName)>;

impl Ops {
    /// Jobs by service and name; with `ends`, each with its activity and so many of its last ends.
    pub(crate) async fn list_jobs(&self, ask: ListJobs) -> Result<Page<JobView>, Error> {
        let limit = page(ask.limit)?;
        let search = Search {
            which: WhichJobs::parse(ask.service, &ask.labels)?,
            idle: ask.idle_since.as_deref().map(Idle::parse).transpose()?,
            filters: JobFilters::parse(ask.filters)?,
        };
        let order = ask.order.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let (rows, next_cursor, total) = match order {
            JobOrder::Name => self.jobs_by_name(&search, ask.cursor, limit).await?,
            order @ (JobOrder::NextFire | JobOrder::Changed) => {
                let from = ask.cursor.as_deref().map(parse_place).transpose()?.unwrap_or(0);
                let sorted = self.jobs_sorted(&search, order, from, limit as usize).await?;
                let (rows, next, total) = sorted;
                (rows, next.map(|next| format!("@{next}")), Some(total as u64))
            }
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
        Ok(Page { total, ..Page::new(items, next_cursor) })
    }

    /// A page by service and name, and how many jobs match in all, if that is known without reading
    /// them.
    async fn jobs_by_name(
        &self,
        search: &Search,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<(Vec<JobRow>, Option<String>, Option<u64>), Error> {
        let after = cursor.map(|cursor| parse_cursor(&cursor)).transpose()?;
        let (rows, after) = match search.is_of_all() {
            true => {
                let page = self.store.jobs(after, limit, PAGE_BYTES).await?;
                (page.jobs, page.next)
            }
            false => self.jobs_searched(search, after, limit as usize).await?,
        };
        let is_counted =
            search.idle.is_none() && search.filters.are_none() && search.which.labels.is_empty();
        let total = match is_counted {
            true => self.job_total(search.which.service.as_ref()),
            false => None,
        };
        Ok((rows, after.map(|(service, name)| format!("{service}/{name}")), total))
    }

    /// The next jobs that a search finds, and where it ended. A search that finds few jobs ends its
    /// page early.
    pub(super) async fn jobs_searched(
        &self,
        search: &Search,
        mut after: NextJob,
        limit: usize,
    ) -> Result<(Vec<JobRow>, NextJob), Error> {
        let _turn = self.turn_to_scan().await?;
        let releases = self.releases_for(search).await?;
        let (mut rows, mut looked_at, mut bytes) = (Vec::new(), 0, 0);
        after = after.or_else(|| search.which.begins_after());
        while looked_at < search.most() {
            let page = self.store.jobs(after.take(), PAGE_MAX, PAGE_BYTES).await?;
            looked_at += page.jobs.len();
            let found = self.matching(page.jobs, search, &releases).await?;
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
            if search.which.ends_before(&after) {
                return Ok((rows, None));
            }
        }
        Ok((rows, after))
    }

    /// Those of the jobs that a search looks for.
    pub(super) async fn matching(
        &self,
        rows: Vec<JobRow>,
        search: &Search,
        releases: &Releases,
    ) -> Result<Vec<JobRow>, Error> {
        let Search { idle, filters, .. } = search;
        let mut found: Vec<_> = rows.into_iter().filter(|row| search.has(row)).collect();
        if filters.need_activity() {
            found = self.with_activity(found, filters).await?;
        }
        if let Some(idle) = idle {
            found = self.idle(found, *idle, releases).await?;
        }
        Ok(found)
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
}

/// Approximate bytes of a job in a list.
pub(super) fn size(row: &JobRow) -> u64 {
    let param = |job: &Job| job.param.as_deref().map_or(0, str::len) as u64 + JOB_BYTES;
    param(&row.job) + row.declared.as_ref().map_or(0, |code| param(code))
}

#[cfg(test)]
mod tests {
    use fastjob_core::JobDraft;

    use super::*;

    #[test]
    fn the_jobs_of_a_service_are_looked_for_where_they_are() {
        let of = |service: &str| WhichJobs::parse(Some(service.to_owned()), &[]).unwrap();
        let place = |service: &str| Some((service.parse().unwrap(), "any".parse().unwrap()));
        for (service, before) in
            [("mail", Some("maikzzzz")), ("ab-0", None), ("svc9", Some("svc8zzzz"))]
        {
            let found = of(service).begins_after();
            let found = found.as_ref().map(|(service, _)| service.as_str());
            assert!(found.is_none_or(|found| found < service), "{found:?}");
            assert!(before.is_none() || found == before, "{found:?}");
        }
        assert_eq!(WhichJobs::default().begins_after(), None);
        let mail = of("mail");
        assert!(mail.ends_before(&None) && mail.ends_before(&place("mail2")));
        assert!(!mail.ends_before(&place("mail")) && !mail.ends_before(&place("maik")));
        assert!(!WhichJobs::default().ends_before(&place("z")));
    }

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
