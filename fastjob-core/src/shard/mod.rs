//! Decides over how many executors a task is spread, and which.
//!
//! [`spread`] is a pure function of the live executors that host the handler. If it cannot spread a
//! task, it returns the reason; the caller decides whether to wait.

pub mod filter;
mod spread;

pub use self::{
    filter::{Facts, Filter, InvalidFilter},
    spread::{NoSpread, Spread, spread},
};

/// How a task is split into shards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShardStrategy {
    /// One executor runs the whole task.
    #[default]
    One,
    /// Every executor that has the handler runs a shard.
    All,
    /// Every executor whose labels and figures match the filter runs a shard.
    Dynamic(Filter),
    /// This many shards, distributed over the executors.
    Count(u32),
}

impl ShardStrategy {
    /// Maximum number of shards of a task.
    pub const MOST: u32 = 1_000;

    /// Returns whether a shard is bound to its executor: another executor cannot run it instead,
    /// because it has its own shard.
    pub const fn is_bound(&self) -> bool {
        match self {
            Self::All | Self::Dynamic(_) => true,
            Self::One | Self::Count(_) => false,
        }
    }
}
