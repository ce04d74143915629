//! The cluster's nodes: those configured in the settings, and those learned from other nodes. The
//! executor keeps a link to each.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fastjob_core::wire::v1;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::LinkError;
use crate::failure::{Failures, Parts};

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
    cluster: Option<String>,
    /// By link, the node that it has a session with.
    sessions: HashMap<u32, String>,
    /// Node and address, from the latest list that any node sent.
    nodes: Vec<(String, String)>,
}

/// The target of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) address: String,
    /// The expected node; unknown for an address from the settings.
    pub(crate) node: Option<String>,
}

/// Links to nodes that the settings do not name.
#[derive(Default)]
struct Learned {
    by_node: HashMap<String, (u32, CancellationToken)>,
    next: u32,
}

impl Peers {
    /// Checks that a coordinator belongs to the cluster.
    pub(super) fn belongs(&self, welcome: &v1::Welcome) -> Result<(), LinkError> {
        let mut known = self.lock();
        match known.cluster.get_or_insert_with(|| welcome.cluster.clone()) {
            first if *first == welcome.cluster => {}
            first => return Err(LinkError::OtherCluster(first.clone())),
        }
        Ok(())
    }

    /// A link has a session with this node.
    pub(super) fn joined(&self, link: u32, node: &str) {
        self.lock().sessions.insert(link, node.to_owned());
        self.0.changed.notify_one();
    }

    /// A link's session has ended.
    pub(super) fn left(&self, link: u32) {
        self.lock().sessions.remove(&link);
        self.0.changed.notify_one();
    }

    /// Stores the list of nodes that a node sent.
    pub(super) fn learn(&self, nodes: Vec<v1::Node>) {
        let nodes = nodes.into_iter().map(|node| (node.node, node.address)).collect();
        self.lock().nodes = nodes;
        self.0.changed.notify_one();
    }

    /// Keeps a link to every `configured` address and every learned node, until `stop` fires. `run`
    /// runs a link, with its number and place, until its token fires. A link that panics is a
    /// failure of the executor.
    pub(crate) async fn keep_links<R>(
        &self,
        configured: &[String],
        (failures, stop): (&Failures, &CancellationToken),
        run: impl Fn(u32, Place, CancellationToken) -> R,
    ) where
        R: Future<Output = ()> + Send + 'static,
    {
        let mut links = Parts::default();
        let mut learned = Learned::default();
        let part = |address: &str| format!("the link to {address}");
        for address in configured {
            let place = Place { address: address.clone(), node: None };
            links.spawn(part(address), run(learned.next, place, stop.clone()));
            learned.next += 1;
        }
        while !stop.is_cancelled() {
            for (number, place, token) in learned.update(&self.lock(), configured, stop) {
                tracing::info!(coordinator = %place.address, "found another coordinator");
                links.spawn(part(&place.address), run(number, place, token));
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
    ) -> Vec<(u32, Place, CancellationToken)> {
        let reached_else = |node: &str, own: Option<u32>| {
            known.sessions.iter().any(|(link, other)| other == node && Some(*link) != own)
        };
        self.by_node.retain(|node, (link, token)| {
            let there = known.nodes.iter().any(|(other, _)| other == node);
            let keep = there && !reached_else(node, Some(*link));
            if !keep {
                token.cancel();
            }
            keep
        });
        let mut new = Vec::new();
        for (node, address) in &known.nodes {
            let is_known = self.by_node.contains_key(node)
                || configured.contains(address)
                || reached_else(node, None);
            if is_known {
                continue;
            }
            let token = stop.child_token();
            self.by_node.insert(node.clone(), (self.next, token.clone()));
            let place = Place { address: address.clone(), node: Some(node.clone()) };
            new.push((self.next, place, token));
            self.next += 1;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_kept_to_every_learned_node_that_is_not_reached_otherwise() {
        let (mut learned, stop) =
            (Learned { next: 1, ..Learned::default() }, CancellationToken::new());
        let configured = ["http://a:1".to_owned()];
        let node = |name: &str| (name.to_owned(), format!("http://{name}:1"));
        let mut known = Known { nodes: vec![node("a"), node("b"), node("c")], ..Known::default() };
        known.sessions.insert(0, "c".to_owned()); // node c is also reached at address a
        let new = learned.update(&known, &configured, &stop);
        let places: Vec<_> = new.iter().map(|(_, place, _)| place.clone()).collect();
        let b = Place { address: "http://b:1".to_owned(), node: Some("b".to_owned()) };
        assert_eq!(places, [b]);
        known.sessions.insert(new[0].0, "b".to_owned());
        assert!(learned.update(&known, &configured, &stop).is_empty());
        assert!(!new[0].2.is_cancelled(), "its own session does not count as another connection");
        known.nodes.retain(|(name, _)| name != "b");
        assert!(learned.update(&known, &configured, &stop).is_empty());
        assert!(new[0].2.is_cancelled());
    }

    #[tokio::test]
    async fn a_link_that_panics_is_a_failure_of_the_executor_and_the_others_stay() {
        let (failures, stop) = (Failures::default(), CancellationToken::new());
        let (peers, stays) = (Peers::default(), std::sync::Arc::new(Notify::new()));
        let run = |number: u32, _, stop: CancellationToken| {
            let stays = Arc::clone(&stays);
            async move {
                assert!(number != 0, "oh no");
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
