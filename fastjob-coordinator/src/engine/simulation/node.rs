//! A node as the others see it: it acts on partitions while its lease lasts, by a clock of its own
//! that runs a little differently.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use fastjob_core::AttemptId;
use jiff::Timestamp;

use super::{cluster::OWN_LEASE, observer::Observer};
use crate::{
    engine::{CommitId, Effects, Engine, Event, SessionId},
    record::{ChildStart, Commit, Lease, Partition},
};

/// The engine of a partition.
pub(super) struct Running {
    pub(super) lease: Lease,
    pub(super) engine: Engine,
    /// The clock of the last commit before it was loaded.
    pub(super) loaded_clock: Option<Timestamp>,
    /// It takes on nothing new: what it has decided is being written.
    pub(super) retiring: bool,
    /// The highest attempt that an executor said it was sent, and when by the engine's clock.
    pub(super) highest: Option<(AttemptId, Timestamp)>,
    /// Its effects wait until then, and with them all further events.
    pub(super) stalled: Option<Stalled>,
}

/// What waits while an engine's loop makes no progress.
pub(super) struct Stalled {
    pub(super) until: Duration,
    pub(super) effects: Effects,
    pub(super) events: VecDeque<Event>,
}

pub(super) struct Node {
    pub(super) up: bool,
    /// Whether the database can be reached.
    pub(super) reaches: bool,
    /// Asleep until then, by the world's time.
    pub(super) sleeps_until: Duration,
    /// By how many thousandths its clock is faster, or slower.
    drift: i32,
    /// The wall clock that it goes by: held monotonic while it lives.
    pub(super) wall: Timestamp,
    /// Until when it may act, by its own clock; `None` if for ever.
    pub(super) deadline: Option<Duration>,
    pub(super) engines: BTreeMap<Partition, Running>,
    /// Streams that broke while it slept.
    pub(super) gone: Vec<SessionId>,
    pub(super) pending: VecDeque<(Lease, CommitId, Commit)>,
    /// How long the next effects of an engine take to be carried out.
    pub(super) stall: Option<Duration>,
    /// It gives everything back and stops.
    pub(super) stopping: bool,
    /// Children to start that were read, when by the node's clock, and not delivered to the engines.
    pub(super) reads: VecDeque<(Partition, Vec<ChildStart>, Duration)>,
    pub(super) observer: Observer,
    /// Which nodes were alive by the database at its last look, and since which look, by the world's
    /// time.
    pub(super) seen: BTreeMap<usize, Duration>,
    /// When its last look was, by the world's time.
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

    /// Whether its lease lasts, as it sees it.
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
