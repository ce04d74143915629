//! Backpressure: how much an executor may send before the engines have handled it.
//!
//! The engines' inboxes are unbounded. Each message of a session spends credit for its size, which
//! is released when the engines have handled the message. A session without credit is not read, so
//! HTTP/2 flow control stops its executor from sending.

use std::sync::Arc;

use fastjob_engine::{Event, Outcome};
use tokio::sync::Semaphore;

use crate::cluster::Spent;

/// The unit of credit.
const UNIT: usize = 1024;
/// Credit of one session.
const SESSION: usize = 4 << 20;
/// Credit of all sessions of the node.
const NODE: usize = 256 << 20;

/// The credit that all sessions of the node share.
#[derive(Clone, Debug)]
pub(crate) struct NodeCredit(Arc<Semaphore>);

impl Default for NodeCredit {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(NODE / UNIT)))
    }
}

/// The credit of one session.
#[derive(Clone, Debug)]
pub(super) struct Credit {
    session: Arc<Semaphore>,
    node: Arc<Semaphore>,
}

impl Credit {
    pub(super) fn of(node: &NodeCredit) -> Self {
        let session = Arc::new(Semaphore::new(SESSION / UNIT));
        Self { session, node: Arc::clone(&node.0) }
    }

    /// Spends credit for an event; waits until the engines have handled enough earlier events.
    pub(super) async fn spend(&self, event: &Event) -> Option<Spent> {
        let bytes = bytes(event);
        // A message that is larger than the session's credit takes all of it.
        let own = Arc::clone(&self.session).acquire_many_owned(units(bytes, SESSION)).await.ok()?;
        let all = Arc::clone(&self.node).acquire_many_owned(units(bytes, NODE)).await.ok()?;
        Some(Arc::new((own, all)))
    }
}

fn units(bytes: usize, most: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT).clamp(1, most / UNIT)).unwrap_or(u32::MAX)
}

/// Approximate size of an event in bytes.
fn bytes(event: &Event) -> usize {
    /// Size of an item without its texts.
    const ITEM: usize = 128;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let outcome = |outcome: &Outcome| {
        let texts = [&outcome.result, &outcome.message, &outcome.checkpoint];
        ITEM + outcome.log_tail.len() + texts.into_iter().map(text).sum::<usize>()
    };
    match event {
        Event::Finished(_, outcomes) => outcomes.iter().map(outcome).sum(),
        Event::Checkpoints(_, points) => points.iter().map(|(_, value)| ITEM + value.len()).sum(),
        Event::Progress(_, all) => all.iter().map(|(_, each)| ITEM + each.note.len()).sum(),
        Event::Started(_, attempts) => attempts.len() * ITEM,
        Event::Leaving(_, attempts, _) | Event::Returned(_, attempts) => attempts.len() * ITEM,
        Event::Tick
        | Event::Committed(_)
        | Event::Connected(..)
        | Event::Beat(..)
        | Event::RoundTrip(..)
        | Event::Disconnected(_)
        | Event::Drained(_)
        | Event::ChildStarts(..)
        | Event::JobsRemoved { .. }
        | Event::Command(_)
        | Event::CommandWith(..) => ITEM,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastjob_core::AttemptId;
    use jiff::Timestamp;

    use super::*;
    use fastjob_engine::{Held, SessionId};

    fn checkpoint(bytes: usize) -> Event {
        let held = Held { attempt: AttemptId(1), created_at: Timestamp::UNIX_EPOCH };
        Event::Checkpoints(SessionId(1), vec![(held, "x".repeat(bytes).into())])
    }

    async fn waits(credit: &Credit, event: &Event) -> bool {
        tokio::time::timeout(Duration::from_secs(60), credit.spend(event)).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_waits_until_the_engines_have_handled_its_messages() {
        let credit = Credit::of(&NodeCredit::default());
        let mut spent = Vec::new();
        for _ in 0..3 {
            spent.push(credit.spend(&checkpoint(1 << 20)).await.unwrap());
        }
        assert!(waits(&credit, &checkpoint(1 << 20)).await);
        let copy = Arc::clone(&spent[0]);
        spent.clear();
        assert!(waits(&credit, &checkpoint(4 << 20)).await, "another engine has not handled it");
        drop(copy);
        assert!(!waits(&credit, &checkpoint(15 << 20)).await, "the largest message fits alone");
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_messages_is_bounded_too() {
        let credit = Credit::of(&NodeCredit::default());
        let mut spent = Vec::new();
        while let Ok(one) =
            tokio::time::timeout(Duration::from_secs(1), credit.spend(&checkpoint(0))).await
        {
            spent.push(one);
        }
        assert_eq!(spent.len(), SESSION / UNIT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sum_of_all_sessions_is_bounded() {
        let node = NodeCredit::default();
        let mut spent = Vec::new();
        for _ in 0..NODE / SESSION {
            spent.push(Credit::of(&node).spend(&checkpoint(SESSION - 128)).await.unwrap());
        }
        assert!(waits(&Credit::of(&node), &checkpoint(0)).await);
    }
}
