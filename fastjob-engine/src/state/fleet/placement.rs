//! Where an attempt is placed, and how its executor counts it.

use fastjob_core::AttemptId;

use super::{Fleet, Life};
use crate::record::LifeId;

/// Where an attempt is placed. Only the fleet changes it, together with its counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    life: Option<LifeId>,
    counted: Counted,
}

/// How the life of a placement counts the attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Counted {
    #[default]
    Nothing,
    /// It is planned for this life and not sent.
    Promised,
    /// The life may hold it or is about to be sent it.
    Held,
}

impl Placement {
    /// A placement from the store: the life may be unknown, and does not count the attempt yet.
    pub(crate) fn loaded(life: Option<LifeId>) -> Self {
        Self { life, counted: Counted::Nothing }
    }

    pub(crate) fn life(&self) -> Option<LifeId> {
        self.life
    }
}

impl Fleet {
    /// Plans a new attempt for a life, or for none yet.
    pub(crate) fn promise(&mut self, attempt: AttemptId, at: &mut Placement, life: Option<LifeId>) {
        self.change(attempt, at, life, Counted::Promised);
    }

    /// Stops counting the attempt as planned for its life, where it stays placed.
    pub(crate) fn end_promise(&mut self, attempt: AttemptId, at: &mut Placement) {
        if at.counted == Counted::Promised {
            self.change(attempt, at, at.life, Counted::Nothing);
        }
    }

    /// Counts the attempt as held: the life may hold it, or is about to be sent it.
    pub(crate) fn hold(&mut self, attempt: AttemptId, at: &mut Placement, life: Option<LifeId>) {
        self.change(attempt, at, life, Counted::Held);
    }

    /// Places the attempt on a life that does not hold it. If it was promised to the same life, the
    /// promise stays.
    pub(crate) fn place(&mut self, attempt: AttemptId, at: &mut Placement, life: Option<LifeId>) {
        let keeps = at.counted == Counted::Promised && at.life == life;
        let counted = if keeps { Counted::Promised } else { Counted::Nothing };
        self.change(attempt, at, life, counted);
    }

    /// Removes the placement of an attempt that has ended.
    pub(crate) fn release(&mut self, attempt: AttemptId, at: &mut Placement) {
        self.change(attempt, at, at.life, Counted::Nothing);
    }

    /// The only place where the counters change.
    fn change(
        &mut self,
        attempt: AttemptId,
        at: &mut Placement,
        life: Option<LifeId>,
        counted: Counted,
    ) {
        let new =
            Placement { life, counted: if life.is_some() { counted } else { Counted::Nothing } };
        if *at == new {
            return;
        }
        match at.counted {
            Counted::Nothing => {}
            Counted::Promised => self.with(at.life, |life| life.promised -= 1),
            Counted::Held => self.with(at.life, |life| _ = life.held.remove(&attempt)),
        }
        match new.counted {
            Counted::Nothing => {}
            Counted::Promised => self.with(life, |life| life.promised += 1),
            Counted::Held => self.with(life, |life| _ = life.held.insert(attempt)),
        }
        *at = new;
    }

    /// Ignores a life that is gone: its id is never used again.
    fn with(&mut self, life: Option<LifeId>, change: impl FnOnce(&mut Life)) {
        if let Some(life) = life.and_then(|life| self.lives.get_mut(&life)) {
            change(life);
        }
    }
}
