//! Message authentication codes over lists of parts.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The HMAC-SHA256 of these parts, each after its length as 8 bytes, big-endian: different lists of
/// parts have different bytes.
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    hmac(key, parts).finalize().into_bytes().into()
}

/// Whether `given` is the MAC of these parts, in constant time.
pub fn is_mac(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    hmac(key, parts).verify_slice(given).is_ok()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of HMAC may have any length");
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_of_one_key_and_one_list_of_parts() {
        let given = mac(b"key", &[b"ab", b"c"]);
        assert!(is_mac(b"key", &[b"ab", b"c"], &given));
        assert!(!is_mac(b"yek", &[b"ab", b"c"], &given));
        assert!(!is_mac(b"key", &[b"a", b"bc"], &given));
        assert!(!is_mac(b"key", &[b"abc"], &given));
        assert!(!is_mac(b"key", &[b"ab", b"c"], &given[..31]));
        assert!(!is_mac(b"key", &[b"ab", b"c"], b""));
    }
}
