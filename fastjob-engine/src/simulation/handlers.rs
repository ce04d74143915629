//! Handlers in the simulated world: they are entered, report and end. Also executors that leave.

use std::time::Duration;

use fastjob_core::{FailReason, Progress, attempt::End};
use rand::{RngExt, rngs::SmallRng};

use super::{
    executor::{FromExecutor, Run, checkpoint, held},
    shape::Feature,
    world::World,
};
use crate::{Beat, StartAttempt};

/// The probability that a long-running handler continues when it could end, and the same for one
/// that waits for something its isolated process cannot reach.
const SLOW: f64 = 0.85;
const CUT: f64 = 0.97;
/// How long running attempts may continue while their executor drains.
const GRACE: Duration = Duration::from_secs(6);
/// How long the executor then waits for acknowledgements.
const FLUSH: Duration = Duration::from_secs(4);

impl World {
    /// Enters a handler.
    fn enter(&mut self, n: usize, start: StartAttempt) {
        let id = start.row.attempt;
        let executor = &mut self.executors[n];
        if executor.is_unfenced(id) {
            executor.excused.insert(id);
        }
        let row = self.store.attempts.get(&id);
        let row = row.filter(|row| row.new.row.created_at == start.row.created_at);
        let due_at = row.map(|row| row.new.row.due_at);
        self.witness.see_enter(&start, due_at, self.uptime, n, &self.executors);
        let started_at = self.executor_wall(n);
        let executor = &mut self.executors[n];
        executor.report(id, FromExecutor::Started(held(&start), started_at));
        let reached = start.checkpoint.as_deref().and_then(|text| text.parse().ok());
        executor.running.insert(id, Run { start, started_at, reached });
    }

    /// Enters attempts that wait in an executor, if it is their turn and a place is free.
    pub(super) fn promote(&mut self, n: usize) {
        if self.executors[n].is_suspended() {
            return;
        }
        let wall = self.executor_wall(n);
        for start in self.executors[n].take_due(self.uptime) {
            self.executors[n].arrive(start, wall);
        }
        while let Some(start) = self.executors[n].next() {
            self.enter(n, start);
        }
    }

    /// Reports figures. The first executor never has much memory, the others have some or much.
    pub(super) fn report_figures(&mut self, n: usize, m: usize, dice: &mut SmallRng) {
        let executor = &mut self.executors[n];
        if executor.links[m].session.is_none() || executor.is_suspended() {
            return;
        }
        let gib = if n == 0 { 1 } else { dice.random_range(1..8) };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (running, waiting) = match self.shape.has(Feature::Capacity) {
            true => (executor.running.len(), executor.queued.len() + executor.ready.len()),
            false => (0, 0),
        };
        executor.links[m].outbound.push_back(FromExecutor::Figures(Beat {
            cpu: dice.random(),
            memory_free: gib << 30,
            memory_total: 8 << 30,
            running: count(running),
            waiting: count(waiting),
        }));
    }

    pub(super) fn run_handlers(&mut self, n: usize, dice: &mut SmallRng) {
        if self.executors[n].is_suspended() {
            return;
        }
        let slow = self.shape.has(Feature::Slow) && !self.resting;
        let (goes_on, cut) = if slow { (SLOW, CUT) } else { (0.5, 0.5) };
        let running: Vec<_> = self.executors[n].running.keys().copied().collect();
        for id in running {
            let run = &self.executors[n].running[&id];
            let hangs = run.start.job.name.as_str() == "hangs";
            if self.shape.has(Feature::Reports) {
                self.report_reached(n, id, dice);
            }
            if hangs || dice.random_bool(goes_on) {
                continue;
            }
            let end = match dice.random_range(0..12) {
                0 if !self.resting => End::Failed(FailReason::Error),
                1 if !self.resting => End::Failed(FailReason::Fatal),
                2 if !self.resting => End::Failed(FailReason::TimedOut),
                _ => End::Succeeded,
            };
            let wall = self.executor_wall(n);
            self.executors[n].finish(id, end, wall);
            if self.shape.has(Feature::Lies) && n == 3 {
                // Its clock jumps an hour forward and back.
                self.executors[n].offset = -self.executors[n].offset;
            }
        }
        self.promote(n);
        // Attempts of ghosts end, too.
        for ghost in &mut self.executors[n].ghosts {
            ghost.running.retain(|_, _| dice.random_bool(cut));
        }
    }

