//! Test doubles of the shared database, for tests that move time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use fastjob_core::{ExecutorName, ServiceName};
use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{ClusterMap, Drains, Engines, Keeper, Settings, keeper};
use crate::{
    clock::{Clock, Manual},
    losses::Losses,
    permit::Deadline,
    sessions::Sessions,
    store::{
        AddedDrain, Alive, ChildStart, ClusterKey, ClusterStore, ClusterView, Commit, CommitStore,
        DrainRow, DrainStore, Error, Holding, Lease, LoadStore, Loaded, NodeId, NodeRow, NodeUntil,
        Partition, Result, StoreFacts,
        writer::{Writer, WriterHandle},
    },
};

pub(super) const LEASE: Duration = Duration::from_secs(6);
const PARTITIONS: u32 = 2;
const EPOCH: i64 = 1_800_000_000_000;

/// Waits until a condition holds, for at most 100 s of the paused clock.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(100);
    while !is_so() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The behavior of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Call {
    #[default]
    Works,
    Fails,
    Panics,
}

/// A database that several nodes share, with a clock that can be set.
pub(super) struct Shared {
    started: Instant,
    state: Mutex<State>,
    pub(super) beats: AtomicU64,
    /// The result of the next reads of children, and a signal for when they return.
    pub(super) children: Mutex<Vec<ChildStart>>,
    pub(super) reading: Notify,
    pub(super) read: Mutex<Option<Arc<Notify>>>,
}

#[derive(Default)]
struct State {
    step: i64,
    beat: Call,
    children: Call,
    nodes: BTreeMap<NodeId, (NodeRow, i64)>,
    partitions: Vec<(Option<NodeId>, i64)>,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        let partitions = vec![(None, 0); PARTITIONS as usize];
        Arc::new(Self {
            started: Instant::now(),
            state: Mutex::new(State { partitions, ..State::default() }),
            beats: AtomicU64::new(0),
            children: Mutex::default(),
            reading: Notify::new(),
            read: Mutex::default(),
        })
    }

    pub(super) fn beats_are(&self, call: Call) {
        self.state.lock().unwrap().beat = call;
    }

    /// Sets the database's clock forward or back.
    pub(super) fn step(&self, by: i64) {
        self.state.lock().unwrap().step += by;
    }

    pub(super) fn reads_of_children_are(&self, call: Call) {
        self.state.lock().unwrap().children = call;
    }

    /// Who holds each partition, in which term.
    pub(super) fn held(&self) -> Vec<(Option<NodeId>, i64)> {
        self.state.lock().unwrap().partitions.clone()
    }

    pub(super) fn hold(&self, node: &NodeId) -> Vec<Lease> {
        let mut state = self.state.lock().unwrap();
        for (holder, term) in &mut state.partitions {
            (*holder, *term) = (Some(node.clone()), *term + 1);
        }
        let terms = (0..).zip(&state.partitions);
        terms.map(|(p, (_, term))| Lease { partition: Partition(p), term: *term }).collect()
    }

    fn now(&self, state: &State) -> i64 {
        EPOCH + i64::try_from(self.started.elapsed().as_millis()).unwrap() + state.step
    }
}

fn does(call: Call, doing: &'static str) -> Result<()> {
    match call {
        Call::Works => Ok(()),
        Call::Fails => Err(Error::TimedOut { doing }),
        Call::Panics => panic!("injected"),
    }
}

