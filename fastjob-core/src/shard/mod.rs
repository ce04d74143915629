//! Over how many executors a task is spread, and which.
//!
//! [`spread`] is pure: it is given the live executors that host the handler. Where it cannot
//! spread a task, it says why; whether that is waited out is the caller's to decide.

pub mod filter;
mod spread;

pub use self::{
    filter::{Facts, Filter, InvalidFilter},
    spread::{NoSpread, Spread, spread},
};

/// Over how many executors a task is spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShardStrategy {
    /// One executor runs the whole task.
    #[default]
    One,
    /// Every executor that has the handler runs a shard.
    All,
    /// Every executor whose labels and figures meet the filter runs a shard.
    Dynamic(Filter),
    /// This many shards, spread over the executors.
    Count(u32),
}

impl ShardStrategy {
    /// Most shards of a task.
    pub const MOST: u32 = 1_000;

    /// Says whether a shard belongs to its executor: another cannot run it in its place, because
    /// it runs a shard of its own.
    pub const fn is_bound(&self) -> bool {
        match self {
            Self::All | Self::Dynamic(_) => true,
            Self::One | Self::Count(_) => false,
        }
    }
}
