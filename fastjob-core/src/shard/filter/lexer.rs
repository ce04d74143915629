//! Splits text into tokens with their positions.

use std::{borrow::Cow, ops::Range};

use super::error::{Fault, Problem};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) at: Range<usize>,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A word without quotes: a keyword, a name, a number or a value.
    Bare(&'a str),
    /// A word in quotes: a name or a value.
    Quoted(Cow<'a, str>),
    /// `=`, `!=`, `<`, `<=`, `>` or `>=`.
    Sign(&'a str),
    Open,
    Close,
    Comma,
}

/// Longest first.
const SIGNS: [&str; 6] = ["!=", "<=", ">=", "=", "<", ">"];

fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || "_-.:/@+*%".contains(c)
}

/// Splits `text` into tokens.
///
/// # Errors
///
/// Fails with the first invalid character, or an unclosed quote.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(c) = text[start..].chars().next() {
        let rest = &text[start..];
        let (length, kind) = match c {
            c if c.is_whitespace() => {
                start += c.len_utf8();
                continue;
            }
            '(' => (1, Kind::Open),
            ')' => (1, Kind::Close),
            ',' => (1, Kind::Comma),
            '"' | '\'' => {
                let (length, word) = quoted(rest, c).map_err(|problem| problem.shifted(start))?;
                (length, Kind::Quoted(word))
            }
            c if is_bare(c) => {
                let length = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
                (length, Kind::Bare(&rest[..length]))
            }
            c => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (sign.len(), Kind::Sign(sign)),
                None => return Err(Fault::new(start..start + c.len_utf8(), Problem::Sign(c))),
            },
        };
        found.push(Token { at: start..start + length, kind });
        start += length;
    }
    Ok(found)
}

/// The word that begins with `quote`, and its length in bytes including the quotes.
fn quoted(rest: &str, quote: char) -> Result<(usize, Cow<'_, str>), Fault> {
    let mut word = Cow::Borrowed("");
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((at + 1, word)),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\'' | '\\'))) => word.to_mut().push(c),
                Some((end, c)) => {
                    return Err(Fault::new(at..end + c.len_utf8(), Problem::Escape(c)));
                }
                None => break,
            },
            // Borrowed as long as there is no escape.
            c => match &mut word {
                Cow::Borrowed(word) if word.len() + 1 == at => *word = &rest[1..at + c.len_utf8()],
                Cow::Borrowed(_) | Cow::Owned(_) => word.to_mut().push(c),
            },
        }
    }
    Err(Fault::new(0..rest.len(), Problem::OpenQuote))
}