#[async_trait]
impl ClusterStore for Shared {
    async fn beat(&self, node: &NodeRow, lease: Duration) -> Result<ClusterView> {
        self.beats.fetch_add(1, Ordering::SeqCst);
        // Not while the lock is held: a panic must not break the double.
        let call = self.state.lock().unwrap().beat;
        does(call, "renew the lease")?;
        let mut state = self.state.lock().unwrap();
        let now = self.now(&state);
        let until = now + i64::try_from(lease.as_millis()).unwrap();
        state.nodes.insert(node.id.clone(), (node.clone(), until));
        let alive = |id: &NodeId| state.nodes.get(id).is_some_and(|(_, until)| *until > now);
        let holding = |(p, (node, term)): (u32, &(Option<NodeId>, i64))| {
            let alive = |id: &NodeId| if alive(id) { Alive::Yes } else { Alive::No };
            let holder = node.as_ref().map(|id| (id.clone(), alive(id)));
            Holding { lease: Lease { partition: Partition(p), term: *term }, holder }
        };
        let rows = state.nodes.values();
        let row = |(row, until): &(NodeRow, i64)| NodeUntil { node: row.id.clone(), until: *until };
        Ok(ClusterView {
            nodes: rows.clone().filter(|(_, until)| *until > now).map(|(r, _)| r.clone()).collect(),
            partitions: (0..).zip(&state.partitions).map(holding).collect(),
            until: rows.map(row).collect(),
            clock: Some(Timestamp::from_millisecond(now).unwrap()),
        })
    }

    async fn acquire(&self, node: &NodeId, partition: Partition) -> Result<Option<Lease>> {
        let mut state = self.state.lock().unwrap();
        let now = self.now(&state);
        let State { nodes, partitions, .. } = &mut *state;
        let (holder, term) = &mut partitions[partition.0 as usize];
        let is_alive = |id: &NodeId| nodes.get(id).is_some_and(|(_, until)| *until > now);
        if holder.as_ref().is_some_and(|id| id != node && is_alive(id)) {
            return Ok(None);
        }
        (*holder, *term) = (Some(node.clone()), *term + 1);
        Ok(Some(Lease { partition, term: *term }))
    }

    async fn release(&self, node: &NodeId, lease: Lease) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let held = &mut state.partitions[lease.partition.0 as usize];
        if *held == (Some(node.clone()), lease.term) {
            held.0 = None;
        }
        Ok(())
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.nodes.remove(node);
        for (holder, _) in &mut state.partitions {
            if holder.as_ref() == Some(node) {
                *holder = None;
            }
        }
        Ok(())
    }

    async fn forget(&self, node: &NodeUntil) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let is_same = state.nodes.get(&node.node).is_some_and(|(_, until)| *until == node.until);
        if is_same {
            state.nodes.remove(&node.node);
        }
        Ok(())
    }
}

#[async_trait]
impl LoadStore for Shared {
    async fn facts(&self) -> Result<StoreFacts> {
        let since = Timestamp::from_millisecond(EPOCH).unwrap();
        let key = ClusterKey::random();
        Ok(StoreFacts { cluster: "test".to_owned(), partitions: PARTITIONS, since, key })
    }

    async fn load(&self, _: Partition) -> Result<Loaded> {
        Ok(Loaded { next_life: 1, ..Loaded::default() })
    }

    async fn child_starts(&self, partitions: &[Partition], _: u32) -> Result<Vec<ChildStart>> {
        let call = self.state.lock().unwrap().children;
        does(call, "read children to start")?;
        let mut children = self.children.lock().unwrap().clone();
        children.retain(|child| partitions.contains(&child.partition));
        let gate = self.read.lock().unwrap().clone();
        if let Some(gate) = gate {
            self.reading.notify_one();
            gate.notified().await;
        }
        Ok(children)
    }
}

/// The loads of one node from the shared database.
pub(super) struct Loads {
    shared: Arc<Shared>,
    /// How long each load takes.
    pub(super) takes: Mutex<Duration>,
    /// The behavior of the loads after that time.
    pub(super) are: Mutex<Call>,
    /// Partitions that a newer release wrote, so that this node cannot read them.
    pub(super) unreadable: Mutex<Vec<Partition>>,
    /// How many loads began.
    pub(super) begun: AtomicU64,
}

#[async_trait]
impl LoadStore for Loads {
    async fn facts(&self) -> Result<StoreFacts> {
        self.shared.facts().await
    }

