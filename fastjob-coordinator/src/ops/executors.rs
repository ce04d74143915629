//! Executors: which are connected, which were lost, and which users drain.
//!
//! Every executor has a session with every node, and each node knows what the executor holds of its
//! own partitions. So a list sums up what the nodes say.

mod list;

use std::collections::{BTreeMap, btree_map::Entry};

use fastjob_client::types::ExecutorState;
use fastjob_core::{ExecutorName, ServiceName};
use fastjob_engine::{Command, ExecutorFigures};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use self::list::AskExecutors;
use super::{Error, ExecutorView, Ops, node_calls::NodeCall};
use crate::{
    clock::wall_now,
    losses::LostExecutor,
    shell::AskError,
    store::{DrainRow, Partition},
};

/// Lists the executors that a node knows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ListExecutors {
    /// The node first reads again which executors are drained. Its engines have taken note when it
    /// answers.
    pub(super) reads_drains: bool,
}

/// An executor as one node knows it. Its labels and handlers are left out: the node that is asked
/// usually knows them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct KnownExecutor {
    service: ServiceName,
    executor: ExecutorName,
    incarnation: String,
    connected: bool,
    leaving: bool,
    address: String,
    version: String,
    since: Timestamp,
    seen_at: Option<Timestamp>,
    lost_at: Option<Timestamp>,
    capacity: u32,
    /// What it holds of the node's partitions, or held when it was lost.
    attempts: u32,
}

impl NodeCall for ListExecutors {
    const NAME: &'static str = "list-executors";
    type Reply = Vec<KnownExecutor>;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Self::Reply, Error> {
        if self.reads_drains {
            ops.drains.refresh().await?;
        }
        let now = wall_now();
        let known = ops.executors_here().await?.into_iter().map(|figures| known(&figures, now));
        let lost = ops.losses.list().into_iter().map(KnownExecutor::from);
        Ok(known.chain(lost).collect())
    }
}

pub(super) type ByName = BTreeMap<(ServiceName, ExecutorName), ExecutorView>;

impl Ops {
    /// All executors that any node knows, and the addresses of nodes that do not answer in time.
    pub(super) async fn all_executors(
        &self,
        ask: ListExecutors,
    ) -> Result<(ByName, Vec<String>), Error> {
        let (here, (replies, unanswered)) =
            tokio::join!(self.executors_here(), self.call_others(&ask));
        let now = wall_now();
        let mut all = ByName::new();
        for figures in here? {
            let name = (figures.service.clone(), figures.executor.clone());
            all.insert(name, view(figures, now));
        }
        let lost = self.losses.list().into_iter().map(KnownExecutor::from);
        let known: Vec<_> = replies.into_iter().flatten().chain(lost).collect();
        // An executor that is lost for one node, and may reconnect to another one, is not lost.
        let (lost, known): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|one| one.lost_at.is_some());
        for one in known {
            add(&mut all, one);
        }
        for one in lost {
            add_lost(&mut all, one);
        }
        for drain in self.drains.known() {
            add_drained(&mut all, &drain);
        }
        Ok((all, unanswered))
    }

    /// The executors as this node's engines know them, sorted by service and name.
    pub(super) async fn executors_here(&self) -> Result<Vec<ExecutorFigures>, Error> {
        let mut all: BTreeMap<_, ExecutorFigures> = BTreeMap::new();
        for engine in self.engines.all() {
            let known = match engine.query(|answer| Command::Executors { answer }).await {
                Ok(known) => known,
                Err(AskError::Moved) => continue,
                Err(err) => return Err(err.into()),
            };
            for other in known {
                match all.entry((other.service.clone(), other.executor.clone())) {
                    Entry::Vacant(entry) => drop(entry.insert(other)),
                    Entry::Occupied(mut entry) => {
                        let (sum, first) = (other.attempts + entry.get().attempts, entry.get_mut());
                        if first.session.is_none() && other.session.is_some() {
                            *first = other;
                        }
                        first.attempts = sum;
                    }
                }
            }
        }
        Ok(all.into_values().collect())
    }
}

/// Adds what another node knows of an executor that is not lost for it.
fn add(all: &mut ByName, one: KnownExecutor) {
    match all.entry((one.service.clone(), one.executor.clone())) {
        Entry::Vacant(entry) => drop(entry.insert(one.view(state_of(one.connected, one.leaving)))),
        Entry::Occupied(mut entry) => {
            let view = entry.get_mut();
            if !view.connected && one.connected {
                (view.connected, view.leaving, view.since) = (true, one.leaving, one.since);
                view.state = state_of(true, one.leaving).into();
                view.incarnation.clone_from(&one.incarnation);
            }
            view.attempts = view.attempts.saturating_add(one.attempts);
            view.last_seen = view.last_seen.max(one.seen_at);
        }
    }
}

