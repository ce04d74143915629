//! Nodes: the coordinators that share the store, and what each acts on.

use super::{Error, NodeView, Ops, Page};

impl Ops {
    /// The nodes that live, as this one saw them last.
    pub(crate) fn list_nodes(&self) -> Result<Page<NodeView>, Error> {
        let items = self.map.counted().into_iter().map(|(node, partitions, is_me)| NodeView {
            id: node.id.0,
            address: node.address,
            version: node.version,
            since: node.since,
            partitions,
            answers: is_me,
        });
        Ok(Page { items: items.collect(), next_cursor: None })
    }
}
