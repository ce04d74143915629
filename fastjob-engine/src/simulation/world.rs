//! The simulated world: engines, a model of the store, nodes, executors and the streams between
//! them, with clocks that differ.
//!
//! One file, because every action of a history changes the same world.

use std::{sync::Arc, time::Duration};

use fastjob_core::{JobName, ServiceName, trace::Sampler};
use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng, rngs::SmallRng};
use tokio::sync::oneshot;

use super::{
    action::{Action, EXECUTORS, Step},
    drains,
    executor::{Executor, ToExecutor},
    invariants::{Witness, see_ids},
    jobs,
    model::ModelStore,
    node::{Node, Running, Stalled},
    shape::{Feature, Shape},
    store::Store,
    writes::Pending,
};
use crate::{
    Config, DrainedSet, Effects, Engine, Event, Limits, Message, Now, SaveAnswer,
    record::{Lease, Partition},
};

/// How long an executor may be disconnected before it is lost.
const LOST: Duration = Duration::from_secs(10);
/// The maximum number of ticks in a row while an engine has work left.
const TICKS_MOST: u32 = 64;
/// The number of actions between two checks of the sizes of the engines' collections.
const LOOK: u32 = 32;
/// The number of actions between two comparisons of the second store with the model.
const COMPARE: u32 = 256;

pub(super) struct World {
    pub(super) shape: Shape,
    /// The common wall clock of the machines, which may jump.
    pub(super) clock: Timestamp,
    /// For each node, the offset of its machine's wall clock.
    pub(super) offsets: Vec<SignedDuration>,
    /// The latest wall time of any node.
    pub(super) wall: Timestamp,
    pub(super) uptime: Duration,
    pub(super) began: Timestamp,
    /// The offset of the database's clock, and when it last changed.
    pub(super) database: (SignedDuration, Duration),
    /// The uptime at which no message or commit was in transit.
    pub(super) settled_at: Duration,
    /// The jumps of the database's clock: when, and by how many milliseconds.
    pub(super) steps: Vec<(Duration, i64)>,
    /// The number of engines that were started, for their seeds.
    started: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) store: ModelStore,
    /// A store that is compared with the model.
    pub(super) beside: Option<Box<dyn Store>>,
    pub(super) backup: Option<ModelStore>,
    /// The executors that users drain, as the store knows them.
    pub(super) drained: Arc<DrainedSet>,
    pub(super) executors: Vec<Executor>,
    pub(super) next_session: u64,
    /// Disables that are not answered yet.
    pub(super) disabled: Vec<(oneshot::Receiver<SaveAnswer>, String, Partition)>,
    pub(super) witness: Witness,
    pub(super) events: u64,
    /// Decides how the store's transactions end.
    pub(super) luck: SmallRng,
    /// The number of transactions that failed.
    pub(super) transactions: u64,
    actions: u32,
    pub(super) resting: bool,
}

impl World {
    pub(super) fn new(shape: Shape, beside: Option<Box<dyn Store>>) -> Self {
        let clock = Timestamp::from_second(1_800_000_000).unwrap_or_default();
        let alone = shape.nodes == 1;
        let mut store = ModelStore::of(shape.partitions);
        if !alone {
            store.holders = (0..shape.partitions).map(|p| (Partition(p), (0, None))).collect();
        }
        let executor = |n: usize| {
            let capacity = if shape.has(Feature::Capacity) { 1 + n % 3 } else { 8 };
            let mut executor = Executor::new(n, shape.nodes, shape.partitions, capacity);
            executor.offset = executor_offset(shape, n);
            executor
        };
        // Small enough that after a takeover, attempts that the previous owner has sent may not be
        // due yet.
        let offsets = [0, 420, -350].map(SignedDuration::from_millis);
        let offset = |n: usize| match shape.has(Feature::Clocks) {
            true => offsets[n % 3],
            false => SignedDuration::ZERO,
        };
        let mut world = Self {
            shape,
            clock,
            offsets: (0..shape.nodes).map(offset).collect(),
            wall: clock,
            uptime: Duration::ZERO,
            began: clock,
            database: (SignedDuration::ZERO, Duration::ZERO),
            settled_at: Duration::ZERO,
            steps: Vec::new(),
            started: 0,
            nodes: Vec::new(),
            store,
            beside,
            backup: None,
            drained: Arc::default(),
            executors: (0..EXECUTORS).map(executor).collect(),
            next_session: 1,
            disabled: Vec::new(),
            witness: Witness::new(shape),
            events: 0,
            luck: SmallRng::seed_from_u64(0),
            transactions: 0,
            actions: 0,
            resting: false,
        };
        world.nodes = (0..shape.nodes).map(|m| Node::new(m, alone, world.machine(m))).collect();
        if alone {
            world.run_engine(0, Lease::default());
        }
        // Each node acquires its share before the next one does.
        for m in 0..if alone { 0 } else { 3 * shape.nodes } {
            world.beat(m % shape.nodes);
        }
        for draft in jobs::drafts(shape) {
            world.save(draft);
            world.commit_all();
        }
        world
    }

