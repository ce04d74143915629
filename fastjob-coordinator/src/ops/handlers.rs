//! Handlers: what executors can run, and which jobs use it.
//!
//! Every executor has a session with every node, so a node lists what its own sessions have.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{ExecutorName, HandlerName, Job, JobName, ServiceName};
use fastjob_engine::Connected;

use super::{Error, HandlerView, Ops, PAGE_BYTES, PAGE_MAX, Page, jobs::page, pages::fit};
use crate::{handlers::Key, store::JobPage};

/// Maximum number of executors and of jobs that a handler lists.
const NAMED: usize = 20;
/// Maximum number of names that an error lists.
const CHOICES: usize = 5;
/// Approximate bytes of a handler in a list, without its description and its schema.
const BYTES: u64 = 1_500;

/// The name of a job that comes before all others of its service.
const FIRST_JOB: &str = "-";
/// How many services are read one by one for a name that may begin with each of them.
const SERVICES: usize = 4;

/// Which handlers to list, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListHandlers {
    pub(crate) service: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

/// What is known of a handler.
#[derive(Debug, Default)]
struct Found {
    description: String,
    executors: BTreeSet<ExecutorName>,
    /// The first jobs that use it.
    jobs: Vec<JobName>,
    jobs_total: u32,
}

type ByKey = BTreeMap<Key, Found>;

