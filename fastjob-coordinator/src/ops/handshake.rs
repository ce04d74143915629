//! The handshake with executors: both sides prove that they know the token, and do not send it.
//!
//! The protocol is [`fastjob_core::wire::ExecutorProof`]'s. A nonce carries its time and a MAC with
//! the cluster's key, so nothing is kept for a stranger who asks for one, and any node of the cluster
//! recognizes it. A proof opens one join on each node, within a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use fastjob_core::wire::{ExecutorKey, ExecutorProof};
use jiff::{SignedDuration, Timestamp};

use super::Credential;
use crate::clock::wall_now;

/// How long a nonce is accepted, also by nodes whose clocks differ by as much.
const NONCE_LIVES: SignedDuration = SignedDuration::from_secs(60);
/// Fewest nonces at which old ones are looked for.
const SWEEP_MIN: usize = 64;
/// Bytes in front of the MAC of a nonce: its time and its random part.
const HEAD: usize = 8 + 16;

/// What proves this node to executors, and executors to it.
#[derive(Debug)]
pub(crate) struct Handshakes {
    /// Without a token there is nothing to prove.
    key: Option<ExecutorKey>,
    credential: Arc<Credential>,
    /// Nonces that were joined with, and until when they are remembered.
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    until: HashMap<Vec<u8>, Timestamp>,
    /// At how many the old ones are looked for: so a look costs little for each that is added.
    sweep_at: usize,
}

/// What an executor wants to do with its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Have this node prove itself.
    Answer,
    /// Join, once.
    Join,
}

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotProven {
    #[error(
        "this coordinator has no token, so it cannot prove that it is the executor's: set the same \
         token here, or none at the executor"
    )]
    NoToken,
    #[error("the executor's token is not the coordinator's")]
    WrongToken,
    #[error(
        "the handshake took longer than {NONCE_LIVES:#}, or was begun with another cluster or with a \
         node whose clock differs by as much: begin again"
    )]
    Stale,
    #[error("the handshake was used before: begin again")]
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
    /// Fails if it is not one, not of now, or has been joined with.
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
            // By then it is too old, whichever way this node's clock differs from the other's.
            let until = now.saturating_add(NONCE_LIVES * 2).unwrap_or(now);
            if used.until.insert(proof.node_nonce.clone(), until).is_some() {
                return Err(NotProven::Used);
            }
        }
        Ok(())
    }

    /// When the nonce of a proof was made, if a node of the cluster made it.
    fn made_at(&self, proof: &ExecutorProof) -> Option<Timestamp> {
        let (head, mac) = proof.node_nonce.split_at_checked(HEAD)?;
        let is_made_here = self.credential.is_nonce_mac(&proof.node, head, mac);
        let millis = is_made_here.then(|| head.first_chunk().copied())??;
        Timestamp::from_millisecond(i64::from_be_bytes(millis)).ok()
    }

    /// This node's answer to a proof that it has accepted.
    ///
    /// # Errors
    ///
    /// Fails with [`NotProven::NoToken`].
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
    fn a_nonce_is_of_this_cluster_and_of_this_minute() {
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
    fn what_was_joined_with_is_forgotten_once_it_is_too_old() {
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
        assert_eq!(kept(), SWEEP_MIN, "what is not accepted changes nothing");
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
    fn without_a_token_nothing_is_proven() {
        let key = ClusterKey::random();
        let (here, open) = (node("a", &key, Some(TOKEN)), node("b", &key, None));
        let given = proof(&here, TOKEN);
        assert_eq!(open.accept(&given, Use::Join), Err(NotProven::NoToken));
        assert_eq!(open.answer(&given), Err(NotProven::NoToken));
    }
}
