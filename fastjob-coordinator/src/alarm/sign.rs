//! Signatures of chat robots: HMAC-SHA256 in Base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Error;

/// DingTalk: signs the milliseconds and the secret, with the secret as key. Not yet URL-encoded.
pub(super) fn dingtalk(secret: &str, millis: i64) -> Result<String, Error> {
    hmac(secret.as_bytes(), format!("{millis}\n{secret}").as_bytes())
}

/// Feishu and Lark: signs an empty text, with the seconds and the secret as key.
pub(super) fn feishu(secret: &str, seconds: i64) -> Result<String, Error> {
    hmac(format!("{seconds}\n{secret}").as_bytes(), b"")
}

fn hmac(key: &[u8], over: &[u8]) -> Result<String, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(over);
    Ok(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hmac, hashlib and base64.
    #[test]
    fn signatures_equal_those_of_another_implementation() {
        assert_eq!(
            dingtalk("SECtest", 1_700_000_000_000).unwrap(),
            "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g="
        );
        assert_eq!(
            feishu("SECtest", 1_700_000_000).unwrap(),
            "G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk="
        );
    }
}