/// Adds an executor that is lost for a node, unless another process has its name.
fn add_lost(all: &mut ByName, one: KnownExecutor) {
    match all.entry((one.service.clone(), one.executor.clone())) {
        Entry::Vacant(entry) => drop(entry.insert(one.view(ExecutorState::Lost))),
        Entry::Occupied(mut entry) => {
            let view = entry.get_mut();
            if view.lost_at.is_none() {
                return;
            }
            if view.incarnation == one.incarnation {
                view.lost_attempts = view.lost_attempts.saturating_add(one.attempts);
                view.last_seen = view.last_seen.max(one.seen_at);
                // The first node that lost it.
                view.lost_at = view.lost_at.min(one.lost_at);
            } else if view.lost_at < one.lost_at {
                *view = one.view(ExecutorState::Lost);
            }
        }
    }
}

/// Marks an executor as drained. One that no node knows is listed, so that it can be resumed.
fn add_drained(all: &mut ByName, drain: &DrainRow) {
    let entry = all.entry((drain.service.clone(), drain.executor.clone()));
    let name = entry.key().clone();
    let view = entry.or_insert_with(|| unknown(&name, drain.since));
    view.drained = true;
    if view.state == ExecutorState::Connected {
        view.state = ExecutorState::Drained.into();
    }
}

/// An executor of which only the name is known.
pub(super) fn unknown(
    (service, executor): &(ServiceName, ExecutorName),
    since: Timestamp,
) -> ExecutorView {
    let unknown = KnownExecutor {
        service: service.clone(),
        executor: executor.clone(),
        incarnation: String::new(),
        connected: false,
        leaving: false,
        address: String::new(),
        version: String::new(),
        since,
        seen_at: None,
        lost_at: None,
        capacity: 0,
        attempts: 0,
    };
    unknown.view(ExecutorState::Disconnected)
}

const fn state_of(connected: bool, leaving: bool) -> ExecutorState {
    match (connected, leaving) {
        (false, _) => ExecutorState::Disconnected,
        (true, true) => ExecutorState::Draining,
        (true, false) => ExecutorState::Connected,
    }
}

/// When it was last heard from.
fn seen_at(figures: &ExecutorFigures, now: Timestamp) -> Option<Timestamp> {
    let ago = SignedDuration::try_from(figures.silent_for?).ok()?;
    now.checked_sub(ago).ok()
}

fn known(figures: &ExecutorFigures, now: Timestamp) -> KnownExecutor {
    KnownExecutor {
        service: figures.service.clone(),
        executor: figures.executor.clone(),
        incarnation: figures.incarnation.to_string(),
        connected: figures.session.is_some(),
        leaving: figures.leaving,
        address: figures.address.clone(),
        version: figures.version.clone(),
        since: figures.since,
        seen_at: seen_at(figures, now),
        lost_at: None,
        capacity: figures.capacity,
        attempts: figures.attempts,
    }
}

impl From<LostExecutor> for KnownExecutor {
    fn from(lost: LostExecutor) -> Self {
        Self {
            service: lost.service,
            executor: lost.executor,
            incarnation: lost.incarnation.to_string(),
            connected: false,
            leaving: false,
            address: String::new(),
            version: String::new(),
            since: lost.lost_at,
            seen_at: lost.seen_at,
            lost_at: Some(lost.lost_at),
            capacity: 0,
            attempts: lost.held,
        }
    }
}

impl KnownExecutor {
    fn view(&self, state: ExecutorState) -> ExecutorView {
        let (attempts, lost_attempts) = match self.lost_at {
            Some(_) => (0, self.attempts),
            None => (self.attempts, 0),
        };
        ExecutorView {
            name: self.executor.to_string(),
            service: self.service.to_string(),
            state: state.into(),
            connected: self.connected,
            leaving: self.leaving,
            drained: false,
            incarnation: self.incarnation.clone(),
            address: self.address.clone(),
            version: self.version.clone(),
            since: self.since,
            last_seen: self.seen_at,
            lost_at: self.lost_at,
            lost_attempts,
            capacity: self.capacity,
            attempts,
            running: 0,
            waiting: 0,
            cpu: 0.0,
            memory_free: 0,
            memory_total: 0,
            labels: BTreeMap::new(),
            handlers: BTreeMap::new(),
            unanswered: Vec::new(),
        }
    }
}

fn view(figures: ExecutorFigures, now: Timestamp) -> ExecutorView {
    let known = known(&figures, now);
    let handlers = figures.handlers.iter();
    ExecutorView {
        running: figures.beat.running,
        waiting: figures.beat.waiting,
        cpu: figures.beat.cpu,
        memory_free: figures.beat.memory_free,
        memory_total: figures.beat.memory_total,
        labels: figures.labels.as_ref().clone(),
        handlers: handlers.map(|(name, text)| (name.to_string(), text.clone())).collect(),
        ..known.view(state_of(known.connected, known.leaving))
    }
}

#[cfg(test)]
mod tests;
