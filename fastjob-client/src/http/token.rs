//! Tokens, which callers send and executors prove that they have. They are never shown.

use std::{fmt, str::FromStr};

/// Fewest characters of a token.
pub const TOKEN_MIN: usize = 16;
/// Most characters of a token.
const TOKEN_MAX: usize = 512;

/// A secret that grants access to the coordinator. `Debug` does not show it, and there is no
/// `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Checks that it can be used. A parsed token always can.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidToken`] if it is too short, too long, or cannot be sent in a header.
    pub fn check(&self) -> Result<(), InvalidToken> {
        if !self.0.chars().all(|c| c.is_ascii_graphic()) {
            return Err(InvalidToken::Character);
        }
        match self.0.len() {
            short @ 0..TOKEN_MIN => Err(InvalidToken::Short(short)),
            TOKEN_MIN..=TOKEN_MAX => Ok(()),
            long => Err(InvalidToken::Long(long)),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Accepts any text; [`check`](Token::check) validates it.
impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let token = Self(text.to_owned());
        token.check().map(|()| token)
    }
}

/// A count of characters, in words.
fn characters(number: usize) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} character{s}")
}

/// Why a text is not a token. Never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It is short enough to guess.
    #[error(
        "the token has {}, at least {TOKEN_MIN} are needed; `openssl rand -hex 32` makes a good one",
        characters(*.0)
    )]
    Short(usize),
    /// It is too long.
    #[error("the token has {0} characters, at most {TOKEN_MAX} are allowed")]
    Long(usize),
    /// It cannot be sent in a header.
    #[error("the token has a character that is not visible ASCII; use letters, digits and symbols")]
    Character,
}
