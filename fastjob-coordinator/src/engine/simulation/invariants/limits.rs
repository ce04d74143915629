//! Limits: what an engine remembers is at most proportional to what is open, and the work of one
//! step is bounded.

use std::collections::{HashMap, VecDeque};

use super::{
    super::{action::EXECUTORS, shape::Feature},
    Witness,
};
use crate::{
    engine::{CommitId, Effects, Engine, Message},
    record::{Commit, Lease},
};

/// Most rows and messages of an event and the tick after it. Each of the two may plan a slice of
/// fires and send a burst.
const WORK_MOST: usize = 10_000;
/// Most checkpoints of a shard that were handed over and are not durable: one, and one that came
/// with an outcome.
const CHECKPOINTS_MOST: usize = 2;
/// What a collection may have, whatever is open and unwritten.
const BASE: usize = 32;

impl Witness {
    /// An engine has taken a step; so many rows were held back before it, and are after it.
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

    /// What waits for the store has each shard's latest checkpoint, not all of them.
    pub(in super::super) fn see_pending(&self, pending: &VecDeque<(Lease, CommitId, Commit)>) {
        if !self.shape.has(Feature::CheckSizes) {
            return;
        }
        let mut points: HashMap<_, usize> = HashMap::new();
        for (lease, _, commit) in pending {
            for point in &commit.checkpoints {
                let waiting = points.entry((lease, point.task, point.shard)).or_default();
                *waiting += 1;
                let most = CHECKPOINTS_MOST;
                assert!(*waiting <= most, "{waiting} checkpoints of task {} wait", point.task);
            }
        }
    }

    /// The collections of an engine are at most proportional to what is open.
    pub(in super::super) fn see_sizes(&self, engine: &Engine) {
        if !self.shape.has(Feature::CheckSizes) {
            return;
        }
        let sizes = engine.sizes();
        let open = sizes.open;
        for (name, size, most) in sizes.of_open {
            assert!(size <= most, "{size} {name} with {open} open attempts: {sizes:?}");
        }
        if let Some(watched) = sizes.outlived {
            panic!("the timer of {watched:?} has outlived it");
        }
        // What follows a commit waits with it, however long the store is away.
        let most = BASE + 2 * (open + sizes.jobs + sizes.lives + sizes.unwritten);
        for (name, size) in sizes.of_unwritten {
            assert!(size <= most, "{size} {name} with {} unwritten: {sizes:?}", sizes.unwritten);
        }
        // An executor that was replaced stays until what it may still run is over.
        let lives = 4 * EXECUTORS + open;
        assert!(sizes.lives <= lives, "{} lives with {open} open attempts", sizes.lives);
        if let Some(stray) = sizes.stray {
            panic!("an attempt was sent and nothing waits for its end: {stray}");
        }
    }
}
