//! This node's last view of which node owns which partition, for requests to other nodes.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    clock::wall_now,
    store::{Alive, ClusterView, Holding, Lease, NodeId, NodeRow, Partition},
};

/// The owner of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Here,
    /// Another node.
    There(NodeRow),
    /// No node holds it at the moment, or its node does not send heartbeats.
    NoNode,
}

/// The last view of the cluster. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ClusterMap {
    me: Option<NodeId>,
    view: Arc<RwLock<Arc<ClusterView>>>,
    /// How far this node's clock is ahead of the database's, in milliseconds.
    clock_offset: Arc<RwLock<Option<i64>>>,
    /// Why this node could not load partitions.
    troubles: Arc<RwLock<BTreeMap<Partition, String>>>,
    /// Notified when the view is found to be outdated.
    pub(super) stale: Arc<tokio::sync::Notify>,
}

impl ClusterMap {
    /// For a node that does not share its store.
    pub(crate) fn alone(node: NodeRow) -> Self {
        let holding =
            Holding { lease: Lease::default(), holder: Some((node.id.clone(), Alive::Yes)) };
        let (nodes, partitions) = (vec![node], vec![holding]);
        let view = ClusterView { nodes, partitions, ..ClusterView::default() };
        let view = Arc::new(RwLock::new(Arc::new(view)));
        let clock_offset = Arc::default();
        Self { me: None, view, clock_offset, troubles: Arc::default(), stale: Arc::default() }
    }

    /// For one of several nodes.
    pub(crate) fn of(me: NodeId) -> Self {
        let (view, troubles, stale) = (Arc::default(), Arc::default(), Arc::default());
        Self { me: Some(me), view, clock_offset: Arc::default(), troubles, stale }
    }

    /// The owner of the partition.
    pub(crate) fn owner(&self, partition: Partition) -> Owner {
        let Some(me) = &self.me else { return Owner::Here };
        let view = self.view();
        let holding = view.partitions.iter().find(|holding| holding.lease.partition == partition);
        match holding.and_then(|holding| holding.holder.as_ref()) {
            Some((node, Alive::Yes)) if node == me => Owner::Here,
            Some((node, Alive::Yes)) => {
                let node = view.nodes.iter().find(|row| row.id == *node);
                node.map_or(Owner::NoNode, |row| Owner::There(row.clone()))
            }
            Some((_, Alive::No)) | None => Owner::NoNode,
        }
    }

    /// Reports that the view is outdated.
    pub(crate) fn is_stale(&self) {
        self.stale.notify_one();
    }

    /// The live nodes, including this one; empty if the store is not shared.
    pub(crate) fn nodes(&self) -> Vec<NodeRow> {
        if self.me.is_none() { Vec::new() } else { self.view().nodes.clone() }
    }

    /// The live nodes, how many partitions each has, and whether it is this node.
    pub(crate) fn counted(&self) -> Vec<(NodeRow, u32, bool)> {
        let view = self.view();
        let count = |node: &NodeId| {
            let of = |holding: &&Holding| matches!(&holding.holder, Some((holder, Alive::Yes)) if holder == node);
            u32::try_from(view.partitions.iter().filter(of).count()).unwrap_or(u32::MAX)
        };
        let is_me = |node: &NodeId| self.me.as_ref().is_none_or(|me| me == node);
        view.nodes.iter().map(|node| (node.clone(), count(&node.id), is_me(&node.id))).collect()
    }

    /// The live nodes, except this one.
    pub(crate) fn others(&self) -> Vec<NodeRow> {
        let Some(me) = &self.me else { return Vec::new() };
        let view = self.view();
        view.nodes.iter().filter(|node| node.id != *me).cloned().collect()
    }

    /// Whether other nodes may share the store.
    pub(crate) fn is_shared(&self) -> bool {
        self.me.is_some()
    }

    /// How far this node's clock was ahead of the database's at the last heartbeat, in milliseconds.
    pub(crate) fn clock_offset(&self) -> Option<i64> {
        *self.clock_offset.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole view.
    pub(crate) fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, view: Arc<ClusterView>) {
        let offset = view.clock.map(|clock| wall_now().duration_since(clock).as_millis());
        let offset = offset.and_then(|millis| i64::try_from(millis).ok());
        *self.clock_offset.write().unwrap_or_else(PoisonError::into_inner) = offset;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// Records why this node could not load a partition, or clears that.
    pub(super) fn trouble(&self, partition: Partition, why: Option<String>) {
        let mut troubles = self.troubles.write().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => drop(troubles.insert(partition, why)),
            None => drop(troubles.remove(&partition)),
        }
    }

    /// A partition without an owner that this node could not load, and why.
    pub(crate) fn unloaded(&self) -> Option<(Partition, String)> {
        let troubles = self.troubles.read().unwrap_or_else(PoisonError::into_inner);
        let unowned = |partition: &&Partition| self.owner(**partition) == Owner::NoNode;
        let partition = troubles.keys().find(unowned)?;
        Some((*partition, troubles.get(partition)?.clone()))
    }
}
