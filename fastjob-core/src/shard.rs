//! Over how many executors a task is spread.

/// Over how many executors a task is spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShardStrategy {
    /// One executor runs the whole task.
    #[default]
    One,
    /// Every executor that has the handler runs a shard.
    All,
    /// Every executor whose labels and figures meet the filter runs a shard.
    Dynamic(String),
    /// This many shards, spread over the executors.
    Count(u32),
}

impl ShardStrategy {
    /// Most shards of a task.
    pub const MOST: u32 = 1_000;
}