impl Ops {
    /// Handlers by service and name: those of connected executors, and those that jobs use.
    pub(crate) async fn list_handlers(
        &self,
        ask: ListHandlers,
    ) -> Result<Page<HandlerView>, Error> {
        let limit = page(ask.limit)? as usize;
        let service: Option<ServiceName> = ask
            .service
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|err| Error::invalid("service", err))?;
        let after = ask.cursor.map(|cursor| parse_cursor(&cursor)).transpose()?;
        let text = ask.text.map(|text| text.to_lowercase());
        let all = self.all_handlers(service.as_ref()).await?;
        let has_text = |(_, handler): &Key, found: &Found| {
            text.as_ref().is_none_or(|text| {
                handler.as_str().to_lowercase().contains(text)
                    || found.description.to_lowercase().contains(text)
            })
        };
        let is_later = |key: &Key| after.as_ref().is_none_or(|after| key > after);
        let matching: Vec<_> =
            all.into_iter().filter(|(key, found)| has_text(key, found)).collect();
        let total = Some(matching.len() as u64);
        let rest: Vec<_> = matching.into_iter().filter(|(key, _)| is_later(key)).collect();
        let fit = fit(rest.iter().map(|(key, found)| self.bytes(key, found)), limit);
        let last = rest[..fit].last().filter(|_| rest.len() > fit);
        let next_cursor = last.map(|((service, handler), _)| format!("{service}/{handler}"));
        let items = rest.into_iter().take(fit).map(|(key, found)| self.view(key, found)).collect();
        Ok(Page { total, ..Page::new(items, next_cursor) })
    }

    /// The handler that `handler` or `service.handler` means.
    pub(crate) async fn handler(&self, name: &str) -> Result<HandlerView, Error> {
        let mut all = ByKey::new();
        for service in services_of(name) {
            all.append(&mut self.all_handlers(Some(&service)).await?);
        }
        if !all.keys().any(|key| is_full(key, name)) {
            all = self.all_handlers(None).await?;
        }
        let key = find(&all, name)?;
        let found = all.remove(&key).unwrap_or_default();
        Ok(self.view(key, found))
    }

    /// All handlers, or those of one service.
    async fn all_handlers(&self, service: Option<&ServiceName>) -> Result<ByKey, Error> {
        let mut all = ByKey::new();
        let is_asked = |of: &ServiceName| service.is_none_or(|service| of == service);
        for executor in self.sessions.executors().iter().filter(|it| is_asked(&it.service)) {
            add(&mut all, executor);
        }
        let _turn = self.turn_to_scan().await?;
        let mut after = None;
        if let Some(service) = service
            && let Ok(name) = FIRST_JOB.parse::<JobName>()
        {
            if let Some(row) = self.store.job(service, &name).await? {
                add_job(&mut all, &row.job);
            }
            after = Some((service.clone(), name));
        }
        loop {
            let JobPage { jobs, next } = self.store.jobs(after, PAGE_MAX, PAGE_BYTES).await?;
            for row in jobs.iter().filter(|row| is_asked(&row.job.service)) {
                add_job(&mut all, &row.job);
            }
            // Jobs are in the order of their services.
            let is_past = |next: &(ServiceName, JobName)| service.is_some_and(|it| next.0 > *it);
            match next.filter(|next| !is_past(next)) {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    fn bytes(&self, key: &Key, found: &Found) -> u64 {
        let schema = self.handlers.schema(key).map_or(0, |kept| kept.text.len());
        BYTES + (found.description.len() + schema) as u64
    }

    fn view(&self, key: Key, found: Found) -> HandlerView {
        let schema = self.handlers.schema(&key);
        let schema = schema.and_then(|kept| serde_json::from_str(&kept.text).ok());
        let (service, handler) = key;
        HandlerView {
            service: service.to_string(),
            handler: handler.to_string(),
            description: found.description,
            schema,
            executors_total: u32::try_from(found.executors.len()).unwrap_or(u32::MAX),
            executors: found.executors.iter().take(NAMED).map(ToString::to_string).collect(),
            jobs: found.jobs.iter().map(ToString::to_string).collect(),
            jobs_total: found.jobs_total,
        }
    }
}

fn add(all: &mut ByKey, executor: &Connected) {
    for (handler, description) in &*executor.handlers {
        let found = all.entry((executor.service.clone(), handler.clone())).or_default();
        found.executors.insert(executor.executor.clone());
        if found.description.is_empty() {
            found.description.clone_from(description);
        }
    }
}

fn add_job(all: &mut ByKey, job: &Job) {
    let found = all.entry((job.service.clone(), job.handler.clone())).or_default();
    found.jobs_total += 1;
    if found.jobs.len() < NAMED {
        found.jobs.push(job.name.clone());
    }
}

fn parse_cursor(cursor: &str) -> Result<Key, Error> {
    cursor
        .split_once('/')
        .and_then(|(service, handler)| Some((service.parse().ok()?, handler.parse().ok()?)))
        .ok_or_else(|| Error::invalid("cursor", "it did not come from a list of handlers"))
}

/// The services that a name may begin with; none if there are too many to read them one by one.
fn services_of(name: &str) -> Vec<ServiceName> {
    let splits = name.match_indices('.').filter_map(|(dot, _)| {
        name[dot + 1..].parse::<HandlerName>().ok()?;
        name[..dot].parse::<ServiceName>().ok()
    });
    let services: Vec<_> = splits.take(SERVICES + 1).collect();
    if services.len() > SERVICES { Vec::new() } else { services }
}

/// Whether a name is that of a handler with its service.
fn is_full((service, handler): &Key, name: &str) -> bool {
    let rest = name.strip_prefix(service.as_str()).and_then(|rest| rest.strip_prefix('.'));
    rest == Some(handler.as_str())
}

/// The handler that `handler` or `service.handler` means.
fn find(all: &ByKey, name: &str) -> Result<Key, Error> {
    let mut found: Vec<_> = all.keys().filter(|key| is_full(key, name)).collect();
    if found.is_empty() {
        found = all.keys().filter(|(_, handler)| handler.as_str() == name).collect();
    }
    match found[..] {
        [one] => Ok(one.clone()),
        [] => Err(Error::NotFound(format!(
            "no connected executor has a handler named {name}, and no job uses it"
        ))),
        _ => {
            let choices = found.iter().take(CHOICES);
            let choices: Vec<_> =
                choices.map(|(service, handler)| format!("{service}.{handler}")).collect();
            Err(Error::Conflict(format!(
                "several services have a handler named {name}: use {}",
                choices.join(" or ")
            )))
        }
    }
}

#[cfg(test)]
mod tests;
