//! The links as the runtime knows them: who is connected, and what is to be said of draining.
//!
//! While the executor drains, each session says so in Goodbye, and returns in further ones what
//! still arrives. The coordinator answers each with Farewell, after everything that it sent before:
//! when the last is answered, the coordinator has all that was returned, and sends nothing more.
//! A Goodbye also follows each Holding: its answer says that the new owner of the partitions has
//! taken note, and comes after what it sent again because of it.
//!
//! A session that ends before its last answer leaves its partitions unconfirmed: what was returned
//! may not have arrived. The executor waits for their next owners, so that they do not count on
//! attempts that ended with it.
//!
//! A coordinator of an earlier release does not answer. It is told the same, takes back what comes
//! with a Goodbye, and is not waited for: what it sends after the stream has ended fails there as
//! lost with its executor.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fastjob_core::wire::{
    BATCH_MAX,
    v1::{self, from_executor::Message},
};
use tokio::sync::Notify;

/// By number.
#[derive(Default)]
pub(super) struct Links(HashMap<u32, LinkState>);

#[derive(Default)]
struct LinkState {
    /// Wakes the link: there is something to deliver.
    wake: Arc<Notify>,
    session: Option<Session>,
}

/// A session while it lasts.
#[derive(Default)]
pub(super) struct Session {
    /// The coordinator answers Goodbye, and takes Returned. One of an earlier release does neither.
    says_farewell: bool,
    /// What its node has said to act on, to be answered.
    pub(super) taken: Vec<v1::Lease>,
    /// The terms that are known of what it has said to act on, and that are later.
    pub(super) refused: Vec<v1::Lease>,
    /// When its node was heard last, and how much silence it allows.
    pub(super) heard: Option<(Duration, Duration)>,
    /// Attempts that will not run, to be returned.
    returned: Vec<i64>,
    goodbyes: u64,
    farewells: u64,
    /// How often the partitions were gone through, so that none is always the last.
    rounds: usize,
}

impl Links {
    /// The wake-up call of a link.
    pub(super) fn wake_of(&mut self, link: u32) -> Arc<Notify> {
        Arc::clone(&self.0.entry(link).or_default().wake)
    }

    pub(super) fn wake(&self, link: u32) {
        if let Some(link) = self.0.get(&link) {
            link.wake.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        self.0.values().for_each(|link| link.wake.notify_one());
    }

    pub(super) fn begin(&mut self, link: u32, says_farewell: bool) {
        let session = Session { says_farewell, ..Session::default() };
        self.0.entry(link).or_default().session = Some(session);
    }

    pub(super) fn end(&mut self, link: u32) {
        if let Some(link) = self.0.get_mut(&link) {
            link.session = None;
        }
    }

    /// There is no such link any more.
    pub(super) fn remove(&mut self, link: u32) {
        self.0.remove(&link);
    }

    pub(super) fn session(&mut self, link: u32) -> Option<&mut Session> {
        self.0.get_mut(&link)?.session.as_mut()
    }

    /// Whether every session has said goodbye and has its answer. A coordinator of an earlier
    /// release does not answer.
    pub(super) fn have_parted(&self) -> bool {
        self.0.values().filter_map(|link| link.session.as_ref()).all(Session::has_parted)
    }
}

impl Session {
    /// Whether what will not run can be returned although the executor does not drain.
    pub(super) fn takes_returned(&self) -> bool {
        self.says_farewell
    }

    pub(super) fn give_back(&mut self, attempt: i64) {
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

    /// Whether its coordinator may count on attempts that are not here any more if it ends now.
    pub(super) fn owes(&self, leaving: bool) -> bool {
        !self.returned.is_empty() || (leaving && !self.has_parted())
    }

    /// A Goodbye whose answer confirms what was said before it.
    pub(super) fn confirms(&mut self) -> Message {
        self.goodbyes += 1;
        Message::Goodbye(v1::Goodbye::default())
    }

    /// In which order to go through the partitions next.
    pub(super) fn turn(&mut self, partitions: &mut [u32]) {
        if !partitions.is_empty() {
            self.rounds = (self.rounds + 1) % partitions.len();
            partitions.rotate_left(self.rounds);
        }
    }

    /// What is to be said of attempts that are returned, and of draining.
    pub(super) fn partings(&mut self, leaving: bool) -> Vec<Message> {
        let returned = std::mem::take(&mut self.returned);
        let batches = returned.chunks(BATCH_MAX).map(<[i64]>::to_vec);
        if !leaving {
            return batches.map(|attempts| Message::Returned(v1::Returned { attempts })).collect();
        }
        let mut goodbyes: Vec<_> = batches.collect();
        if goodbyes.is_empty() && self.goodbyes == 0 {
            goodbyes.push(Vec::new());
        }
        self.goodbyes += goodbyes.len() as u64;
        goodbyes.into_iter().map(|returned| Message::Goodbye(v1::Goodbye { returned })).collect()
    }
}
