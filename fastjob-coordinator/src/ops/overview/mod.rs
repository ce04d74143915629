//! What happens at the moment: how many tasks, jobs and executors there are, and what needs attention.
//!
//! A node computes it at most every two seconds, once for all who ask. The engines look at a bounded
//! number of open tasks for it, and the store at a bounded number of failures.

mod attention;
mod failing;
mod shared;
mod survey;
mod usual;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use fastjob_client::types::{
    Attention, AttentionKind, ExecutorTotals, JobTotals, OpenTasks, Overview, ServiceView,
};
use fastjob_core::ServiceName;
use jiff::Timestamp;

pub(super) use self::survey::SurveyNode;
use self::{attention::Item, failing::Failing, shared::Shared, survey::Surveyed, usual::Usual};
use super::{
    Error, ExecutorView, Ops, Page,
    executors::{ByName, ListExecutors},
};
use crate::clock::wall_now;

/// How long a computation is used.
const FRESH: Duration = Duration::from_secs(2);
/// A computation is used for as many times as long as it took.
const REST: u32 = 20;
/// The longest time that it is used.
const STALE: Duration = Duration::from_secs(30);
/// The oldest survey of which the number of jobs is shown.
const RECENT: Duration = Duration::from_secs(10);
/// Most items that need attention in an answer.
const ITEMS: usize = 50;

/// The last computation, for all who ask.
#[derive(Default)]
pub(crate) struct Overviews {
    last: Shared<Whole>,
    /// What all nodes said.
    surveyed: Shared<Surveyed>,
    /// What this node said.
    here: Shared<Surveyed>,
    failing: Failing,
    usual: Usual,
}

/// What happens at the moment, of all services.
pub(super) struct Whole {
    at: Timestamp,
    surveyed: Arc<Surveyed>,
    executors: BTreeMap<ServiceName, ExecutorTotals>,
    /// The worst first.
    items: Vec<Item>,
    unanswered: Vec<String>,
}

impl Ops {
    /// What happens at the moment, of all services or of one.
    pub(crate) async fn overview(&self, service: Option<String>) -> Result<Overview, Error> {
        let service = service.map(|service| service.parse::<ServiceName>()).transpose();
        let service = service.map_err(|err| Error::invalid("service", err))?;
        let whole = self.whole().await?;
        Ok(whole.view(service.as_ref()))
    }

    /// The services, by name.
    pub(crate) async fn list_services(&self) -> Result<Page<ServiceView>, Error> {
        let whole = self.whole().await?;
        let (counts, executors) = (&whole.surveyed.services, &whole.executors);
        let names: BTreeSet<_> = counts.keys().chain(executors.keys()).collect();
        let view = |name: &ServiceName| {
            let count = counts.get(name).copied().unwrap_or_default();
            let connected = executors.get(name).map_or(0, in_session);
            let (queued, running) = whole.open_of(name);
            ServiceView {
                service: name.to_string(),
                jobs: count.jobs,
                enabled: count.enabled,
                executors: connected,
                queued,
                running,
            }
        };
        let items = names.into_iter().map(view).collect();
        Ok(Page { unanswered: whole.unanswered.clone(), ..Page::new(items, None) })
    }

    /// The last computation, or a new one.
    pub(super) async fn whole(&self) -> Result<Arc<Whole>, Error> {
        let ops = self.clone();
        self.overviews.last.get(async move { ops.compute().await }).await
    }

    /// The last survey of all nodes, or a new one.
    async fn surveyed(&self) -> Result<Arc<Surveyed>, Error> {
        let ops = self.clone();
        self.overviews.surveyed.get(async move { ops.survey().await }).await
    }

    /// The last survey of this node, or a new one.
    async fn surveyed_here(&self) -> Result<Arc<Surveyed>, Error> {
        let ops = self.clone();
        self.overviews.here.get(async move { Ok::<_, Error>(ops.survey_here().await) }).await
    }

    async fn compute(&self) -> Result<Whole, Error> {
        let at = wall_now();
        let executors = ListExecutors { reads_drains: false };
        let (surveyed, executors) = tokio::join!(self.surveyed(), self.all_executors(executors));
        let (surveyed, (executors, silent)) = (surveyed?, executors?);
        let mut unanswered = surveyed.unanswered.clone();
        unanswered.extend(silent);
        unanswered.sort_unstable();
        unanswered.dedup();
        let items = self.attention(at, &surveyed, &executors).await;
        let executors = totals(executors);
        Ok(Whole { at, surveyed, executors, items, unanswered })
    }

