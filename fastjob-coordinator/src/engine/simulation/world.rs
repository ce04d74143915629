//! The engines, a model of the store, nodes, executors and the streams between them, under clocks
//! that differ.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, FailReason, Job, JobDraft, JobName, ServiceName, attempt::End};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::sync::oneshot;

use super::{
    action::{Action, EXECUTORS, Shape},
    executor::{Executor, Said, Told},
    invariants::Witness,
    jobs,
    model::ModelStore,
    node::{Node, Running},
};
use crate::{
    engine::{
        Beat, Command, Config, ConnectAnswer, Connected, Directory, Effects, Engine, Event,
        JobPath, Message, Now, SaveAnswer, SaveMode, SessionId, StartAttempt, Switch,
    },
    record::{Commit, Lease, Origin, Partition},
};

/// How long an executor may be away.
const LOST: Duration = Duration::from_secs(10);
/// When an executor has stopped what is exclusive: before it may be lost.
const CUT_OFF: Duration = Duration::from_secs(8);
/// How long the database takes a node to live after its last beat.
const LEASE: Duration = Duration::from_secs(3);
/// How long the node takes itself to: less, for its clock may be slow.
const OWN_LEASE: Duration = Duration::from_millis(2_700);

pub(super) struct World {
    shape: Shape,
    /// The wall clock of the machines, which may jump.
    clock: Timestamp,
    /// The latest that any node went by.
    pub(super) wall: Timestamp,
    uptime: Duration,
    began: Timestamp,
    /// For the seeds of engines.
    started: u64,
    nodes: Vec<Node>,
    pub(super) store: ModelStore,
    executors: Vec<Executor>,
    next_session: u64,
    disabled: Vec<(oneshot::Receiver<SaveAnswer>, String, Partition)>,
    pub(super) witness: Witness,
    pub(super) events: u64,
    resting: bool,
}

impl World {
    pub(super) fn new(shape: Shape) -> Self {
        let clock = Timestamp::from_second(1_800_000_000).unwrap_or_default();
        let alone = shape.nodes == 1;
        let mut store = ModelStore::of(shape.partitions);
        if !alone {
            store.holders = (0..shape.partitions).map(|p| (Partition(p), (0, None))).collect();
        }
        let executor = |n| Executor::new(n, shape.nodes, shape.partitions);
        let mut world = Self {
            shape,
            clock,
            wall: clock,
            uptime: Duration::ZERO,
            began: clock,
            started: 0,
            nodes: (0..shape.nodes).map(|n| Node::new(n, alone, clock)).collect(),
            store,
            executors: (0..EXECUTORS).map(executor).collect(),
            next_session: 1,
            disabled: Vec::new(),
            witness: Witness::default(),
            events: 0,
            resting: false,
        };
        if alone {
            world.run_engine(0, Lease::default());
        }
        // Each takes its share before the next one does.
        for m in 0..if alone { 0 } else { 3 * shape.nodes } {
            world.beat(m % shape.nodes);
        }
        for draft in jobs::drafts() {
            world.save(draft);
            world.commit_all();
        }
        world
    }

