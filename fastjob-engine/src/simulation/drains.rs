//! Executors that users drain: the store knows them, and nodes learn of a change at once or when
//! they look at the store again.

use std::sync::Arc;

use rand::{RngExt, rngs::SmallRng};

use super::{action::EXECUTORS, jobs::name, world::World};
use crate::{Effects, Engine, Event, Message};

impl World {
    /// A user drains an executor, or lets it accept work again.
    pub(super) fn drain_or_resume(&mut self, dice: &mut SmallRng) {
        let executor = (name("default"), name(&format!("e{}", dice.random_range(0..EXECUTORS))));
        let drained = Arc::make_mut(&mut self.drained);
        if !drained.remove(&executor) {
            drained.insert(executor);
        }
        for m in 0..self.nodes.len() {
            // The others are not notified, and read it later.
            if dice.random_bool(0.8) {
                self.read_drained(m);
            }
        }
    }

    /// All executors accept work again.
    pub(super) fn resume_all(&mut self) {
        self.drained = Arc::default();
        (0..self.nodes.len()).for_each(|m| self.read_drained(m));
    }

    /// A node that reaches the store reads which executors are drained.
    pub(super) fn read_drained(&mut self, m: usize) {
        let node = &mut self.nodes[m];
        if !node.is_awake(self.uptime) || !node.reaches || node.drained == self.drained {
            return;
        }
        node.drained = Arc::clone(&self.drained);
        let drained = Arc::clone(&self.drained);
        self.notify_all(m, || Event::Drained(Arc::clone(&drained)));
    }

    /// The first event of an engine: its node reads the drained executors when it loads a partition.
    pub(super) fn begin_drained(&mut self, m: usize, engine: &mut Engine) {
        self.read_drained(m);
        let (now, mut effects) = (self.now(m), Effects::default());
        engine.handle(now, Event::Drained(Arc::clone(&self.nodes[m].drained)), &mut effects);
        assert!(effects.sends.is_empty() && effects.commits.is_empty(), "{effects:?}");
    }
}

/// Checks that an engine sends no attempts to an executor that it knows is drained.
pub(super) fn see_sent(effects: &Effects, engine: &Engine) {
    for (session, message) in &effects.sends {
        let Message::Start(_) = message else { continue };
        let life = engine.fleet.of_session(*session).and_then(|life| engine.fleet.get(life));
        assert!(life.is_none_or(|life| !life.is_drained()), "sent to a drained executor: {life:?}");
    }
}
