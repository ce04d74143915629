//! Calls to the node that owns a partition: answered here if this node owns it, otherwise sent to
//! its owner in one hop.
//!
//! A call is a type with the trait [`NodeCall`], beside the operation that sends it. To add one,
//! write the type, implement the trait, and add it to [`Ops::answer_call`].
//!
//! Requests are JSON over the one port, with the cluster's credential. The recipient answers, or
//! says that it is not the owner; it never forwards further.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{
    Error, Ops,
    activity::CountOpen,
    apply::ApplyJobs,
    executors::ListExecutors,
    jobs::{DeleteJob, ReleaseJob, SaveJob, SwitchJob},
    live::{ListOpen, ReadLive},
    overview::SurveyNode,
    pulse::ReadSums,
    refusal::Refusal,
    rerun::RerunTask,
    start::{BackfillJob, StartJob, StartWithService},
    tasks::StopTask,
};
use crate::{
    cluster::Owner,
    shell::EngineHandle,
    store::{NodeRow, Partition},
};

/// The path prefix of what only nodes of the cluster may call.
pub(crate) const INTERNAL: &str = "/internal/";
/// The path of calls, before the partition and the name of the call.
pub(crate) const CALLS: &str = "/internal/v1/calls";
/// How long a call waits for a partition to get an owner before it fails.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a list waits for other nodes. It is answered without those that take longer.
const FOR_A_LIST: Duration = Duration::from_millis(1_500);
/// Interval between two lookups of the owner.
const LOOK: Duration = Duration::from_millis(50);

