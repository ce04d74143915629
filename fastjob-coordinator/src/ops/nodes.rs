//! Nodes: the coordinators that share the store, and how many partitions each acts on.

use super::{Error, NodeView, Ops, Page, jobs::page};

impl Ops {
    /// The live nodes in this node's last view, by id.
    pub(crate) fn list_nodes(
        &self,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<NodeView>, Error> {
        let limit = page(limit)? as usize;
        let mut nodes = self.map.counted();
        nodes.sort_by(|(one, ..), (other, ..)| one.id.cmp(&other.id));
        if let Some(cursor) = cursor {
            // The cursor is a node id. The node may have ended since, so only its format is
            // checked.
            if uuid::Uuid::parse_str(&cursor).is_err() {
                return Err(Error::invalid("cursor", "it did not come from a list of nodes"));
            }
            nodes.retain(|(node, ..)| node.id.0 > cursor);
        }
        let more = nodes.len() > limit;
        nodes.truncate(limit);
        let next_cursor = nodes.last().filter(|_| more).map(|(node, ..)| node.id.0.clone());
        let items = nodes.into_iter().map(|(node, partitions, is_me)| NodeView {
            id: node.id.0,
            address: node.address,
            version: node.version,
            since: node.since,
            partitions,
            answers: is_me,
        });
        Ok(Page::new(items.collect(), next_cursor))
    }
}
