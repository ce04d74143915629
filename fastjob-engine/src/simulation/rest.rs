//! The end of a history: there are no more faults, and all tasks end.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng};

use super::{jobs, shape::Feature, world::World};
use crate::Switch;

/// The maximum number of rounds of the rest, a tenth of a second each. The longest wait in it is a
/// minute, for an executor, plus the difference of the clocks.
const ROUNDS: u32 = 1_200;
/// The clocks of two nodes drift apart by one part in this many.
const DRIFT: u32 = 100;

impl World {
    /// Lets everything end, without faults, and checks that it did.
    pub(super) fn rest(&mut self) {
        self.resting = true;
        for m in 0..self.nodes.len() {
            self.start_node(m);
            let node = &mut self.nodes[m];
            node.reaches = true;
            node.sleeps_until = Duration::ZERO;
            node.stall = None;
            if node.stopping {
                // Its shutdown has not ended: it is killed.
                self.crash_node(m, &mut SmallRng::seed_from_u64(0));
                self.start_node(m);
            }
        }
        for n in 0..self.executors.len() {
            self.resume(n);
            self.executors[n].isolated_until = Duration::ZERO;
        }
        self.see_gone();
        self.resume_all();
        // Every partition gets an owner again before the schedules are disabled.
        for _ in 0..100 {
            self.round();
            if self.shape.has(Feature::Gentle) {
                self.settle_streams();
            }
        }
        for job in jobs::names(self.shape) {
            self.switch(&job, Switch::Off);
        }
        let mut dice = SmallRng::seed_from_u64(0);
        let drift = u32::try_from((self.uptime / DRIFT).as_millis() / 100).unwrap_or(u32::MAX);
        for _ in 0..ROUNDS.saturating_add(drift) {
            for n in 0..self.executors.len() {
                for m in 0..self.nodes.len() {
                    self.connect(n, m);
                    self.report_figures(n, m, &mut dice);
                    self.exchange(n, m);
                }
                self.run_handlers(n, &mut dice);
                for m in 0..self.nodes.len() {
                    self.exchange(n, m);
                }
                self.exit(n);
            }
            self.round();
            let all_ended = self.store.attempts.values().all(|row| !row.is_open());
            if all_ended && self.store.child_starts.is_empty() {
                break;
            }
        }
        self.see_all_ended();
        self.witness.see_rest(&self.store);
        self.see_history();
    }

    fn round(&mut self) {
        self.pass(100);
        self.see_stalled();
        (0..self.nodes.len()).for_each(|m| self.beat(m));
        self.tick();
        self.commit_all();
    }

    fn see_all_ended(&self) {
        let Some(row) = self.store.attempts.values().find(|row| row.is_open()) else { return };
        let partition = self.partition_of_id(row.new.row.attempt.0);
        let engines = self.nodes.iter().filter_map(|node| node.engines.get(&partition));
        let known: Vec<_> =
            engines.map(|running| running.engine.attempts.get(row.new.row.attempt)).collect();
        panic!("an attempt stayed open: {row:?}, and the engine has {known:?}");
    }
}
