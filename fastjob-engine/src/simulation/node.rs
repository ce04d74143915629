//! A node: it acts on partitions while its lease lasts, by its own clock, which runs slightly
//! faster or slower than the others.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastjob_core::AttemptId;
use jiff::Timestamp;

use super::{cluster::OWN_LEASE, observer::Observer, writes::Pending};
use crate::{
    DrainedSet, Effects, Engine, Event, SessionId,
    record::{ChildStart, Lease, Partition},
};

/// The engine of a partition.
pub(super) struct Running {
    pub(super) lease: Lease,
    pub(super) engine: Engine,
    /// The clock of the last commit before it was loaded.
    pub(super) loaded_clock: Option<Timestamp>,
    /// It accepts no events that change anything: its last commits are being written.
    pub(super) retiring: bool,
    /// The highest attempt that an executor reported it was sent, and when, by the engine's clock.
    pub(super) highest: Option<(AttemptId, Timestamp)>,
    /// Its delayed effects, and all events after them.
    pub(super) stalled: Option<Stalled>,
}

/// The effects and events that wait while an engine's loop makes no progress.
pub(super) struct Stalled {
    pub(super) until: Duration,
    pub(super) effects: Effects,
    pub(super) events: VecDeque<Event>,
}

pub(super) struct Node {
    pub(super) up: bool,
    /// Whether it can reach the database.
    pub(super) reaches: bool,
    /// Paused until then, by the world's time.
    pub(super) sleeps_until: Duration,
    /// How much faster its clock runs, in thousandths; negative if slower.
    drift: i32,
    /// Its wall clock, which never runs backwards while the node lives.
    pub(super) wall: Timestamp,
    /// Until when it may act, by its own clock; `None` if there is no limit.
    pub(super) deadline: Option<Duration>,
    pub(super) engines: BTreeMap<Partition, Running>,
    /// Streams that broke while it was paused.
    pub(super) gone: Vec<SessionId>,
    pub(super) pending: VecDeque<Pending>,
    /// How long the next effects of an engine are delayed.
    pub(super) stall: Option<Duration>,
    /// It is shutting down: it releases all partitions.
    pub(super) stopping: bool,
    /// Children to start that were read and not delivered to the engines, with the time of the read
    /// by the node's clock.
    pub(super) reads: VecDeque<(Partition, Vec<ChildStart>, Duration)>,
    pub(super) observer: Observer,
    /// The executors that users drain, as far as the node knows.
    pub(super) drained: Arc<DrainedSet>,
    /// The nodes that were alive at its last check of the database, and since which check, by the
    /// world's time.
    pub(super) seen: BTreeMap<usize, Duration>,
    /// The time of its last check, by the world's time.
    pub(super) looked_at: Duration,
}

impl Node {
    pub(super) fn new(n: usize, alone: bool, wall: Timestamp) -> Self {
        Self {
            up: true,
            reaches: true,
            sleeps_until: Duration::ZERO,
            drift: if alone { 0 } else { [0, 40, -40][n % 3] },
            wall,
            deadline: (!alone).then_some(Duration::ZERO),
            engines: BTreeMap::new(),
            gone: Vec::new(),
            pending: VecDeque::new(),
            stall: None,
            stopping: false,
            reads: VecDeque::new(),
            observer: Observer::default(),
            drained: Arc::default(),
            seen: BTreeMap::new(),
            looked_at: Duration::ZERO,
        }
    }

    /// Its own clock.
    pub(super) fn uptime(&self, world: Duration) -> Duration {
        let thousandths = u32::try_from(1_000 + self.drift).unwrap_or(1_000);
        world * thousandths / 1_000
    }

    pub(super) fn is_awake(&self, world: Duration) -> bool {
        self.up && self.sleeps_until <= world
    }

    /// Whether its lease lasts, by its own clock.
    pub(super) fn may_act(&self, world: Duration) -> bool {
        self.deadline.is_none_or(|deadline| self.uptime(world) < deadline)
    }

    /// Whether it is time to renew its lease.
    pub(super) fn beats_soon(&self, world: Duration) -> bool {
        let half = OWN_LEASE / 2;
        self.deadline.is_some_and(|deadline| self.uptime(world) + half > deadline)
    }

    /// How many partitions it keeps.
    pub(super) fn kept(&self) -> usize {
        self.engines.values().filter(|running| !running.retiring).count()
    }
}
