//! Rules for the token, and for the addresses that the coordinator may listen on.
//!
//! On loopback, all programs of the machine have access. Any other address needs a token, and TLS
//! unless the operator disables that requirement, because a coordinator can start any job on any
//! executor. Unsafe settings are rejected at start, with the settings that fix them.

use std::{fmt, net::SocketAddr};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Minimum number of characters of a token.
const TOKEN_MIN: usize = 16;
/// Maximum number of characters of a token.
const TOKEN_MAX: usize = 512;

/// The shared secret of a coordinator, its executors and its users. Only its hash is stored.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

/// Why a text is not a valid token. Never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidToken {
    #[error(
        "the token has {0} characters, at least {TOKEN_MIN} are needed; `openssl rand -hex 32` \
         generates a good one"
    )]
    TooShort(usize),
    #[error("the token has {0} characters, at most {TOKEN_MAX} are allowed")]
    TooLong(usize),
    #[error("the token has a character that is not a visible ASCII character, such as a space")]
    Character,
}

impl Token {
    /// Stores the hash of `text`.
    ///
    /// # Errors
    ///
    /// Fails if `text` is too short to be a secret, or cannot be sent in a header.
    pub(crate) fn new(text: &str) -> Result<Self, InvalidToken> {
        match text.chars().count() {
            _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err(InvalidToken::Character),
            short @ 0..TOKEN_MIN => Err(InvalidToken::TooShort(short)),
            TOKEN_MIN..=TOKEN_MAX => Ok(Self(Sha256::digest(text).into())),
            long => Err(InvalidToken::TooLong(long)),
        }
    }

    /// Whether `presented` is this token, in constant time.
    pub(crate) fn is(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(&<[u8; 32]>::from(Sha256::digest(presented))).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether the port speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Off,
    On,
}

/// Whether the operator allows unencrypted traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    Refused,
    Allowed,
}

const SET_TOKEN: &str = "set `token` in fastjob.toml, FASTJOB_TOKEN or --token";
const SET_TLS: &str = "set `tls.cert` and `tls.key` in fastjob.toml, or FASTJOB_TLS_CERT and \
    FASTJOB_TLS_KEY; or, if the network is protected by other means, set \
    `insecure_plaintext = true` or --insecure-plaintext";

/// Why it is not safe to listen on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exposure {
    #[error("{0} is reachable from other machines, and there is no token: {SET_TOKEN}")]
    NoToken(SocketAddr),
    #[error("{0} is reachable from other machines, and there is no TLS: {SET_TLS}")]
    NoTls(SocketAddr),
    #[error(
        "{0} is reachable from other machines, and there is neither a token nor TLS: \
         {SET_TOKEN}; and {SET_TLS}"
    )]
    Neither(SocketAddr),
}

/// Checks whether it is safe to listen on `listen`.
///
/// # Errors
///
/// Fails for any address other than loopback without a token, and without TLS unless the operator
/// allows that; the error says what to set.
pub(crate) fn check_exposure(
    listen: SocketAddr,
    token: Option<&Token>,
    tls: TlsMode,
    no_tls_allowed: Plaintext,
) -> Result<(), Exposure> {
    let readable = tls == TlsMode::Off && no_tls_allowed == Plaintext::Refused;
    match (token, readable) {
        _ if listen.ip().to_canonical().is_loopback() => Ok(()),
        (Some(_), false) => Ok(()),
        (None, false) => Err(Exposure::NoToken(listen)),
        (Some(_), true) => Err(Exposure::NoTls(listen)),
        (None, true) => Err(Exposure::Neither(listen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    #[test]
    fn a_token_needs_a_valid_length_and_characters() {
        assert!(Token::new(SECRET).is_ok());
        assert_eq!(Token::new(&SECRET[1..]).unwrap_err(), InvalidToken::TooShort(15));
        assert_eq!(Token::new("").unwrap_err(), InvalidToken::TooShort(0));
        assert_eq!(Token::new(&"x".repeat(513)).unwrap_err(), InvalidToken::TooLong(513));
        for bad in ["0123456789abcde f", "0123456789abcdefü", "0123456789abcdef\n"] {
            assert_eq!(Token::new(bad).unwrap_err(), InvalidToken::Character);
        }
    }

    #[test]
    fn a_token_matches_only_itself_and_is_not_printed() {
        let token = Token::new(SECRET).unwrap();
        assert!(token.is(SECRET.as_bytes()));
        for wrong in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn only_loopback_is_open() {
        use {Plaintext::*, TlsMode::*};
        #[track_caller]
        fn check(listen: &str, has_token: bool, tls: TlsMode, plain: Plaintext, words: &[&str]) {
            let token = has_token.then(|| Token::new(SECRET).unwrap());
            let answer = check_exposure(listen.parse().unwrap(), token.as_ref(), tls, plain);
            let said = answer.err().map(|err| err.to_string());
            assert_eq!(said.is_some(), !words.is_empty(), "{said:?}");
            for word in words {
                assert!(said.as_ref().is_some_and(|said| said.contains(word)), "{said:?}");
            }
        }
        for local in ["127.0.0.1:7070", "127.8.9.1:1", "[::1]:7070", "[::ffff:127.0.0.1]:7070"] {
            check(local, false, Off, Refused, &[]);
        }
        let token = "--token";
        let tls = "FASTJOB_TLS_CERT";
        for open in ["0.0.0.0:7070", "[::]:7070", "10.0.0.5:7070", "[::ffff:10.0.0.5]:7070"] {
            check(open, true, On, Refused, &[]);
            check(open, true, Off, Allowed, &[]);
            check(open, true, Off, Refused, &[open, tls, "insecure_plaintext"]);
            check(open, false, On, Refused, &[open, token, "FASTJOB_TOKEN"]);
            check(open, false, Off, Allowed, &[open, token]);
            check(open, false, Off, Refused, &[open, token, tls]);
        }
    }
}