    fn report_reached(&mut self, n: usize, id: fastjob_core::AttemptId, dice: &mut SmallRng) {
        let executor = &mut self.executors[n];
        let Some(run) = executor.running.get_mut(&id) else { return };
        let named = held(&run.start);
        if dice.random_bool(0.4) {
            let reached = run.reached.unwrap_or(0) + 1;
            run.reached = Some(reached);
            if dice.random_bool(0.7) {
                executor.report(id, FromExecutor::Checkpoint(named, checkpoint(reached)));
            }
        }
        if dice.random_bool(0.2) {
            let progress = Progress { done: 1, total: 2, note: "half".to_owned() };
            executor.report(id, FromExecutor::Progress(named, progress));
        }
    }

    /// Shuts an executor down gracefully.
    pub(super) fn leave(&mut self, n: usize) {
        if self.executors[n].is_suspended() {
            return;
        }
        if self.shape.has(Feature::Drains) {
            return self.executors[n].drain(self.uptime);
        }
        for m in 0..self.nodes.len() {
            if let Some(session) = self.executors[n].links[m].session {
                let executor = &self.executors[n];
                let waiting = executor.waiting().map(|start| start.row.attempt);
                let returned: Vec<_> = waiting.filter(|id| executor.is_of(m, *id)).collect();
                self.notify_leaving(m, session, &returned);
            }
        }
        self.executors[n].take_waiting();
        self.abort_all(n);
        self.flush_and_restart(n);
    }

    fn abort_all(&mut self, n: usize) {
        let wall = self.executor_wall(n);
        let running: Vec<_> = self.executors[n].running.keys().copied().collect();
        for attempt in running {
            self.executors[n].finish(attempt, End::Failed(FailReason::Error), wall);
        }
    }

    fn flush_and_restart(&mut self, n: usize) {
        // A paused node does not learn of it before the stream is gone.
        for m in 0..self.nodes.len() {
            let mut most = 10_000;
            while most > 0
                && self.nodes[m].is_awake(self.uptime)
                && !self.executors[n].links[m].outbound.is_empty()
            {
                self.receive(n, m);
                most -= 1;
            }
        }
        self.disconnect_all(n);
        self.executors[n].restart();
    }

    /// For how long an executor has been draining, by its own clock.
    fn drained_for(&self, n: usize) -> Duration {
        let executor = &self.executors[n];
        let uptime = executor.uptime(self.uptime);
        executor.drains_since.map_or(Duration::ZERO, |since| uptime.saturating_sub(since))
    }

    /// Aborts what a draining executor still runs when its grace period is over.
    pub(super) fn end_drain(&mut self, n: usize) {
        if !self.executors[n].is_suspended() && self.drained_for(n) > GRACE {
            self.abort_all(n);
        }
    }

    /// Lets a draining executor exit when it has nothing left to do, or has waited long enough.
    pub(super) fn exit(&mut self, n: usize) {
        let executor = &self.executors[n];
        if !executor.drains() || executor.is_suspended() {
            return;
        }
        let up = self.nodes.iter().zip(&executor.links).filter(|(node, _)| node.up);
        let connected = up.clone().all(|(_, link)| link.session.is_some());
        let gentle = self.shape.has(Feature::Gentle);
        if executor.is_drained() && (connected || !gentle) {
            self.disconnect_all(n);
            self.executors[n].restart();
        } else if self.drained_for(n) > GRACE + FLUSH && !gentle {
            self.flush_and_restart(n);
        }
    }
}
