//! The handshake with executors: both sides prove that they know the token without sending it.
//!
//! See [`fastjob_core::wire::ExecutorProof`] for the protocol. A nonce contains its time and a MAC
//! with the cluster's key. So no state is kept for unauthenticated clients, and any node of the
//! cluster recognizes the nonce. A proof allows one join on each node, within a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use fastjob_core::wire::{ExecutorKey, ExecutorProof};
use jiff::{SignedDuration, Timestamp};

use super::Credential;
use crate::clock::wall_now;

/// How long a nonce is valid, which also bounds the clock difference between nodes.
const NONCE_LIVES: SignedDuration = SignedDuration::from_secs(60);
/// Minimum number of nonces before expired ones are removed.
const SWEEP_MIN: usize = 64;
/// Bytes before the MAC of a nonce: its time and its random part.
const HEAD: usize = 8 + 16;

/// Authenticates this node and executors to each other.
#[derive(Debug)]
pub(crate) struct Handshakes {
    /// `None` without a token.
    key: Option<ExecutorKey>,
    credential: Arc<Credential>,
    /// Nonces that were used to join, and until when they are remembered.
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    until: HashMap<Vec<u8>, Timestamp>,
    /// The count at which expired nonces are removed, which keeps the amortized cost low.
    sweep_at: usize,
}

/// What an executor wants to do with its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Make this node prove itself.
    Answer,
    /// Join, once.
    Join,
}

/// Why a proof is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotProven {
    #[error(
        "this coordinator has no token, so it cannot prove its identity to the executor: set the \
         same token here, or none at the executor"
    )]
    NoToken,
    #[error("the executor's token differs from the coordinator's")]
    WrongToken,
    #[error(
        "the handshake took longer than {NONCE_LIVES:#}, or was started with another cluster or \
         with a node whose clock differs by more than that: start again"
    )]
    Stale,
    #[error("the handshake was used before: start again")]
    Used,
}

impl Handshakes {
    pub(crate) fn new(key: Option<ExecutorKey>, credential: Arc<Credential>) -> Self {
        Self { key, credential, used: Mutex::default() }
    }

    /// This node's id and a nonce.
    pub(crate) fn begin(&self) -> (String, Vec<u8>) {
        let node = self.credential.me();
        let random: [u8; 16] = rand::random();
        let mut nonce = wall_now().as_millisecond().to_be_bytes().to_vec();
        nonce.extend(random);
        let mac = self.credential.nonce_mac(node, &nonce);
        nonce.extend(mac);
        (node.to_owned(), nonce)
    }

    /// Accepts a proof of an executor.
    ///
    /// # Errors
    ///
    /// Fails if the proof is invalid, expired, or was already used to join.
    pub(crate) fn accept(&self, proof: &ExecutorProof, purpose: Use) -> Result<(), NotProven> {
        self.accept_at(proof, purpose, wall_now())
    }

    fn accept_at(
        &self,
        proof: &ExecutorProof,
        purpose: Use,
        now: Timestamp,
    ) -> Result<(), NotProven> {
        let key = self.key.as_ref().ok_or(NotProven::NoToken)?;
        let made_at = self.made_at(proof).ok_or(NotProven::Stale)?;
        if now.duration_since(made_at).abs() > NONCE_LIVES {
            return Err(NotProven::Stale);
        }
        if !key.accepts(proof) {
            return Err(NotProven::WrongToken);
        }
        if purpose == Use::Join {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.until.len() >= used.sweep_at {
                used.until.retain(|_, until| *until >= now);
                used.sweep_at = (used.until.len() * 2).max(SWEEP_MIN);
            }
            // By then the nonce has expired, even if this node's clock is ahead or behind.
            let until = now.saturating_add(NONCE_LIVES * 2).unwrap_or(now);
            if used.until.insert(proof.node_nonce.clone(), until).is_some() {
                return Err(NotProven::Used);
            }
        }
        Ok(())
    }

    /// When the nonce of a proof was created, if a node of the cluster created it.
    fn made_at(&self, proof: &ExecutorProof) -> Option<Timestamp> {
        let (head, mac) = proof.node_nonce.split_at_checked(HEAD)?;
        let is_made_here = self.credential.is_nonce_mac(&proof.node, head, mac);
        let millis = is_made_here.then(|| head.first_chunk().copied())??;
        Timestamp::from_millisecond(i64::from_be_bytes(millis)).ok()
    }

