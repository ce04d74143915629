//! The cluster's nodes: those configured in the settings, and those learned from other nodes. The
//! executor keeps a link to each.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::LinkError;
use crate::{
    failure::{Failures, Parts},
    runtime::LinkId,
};

/// Identifies a cluster: the store behind its coordinators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterId(pub(super) String);

/// Identifies a node: one run of a coordinator's process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(super) String);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node, as another node lists it.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) address: String,
}

/// What is known of the cluster. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Default)]
struct Known {
    /// The cluster that welcomed the executor first.
    cluster: Option<ClusterId>,
    /// By link, the node that it has a session with.
    sessions: HashMap<LinkId, NodeId>,
    /// From the latest list that any node sent.
    nodes: Vec<Node>,
}

/// The target of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) address: String,
    /// The expected node; unknown for an address from the settings.
    pub(crate) node: Option<NodeId>,
}

/// Links to nodes that the settings do not name.
#[derive(Default)]
struct Learned {
    by_node: HashMap<NodeId, (LinkId, CancellationToken)>,
    /// The number of links so far.
    count: u32,
}

impl Peers {
    /// Checks that a coordinator belongs to the cluster.
    pub(super) fn belongs(&self, cluster: &ClusterId) -> Result<(), LinkError> {
        let mut known = self.lock();
        match known.cluster.get_or_insert_with(|| cluster.clone()) {
            first if first == cluster => {}
            first => return Err(LinkError::OtherCluster(first.clone())),
        }
        Ok(())
    }

    /// A link has a session with this node.
    pub(super) fn joined(&self, link: LinkId, node: NodeId) {
        self.lock().sessions.insert(link, node);
        self.0.changed.notify_one();
    }

    /// A link's session has ended.
    pub(super) fn left(&self, link: LinkId) {
        self.lock().sessions.remove(&link);
        self.0.changed.notify_one();
    }

    /// Stores the list of nodes that a node sent.
    pub(super) fn learn(&self, nodes: Vec<Node>) {
        self.lock().nodes = nodes;
        self.0.changed.notify_one();
    }

    /// Keeps a link to every `configured` address and every learned node, until `stop` fires. `run`
    /// runs a link, with its id and place, until its token fires. A link that panics is a
    /// failure of the executor.
    pub(crate) async fn keep_links<R>(
        &self,
        configured: &[String],
        (failures, stop): (&Failures, &CancellationToken),
        run: impl Fn(LinkId, Place, CancellationToken) -> R,
    ) where
        R: Future<Output = ()> + Send + 'static,
    {
        let mut links = Parts::default();
        let mut learned = Learned::default();
        let part = |address: &str| format!("the link to {address}");
        for address in configured {
            let place = Place { address: address.clone(), node: None };
            links.spawn(part(address), run(learned.next_link(), place, stop.clone()));
        }
        while !stop.is_cancelled() {
            for (link, place, token) in learned.update(&self.lock(), configured, stop) {
                tracing::info!(coordinator = %place.address, "found another coordinator");
                links.spawn(part(&place.address), run(link, place, token));
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.0.changed.notified() => {}
                // An unneeded link has ended, or a link has panicked.
                _ = links.next(failures) => {}
            }
        }
        links.all(failures).await;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learned {
    /// Ends unneeded links and returns the new ones.
    fn update(
        &mut self,
        known: &Known,
        configured: &[String],
        stop: &CancellationToken,
    ) -> Vec<(LinkId, Place, CancellationToken)> {
        let reached_else = |node: &NodeId, own: Option<LinkId>| {
            known.sessions.iter().any(|(link, other)| other == node && Some(*link) != own)
        };
        self.by_node.retain(|node, (link, token)| {
            let there = known.nodes.iter().any(|other| other.id == *node);
            let keep = there && !reached_else(node, Some(*link));
            if !keep {
                token.cancel();
            }
            keep
        });
        let mut new = Vec::new();
        for Node { id: node, address } in &known.nodes {
            let is_known = self.by_node.contains_key(node)
                || configured.contains(address)
                || reached_else(node, None);
            if is_known {
                continue;
            }
            let token = stop.child_token();
            let link = self.next_link();
            self.by_node.insert(node.clone(), (link, token.clone()));
            let place = Place { address: address.clone(), node: Some(node.clone()) };
            new.push((link, place, token));
        }
        new
    }

    /// The id of a new link.
    fn next_link(&mut self) -> LinkId {
        let link = LinkId(self.count);
        self.count += 1;
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_kept_to_every_learned_node_that_is_not_reached_otherwise() {
        let (mut learned, stop) =
            (Learned { count: 1, ..Learned::default() }, CancellationToken::new());
        let configured = ["http://a:1".to_owned()];
        let id = |name: &str| NodeId(name.to_owned());
        let node = |name: &str| Node { id: id(name), address: format!("http://{name}:1") };
        let mut known = Known { nodes: vec![node("a"), node("b"), node("c")], ..Known::default() };
        known.sessions.insert(LinkId(0), id("c")); // node c is also reached at address a
        let new = learned.update(&known, &configured, &stop);
        let places: Vec<_> = new.iter().map(|(_, place, _)| place.clone()).collect();
        let b = Place { address: "http://b:1".to_owned(), node: Some(id("b")) };
        assert_eq!(places, [b]);
        known.sessions.insert(new[0].0, id("b"));
        assert!(learned.update(&known, &configured, &stop).is_empty());
        assert!(!new[0].2.is_cancelled(), "its own session does not count as another connection");
        known.nodes.retain(|node| node.id != id("b"));
        assert!(learned.update(&known, &configured, &stop).is_empty());
        assert!(new[0].2.is_cancelled());
    }

    #[tokio::test]
    async fn a_link_that_panics_is_a_failure_of_the_executor_and_the_others_stay() {
        let (failures, stop) = (Failures::default(), CancellationToken::new());
        let (peers, stays) = (Peers::default(), std::sync::Arc::new(Notify::new()));
        let run = |link: LinkId, _, stop: CancellationToken| {
            let stays = Arc::clone(&stays);
            async move {
                assert!(link != LinkId(0), "oh no");
                stop.cancelled().await;
                stays.notify_one();
            }
        };
        let configured = ["http://a:1", "http://b:1"].map(str::to_owned);
        let keep = peers.keep_links(&configured, (&failures, &stop), run);
        let end = async {
            failures.raised().await;
            stop.cancel();
        };
        tokio::join!(keep, end);
        stays.notified().await;
        let failure = failures.first().unwrap();
        assert_eq!(
            (failure.part.as_str(), failure.why.as_str()),
            ("the link to http://a:1", "panicked: oh no")
        );
    }
}
