//! How an executor and a coordinator prove to each other that they know the token, without sending
//! it.

use std::fmt;

use sha2::Sha256;

use super::{hex, is_mac, mac, unhex};

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 32;

/// The scheme of the header `authorization`.
const SCHEME: &str = "FastJob-Executor ";
/// Maximum length of a node id in a proof.
const NODE_MAX: usize = 128;
/// Separates the key from other uses of the token.
const SALT: &[u8] = b"fastjob executor 1";
/// Number of hashes per key, and so per guess.
const ITERATIONS: u32 = 100_000;

/// The secret that an executor and a coordinator with the same token share.
#[derive(Clone)]
pub struct ExecutorKey([u8; 32]);

/// An executor's proof for one node.
///
/// 1. The coordinator sends its node id and a nonce.
/// 2. The executor returns both in the header `authorization`, with its own nonce and a MAC.
/// 3. The coordinator answers with a MAC over the same values. Only then does the executor join,
///    with the same header.
///
/// The key of the MACs is derived from the token by PBKDF2 (RFC 8018) with a fixed salt. An attacker
/// who takes over a coordinator's address receives nothing that opens another call, but can test
/// guesses of the token, at 100,000 hashes each. Because the salt is fixed, one such effort covers all
/// installations. So the hashes do not protect a common token, and a random token does not need them.
/// The executor proves itself first, so an attacker who calls a coordinator receives nothing to test
/// guesses with.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecutorProof {
    /// The node that issued the nonce.
    pub node: String,
    /// The node's nonce.
    pub node_nonce: Vec<u8>,
    /// The executor's nonce.
    pub executor_nonce: Vec<u8>,
    mac: Vec<u8>,
}

impl ExecutorKey {
    /// Derives the key, which takes about a tenth of a second.
    pub fn of_token(token: &str) -> Self {
        Self(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(token.as_bytes(), SALT, ITERATIONS))
    }

    /// A key for another use of the token. Neither this key nor the token can be computed from it.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        mac(&self.0, &[b"derive", purpose.as_bytes()])
    }

    /// Creates an executor's proof for the node that sent `node_nonce`.
    pub fn prove(
        &self,
        node: String,
        node_nonce: Vec<u8>,
        executor_nonce: [u8; NONCE_BYTES],
    ) -> ExecutorProof {
        let executor_nonce = executor_nonce.to_vec();
        let mut proof = ExecutorProof { node, node_nonce, executor_nonce, mac: Vec::new() };
        proof.mac = mac(&self.0, &proof.parts(b"executor")).to_vec();
        proof
    }

    /// Whether the proof was made with this key.
    pub fn accepts(&self, proof: &ExecutorProof) -> bool {
        is_mac(&self.0, &proof.parts(b"executor"), &proof.mac)
    }

    /// The MAC that the node answers a proof with.
    pub fn answer(&self, proof: &ExecutorProof) -> Vec<u8> {
        mac(&self.0, &proof.parts(b"node")).to_vec()
    }

    /// Whether `answer` is the correct answer to this proof by a node with this key.
    pub fn is_answer(&self, proof: &ExecutorProof, answer: &[u8]) -> bool {
        is_mac(&self.0, &proof.parts(b"node"), answer)
    }
}

impl ExecutorProof {
    /// What the MAC of a side is over.
    fn parts<'a>(&'a self, side: &'a [u8]) -> [&'a [u8]; 4] {
        [side, self.node.as_bytes(), &self.node_nonce, &self.executor_nonce]
    }

    /// The value of the header `authorization`.
    pub fn to_header(&self) -> String {
        let Self { node, node_nonce, executor_nonce, mac } = self;
        let [node_nonce, executor_nonce, mac] = [node_nonce, executor_nonce, mac].map(|b| hex(b));
        format!("{SCHEME}{node} {node_nonce} {executor_nonce} {mac}")
    }

    /// Parses a value of the header `authorization`; `None` if it has another scheme or is
    /// malformed.
    pub fn from_header(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?.strip_prefix(SCHEME)?;
        let mut parts = text.split(' ');
        let mut next = || parts.next();
        let node = next().filter(|node| (1..=NODE_MAX).contains(&node.len()))?.to_owned();
        let [node_nonce, executor_nonce, mac] = [next()?, next()?, next()?].map(read);
        parts.next().is_none().then_some(())?;
        Some(Self {
            node,
            node_nonce: node_nonce?,
            executor_nonce: executor_nonce.filter(|nonce| nonce.len() == NONCE_BYTES)?,
            mac: mac?,
        })
    }
}

impl fmt::Debug for ExecutorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExecutorKey(…)")
    }
}

impl fmt::Debug for ExecutorProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorProof").field("node", &self.node).finish_non_exhaustive()
    }
}

/// The bytes of a nonce or a MAC.
fn read(text: &str) -> Option<Vec<u8>> {
    if text.len() > 4 * NONCE_BYTES { None } else { unhex(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &str) -> ExecutorKey {
        ExecutorKey::of_token(token)
    }

    fn proof(key: &ExecutorKey) -> ExecutorProof {
        key.prove("n1".to_owned(), vec![1; 40], [2; NONCE_BYTES])
    }

    #[test]
    fn proofs_and_answers_need_the_token() {
        let (right, wrong) = (key("a-token-of-the-tests"), key("another-token-of-the-tests"));
        let given = proof(&right);
        assert!(right.accepts(&given) && !wrong.accepts(&given));
        let answer = right.answer(&given);
        assert!(right.is_answer(&given, &answer) && !wrong.is_answer(&given, &answer));
        assert!(!right.is_answer(&given, &given.mac), "it is not its own answer");
        assert!(!right.is_answer(&given, &answer[1..]) && !right.is_answer(&given, b""));
        assert_eq!(format!("{right:?}"), "ExecutorKey(…)");
    }

    #[test]
    fn a_proof_is_bound_to_one_node_and_both_nonces() {
        let key = key("a-token-of-the-tests");
        let given = proof(&key);
        for other in [
            ExecutorProof { node: "n2".to_owned(), ..given.clone() },
            ExecutorProof { node_nonce: vec![1; 41], ..given.clone() },
            ExecutorProof { executor_nonce: vec![3; NONCE_BYTES], ..given.clone() },
            ExecutorProof { mac: Vec::new(), ..given.clone() },
        ] {
            assert!(!key.accepts(&other), "{other:?}");
            assert!(!key.is_answer(&other, &key.answer(&given)) || other.mac.is_empty());
        }
    }

    #[test]
    fn a_proof_round_trips_through_its_header_and_other_text_is_rejected() {
        let header = proof(&key("a-token-of-the-tests")).to_header();
        let read = ExecutorProof::from_header(header.as_bytes()).unwrap();
        assert_eq!(read, proof(&key("a-token-of-the-tests")));
        for wrong in [
            "",
            "Bearer 0123456789abcdef",
            "FastJob-Executor ",
            "FastJob-Executor n1 00 00 00",
            &format!("{header} "),
            &format!("{header}0"),
            &header.replace("n1", &"n".repeat(NODE_MAX + 1)),
            &header.replacen("0101", "01é", 1),
        ] {
            assert_eq!(ExecutorProof::from_header(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
