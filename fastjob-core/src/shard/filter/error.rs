//! Why a text is not a filter, and at which character.
//!
//! The parser detects the problem; this module formats it. An error about any text can be
//! displayed, on one line or with a pointer below the character.

use std::ops::Range;

use super::{DEEPEST, LONGEST};

/// Maximum number of characters of a text or word that a message quotes.
const SHOWN: usize = 60;

/// A text that is not a filter: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {} of `{}`", self.position(), shown(&self.line()))]
pub struct InvalidFilter {
    text: Box<str>,
    at: Range<usize>,
    problem: Problem,
}

impl InvalidFilter {
    /// Returns the text, truncated to [`LONGEST`] bytes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the byte range of the problem in [`text`](Self::text). It is empty if something is
    /// missing.
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// Returns the problem.
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the position of the problem in characters, counted from 1.
    pub fn position(&self) -> usize {
        self.count(0..self.at.start) + 1
    }

    /// Formats the filter on one line, with `^` below the invalid characters.
    pub fn pointer(&self) -> String {
        let before = " ".repeat(self.position() - 1);
        let marks = "^".repeat(self.count(self.at()).max(1));
        format!("{}\n{before}{marks}", self.line())
    }

    fn count(&self, range: Range<usize>) -> usize {
        self.text.get(range).map_or(0, |part| part.chars().count())
    }

    /// The text on one line, with each character at its position.
    fn line(&self) -> String {
        self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// What is wrong with a text that is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is empty.
    #[error("the filter is empty")]
    Empty,
    /// It is longer than [`LONGEST`].
    #[error("the filter is longer than {LONGEST} bytes")]
    TooLong,
    /// Parentheses and `not` are nested deeper than [`DEEPEST`].
    #[error("parentheses and `not` are nested more than {DEEPEST} deep")]
    TooDeep,
    /// A character is not valid.
    #[error("`{0}` is not understood; quote words with such characters")]
    Sign(char),
    /// A quote is not closed.
    #[error("the quote is not closed")]
    OpenQuote,
    /// A `\` is before a character that must not be escaped.
    #[error("`\\{0}` is not understood; there are \\\" \\' and \\\\")]
    Escape(char),
    /// The text ends too early.
    #[error("the filter is incomplete, expected {0}")]
    Missing(&'static str),
    /// Something else was expected.
    #[error("found `{found}`, expected {wanted}")]
    Expected {
        /// What was expected.
        wanted: &'static str,
        /// What was found.
        found: Box<str>,
    },
    /// A word is used where a number is needed.
    #[error("`{0}` is not a number; use a number such as 4, 0.5, 80%, 500MB or 2GiB")]
    NotANumber(Box<str>),
    /// A figure is compared with a number that it cannot have.
    #[error("`{found}` is not a valid {figure}, which {wanted}")]
    Quantity {
        /// The figure.
        figure: &'static str,
        /// The numbers that it can have.
        wanted: &'static str,
        /// The number.
        found: Box<str>,
    },
    /// A figure is used with `in`.
    #[error("`{0}` is a number, but `in` needs a label or a name; compare it with < and >")]
    FigureList(&'static str),
    /// The executor's name is compared with `<` or a similar operator.
    #[error("`executor` is a name; compare it with = and !=, `in` and `not in`")]
    NameOrder,
    /// `has` is used with something that every executor has.
    #[error("`{0}` is not a label; write a label of that name in quotes")]
    NotALabel(Box<str>),
}

/// The part of a text that a message quotes.
pub(super) fn shown(text: &str) -> Box<str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// A problem and its position, before the text is added.
#[derive(Debug)]
pub(super) struct Fault {
    at: Range<usize>,
    problem: Problem,
}

impl Fault {
    pub(super) const fn new(at: Range<usize>, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// The same problem in a text with `by` more bytes before it.
    pub(super) const fn shifted(mut self, by: usize) -> Self {
        self.at.start += by;
        self.at.end += by;
        self
    }

    /// The error to show to the author of `text`.
    pub(super) fn of(self, text: &str) -> InvalidFilter {
        // Do not return a huge text.
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let at = self.at.start.min(text.len())..self.at.end.min(text.len());
        InvalidFilter { text: text.into(), at, problem: self.problem }
    }
}
