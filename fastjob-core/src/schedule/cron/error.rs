//! Why a text is not a cron expression, and at which character.
//!
//! The parser detects the problem; this module formats it. An error about any text can be
//! displayed, on one line or with a pointer below the character.

use std::ops::Range;

use super::LONGEST;

/// A text that is not a cron expression: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {} of `{}`", self.position(), self.line())]
pub struct InvalidCron {
    text: Box<str>,
    at: Range<usize>,
    problem: Problem,
}

impl InvalidCron {
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

    /// Formats the expression on one line, with `^` below the invalid characters.
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

/// What is wrong with a text that is not a cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is empty.
    #[error("the cron expression is empty")]
    Empty,
    /// It is longer than [`LONGEST`].
    #[error("the cron expression is longer than {LONGEST} bytes")]
    TooLong,
    /// It has too few or too many fields.
    #[error("a cron expression has five fields (Unix) or six or seven (Quartz), not {0}")]
    Fields(usize),
    /// A number is too small or too large.
    #[error("the {unit} {value} is not between {min} and {max}")]
    OutOfRange {
        /// The name of the field.
        unit: &'static str,
        /// The number.
        value: Box<str>,
        /// The smallest allowed.
        min: u16,
        /// The largest allowed.
        max: u16,
    },
    /// A word is not a value of its field.
    #[error("`{word}` is not a {unit}; {allowed}")]
    NotAValue {
        /// The name of the field.
        unit: &'static str,
        /// The word.
        word: Box<str>,
        /// The values that the field accepts.
        allowed: &'static str,
    },
    /// A list, a range or a step lacks a value.
    #[error("a value is missing in the {unit}; {allowed}")]
    Missing {
        /// The name of the field.
        unit: &'static str,
        /// The values that the field accepts.
        allowed: &'static str,
    },
    /// A step is zero or too large.
    #[error("the step {value} of the {unit} is not between 1 and {max}")]
    Step {
        /// The name of the field.
        unit: &'static str,
        /// The step.
        value: Box<str>,
        /// The maximum.
        max: u16,
    },
    /// No month has so many of a weekday.
    #[error("`#{0}` is not between #1 and #5")]
    Nth(Box<str>),
    /// No month has so many days before its last.
    #[error("`L-{0}` is not between L-0 and L-30")]
    BeforeLast(Box<str>),
    /// A range of years ends before it begins.
    #[error("the years {from}-{to} are in reverse order")]
    Backwards {
        /// The first year.
        from: u16,
        /// The last year.
        to: u16,
    },
    /// A character is not valid at its position.
    #[error("`{sign}` is not understood in the {unit}; {allowed}")]
    Unexpected {
        /// The character.
        sign: char,
        /// The name of the field.
        unit: &'static str,
        /// The values that the field accepts.
        allowed: &'static str,
    },
    /// A Quartz symbol is in a field where it is not allowed.
    #[error("`{sign}` is not allowed in the {unit}, only in the {only}")]
    NotHere {
        /// The symbol.
        sign: char,
        /// The name of the field.
        unit: &'static str,
        /// The fields where it is allowed.
        only: &'static str,
    },
    /// A Quartz symbol is in an expression of five fields.
    #[error(
        "`{0}` is Quartz syntax, which needs six or seven fields, the first for the seconds; \
         five fields are Unix cron"
    )]
    OnlyQuartz(char),
    /// A `?` is not alone in its field.
    #[error("`?` must be alone in its field")]
    NotAlone,
    /// Both day fields are `?`.
    #[error("`?` is not allowed in both day fields; write `*` in one of them for every day")]
    NoDays,
    /// Both day fields are restricted.
    #[error(
        "the day of month and the day of week are both restricted, which is ambiguous; write `?` \
         in one of them"
    )]
    BothDays,
    /// An unknown name after `@`.
    #[error(
        "`{0}` is unknown; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and \
         @annually"
    )]
    UnknownShort(Box<str>),
    /// `@reboot` is not supported.
    #[error("`@reboot` is not supported: it is not a time at which a job could fire")]
    Reboot,
}

/// A problem and its position, before the text is added.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) problem: Problem,
}

impl Fault {
    pub(super) const fn new(at: Range<usize>, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// The error to show to the author of `text`.
    pub(super) fn of(self, text: &str) -> InvalidCron {
        // Do not return a huge text.
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let at = self.at.start.min(text.len())..self.at.end.min(text.len());
        InvalidCron { text: text.into(), at, problem: self.problem }
    }
}
