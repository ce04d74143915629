//! Nodes: the coordinators that share the store, and what each acts on.

use super::{Error, NodeView, Ops, Page, jobs::page};

impl Ops {
    /// The nodes that live, as this one saw them last, by id.
    pub(crate) fn list_nodes(
        &self,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<NodeView>, Error> {
        let limit = page(limit)? as usize;
        let mut nodes = self.map.counted();
        nodes.sort_by(|(one, ..), (other, ..)| one.id.cmp(&other.id));
        if let Some(cursor) = cursor {
            // They are not many, so a cursor is made of a node that may have gone meanwhile.
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
        Ok(Page { items: items.collect(), next_cursor })
    }
}
