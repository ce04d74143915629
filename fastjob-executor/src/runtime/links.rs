//! The links as the runtime sees them: which are connected, and what they have to send while the
//! executor drains.
//!
//! While the executor drains, each session announces it with a Goodbye, and returns attempts that
//! still arrive with further ones. The coordinator answers each with a Farewell, after everything
//! that it sent before. When the last Goodbye is answered, the coordinator has received all
//! returned attempts and sends no more. A Goodbye also follows each Holding: its Farewell confirms
//! that the new owner of the partitions has processed the Holding, and comes after what it sent
//! again because of it.
//!
//! A session that ends before its last Farewell leaves its partitions unconfirmed: returned
//! attempts may not have arrived. The executor waits for the next owners of these partitions, so
//! that they do not rely on attempts that ended with it.
//!
//! A coordinator of an earlier release does not answer. It receives the same messages, accepts the
//! attempts returned with a Goodbye, and is not waited for: what it sends after the stream has
//! ended fails as lost with its executor.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, Lease, Partition, id_map::IdMap, wire::BATCH_MAX};
use tokio::sync::Notify;

use super::message::Message;

/// Names one of the executor's links. It stays the same when the link reconnects.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct LinkId(pub(crate) u32);

/// The state of each link.
#[derive(Default)]
pub(super) struct Links(IdMap<LinkId, LinkState>);

#[derive(Default)]
struct LinkState {
    /// Wakes the link: there is something to deliver.
    wake: Arc<Notify>,
    session: Option<Session>,
}

/// The state of one session.
#[derive(Default)]
pub(super) struct Session {
    /// Whether the coordinator answers Goodbye and accepts Returned. An earlier release does
    /// neither.
    says_farewell: bool,
    /// Partitions that its node has claimed; to be answered.
    pub(super) taken: Vec<Lease>,
    /// The known later terms of partitions that its node claimed.
    pub(super) refused: Vec<Lease>,
    /// When its node was last heard, and how much silence it allows.
    pub(super) heard: Option<(Duration, Duration)>,
    /// Attempts that will not run, to be returned.
    returned: Vec<AttemptId>,
    goodbyes: u64,
    farewells: u64,
    /// Number of passes over the partitions; rotates their order, so that no partition is always
    /// last.
    rounds: usize,
}

impl Links {
    /// The notifier of a link.
    pub(super) fn wake_of(&mut self, link: LinkId) -> Arc<Notify> {
        Arc::clone(&self.0.entry(link).or_default().wake)
    }

    pub(super) fn wake(&self, link: LinkId) {
        if let Some(link) = self.0.get(&link) {
            link.wake.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        self.0.values().for_each(|link| link.wake.notify_one());
    }

    pub(super) fn begin(&mut self, link: LinkId, says_farewell: bool) {
        let session = Session { says_farewell, ..Session::default() };
        self.0.entry(link).or_default().session = Some(session);
    }

    pub(super) fn end(&mut self, link: LinkId) {
        if let Some(link) = self.0.get_mut(&link) {
            link.session = None;
        }
    }

    /// The link no longer exists.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.0.remove(&link);
    }

    pub(super) fn session(&mut self, link: LinkId) -> Option<&mut Session> {
        self.0.get_mut(&link)?.session.as_mut()
    }

    /// Whether every session has sent its Goodbye and received the answer. A coordinator of an
    /// earlier release does not answer.
    pub(super) fn have_parted(&self) -> bool {
        self.0.values().filter_map(|link| link.session.as_ref()).all(Session::has_parted)
    }
}

impl Session {
    /// Whether attempts can be returned although the executor does not drain.
    pub(super) fn takes_returned(&self) -> bool {
        self.says_farewell
    }

    pub(super) fn give_back(&mut self, attempt: AttemptId) {
        self.returned.push(attempt);
    }

    /// A Goodbye was answered.
    pub(super) fn farewell(&mut self) {
        self.farewells = (self.farewells + 1).min(self.goodbyes);
    }

    fn has_parted(&self) -> bool {
        let answered = !self.says_farewell || self.farewells == self.goodbyes;
        self.goodbyes > 0 && answered && self.returned.is_empty() && self.taken.is_empty()
    }

    /// Whether its coordinator may rely on attempts that are not here, if the session ends now.
    pub(super) fn owes(&self, leaving: bool) -> bool {
        !self.returned.is_empty() || (leaving && !self.has_parted())
    }

    /// A Goodbye whose answer confirms everything sent before it.
    pub(super) fn confirms(&mut self) -> Message {
        self.goodbyes += 1;
        Message::Goodbye(Vec::new())
    }

    /// Rotates the order of the partitions.
    pub(super) fn turn(&mut self, partitions: &mut [Partition]) {
        if !partitions.is_empty() {
            self.rounds = (self.rounds + 1) % partitions.len();
            partitions.rotate_left(self.rounds);
        }
    }

    /// The messages about returned attempts and draining.
    pub(super) fn partings(&mut self, leaving: bool) -> Vec<Message> {
        let returned = std::mem::take(&mut self.returned);
        let batches = returned.chunks(BATCH_MAX).map(<[AttemptId]>::to_vec);
        if !leaving {
            return batches.map(Message::Returned).collect();
        }
        let mut goodbyes: Vec<_> = batches.collect();
        if goodbyes.is_empty() && self.goodbyes == 0 {
            goodbyes.push(Vec::new());
        }
        self.goodbyes += goodbyes.len() as u64;
        goodbyes.into_iter().map(Message::Goodbye).collect()
    }
}