    pub(super) fn apply(&mut self, Step { action, luck }: Step) {
        self.luck = SmallRng::seed_from_u64(luck);
        self.see_gone();
        self.see_stalled();
        self.act(action);
        self.see_disabled();
        self.actions += 1;
        if self.actions.is_multiple_of(LOOK) {
            self.see_sizes();
        }
        if self.actions.is_multiple_of(COMPARE) {
            self.see_store();
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Pass(millis) => {
                self.pass(millis);
                self.tick();
            }
            Action::Commit(m) => {
                let quick = self.shape.has(Feature::Steady);
                (0..if quick { 4 } else { 1 }).for_each(|_| self.commit(m, false));
            }
            Action::CommitTwice(m) => self.commit(m, true),
            Action::Deliver(n, m) => self.deliver(n, m),
            Action::DeliverTwice(n, m) => self.deliver_twice(n, m),
            Action::Reorder(n, m) => self.reorder(n, m),
            Action::Figures(n, m, seed) => {
                self.report_figures(n, m, &mut SmallRng::seed_from_u64(seed));
            }
            Action::Receive(n, m) => self.receive(n, m),
            Action::Run(n, seed) => self.run_handlers(n, &mut SmallRng::seed_from_u64(seed)),
            Action::Connect(n, m) => self.connect(n, m),
            Action::Disconnect(n, m) => self.disconnect(n, m),
            Action::Leave(n) => self.leave(n),
            Action::Exit(n) => self.exit(n),
            Action::People(seed) => self.people(&mut SmallRng::seed_from_u64(seed)),
            Action::Start(seed) => self.start_exclusive(&mut SmallRng::seed_from_u64(seed)),
            Action::CrashExecutor(n) => {
                self.disconnect_all(n);
                self.executors[n].restart();
            }
            Action::Haunt(n) => {
                self.resume(n);
                self.disconnect_all(n);
                self.executors[n].haunt();
            }
            Action::Suspend(n) => self.executors[n].suspend(self.uptime),
            Action::Resume(n) => self.resume(n),
            Action::Isolate(n, millis) => {
                self.disconnect_all(n);
                self.executors[n].isolated_until = self.uptime + Duration::from_millis(millis);
            }
            Action::CrashNode(m, seed) => {
                self.crash_node(m, &mut SmallRng::seed_from_u64(seed));
            }
            Action::StartNode(m) => self.start_node(m),
            Action::StopNode(m) => self.stop_node(m),
            Action::Panic(m) => self.panic(m),
            Action::Beat(m) => self.beat(m),
            Action::DeliverRead(m) => self.deliver_read(m),
            Action::Cut(m) => self.nodes[m].reaches = !self.nodes[m].reaches,
            Action::Sleep(m, millis) => {
                self.nodes[m].sleeps_until = self.uptime + Duration::from_millis(millis);
            }
            Action::Stall(m, millis) => self.nodes[m].stall = Some(Duration::from_millis(millis)),
            Action::Jump(millis) => {
                self.clock += SignedDuration::from_millis(millis);
                self.see_clocks();
                self.tick();
            }
            Action::JumpNode(m, millis) => {
                self.offsets[m] += SignedDuration::from_millis(millis);
                self.see_clocks();
                self.tick();
            }
            Action::StepDatabase(millis) => self.step_database(millis),
            Action::Pause(millis) => self.pause(millis),
            Action::Backup => self.back_up(),
            Action::Restore => self.restore(),
        }
    }