    /// This node's answer to an accepted proof.
    ///
    /// # Errors
    ///
    /// Fails with [`NotProven::NoToken`] if this node has no token.
    pub(crate) fn answer(&self, proof: &ExecutorProof) -> Result<Vec<u8>, NotProven> {
        self.key.as_ref().map(|key| key.answer(proof)).ok_or(NotProven::NoToken)
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::wire::NONCE_BYTES;

    use super::*;
    use crate::store::{ClusterKey, NodeId};

    const TOKEN: &str = "a-token-of-the-tests";

    fn node(name: &str, key: &ClusterKey, token: Option<&str>) -> Handshakes {
        let credential = Credential::new(key.clone(), NodeId(name.to_owned()));
        Handshakes::new(token.map(ExecutorKey::of_token), Arc::new(credential))
    }

    fn proof(with: &Handshakes, token: &str) -> ExecutorProof {
        let (node, nonce) = with.begin();
        ExecutorKey::of_token(token).prove(node, nonce, [7; NONCE_BYTES])
    }

    #[test]
    fn an_executor_with_the_token_joins_once_and_gets_an_answer() {
        let here = node("a", &ClusterKey::random(), Some(TOKEN));
        let given = proof(&here, TOKEN);
        assert_eq!(here.accept(&given, Use::Answer), Ok(()));
        let answer = here.answer(&given).unwrap();
        assert!(ExecutorKey::of_token(TOKEN).is_answer(&given, &answer));
        assert_eq!(here.accept(&given, Use::Join), Ok(()));
        assert_eq!(here.accept(&given, Use::Join), Err(NotProven::Used));
        let wrong = proof(&here, "another-token-of-the-tests");
        assert_eq!(here.accept(&wrong, Use::Join), Err(NotProven::WrongToken));
    }

    #[test]
    fn a_nonce_is_valid_in_its_cluster_for_a_minute() {
        let key = ClusterKey::random();
        let (here, beside) = (node("a", &key, Some(TOKEN)), node("b", &key, Some(TOKEN)));
        let other = node("a", &ClusterKey::random(), Some(TOKEN));
        let given = proof(&here, TOKEN);
        assert_eq!(beside.accept(&given, Use::Join), Ok(()), "behind one address of a proxy");
        assert_eq!(other.accept(&given, Use::Join), Err(NotProven::Stale));
        let later = |seconds| wall_now() + SignedDuration::from_secs(seconds);
        for seconds in [62, -62] {
            let stale = here.accept_at(&given, Use::Join, later(seconds));
            assert_eq!(stale, Err(NotProven::Stale), "{seconds}");
        }
        assert_eq!(here.accept_at(&given, Use::Join, later(30)), Ok(()));
        let mut renamed = proof(&here, TOKEN);
        renamed.node = "b".to_owned();
        assert_eq!(here.accept(&renamed, Use::Join), Err(NotProven::Stale));
        let mut short = proof(&here, TOKEN);
        short.node_nonce.truncate(3);
        assert_eq!(here.accept(&short, Use::Join), Err(NotProven::Stale));
    }

    #[test]
    fn used_nonces_are_removed_once_they_have_expired() {
        let here = node("a", &ClusterKey::random(), Some(TOKEN));
        let key = ExecutorKey::of_token(TOKEN);
        let join = |seconds| {
            let (node, nonce) = here.begin();
            let given = key.prove(node, nonce, [7; NONCE_BYTES]);
            here.accept_at(&given, Use::Join, wall_now() + SignedDuration::from_secs(seconds))
        };
        (0..SWEEP_MIN).for_each(|_| join(-59).unwrap());
        assert_eq!(join(-120), Err(NotProven::Stale));
        let kept = || here.used.lock().unwrap().until.len();
        assert_eq!(kept(), SWEEP_MIN, "a rejected proof changes nothing");
        here.used.lock().unwrap().sweep_at = 0;
        here.used
            .lock()
            .unwrap()
            .until
            .values_mut()
            .for_each(|until| *until = wall_now() - NONCE_LIVES);
        join(0).unwrap();
        assert_eq!(kept(), 1);
    }

    #[test]
    fn without_a_token_no_proof_is_accepted() {
        let key = ClusterKey::random();
        let (here, open) = (node("a", &key, Some(TOKEN)), node("b", &key, None));
        let given = proof(&here, TOKEN);
        assert_eq!(open.accept(&given, Use::Join), Err(NotProven::NoToken));
        assert_eq!(open.answer(&given), Err(NotProven::NoToken));
    }
}
