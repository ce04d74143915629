//! The parts of the engine's state. Each has private fields and the methods that change them.

pub(crate) mod agenda;
pub(crate) mod attempts;
pub(crate) mod catalog;
pub(crate) mod changes;
pub(crate) mod checkpoints;
pub(crate) mod chores;
pub(crate) mod fleet;
pub(crate) mod journal;
pub(crate) mod keys;
pub(crate) mod lanes;
pub(crate) mod millis;
pub(crate) mod timers;
