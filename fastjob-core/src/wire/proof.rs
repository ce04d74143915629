//! How a coordinator proves to an executor that it is of the executor's cluster.
//!
//! Both know the proof key: the executor has it from its first welcome. The proof names the node that
//! made it, so a stranger at the address of a node that has ended cannot pass on the challenge to
//! another node.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Most bytes of a nonce.
pub const PROOF_NONCE_MAX: usize = 64;

/// Keeps proofs apart from whatever else the key is used for.
const LABEL: &[u8] = b"fastjob proof 1";

/// The proof that the node `node` gives for a nonce.
pub fn proof(key: &[u8], nonce: &[u8], node: &str) -> Vec<u8> {
    mac(key, nonce, node).finalize().into_bytes().to_vec()
}

/// Whether `given` is the proof of the node `node` for a nonce; takes the same time for each that is
/// not.
pub fn proves(key: &[u8], nonce: &[u8], node: &str, given: &[u8]) -> bool {
    mac(key, nonce, node).verify_slice(given).is_ok()
}

fn mac(key: &[u8], nonce: &[u8], node: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of HMAC may have any length");
    for part in [LABEL, nonce, node.as_bytes()] {
        // With its length, so that no two lists of parts are the same bytes.
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_one_key_one_nonce_and_one_node() {
        let given = proof(b"key", b"nonce", "node");
        assert!(proves(b"key", b"nonce", "node", &given));
        assert!(!proves(b"yek", b"nonce", "node", &given));
        assert!(!proves(b"key", b"nonces", "node", &given));
        assert!(!proves(b"key", b"nonce", "edon", &given));
        assert!(!proves(b"key", b"noncen", "ode", &given));
        assert!(!proves(b"key", b"nonce", "node", &given[..31]));
        assert!(!proves(b"key", b"nonce", "node", b""));
    }
}
