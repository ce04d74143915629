//! Nodes and the partitions that they hold: the records, and what a store that several nodes share
//! does with them.

use jiff::Timestamp;

use super::{Lease, Partition, Result};

/// Identifies one process of a node.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeId(pub(crate) String);

/// A node as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRow {
    pub(crate) id: NodeId,
    /// Where executors and the other nodes reach it: `http://HOST:PORT`.
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) since: Timestamp,
}

/// A partition and its holder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Holding {
    pub(crate) lease: Lease,
    /// The last node that took it and did not release it, and whether that node is alive.
    pub(crate) holder: Option<(NodeId, Alive)>,
}

/// Whether a node's heartbeats are recent enough, by the database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    Yes,
    No,
}

/// Until when the database considers a node alive; changes with each heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeUntil {
    pub(crate) node: NodeId,
    /// In microseconds since the Unix epoch, by the database's clock.
    pub(crate) until: i64,
}

/// The state of the cluster in the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClusterView {
    /// The nodes that are alive, by id.
    pub(crate) nodes: Vec<NodeRow>,
    /// All partitions, by number.
    pub(crate) partitions: Vec<Holding>,
    /// All nodes that have a row, including those that are not alive.
    pub(crate) until: Vec<NodeUntil>,
    /// The database's clock.
    pub(crate) clock: Option<Timestamp>,
}

/// Which node may act on which partition; only for stores that several nodes share.
///
/// Time is the database's: a node is alive until its last heartbeat is older than its lease.
#[async_trait::async_trait]
pub(crate) trait ClusterStore: Send + Sync {
    /// Records a heartbeat that is valid for `lease`, and returns the state of the cluster. Removes
    /// nodes that have been silent for a day.
    async fn beat(&self, node: &NodeRow, lease: std::time::Duration) -> Result<ClusterView>;
    /// Takes a partition that has no holder, or whose holder is not alive, and returns the new
    /// term. Returns `None` if another node was faster, or if a commit of the old holder is in
    /// progress and does not end within about a second: no node may act on the partition before
    /// that commit has ended. A node may take its own partition again, which ends its old term: for
    /// example, after it was silent for longer than its lease.
    async fn acquire(&self, node: &NodeId, partition: Partition) -> Result<Option<Lease>>;
    /// Releases a partition, if this is still its lease.
    async fn release(&self, node: &NodeId, lease: Lease) -> Result<()>;
    /// Removes the node, and releases what it still holds.
    async fn leave(&self, node: &NodeId) -> Result<()>;
    /// Removes a dead node that the database still considers alive, unless it has sent a heartbeat
    /// since. This releases its partitions.
    async fn forget(&self, node: &NodeUntil) -> Result<()>;
}
