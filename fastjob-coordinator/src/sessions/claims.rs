//! Which leases of this node were sent to each executor, and which engines know what it holds.

use fastjob_engine::SessionId;

use super::{Outbound, Session, Sessions};
use crate::store::Lease;

/// A lease that was sent to an executor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    term: i64,
    /// Whether the engine knows what the executor holds of the partition.
    answered: bool,
}

impl Sessions {
    /// Sends an executor the leases that this node acts on, except those that it already has.
    pub(crate) fn claim(&self, id: SessionId, leases: &[Lease]) {
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            session.claim(leases);
        }
    }

    /// Sends all executors the leases that this node has newly acquired.
    pub(crate) fn claim_all(&self, leases: &[Lease]) {
        for session in self.lock().sessions.values_mut() {
            session.claim(leases);
        }
    }

    /// Sends an executor a lease again, so that it repeats what it holds.
    pub(crate) fn claim_again(&self, id: SessionId, lease: Lease) {
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            session.claimed.remove(&lease.partition);
            session.claim(&[lease]);
        }
    }

    /// Records that the engines of these leases know what an executor holds.
    pub(crate) fn holds(&self, id: SessionId, leases: &[Lease]) {
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            for lease in leases {
                let claim = session.claimed.get_mut(&lease.partition);
                if let Some(claim) = claim.filter(|claim| claim.term == lease.term) {
                    claim.answered = true;
                }
            }
        }
    }

    /// Keeps only the leases whose engines know what an executor holds.
    pub(crate) fn held_of(&self, id: SessionId, leases: Vec<Lease>) -> Vec<Lease> {
        let open = self.lock();
        let Some(session) = open.sessions.get(&id) else { return Vec::new() };
        let answered = |lease: &Lease| {
            let claim = session.claimed.get(&lease.partition);
            claim.is_some_and(|claim| claim.term == lease.term && claim.answered)
        };
        leases.into_iter().filter(answered).collect()
    }
}

impl Session {
    fn claim(&mut self, leases: &[Lease]) {
        let mut new = Vec::new();
        for lease in leases {
            let known = self.claimed.get(&lease.partition).map(|claim| claim.term);
            if known != Some(lease.term) {
                let claim = Claim { term: lease.term, answered: false };
                self.claimed.insert(lease.partition, claim);
                new.push(*lease);
            }
        }
        if !new.is_empty() {
            self.outbound.push(Outbound::Leases(new));
        }
    }
}
