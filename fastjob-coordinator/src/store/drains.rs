//! Executors that users drain. They are few and small, and every node reads all of them.

use fastjob_core::{ExecutorName, ServiceName};
use jiff::Timestamp;

use super::Result;

/// An executor that a user drains, connected or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DrainRow {
    pub(crate) service: ServiceName,
    pub(crate) executor: ExecutorName,
    pub(crate) since: Timestamp,
}

/// What adding a drain did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddedDrain {
    Added,
    /// The executor was drained before; the row is unchanged.
    Existed,
    /// There are too many already; nothing was added.
    Full,
}

/// The executors that users drain.
#[async_trait::async_trait]
pub(crate) trait DrainStore: Send + Sync {
    /// Records that an executor is drained, unless `most` are already.
    async fn add_drain(&self, drain: &DrainRow, most: u32) -> Result<AddedDrain>;
    /// Ends a drain; `false` if the executor was not drained.
    async fn remove_drain(&self, service: &ServiceName, executor: &ExecutorName) -> Result<bool>;
    /// All drained executors, those that were drained first come first.
    async fn drains(&self) -> Result<Vec<DrainRow>>;
}