/// A call that a node answers, for this node and others alike.
pub(super) trait NodeCall:
    Clone + DeserializeOwned + Serialize + Send + Sync + 'static
{
    /// Its name in the path of the request; unique.
    const NAME: &'static str;
    /// What it is answered with.
    type Reply: DeserializeOwned + Serialize + Send;

    /// Answers it on this node. Validates it as well, because another node may have sent it.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Moved`] if another node owns the partition; nothing was done.
    fn answer(
        self,
        ops: &Ops,
        partition: Partition,
    ) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

/// Why a request of another node is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadCall {
    #[error("this release has no call `{0}`: all nodes must have the same release")]
    Unknown(String),
    #[error("the call cannot be read: all nodes must have the same release: {0}")]
    Unreadable(#[source] serde_json::Error),
    #[error("the answer cannot be written: {0}")]
    Unwritable(#[source] serde_json::Error),
}

/// The path of a call.
pub(super) fn path_of<C: NodeCall>(partition: Partition) -> String {
    format!("{CALLS}/{}/{}", partition.0, C::NAME)
}

impl Ops {
    /// Answers a call of another node: its result as JSON.
    ///
    /// # Errors
    ///
    /// Fails if this release does not know the call, or cannot read it. A call that fails is not an
    /// error here: that is its result.
    pub(crate) fn answer_call<'a>(
        &'a self,
        partition: u32,
        name: &str,
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BadCall>> {
        let partition = Partition(partition);
        match name {
            SaveJob::NAME => Box::pin(self.answer_json::<SaveJob>(partition, body)),
            DeleteJob::NAME => Box::pin(self.answer_json::<DeleteJob>(partition, body)),
            ApplyJobs::NAME => Box::pin(self.answer_json::<ApplyJobs>(partition, body)),
            ReleaseJob::NAME => Box::pin(self.answer_json::<ReleaseJob>(partition, body)),
            SwitchJob::NAME => Box::pin(self.answer_json::<SwitchJob>(partition, body)),
            StartJob::NAME => Box::pin(self.answer_json::<StartJob>(partition, body)),
            StartWithService::NAME => {
                Box::pin(self.answer_json::<StartWithService>(partition, body))
            }
            BackfillJob::NAME => Box::pin(self.answer_json::<BackfillJob>(partition, body)),
            RerunTask::NAME => Box::pin(self.answer_json::<RerunTask>(partition, body)),
            StopTask::NAME => Box::pin(self.answer_json::<StopTask>(partition, body)),
            ListOpen::NAME => Box::pin(self.answer_json::<ListOpen>(partition, body)),
            CountOpen::NAME => Box::pin(self.answer_json::<CountOpen>(partition, body)),
            ListExecutors::NAME => Box::pin(self.answer_json::<ListExecutors>(partition, body)),
            ReadLive::NAME => Box::pin(self.answer_json::<ReadLive>(partition, body)),
            ReadSums::NAME => Box::pin(self.answer_json::<ReadSums>(partition, body)),
            SurveyNode::NAME => Box::pin(self.answer_json::<SurveyNode>(partition, body)),
            _ => Box::pin(std::future::ready(Err(BadCall::Unknown(name.to_owned())))),
        }
    }

    async fn answer_json<C: NodeCall>(
        &self,
        partition: Partition,
        body: &[u8],
    ) -> Result<Vec<u8>, BadCall> {
        let call: C = serde_json::from_slice(body).map_err(BadCall::Unreadable)?;
        let reply = call.answer(self, partition).await.map_err(Refusal::from);
        serde_json::to_vec(&reply).map_err(BadCall::Unwritable)
    }

    /// Has the owner of a partition answer a call, and waits for an owner if there is none.
    pub(super) async fn call_owner<C: NodeCall>(
        &self,
        partition: Partition,
        call: C,
    ) -> Result<C::Reply, Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            let reply = match self.map.owner(partition) {
                Owner::Here => call.clone().answer(self, partition).await,
                // Boxed, because it is large, and calls that stay here should be small.
                Owner::There(node) => Box::pin(self.peers.call(&node, partition, &call)).await,
                Owner::NoNode => Err(Error::Moved),
            };
            match reply {
                // Safe to retry: nothing was done.
                Err(Error::Moved) if Instant::now() < until => {}
                Err(Error::Moved) => {
                    return Err(Error::Unavailable(format!(
                        "no node acts on partition {} at the moment: try again later",
                        partition.0
                    )));
                }
                reply => return reply,
            }
            self.map.is_stale();
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Has the owner of a partition answer a call that earlier releases do not have, without waiting
    /// for an owner. `None` if the partition has no owner at the moment, or one that does not know the
    /// call; nothing was done.
    pub(super) async fn try_owner<C: NodeCall>(
        &self,
        partition: Partition,
        call: C,
    ) -> Result<Option<C::Reply>, Error> {
        let reply = match self.map.owner(partition) {
            Owner::Here => call.answer(self, partition).await.map(Some),
            Owner::There(node) => Box::pin(self.peers.call_if_known(&node, partition, &call)).await,
            Owner::NoNode => Err(Error::Moved),
        };
        match reply {
            Err(Error::Moved) => {
                self.map.is_stale();
                Ok(None)
            }
            reply => reply,
        }
    }

    /// Has several nodes answer a call each, at the same time. Returns each call with its node and
    /// its reply; `None` if the node does not answer in time.
    pub(super) async fn gather<C: NodeCall>(
        &self,
        calls: impl IntoIterator<Item = (NodeRow, C)>,
    ) -> Vec<(NodeRow, C, Option<C::Reply>)> {
        let calls = calls.into_iter().map(|(node, call)| async move {
            let reply = self.peers.call(&node, Partition::default(), &call);
            let reply = match tokio::time::timeout(FOR_A_LIST, reply).await {
                Ok(reply) => reply,
                Err(_) => Err(Error::Unavailable(format!("no answer within {FOR_A_LIST:?}"))),
            };
            let reply = reply.map_err(|err| left_out(&node, &err)).ok();
            (node, call, reply)
        });
        futures_util::future::join_all(calls).await
    }

    /// Has all other live nodes answer a call. Returns their replies, and the addresses of those
    /// that do not answer in time: their partitions are about to move to another node.
    pub(super) async fn call_others<C: NodeCall>(&self, call: &C) -> (Vec<C::Reply>, Vec<String>) {
        let calls = self.map.others().into_iter().map(|node| (node, call.clone()));
        let (mut replies, mut unanswered) = (Vec::new(), Vec::new());
        for (node, _, reply) in self.gather(calls).await {
            match reply {
                Some(reply) => replies.push(reply),
                None => unanswered.push(node.address),
            }
        }
        (replies, unanswered)
    }

    /// The engine of a partition, if this node acts on it.
    pub(super) fn engine(&self, partition: Partition) -> Result<EngineHandle, Error> {
        self.engines.at(partition).ok_or(Error::Moved)
    }
}

/// Logs that the items of a node are missing in an answer to a caller.
fn left_out(node: &NodeRow, err: &Error) {
    if matches!(err, Error::Moved) {
        tracing::debug!(node = node.address, "skipped a node that has ended");
    } else {
        tracing::warn!(%err, node = node.address, "a node did not answer, its items are missing");
    }
}
