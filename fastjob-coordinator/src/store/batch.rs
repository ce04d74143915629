//! What a batch of commits writes, as plain data. Each store writes it with its own statements.

use std::borrow::Cow;

/// PostgreSQL's texts cannot contain NUL and SQLite's end there, so a visible symbol replaces it.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{2400}").into() } else { text.into() }
}
