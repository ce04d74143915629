//! The same executor for the same job, by rendezvous hashing.
//!
//! Each pair of job and executor has a score, and the highest score wins. A new executor only adds
//! scores, so jobs move only to it; a lost executor only loses its own jobs. The hash is fixed
//! here, because jobs would move if it changed between releases: FNV-1a over the name, the
//! finalizer of SplitMix64 over the job's id, and the finalizer again over both.

use super::Choice;
use crate::id::{ExecutorName, JobId};

/// The open executor with the highest score. Ties, which are almost impossible, go to the first by
/// name.
pub(super) fn consistent(choice: &Choice<'_>, job: JobId) -> Option<usize> {
    let job = mix(job.0.cast_unsigned());
    let score = |name: &ExecutorName| mix(job ^ fnv(name.as_str().as_bytes()));
    choice.least(None, |_, candidate| std::cmp::Reverse(score(candidate.name)))
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64: each input bit changes about half of the output bits.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_has_its_documented_values() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
        // The first number of SplitMix64 seeded with 0.
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    }
}
