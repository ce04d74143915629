//! Limits: the memory of an engine is at most proportional to the number of open attempts, and the
//! work of one step is bounded.

use std::collections::{HashMap, VecDeque};

use super::{
    super::{action::EXECUTORS, shape::Feature, writes::Pending},
    Witness,
};
use crate::{Effects, Engine, Message};

/// The maximum number of rows and messages of an event and the tick after it. Each of the two may
/// plan a slice of fires and send a burst.
const WORK_MOST: usize = 10_000;
/// The maximum number of checkpoints of a shard that were handed over and are not durable: one, and
/// one that came with an outcome.
const CHECKPOINTS_MOST: usize = 2;
/// The size that every collection may have, even if nothing is open or unwritten.
const BASE: usize = 32;

impl Witness {
    /// Checks the work of one step. `before` and `after` are the rows that were held back before
    /// and after it.
    pub(in super::super) fn see_step(&self, effects: &Effects, before: usize, after: usize) {
        if !self.shape.has(Feature::CheckWork) {
            return;
        }
        let rows: usize = effects.commits.iter().map(|(_, commit)| commit.rows()).sum();
        let sent = effects.sends.iter().map(|(_, message)| match message {
            Message::Start(attempts) => attempts.len(),
            Message::Stop(attempts) | Message::Recorded(attempts) => attempts.len(),
            Message::Close => 1,
        });
        let work = (rows + after).saturating_sub(before) + sent.sum::<usize>();
        assert!(work <= WORK_MOST, "one step of an engine made {work} rows and messages");
    }

    /// Checks that only the latest checkpoint of each shard waits for the store.
    pub(in super::super) fn see_pending(&self, pending: &VecDeque<Pending>) {
        if !self.shape.has(Feature::CheckSizes) {
            return;
        }
        let mut points: HashMap<_, usize> = HashMap::new();
        for Pending { lease, commit, .. } in pending {
            for point in &commit.checkpoints {
                let waiting = points.entry((lease, point.task, point.shard)).or_default();
                *waiting += 1;
                let most = CHECKPOINTS_MOST;
                assert!(*waiting <= most, "{waiting} checkpoints of task {} wait", point.task);
            }
        }
    }

    /// Checks that the collections of an engine are at most proportional to the number of open
    /// attempts.
    pub(in super::super) fn see_sizes(&self, engine: &Engine) {
        if !self.shape.has(Feature::CheckSizes) {
            return;
        }
        let sizes = engine.sizes();
        let open = sizes.open;
        for (name, size, most) in sizes.of_open.iter().copied() {
            assert!(size <= most, "{size} {name} with {open} open attempts: {sizes:?}");
        }
        if let Some(watched) = &sizes.outlived {
            panic!("the timer of {watched:?} has outlived it");
        }
        // What follows a commit waits with it, as long as the store is unavailable.
        let most = BASE + 2 * (open + sizes.jobs + sizes.lives + sizes.unwritten);
        for (name, size) in sizes.of_unwritten {
            assert!(size <= most, "{size} {name} with {} unwritten: {sizes:?}", sizes.unwritten);
        }
        // A superseded life stays until the attempts that it may still run are over.
        let lives = 4 * EXECUTORS + open;
        assert!(sizes.lives <= lives, "{} lives with {open} open attempts", sizes.lives);
        if let Some(wrong) = sizes.miscounted {
            panic!("open tasks are counted wrong: {wrong}");
        }
        if let Some(stray) = sizes.stray {
            panic!("an attempt was sent and nothing waits for its end: {stray}");
        }
    }
}