    /// How many jobs there are, of all services or of one, as of the last survey. `None` if there
    /// was none for a while, or if a node did not answer it. Nobody waits for it.
    pub(super) fn job_total(&self, service: Option<&ServiceName>) -> Option<u64> {
        let ops = self.clone();
        let work = async move { ops.survey().await };
        let surveyed = self.overviews.surveyed.recent(RECENT, work)?;
        if !surveyed.unanswered.is_empty() {
            return None;
        }
        let counts = surveyed.services.iter();
        let counts = counts.filter(|(name, _)| service.is_none_or(|service| service == *name));
        Some(counts.map(|(_, count)| count.jobs).sum())
    }

    /// Why this node cannot do its work; empty if it can.
    pub(super) fn problems(&self) -> Vec<String> {
        match self.ready() {
            Ok(()) => Vec::new(),
            Err(why) => vec![why.to_string()],
        }
    }
}

impl Whole {
    /// The open tasks by service.
    pub(super) fn open_by_service(
        &self,
    ) -> std::collections::HashMap<ServiceName, (Option<u64>, Option<u64>)> {
        let services = self.surveyed.services.keys();
        services.map(|service| (service.clone(), self.open_of(service))).collect()
    }

    /// The open tasks of a service.
    fn open_of(&self, service: &ServiceName) -> (Option<u64>, Option<u64>) {
        let count = self.surveyed.services.get(service).copied().unwrap_or_default();
        (Some(count.queued), Some(count.running))
    }

    fn view(&self, service: Option<&ServiceName>) -> Overview {
        let is_of = |other: &ServiceName| service.is_none_or(|service| service == other);
        let counts = self.surveyed.services.iter().filter(|(name, _)| is_of(name));
        let (total, enabled) =
            counts.fold((0, 0), |(jobs, enabled), (_, of)| (jobs + of.jobs, enabled + of.enabled));
        let (queued, running) = match service {
            Some(service) => self.open_of(service),
            None => (Some(self.surveyed.open.0), Some(self.surveyed.open.1)),
        };
        let executors = self.executors.iter().filter(|(name, _)| is_of(name));
        let executors = executors.fold(ExecutorTotals::default(), |sum, (_, of)| add(sum, *of));
        // What concerns the whole coordinator is shown for every service.
        let items = self.items.iter().filter(|item| item.service.as_ref().is_none_or(is_of));
        let failing = items.clone().filter(|item| item.kind == AttentionKind::Failing).count();
        let attention: Vec<Attention> = items.clone().take(ITEMS).map(Item::view).collect();
        Overview {
            at: self.at,
            tasks: OpenTasks { queued, running },
            jobs: JobTotals { total, enabled, failing: failing as u64 },
            executors,
            attention_more: items.count() > attention.len(),
            attention,
            unanswered: self.unanswered.clone(),
        }
    }
}

/// How long what took so long to compute is used.
fn fresh(took: Duration) -> Duration {
    (took * REST).clamp(FRESH, STALE)
}

fn too_slow() -> Error {
    Error::Unavailable("the overview takes too long: try again later".to_owned())
}

/// How many executors of each service there are, in which state.
fn totals(executors: ByName) -> BTreeMap<ServiceName, ExecutorTotals> {
    let mut totals: BTreeMap<ServiceName, ExecutorTotals> = BTreeMap::new();
    for ((service, _), executor) in executors {
        let sum = totals.entry(service).or_default();
        *sum = add(*sum, of_one(&executor));
    }
    totals
}

fn of_one(executor: &ExecutorView) -> ExecutorTotals {
    use fastjob_client::types::ExecutorState::{Connected, Disconnected, Drained, Draining, Lost};
    let is = |state| u64::from(executor.state == state);
    ExecutorTotals {
        connected: is(Connected),
        draining: is(Draining),
        drained: is(Drained),
        disconnected: is(Disconnected),
        lost: is(Lost),
        capacity: if executor.state == Connected { executor.capacity.into() } else { 0 },
        attempts: executor.attempts.into(),
        running: if executor.connected { executor.running.into() } else { 0 },
    }
}

fn add(one: ExecutorTotals, other: ExecutorTotals) -> ExecutorTotals {
    ExecutorTotals {
        connected: one.connected + other.connected,
        draining: one.draining + other.draining,
        drained: one.drained + other.drained,
        disconnected: one.disconnected + other.disconnected,
        lost: one.lost + other.lost,
        capacity: one.capacity + other.capacity,
        attempts: one.attempts + other.attempts,
        running: one.running + other.running,
    }
}

/// The executors that have a session.
fn in_session(of: &ExecutorTotals) -> u64 {
    of.connected + of.draining + of.drained
}
