//! Why a text is no filter, and at which character.
//!
//! The parser decides; this file words it. Nothing here fails: an error about any text can be
//! shown, on one line or with a pointer beneath the character.

use std::ops::Range;

use super::{DEEPEST, LONGEST};

/// Most characters of a text, or of a word in it, that a message repeats.
const SHOWN: usize = 60;

/// A text that is no filter: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {} of `{}`", self.position(), shown(&self.line()))]
pub struct InvalidFilter {
    text: Box<str>,
    at: Range<usize>,
    problem: Problem,
}

impl InvalidFilter {
    /// Returns the text as it was given, cut off where it is longer than [`LONGEST`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the place of the problem in [`text`](Self::text), in bytes. It is empty where
    /// something is missing.
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// Returns what is wrong there.
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the place of the problem in characters, counted from 1.
    pub fn position(&self) -> usize {
        self.count(0..self.at.start) + 1
    }

    /// Shows the filter on one line and `^` beneath the characters that are wrong.
    pub fn pointer(&self) -> String {
        let before = " ".repeat(self.position() - 1);
        let marks = "^".repeat(self.count(self.at()).max(1));
        format!("{}\n{before}{marks}", self.line())
    }

    fn count(&self, range: Range<usize>) -> usize {
        self.text.get(range).map_or(0, |part| part.chars().count())
    }

    /// The text on one line, each character in its place.
    fn line(&self) -> String {
        self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// What is wrong with a text that is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is nothing.
    #[error("the filter is empty")]
    Empty,
    /// It is longer than [`LONGEST`].
    #[error("the filter is longer than {LONGEST} bytes")]
    TooLong,
    /// Parentheses and `not` stand in each other deeper than [`DEEPEST`].
    #[error("parentheses and `not` are more than {DEEPEST} deep")]
    TooDeep,
    /// A character is not understood.
    #[error("`{0}` is not understood; words with such characters take quotes")]
    Sign(char),
    /// A quote is not closed.
    #[error("the quote is not closed")]
    OpenQuote,
    /// A `\` stands before a character that needs none.
    #[error("`\\{0}` is not understood; there are \\\" \\' and \\\\")]
    Escape(char),
    /// The text ends where something has to follow.
    #[error("something is missing: {0}")]
    Missing(&'static str),
    /// Something else has to stand there.
    #[error("`{found}` stands where {wanted} has to")]
    Expected {
        /// What has to stand there.
        wanted: &'static str,
        /// What stands there.
        found: Box<str>,
    },
    /// Something is compared with a word that has to be compared with a number.
    #[error("`{0}` is not a number; numbers are like 4, 0.5, 80%, 500MB and 2GiB")]
    NotANumber(Box<str>),
    /// A figure is compared with a number that it can never be near.
    #[error("`{found}` is no {figure}, which {wanted}")]
    Quantity {
        /// The figure.
        figure: &'static str,
        /// What its numbers are like.
        wanted: &'static str,
        /// The number as it was given.
        found: Box<str>,
    },
    /// A figure stands before `in`.
    #[error("`{0}` is a number, and lists are for labels and names; compare it with < and >")]
    FigureList(&'static str),
    /// The executor's name is compared with `<` or the like.
    #[error("`executor` is a name; compare it with = and !=, `in` and `not in`")]
    NameOrder,
    /// `has` asks for something that every executor has.
    #[error("`{0}` is not a label; a label of that name is written in quotes")]
    NotALabel(Box<str>),
}

/// As much of a text as a message repeats.
pub(super) fn shown(text: &str) -> Box<str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// A problem and its place, before the text is added.
#[derive(Debug)]
pub(super) struct Fault {
    at: Range<usize>,
    problem: Problem,
}

impl Fault {
    pub(super) const fn new(at: Range<usize>, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// The same problem in a text that has `by` more bytes before it.
    pub(super) const fn shifted(mut self, by: usize) -> Self {
        self.at.start += by;
        self.at.end += by;
        self
    }

    /// The error to show to whoever wrote `text`.
    pub(super) fn of(self, text: &str) -> InvalidFilter {
        // Who sends a megabyte does not get it back.
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let at = self.at.start.min(text.len())..self.at.end.min(text.len());
        InvalidFilter { text: text.into(), at, problem: self.problem }
    }
}