    /// Both clocks of a node.
    pub(super) fn now(&self, m: usize) -> Now {
        Now { wall: self.nodes[m].wall, uptime: self.nodes[m].uptime(self.uptime) }
    }

    /// Starts an engine from the store.
    pub(super) fn run_engine(&mut self, m: usize, lease: Lease) {
        self.started += 1;
        let config = Config {
            executor_lost: LOST,
            traces: Sampler::new(0.5).ok(),
            seed: self.started,
            lease,
            partitions: self.shape.partitions,
            since: self.began,
            job_quota: crate::JobQuota::default(),
        };
        let loaded = self.load(lease.partition);
        let loaded_clock = loaded.clock;
        let mut engine = Engine::new(config, Limits::default(), loaded, self.now(m));
        self.begin_drained(m, &mut engine);
        let (highest, retiring, stalled) = (None, false, None);
        let running = Running { lease, engine, loaded_clock, retiring, highest, stalled };
        self.nodes[m].engines.insert(lease.partition, running);
        for executor in &mut self.executors {
            let moment = executor.moment(self.uptime);
            let link = &mut executor.links[m];
            if link.session.is_some() {
                link.inbound.push_back(ToExecutor::Leases(vec![lease], moment));
            }
        }
    }

    /// Passes an event to the engine of a partition on a node, if there is one and it may act.
    pub(super) fn notify(&mut self, m: usize, partition: Partition, event: Event) {
        let uptime = self.uptime;
        let node = &mut self.nodes[m];
        if !node.is_awake(uptime) {
            return;
        }
        if !node.may_act(uptime) {
            node.engines.clear();
            return;
        }
        let now = self.now(m);
        let node = &mut self.nodes[m];
        let Some(running) = node.engines.get_mut(&partition) else { return };
        if let Some(stalled) = &mut running.stalled {
            stalled.events.push_back(event);
            return;
        }
        if running.retiring && !matches!(event, Event::Committed(_)) {
            return;
        }
        let lease = running.lease;
        self.events += 1;
        let mut effects = Effects::default();
        let rows = running.engine.journal.gathered();
        running.engine.handle(now, event, &mut effects);
        if running.retiring {
            effects.sends.clear();
        } else {
            running.engine.handle(now, Event::Tick, &mut effects);
        }
        running.engine.flush(&mut effects);
        self.witness.see_step(&effects, rows, running.engine.journal.gathered());
        drains::see_sent(&effects, &running.engine);
        self.witness.see_early(&effects, Now { wall: running.engine.floor, ..now });
        if !effects.sends.is_empty()
            && let Some(stall) = node.stall.take()
        {
            let (until, events) = (uptime + stall, Default::default());
            running.stalled = Some(Stalled { until, effects, events });
            return;
        }
        self.carry_out(m, lease, effects);
    }

    fn carry_out(&mut self, m: usize, lease: Lease, effects: Effects) {
        let node = &mut self.nodes[m];
        let loaded_clock =
            node.engines.get(&lease.partition).and_then(|running| running.loaded_clock);
        let by = node.wall.max(loaded_clock.unwrap_or(node.wall));
        for (session, mut message) in effects.sends {
            let to = self.executors.iter_mut().find(|e| e.links[m].session == Some(session));
            let Some(executor) = to else { continue };
            match &mut message {
                Message::Start(attempts) => {
                    self.witness.see_sender(lease, &self.store);
                    for start in attempts {
                        self.witness.see_send(start, executor, &self.store, by);
                        // An executor compares the clocks of its nodes with its own.
                        let until_then = |at: Duration| at.saturating_sub(node.uptime(self.uptime));
                        let here = executor.uptime(self.uptime);
                        start.enter_at = start.enter_at.map(|at| here + until_then(at));
                    }
                }
                Message::Recorded(attempts) => {
                    let running = node.engines.get(&lease.partition);
                    let life = running.and_then(|it| it.engine.fleet.of_session(session));
                    self.witness.see_acknowledged(attempts, life, &self.store);
                }
                Message::Stop(_) | Message::Close => {}
            }
            executor.links[m].inbound.push_back(ToExecutor::Message(lease, message));
        }
        let highest = node.engines.get(&lease.partition).and_then(|running| running.highest);
        for (id, commit) in effects.commits {
            see_ids(&commit, highest);
            node.pending.push_back(Pending::new(lease, id, commit));
        }
        for answer in effects.answers {
            answer.give();
        }
    }

