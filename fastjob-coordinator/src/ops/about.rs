//! What the coordinator that answers is, and how it is set up.

use fastjob_client::types::About;

use super::Ops;
use crate::{clock::wall_now, store::NodeRow};

/// What does not change while the coordinator runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) node: NodeRow,
    /// `sqlite` or `postgres`.
    pub(crate) store: &'static str,
    /// Whether callers need a token.
    pub(crate) has_token: bool,
}

impl Ops {
    /// What this coordinator is.
    pub(crate) fn about(&self) -> About {
        let Identity { node, store, has_token } = &self.identity;
        About {
            version: node.version.clone(),
            store: (*store).to_owned(),
            started_at: node.since,
            now: wall_now(),
            node: node.id.0.clone(),
            cluster: self.map.is_shared(),
            token: *has_token,
            logs: self.archive.is_some(),
            problems: self.problems(),
        }
    }
}
