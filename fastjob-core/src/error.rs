//! Errors with their causes.

use std::{error::Error, fmt::Write, iter::successors};

/// Maximum number of causes that are followed: an error could be its own cause.
const CAUSES_MAX: usize = 1_000;
/// Length in bytes beyond which [`chain`] adds no more causes.
const CHAIN_MAX: usize = 16 * 1024;

/// An error and its causes, the outermost first; at most 1,000.
pub fn causes<'a>(
    err: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let cause = |err: &&'a (dyn Error + 'static)| {
        let err: &'a _ = *err;
        err.source()
    };
    successors(Some(err), cause).take(CAUSES_MAX)
}

/// An error and its causes as one text, `a: b: c`.
///
/// A cause whose text is part of the text so far is left out: many errors repeat their cause. After
/// 16 KiB, no more causes are added.
///
/// ```
/// let err = "x".parse::<u8>().unwrap_err();
/// let err = std::io::Error::other(err);
/// assert_eq!(fastjob_core::error::chain(&err), "invalid digit found in string");
/// ```
pub fn chain(err: &(dyn Error + 'static)) -> String {
    let mut text = err.to_string();
    for cause in causes(err).skip(1) {
        if text.len() > CHAIN_MAX {
            break;
        }
        let cause = cause.to_string();
        if !text.contains(&cause) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_cause_is_shown_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Said(&'static str, #[source] Option<Box<Said>>);
        let inner = Said("(code: 13) database or disk is full", None);
        let outer =
            Said("from the database: (code: 13) database or disk is full", Some(inner.into()));
        let all = Said("could not save commits", Some(outer.into()));
        let expected =
            "could not save commits: from the database: (code: 13) database or disk is full";
        assert_eq!(chain(&all), expected);
    }
}