    pub(super) fn apply(&mut self, action: Action) {
        self.see_gone();
        match action {
            Action::Pass(millis) => {
                self.pass(millis);
                self.tick();
            }
            Action::Commit(m) => self.commit(m, false),
            Action::CommitTwice(m) => self.commit(m, true),
            Action::Deliver(n, m) => self.deliver(n, m),
            Action::DeliverTwice(n, m) => {
                let inbound = &mut self.executors[n].links[m].inbound;
                if let Some(first) = inbound.front().cloned() {
                    inbound.push_front(first);
                }
                self.deliver(n, m);
                self.deliver(n, m);
            }
            Action::Reorder(n, m) => {
                let inbound = &mut self.executors[n].links[m].inbound;
                // A stream keeps its order; attempts may change places, for they are many at once.
                if let (Some(Told::Message(..)), Some(Told::Message(..))) =
                    (inbound.front(), inbound.get(1))
                {
                    inbound.swap(0, 1);
                }
            }
            Action::Figures(n, m, seed) => {
                self.tell_figures(n, m, &mut SmallRng::seed_from_u64(seed));
            }
            Action::Receive(n, m) => self.receive(n, m),
            Action::Run(n, seed) => self.run_handlers(n, &mut SmallRng::seed_from_u64(seed)),
            Action::Connect(n, m) => self.connect(n, m),
            Action::Disconnect(n, m) => self.disconnect(n, m),
            Action::Leave(n) => self.leave(n),
            Action::People(seed) => self.people(&mut SmallRng::seed_from_u64(seed)),
            Action::CrashExecutor(n) => {
                self.disconnect_all(n);
                self.executors[n].restart();
            }
            Action::Haunt(n) => {
                self.disconnect_all(n);
                self.executors[n].haunt();
            }
            Action::CrashNode(m, seed) => {
                self.crash_node(m, &mut SmallRng::seed_from_u64(seed));
            }
            Action::StartNode(m) => self.start_node(m),
            Action::Beat(m) => self.beat(m),
            Action::Cut(m) => self.nodes[m].reaches = !self.nodes[m].reaches,
            Action::Sleep(m, millis) => {
                self.nodes[m].sleeps_until = self.uptime + Duration::from_millis(millis);
            }
            Action::Jump(millis) => {
                self.clock += SignedDuration::from_millis(millis);
                self.see_clock();
                self.tick();
            }
            Action::Pause(millis) => {
                self.pass_unheard(millis);
                self.tick();
            }
        }
        self.see_disabled();
    }

