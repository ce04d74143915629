//! Which leases of this node executors were sent, and which engines know what they hold.

use super::{Outbound, Session, Sessions};
use crate::{engine::SessionId, store::Lease};

/// A lease that an executor was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    term: i64,
    /// Whether the engine knows what the executor holds of the partition.
    answered: bool,
}

impl Sessions {
    /// Sends an executor the leases that this node acts on, without those that it was sent before.
    pub(crate) fn claim(&self, id: SessionId, leases: &[Lease]) {
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            session.claim(leases);
        }
    }

    /// Sends all executors leases that this node acts on from now on.
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

    /// The engines of these leases know what an executor holds.
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

    /// Those of the leases whose engines know what an executor holds.
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