    /// Resumes engines whose effects were delayed. An engine whose deadline has passed ends.
    pub(super) fn see_stalled(&mut self) {
        for m in 0..self.nodes.len() {
            let node = &self.nodes[m];
            if !node.is_awake(self.uptime) {
                continue;
            }
            let over = |running: &Running| {
                running.stalled.as_ref().is_some_and(|stalled| stalled.until <= self.uptime)
            };
            let all = node.engines.iter().filter(|(_, running)| over(running));
            let leases: Vec<_> = all.map(|(_, running)| running.lease).collect();
            let may_act = node.may_act(self.uptime);
            for lease in leases {
                let running = self.nodes[m].engines.get_mut(&lease.partition);
                let Some(stalled) = running.and_then(|running| running.stalled.take()) else {
                    continue;
                };
                if !may_act {
                    self.nodes[m].engines.remove(&lease.partition);
                    continue;
                }
                self.carry_out(m, lease, stalled.effects);
                for event in stalled.events {
                    self.notify(m, lease.partition, event);
                }
            }
        }
    }

    pub(super) fn notify_all(&mut self, m: usize, event: impl Fn() -> Event) {
        let held: Vec<_> = self.nodes[m].engines.keys().copied().collect();
        for partition in held {
            self.notify(m, partition, event());
        }
    }

    pub(super) fn tick(&mut self) {
        for m in 0..self.nodes.len() {
            self.notify_all(m, || Event::Tick);
            // While resting, long work continues at once; otherwise other events come between its
            // slices.
            let mut most = if self.resting { TICKS_MOST } else { 0 };
            while most > 0 && self.has_work_left(m) {
                self.notify_all(m, || Event::Tick);
                most -= 1;
            }
        }
    }

    fn has_work_left(&self, m: usize) -> bool {
        let now = self.now(m);
        let engines = self.nodes[m].engines.values();
        engines.map(|running| running.engine.wake_in(now)).any(|wait| wait.is_zero())
    }

    /// The node that acts on a partition, if one does.
    pub(super) fn owner(&self, partition: Partition) -> Option<usize> {
        self.nodes.iter().position(|node| {
            node.is_awake(self.uptime)
                && node.may_act(self.uptime)
                && node.engines.contains_key(&partition)
        })
    }

    pub(super) fn partition_of(&self, job: &str) -> Partition {
        let (service, name): (ServiceName, JobName) = (jobs::name("default"), jobs::name(job));
        Partition::of_name(&service, &name, self.shape.partitions)
    }

    pub(super) fn partition_of_id(&self, id: i64) -> Partition {
        Partition::of_id(id, self.shape.partitions)
    }

    fn see_sizes(&self) {
        for node in &self.nodes {
            self.witness.see_pending(&node.pending);
            for running in node.engines.values() {
                self.witness.see_sizes(&running.engine);
            }
        }
    }
}

fn executor_offset(shape: Shape, n: usize) -> SignedDuration {
    if shape.has(Feature::Lies) {
        SignedDuration::from_hours([0, 80_000, -80_000, 1][n % 4])
    } else if shape.has(Feature::Clocks) {
        SignedDuration::from_millis([0, 2_500, -3_100, 900][n % 4])
    } else {
        SignedDuration::ZERO
    }
}