    async fn load(&self, partition: Partition) -> Result<Loaded> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let takes = *self.takes.lock().unwrap();
        tokio::time::sleep(takes).await;
        let call = *self.are.lock().unwrap();
        does(call, "read the store")?;
        let is_unreadable = self.unreadable.lock().unwrap().contains(&partition);
        if is_unreadable {
            let why = "a newer release wrote it".to_owned();
            return Err(Error::Unreadable { job: fastjob_core::JobId(1), why });
        }
        self.shared.load(partition).await
    }

    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>> {
        self.shared.child_starts(partitions, limit).await
    }
}

#[async_trait]
impl CommitStore for Shared {
    async fn commit(&self, _: &[Commit]) -> Result<()> {
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// A node of a cluster, with clocks that a test moves.
pub(super) struct Home {
    pub(super) shared: Arc<Shared>,
    pub(super) loads: Arc<Loads>,
    pub(super) machine: Manual,
    pub(super) engines: Engines,
    pub(super) deadline: Deadline,
    pub(super) clock: Arc<Clock>,
    pub(super) map: ClusterMap,
    pub(super) sessions: Sessions,
    pub(super) me: NodeRow,
    writer: WriterHandle,
    _writing: tokio_util::sync::DropGuard,
}

impl Home {
    pub(super) async fn new(shared: Arc<Shared>) -> Self {
        let (clock, machine) = Clock::manual();
        let (writing, writer) = Writer::new(Arc::clone(&shared) as _);
        let deadline = Deadline::passed();
        let facts = shared.facts().await.unwrap();
        let health = writer.health();
        let engines = Engines::new(facts, Arc::clone(&clock), deadline.clone(), health);
        let me = keeper::node("http://127.0.0.1:1".to_owned());
        let map = ClusterMap::of(me.id.clone());
        let stop = CancellationToken::new();
        tokio::spawn(writing.run(stop.clone(), engines.clone()));
        let _writing = stop.drop_guard();
        let loads = Arc::new(Loads {
            shared: Arc::clone(&shared),
            takes: Mutex::default(),
            are: Mutex::default(),
            unreadable: Mutex::default(),
            begun: AtomicU64::new(0),
        });
        let sessions = Sessions::default();
        Self {
            shared,
            loads,
            machine,
            engines,
            deadline,
            clock,
            map,
            sessions,
            me,
            writer,
            _writing,
        }
    }

    pub(super) fn keeper(&self) -> Keeper {
        Keeper {
            traces: crate::traces::Traces::default(),
            settings: Settings {
                executor_lost: 2 * LEASE,
                lease: LEASE,
                job_quota: fastjob_engine::JobQuota::default(),
            },
            limits: fastjob_engine::Limits::default(),
            store: Arc::clone(&self.loads) as _,
            clock: Arc::clone(&self.clock),
            writer: self.writer.clone(),
            sessions: self.sessions.clone(),
            engines: self.engines.clone(),
            deadline: self.deadline.clone(),
            map: self.map.clone(),
            drains: Drains::new(Arc::new(NoDrains), self.engines.clone()),
            losses: Losses::new(Duration::ZERO),
            metrics: crate::metrics::Metrics::default(),
        }
    }

    /// Waits until this node acts on `partitions` partitions.
    pub(super) async fn acts_on(&self, partitions: usize) -> Vec<Lease> {
        until("the partitions are loaded", || self.engines.loaded().len() == partitions).await;
        self.engines.loaded()
    }
}

/// A store in which no executors are drained.
struct NoDrains;

#[async_trait]
impl DrainStore for NoDrains {
    async fn add_drain(&self, _: &DrainRow, _: u32) -> Result<AddedDrain> {
        Ok(AddedDrain::Full)
    }
    async fn remove_drain(&self, _: &ServiceName, _: &ExecutorName) -> Result<bool> {
        Ok(false)
    }
    async fn drains(&self) -> Result<Vec<DrainRow>> {
        Ok(Vec::new())
    }
}
