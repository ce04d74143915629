//! Nodes: the coordinators that share the store, and how many partitions each acts on.

use super::{Error, NodeView, Ops, Page, jobs::page};
use crate::store::NodeId;

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
        let view = self.map.view();
        let lease_left = |id: &NodeId| {
            let until = view.until.iter().find(|row| row.node == *id)?.until;
            // Both are of the database's clock, the lease in microseconds.
            let left = until.saturating_sub(view.clock?.as_microsecond());
            Some(left.div_euclid(1000))
        };
        let items = nodes.into_iter().map(|(node, partitions, is_me)| NodeView {
            lease_left_ms: lease_left(&node.id),
            clock_offset_ms: self.map.clock_offset().filter(|_| is_me),
            state: match lease_left(&node.id) {
                Some(..=0) => "silent",
                Some(_) | None => "alive",
            }
            .to_owned(),
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