    /// A node that is awake reads the clock; its time does not run backwards.
    fn see_clock(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| node.is_awake(self.uptime)) {
            node.wall = node.wall.max(self.clock);
            self.wall = self.wall.max(node.wall);
        }
    }

    fn now(&self, m: usize) -> Now {
        Now { wall: self.nodes[m].wall, uptime: self.nodes[m].uptime(self.uptime) }
    }

    /// An engine carries on from the store.
    fn run_engine(&mut self, m: usize, lease: Lease) {
        self.started += 1;
        let config = Config {
            executor_lost: LOST,
            seed: self.started,
            lease,
            partitions: self.shape.partitions,
            since: self.began,
            quota: crate::engine::JobQuota::default(),
        };
        let engine = Engine::new(config, self.store.load_partition(lease.partition), self.now(m));
        self.nodes[m].engines.insert(lease.partition, Running { lease, engine });
        for executor in &mut self.executors {
            let link = &mut executor.links[m];
            if link.session.is_some() {
                link.inbound.push_back(Told::Leases(vec![lease], self.uptime));
            }
        }
    }

    /// Tells the engine of a partition in a node, if it is there and may act.
    fn tell(&mut self, m: usize, partition: Partition, event: Event) {
        let (now, uptime) = (self.now(m), self.uptime);
        let node = &mut self.nodes[m];
        if !node.is_awake(uptime) {
            return;
        }
        if !node.may_act(uptime) {
            node.engines.clear();
            return;
        }
        let Some(Running { lease, engine }) = node.engines.get_mut(&partition) else { return };
        let lease = *lease;
        self.events += 1;
        let mut effects = Effects::default();
        engine.handle(now, event, &mut effects);
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        node.pending.extend(effects.commits.into_iter().map(|(id, commit)| (lease, id, commit)));
        for (session, message) in effects.sends {
            let to = self.executors.iter_mut().find(|e| e.links[m].session == Some(session));
            let Some(executor) = to else { continue };
            if let Message::Start(attempts) = &message {
                for start in attempts {
                    self.witness.see_send(start, executor, &self.store);
                }
            }
            executor.links[m].inbound.push_back(Told::Message(lease, message));
        }
        for answer in effects.answers {
            answer.give();
        }
    }

    fn tell_all(&mut self, m: usize, event: impl Fn() -> Event) {
        let held: Vec<_> = self.nodes[m].engines.keys().copied().collect();
        for partition in held {
            self.tell(m, partition, event());
        }
    }

    fn tick(&mut self) {
        for m in 0..self.nodes.len() {
            self.tell_all(m, || Event::Tick);
        }
    }

    /// The node that acts on a partition, if one does.
    fn owner(&self, partition: Partition) -> Option<usize> {
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

    /// Asks whoever acts on the partition, if anybody does.
    pub(super) fn command(&mut self, partition: Partition, command: Command) {
        if let Some(m) = self.owner(partition) {
            self.tell(m, partition, Event::Command(command));
        }
    }

    pub(super) fn save(&mut self, draft: JobDraft) {
        let job = Job::try_from(draft).expect("a job of the simulation is valid");
        let partition = self.partition_of(job.name.as_str());
        if let Some(m) = self.owner(partition).filter(|_| self.shape.partitions > 1) {
            let directory = Directory::new(self.store.jobs.values().cloned());
            self.tell(m, partition, Event::Directory(directory));
        }
        let (answer, _) = oneshot::channel();
        let (job, mode, origin) = (Box::new(job), SaveMode::Replace, Origin::Api);
        self.command(partition, Command::Save { job, mode, origin, answer });
    }

    pub(super) fn switch(&mut self, job: &str, to: Switch) {
        let (answer, wait) = oneshot::channel();
        let partition = self.partition_of(job);
        self.witness.off_since.remove(job);
        self.disabled.retain(|(_, other, _)| other != job);
        self.command(partition, Command::Switch { job: JobPath(job.to_owned()), to, answer });
        if to == Switch::Off {
            self.disabled.push((wait, job.to_owned(), partition));
        }
    }

    fn pass(&mut self, millis: u64) {
        for (m, node) in self.nodes.iter().enumerate() {
            if !node.is_awake(self.uptime) || !node.may_act(self.uptime) {
                continue;
            }
            let heard = || Told::Heard(node.engines.keys().copied().collect(), self.uptime);
            for link in self.executors.iter_mut().map(|executor| &mut executor.links[m]) {
                // After all that was said before; of several in a row the last says it all.
                link.inbound.pop_back_if(|last| matches!(last, Told::Heard(..)));
                if link.session.is_some() {
                    link.inbound.push_back(heard());
                }
            }
        }
        self.pass_unheard(millis);
    }

    fn pass_unheard(&mut self, millis: u64) {
        self.clock += SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0));
        self.uptime += Duration::from_millis(millis);
        self.see_clock();
        for executor in &mut self.executors {
            executor.stop_exclusive(self.uptime, CUT_OFF, self.wall);
        }
        (0..self.executors.len()).for_each(|n| self.promote(n));
    }

    /// A node renews its lease, takes what is free and due to it, gives back what is too much, and
    /// looks for children to start.
    fn beat(&mut self, m: usize) {
        let node = &mut self.nodes[m];
        if self.shape.nodes == 1 || !node.is_awake(self.uptime) || !node.reaches {
            return;
        }
        if !node.may_act(self.uptime) {
            node.engines.clear(); // begun anew, with new terms
        }
        node.deadline = Some(node.uptime(self.uptime) + OWN_LEASE);
        self.store.alive_until.insert(m, self.uptime + LEASE);
        let alive = |n: &usize| self.store.alive_until.get(n).is_some_and(|at| *at > self.uptime);
        let count = (0..self.nodes.len()).filter(alive).count().max(1);
        let share = (self.shape.partitions as usize).div_ceil(count);
        let free: Vec<_> = self
            .store
            .holders
            .iter()
            .filter(|(partition, (_, holder))| {
                let held = self.nodes[m].engines.contains_key(partition);
                !held && holder.is_none_or(|holder| holder == m || !alive(&holder))
            })
            .map(|(partition, _)| *partition)
            .collect();
        for partition in free {
            if self.nodes[m].engines.len() < share {
                self.acquire(m, partition);
            }
        }
        for (partition, (_, holder)) in &mut self.store.holders {
            if *holder == Some(m) && !self.nodes[m].engines.contains_key(partition) {
                *holder = None; // its engine ended, and it is not due to this node any more
            }
        }
        while self.nodes[m].engines.len() > share {
            let Some(partition) = self.nodes[m].engines.keys().next_back().copied() else { break };
            self.release(m, partition);
        }
        let held: Vec<_> = self.nodes[m].engines.keys().copied().collect();
        for partition in held {
            let children = self.store.children_of(partition);
            if !children.is_empty() {
                self.tell(m, partition, Event::ChildStarts(children));
            }
        }
    }

    fn acquire(&mut self, m: usize, partition: Partition) {
        let Some(holder) = self.store.holders.get_mut(&partition) else { return };
        *holder = (holder.0 + 1, Some(m));
        let lease = Lease { partition, term: holder.0 };
        self.run_engine(m, lease);
    }

    /// Everything that was decided is written before the partition is given back.
    fn release(&mut self, m: usize, partition: Partition) {
        self.commit_node(m);
        if self.nodes[m].engines.remove(&partition).is_some()
            && let Some(holder) = self.store.holders.get_mut(&partition)
        {
            holder.1 = None;
        }
    }

    fn connect(&mut self, n: usize, m: usize) {
        let node = &self.nodes[m];
        if !node.is_awake(self.uptime) || self.executors[n].links[m].session.is_some() {
            return;
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let leases: Vec<_> = match node.may_act(self.uptime) {
            true => node.engines.values().map(|running| running.lease).collect(),
            false => Vec::new(),
        };
        let link = &mut self.executors[n].links[m];
        link.session = Some(session);
        if !leases.is_empty() {
            link.inbound.push_back(Told::Leases(leases, self.uptime));
        }
    }

    /// An executor has said what it holds.
    fn holds(&mut self, n: usize, m: usize, leases: Vec<Lease>, holding: Vec<AttemptId>) {
        let executor = &self.executors[n];
        let Some(session) = executor.links[m].session else { return };
        let connected = Connected {
            session,
            link: 0,
            service: jobs::name("default"),
            executor: jobs::name(&executor.name),
            incarnation: jobs::name(&format!("i{}", executor.incarnation)),
            address: String::new(),
            version: String::new(),
            capacity: 8,
            labels: Arc::new(
                [("zone".to_owned(), if n < 2 { "a" } else { "b" }.to_owned())].into(),
            ),
            handlers: Arc::new([(jobs::name("h"), String::new())].into()),
            jobs: Vec::new(),
            holding: Vec::new(),
        };
        for lease in leases {
            let here = self.nodes[m].engines.get(&lease.partition).map(|running| running.lease);
            if here != Some(lease) {
                continue;
            }
            let of = |id: &&AttemptId| self.partition_of_id(id.0) == lease.partition;
            let holding = holding.iter().filter(of).copied().collect();
            let connected = Box::new(Connected { holding, ..connected.clone() });
            let (answer, mut wait) = oneshot::channel();
            self.tell(m, lease.partition, Event::Connected(connected, answer));
            if let Ok(ConnectAnswer::Taken { .. }) = wait.try_recv() {
                return self.disconnect(n, m);
            }
        }
    }

    fn disconnect(&mut self, n: usize, m: usize) {
        if let Some(session) = self.executors[n].cut(m) {
            self.nodes[m].gone.push(session);
            self.see_gone();
        }
    }

    /// Nodes see which streams are broken, those that slept when they wake.
    fn see_gone(&mut self) {
        for m in 0..self.nodes.len() {
            if self.nodes[m].is_awake(self.uptime) {
                for session in std::mem::take(&mut self.nodes[m].gone) {
                    self.tell_all(m, || Event::Disconnected(session));
                }
            }
        }
    }

    fn disconnect_all(&mut self, n: usize) {
        for m in 0..self.nodes.len() {
            self.disconnect(n, m);
        }
    }

    /// It takes no more, ends what it runs, and stops.
    fn leave(&mut self, n: usize) {
        for m in 0..self.nodes.len() {
            if let Some(session) = self.executors[n].links[m].session {
                let waiting = self.executors[n].waiting.iter().map(|start| start.attempt);
                let returned: Vec<_> =
                    waiting.filter(|id| self.executors[n].is_of(m, *id)).collect();
                self.tell_all(m, || Event::Leaving(session, returned.clone()));
            }
        }
        self.executors[n].waiting.clear();
        let running: Vec<_> = self.executors[n].running.keys().copied().collect();
        for attempt in running {
            self.executors[n].finish(attempt, End::Failed(FailReason::Error), self.wall);
        }
        // A node that sleeps hears nothing of it before the stream is gone.
        for m in 0..self.nodes.len() {
            while self.nodes[m].is_awake(self.uptime)
                && !self.executors[n].links[m].outbound.is_empty()
            {
                self.receive(n, m);
            }
        }
        self.disconnect_all(n);
        self.executors[n].restart();
    }

    fn deliver(&mut self, n: usize, m: usize) {
        let Some(told) = self.executors[n].links[m].inbound.pop_front() else { return };
        let (lease, message) = match told {
            Told::Heard(partitions, at) => {
                self.executors[n].hear(m, &partitions, at);
                return self.deliver(n, m);
            }
            Told::Leases(leases, at) => {
                return self.executors[n].take(m, leases, at, self.wall);
            }
            Told::Message(lease, message) => (lease, message),
        };
        match message {
            Message::Start(attempts) => {
                if !self.executors[n].allows(m, lease) {
                    return;
                }
                for start in attempts {
                    if self.executors[n].entered.contains(&start.attempt) {
                        continue; // it answers with what it knows
                    }
                    let exclusive = start.job.block.is_exclusive();
                    if exclusive && self.executors[n].is_cut(start.attempt, self.uptime, CUT_OFF) {
                        // It travelled for longer than its node is known to act.
                        let executor = &mut self.executors[n];
                        executor.entered.insert(start.attempt);
                        executor.refuse(start.attempt, self.wall);
                        continue;
                    }
                    self.executors[n].entered.insert(start.attempt);
                    if let Some(start) = self.executors[n].arrive(start, self.wall) {
                        self.enter(n, start);
                    }
                }
                self.promote(n);
            }
            Message::Stop(attempts) => {
                for id in attempts {
                    let hangs =
                        |start: &crate::engine::StartAttempt| start.job.name.as_str() == "hangs";
                    let executor = &self.executors[n];
                    if executor.is_of(m, id) && !executor.running.get(&id).is_some_and(hangs) {
                        let executor = &mut self.executors[n];
                        if !executor.stop_waiting(id, self.wall) {
                            executor.finish(id, End::Stopped, self.wall);
                        }
                    }
                }
                self.promote(n);
            }
            Message::Recorded(attempts) => {
                for id in attempts {
                    self.executors[n].unacknowledged.remove(&id);
                }
            }
            Message::Close => self.disconnect(n, m),
        }
    }

    /// A handler is entered.
    fn enter(&mut self, n: usize, start: StartAttempt) {
        let due_at = self.store.attempts[&start.attempt].new.due_at;
        self.witness.see_enter(&start, due_at, n, &self.executors);
        let (executor, at) = (&mut self.executors[n], self.wall);
        executor.say(start.attempt, Said::Started(start.attempt, at));
        executor.running.insert(start.attempt, start);
    }

    /// What waited in a lane of an executor goes on when its turn has come.
    fn promote(&mut self, n: usize) {
        while let Some(start) = self.executors[n].next() {
            self.enter(n, start);
        }
    }

    /// The first executor never has much memory, the others have some or much.
    fn tell_figures(&mut self, n: usize, m: usize, dice: &mut SmallRng) {
        let link = &mut self.executors[n].links[m];
        if link.session.is_some() {
            let gib = if n == 0 { 1 } else { dice.random_range(1..8) };
            link.outbound.push_back(Said::Figures(Beat {
                cpu: dice.random(),
                memory_free: gib << 30,
                memory_total: 8 << 30,
                ..Beat::default()
            }));
        }
    }

    fn receive(&mut self, n: usize, m: usize) {
        if !self.nodes[m].is_awake(self.uptime) {
            if self.resting {
                self.executors[n].links[m].outbound.clear();
            }
            return;
        }
        let link = &mut self.executors[n].links[m];
        let Some(session) = link.session else { return };
        match link.outbound.pop_front() {
            Some(Said::Started(attempt, at)) => {
                let partition = self.partition_of_id(attempt.0);
                self.tell(m, partition, Event::Started(session, vec![(attempt, at)]));
            }
            Some(Said::Finished(outcome)) => {
                let partition = self.partition_of_id(outcome.attempt.0);
                self.tell(m, partition, Event::Finished(session, vec![outcome]));
            }
            Some(Said::Figures(beat)) => self.tell_all(m, || Event::Beat(session, beat)),
            Some(Said::Holding(leases, attempts)) => self.holds(n, m, leases, attempts),
            None => {}
        }
    }

    fn run_handlers(&mut self, n: usize, dice: &mut SmallRng) {
        let running: Vec<_> = self.executors[n].running.keys().copied().collect();
        for id in running {
            let hangs = self.executors[n].running[&id].job.name.as_str() == "hangs";
            if hangs || dice.random_bool(0.5) {
                continue;
            }
            let end = match dice.random_range(0..12) {
                0 if !self.resting => End::Failed(FailReason::Error),
                1 if !self.resting => End::Failed(FailReason::Fatal),
                2 if !self.resting => End::Failed(FailReason::TimedOut),
                _ => End::Succeeded,
            };
            self.executors[n].finish(id, end, self.wall);
        }
        self.promote(n);
        // Those that nobody hears come to their ends, too.
        for ghost in &mut self.executors[n].ghosts {
            ghost.running.retain(|_, _| dice.random_bool(0.5));
        }
    }

    fn commit(&mut self, m: usize, twice: bool) {
        let node = &mut self.nodes[m];
        if !node.is_awake(self.uptime) || !node.reaches {
            return;
        }
        let Some((lease, id, commit)) = node.pending.pop_front() else { return };
        if !self.store.holds(lease) {
            // Fenced: another node has it, and nothing of this lease is written any more.
            node.pending.retain(|(other, _, _)| *other != lease);
            node.engines.retain(|_, running| running.lease != lease);
            return;
        }
        self.make_durable(&commit);
        if twice {
            let before = self.store.attempts.clone();
            self.store.apply(&commit);
            let same = before == self.store.attempts;
            assert!(same, "a commit that was sent again changed something");
        }
        let here = self.nodes[m].engines.get(&lease.partition).map(|running| running.lease);
        if here == Some(lease) {
            self.tell(m, lease.partition, Event::Committed(vec![id]));
        }
    }

    fn commit_node(&mut self, m: usize) {
        while !self.nodes[m].pending.is_empty() {
            let before = self.nodes[m].pending.len();
            self.commit(m, false);
            if self.nodes[m].pending.len() >= before && !self.nodes[m].reaches {
                return;
            }
        }
    }

    fn commit_all(&mut self) {
        for m in 0..self.nodes.len() {
            self.commit_node(m);
        }
    }

    fn make_durable(&mut self, commit: &Commit) {
        self.witness.see_commit(commit, &self.store);
        self.store.apply(commit);
    }

    fn crash_node(&mut self, m: usize, dice: &mut SmallRng) {
        let node = &mut self.nodes[m];
        if !node.up {
            return;
        }
        node.engines.clear();
        // Some of what was handed over became durable, its answer did not come back.
        let pending = std::mem::take(&mut node.pending);
        let durable = if node.reaches { dice.random_range(0..=pending.len()) } else { 0 };
        for (lease, _, commit) in pending.into_iter().take(durable) {
            if self.store.holds(lease) {
                self.make_durable(&commit);
            }
        }
        self.disabled.clear();
        for executor in &mut self.executors {
            executor.cut(m);
        }
        self.nodes[m].up = false;
        if self.shape.nodes == 1 {
            // Down for a moment, or long enough for misfires.
            let down = if dice.random_bool(0.3) { 20_000 } else { 1_500 };
            self.pass_unheard(dice.random_range(0..down));
            self.start_node(m);
        }
    }

    fn start_node(&mut self, m: usize) {
        if self.nodes[m].up {
            return;
        }
        let alone = self.shape.nodes == 1;
        self.nodes[m] = Node::new(m, alone, self.clock);
        self.wall = if alone { self.clock } else { self.wall.max(self.clock) };
        if alone {
            self.run_engine(m, Lease::default());
        }
    }

    fn see_disabled(&mut self) {
        let mut answered = Vec::new();
        for (wait, job, partition) in &mut self.disabled {
            if let Ok(Ok(_)) = wait.try_recv() {
                answered.push((job.clone(), *partition));
            }
        }
        for (job, partition) in answered {
            let Some(m) = self.owner(partition) else { continue };
            if let Some(running) = self.nodes[m].engines.get(&partition) {
                self.witness.off_since.insert(job, running.engine.floor);
            }
        }
    }

    /// Lets everything come to its end, without faults, and checks that it did.
    pub(super) fn rest(&mut self) {
        self.resting = true;
        for m in 0..self.nodes.len() {
            self.start_node(m);
            self.nodes[m].reaches = true;
            self.nodes[m].sleeps_until = Duration::ZERO;
        }
        self.see_gone();
        // Every partition has an owner again before the schedules are switched off.
        for _ in 0..100 {
            self.pass(100);
            (0..self.nodes.len()).for_each(|m| self.beat(m));
            self.tick();
            self.commit_all();
        }
        for job in jobs::names() {
            self.switch(&job, Switch::Off);
        }
        let mut dice = SmallRng::seed_from_u64(0);
        // The longest wait is for an executor, a minute.
        for _ in 0..1_200 {
            for n in 0..self.executors.len() {
                for m in 0..self.nodes.len() {
                    self.connect(n, m);
                    self.tell_figures(n, m, &mut dice);
                    while !self.executors[n].links[m].inbound.is_empty() {
                        self.deliver(n, m);
                    }
                }
                self.run_handlers(n, &mut dice);
                for m in 0..self.nodes.len() {
                    while !self.executors[n].links[m].outbound.is_empty() {
                        self.receive(n, m);
                    }
                }
            }
            (0..self.nodes.len()).for_each(|m| self.beat(m));
            self.commit_all();
            self.pass(100);
            self.tick();
            let all_ended = self.store.attempts.values().all(|row| !row.is_open());
            if all_ended && self.store.child_starts.is_empty() {
                break;
            }
        }
        if let Some(row) = self.store.attempts.values().find(|row| row.is_open()) {
            let partition = self.partition_of_id(row.new.attempt.0);
            let engines = self.nodes.iter().filter_map(|node| node.engines.get(&partition));
            let known: Vec<_> =
                engines.map(|running| running.engine.open.get(&row.new.attempt)).collect();
            panic!("an attempt stayed open: {row:?}, and the engine has {known:?}");
        }
        self.witness.see_rest(&self.store);
    }
}
