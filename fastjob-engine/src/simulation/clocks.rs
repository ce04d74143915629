//! Time in the simulated world: it passes for nodes and executors, their clocks jump, and processes
//! are suspended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{cluster::LEASE, executor::ToExecutor, node::Running, shape::Feature, world::World};

/// After how long without contact an executor has stopped exclusive attempts: before it may be
/// lost.
pub(super) const CUT_OFF: Duration = Duration::from_secs(8);
/// How long messages and commits may be in transit in gentle histories.
const SETTLED: Duration = Duration::from_secs(2);
/// Forward jumps of the database's clock, in milliseconds: the margin of a lease, and the smallest
/// jump that every node notices.
const MARGIN: i64 = 150;
const NOTICED: i64 = 1_000;
/// After how long without a message coordinators close the session of an executor.
const SILENCE: Duration = Duration::from_secs(4);
/// In a longer pause, a job misses more fires than it catches up on.
const LONG: u64 = 600_000;

impl World {
    /// The wall clock of a node's machine.
    pub(super) fn machine(&self, m: usize) -> Timestamp {
        let mut wall = self.clock + self.offsets[m];
        if self.shape.has(Feature::Clocks) {
            let drift = self.uptime / 200;
            wall += SignedDuration::try_from(drift).unwrap_or_default() * [0, 1, -1][m % 3];
        }
        // Clocks are read in whole milliseconds.
        Timestamp::from_millisecond(wall.as_millisecond()).unwrap_or(wall)
    }

    /// The wall clock of an executor's machine.
    pub(super) fn executor_wall(&self, n: usize) -> Timestamp {
        self.wall + self.executors[n].offset
    }

    /// Nodes that are not paused read their clocks; their time does not run backwards.
    pub(super) fn see_clocks(&mut self) {
        for m in 0..self.nodes.len() {
            if self.nodes[m].is_awake(self.uptime) {
                let machine = self.machine(m);
                let node = &mut self.nodes[m];
                node.wall = node.wall.max(machine);
                self.wall = self.wall.max(node.wall);
            }
        }
    }

    /// Lets the database's clock jump. Without `DatabaseSteps`, there is at most one jump in twice
    /// the time of a lease.
    pub(super) fn step_database(&mut self, millis: i64) {
        let (offset, stepped_at) = self.database;
        let soon = self.uptime < stepped_at + 2 * LEASE;
        if !soon || self.shape.has(Feature::DatabaseSteps) {
            self.database = (offset + SignedDuration::from_millis(millis), self.uptime);
            self.steps.push((self.uptime, millis));
        }
    }

    /// Whether a node that has known another one since `known_since` can tell whether that node is
    /// alive. Since its previous check, the database's clock jumped at most once: after
    /// `known_since`, and either within the margin of a lease or by enough to be noticed.
    pub(super) fn is_noticed(&self, known_since: Duration, looked_at: Duration) -> bool {
        let before = looked_at.min(self.uptime.saturating_sub(2 * LEASE));
        let recent = |(at, _): &&(Duration, i64)| *at >= before;
        let recent: Vec<_> = self.steps.iter().rev().take_while(recent).collect();
        match recent[..] {
            [] => true,
            [(at, millis)] => known_since < *at && !(MARGIN..NOTICED).contains(millis),
            _ => false,
        }
    }

    /// The database's clock.
    pub(super) fn database_now(&self) -> SignedDuration {
        SignedDuration::try_from(self.uptime).unwrap_or_default() + self.database.0
    }

    pub(super) fn pass(&mut self, millis: u64) {
        for (m, node) in self.nodes.iter().enumerate() {
            if !node.is_awake(self.uptime) || !node.may_act(self.uptime) {
                continue;
            }
            for executor in self.executors.iter_mut().filter(|e| !e.is_suspended()) {
                let moment = executor.moment(self.uptime);
                let link = &mut executor.links[m];
                // It is queued after all earlier messages. Of several in a row, only the last one
                // counts.
                link.inbound.pop_back_if(|last| matches!(last, ToExecutor::Heard(..)));
                if let Some(session) = link.session {
                    // An engine that does not know yet what the executor holds keeps nothing alive.
                    let knows =
                        |running: &Running| running.engine.fleet.of_session(session).is_some();
                    let held = node.engines.iter().filter(|(_, running)| knows(running));
                    let held = held.map(|(partition, _)| *partition).collect();
                    link.inbound.push_back(ToExecutor::Heard(held, moment));
                }
            }
        }
        self.pass_unheard(millis);
        if self.shape.has(Feature::Steady) {
            for m in 0..self.nodes.len() {
                if self.nodes[m].beats_soon(self.uptime) {
                    self.beat(m);
                }
            }
        }
        let soon = self.uptime < self.settled_at + SETTLED;
        if self.shape.has(Feature::Gentle) && (millis.is_multiple_of(16) || !soon) {
            self.settle_streams();
        }
    }

    pub(super) fn pause(&mut self, millis: u64) {
        self.witness.long_pause |= millis > LONG;
        self.pass_unheard(millis);
        self.tick();
    }

    pub(super) fn pass_unheard(&mut self, millis: u64) {
        self.clock += SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0));
        self.uptime += Duration::from_millis(millis);
        self.see_clocks();
        for n in 0..self.executors.len() {
            if self.executors[n].suspended_for(self.uptime) > SILENCE {
                self.close_silent(n);
            }
            let wall = self.executor_wall(n);
            self.executors[n].stop_exclusive(self.uptime, CUT_OFF, wall);
            self.end_drain(n);
            self.promote(n);
        }
    }

    /// Coordinators close the sessions of an executor that was silent for long. It may still read
    /// what they have sent when it resumes.
    fn close_silent(&mut self, n: usize) {
        for m in 0..self.nodes.len() {
            if let Some(session) = self.executors[n].links[m].session.take() {
                self.nodes[m].gone.push(session);
            }
        }
        self.see_gone();
    }

    /// Resumes a suspended executor: it reads what has arrived, then finds the streams broken.
    pub(super) fn resume(&mut self, n: usize) {
        if !self.executors[n].is_suspended() {
            return;
        }
        self.executors[n].resume(self.uptime);
        for m in 0..self.nodes.len() {
            if self.executors[n].links[m].session.is_none() {
                while !self.executors[n].links[m].inbound.is_empty() {
                    self.deliver(n, m);
                }
                self.executors[n].cut(m);
            }
        }
        let wall = self.executor_wall(n);
        self.executors[n].stop_exclusive(self.uptime, CUT_OFF, wall);
        self.promote(n);
    }

    /// In gentle histories, messages and commits are not in transit for long, and a node is up:
    /// otherwise executors would lose contact and end exclusive attempts.
    pub(super) fn settle_streams(&mut self) {
        self.settled_at = self.uptime;
        if self.nodes.iter().all(|node| !node.up) {
            self.start_node(0);
        }
        for n in 0..self.executors.len() {
            for m in 0..self.nodes.len() {
                self.connect(n, m);
                self.exchange(n, m);
            }
        }
        for m in 0..self.nodes.len() {
            self.beat(m);
        }
        self.commit_all();
    }
}
