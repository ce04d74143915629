//! Why a text is no cron expression, and at which character.
//!
//! The parser decides; this file words it. Nothing here fails: an error about any text can be
//! shown, on one line or with a pointer beneath the character.

use std::ops::Range;

use super::LONGEST;

/// A text that is no cron expression: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at character {} of `{}`", self.position(), self.line())]
pub struct InvalidCron {
    text: Box<str>,
    at: Range<usize>,
    problem: Problem,
}

impl InvalidCron {
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

    /// Shows the expression on one line and `^` beneath the characters that are wrong.
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

/// What is wrong with a text that is no cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is nothing.
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
        /// The number as it was given.
        value: Box<str>,
        /// The smallest allowed.
        min: u16,
        /// The largest allowed.
        max: u16,
    },
    /// A word is no value of its field.
    #[error("`{word}` is not a {unit}; {allowed}")]
    NotAValue {
        /// The name of the field.
        unit: &'static str,
        /// The word as it was given.
        word: Box<str>,
        /// What the field takes.
        allowed: &'static str,
    },
    /// A list, a range or a step lacks a value.
    #[error("a value is missing in the {unit}; {allowed}")]
    Missing {
        /// The name of the field.
        unit: &'static str,
        /// What the field takes.
        allowed: &'static str,
    },
    /// A step is nothing or too large.
    #[error("the step {value} of the {unit} is not between 1 and {max}")]
    Step {
        /// The name of the field.
        unit: &'static str,
        /// The step as it was given.
        value: Box<str>,
        /// The largest allowed.
        max: u16,
    },
    /// No month has so many of a weekday.
    #[error("`#{0}` is not between #1 and #5")]
    Nth(Box<str>),
    /// No month has so many days before its last.
    #[error("`L-{0}` is not between L-0 and L-30")]
    BeforeLast(Box<str>),
    /// A range of years ends before it begins.
    #[error("the years {from}-{to} run backwards")]
    Backwards {
        /// The first year.
        from: u16,
        /// The last year.
        to: u16,
    },
    /// A character is not understood where it stands.
    #[error("`{sign}` is not understood in the {unit}; {allowed}")]
    Unexpected {
        /// The character.
        sign: char,
        /// The name of the field.
        unit: &'static str,
        /// What the field takes.
        allowed: &'static str,
    },
    /// A sign of Quartz's stands in a field for which it has no meaning.
    #[error("`{sign}` cannot stand in the {unit}, only in the {only}")]
    NotHere {
        /// The sign.
        sign: char,
        /// The name of the field.
        unit: &'static str,
        /// The fields for which it has a meaning.
        only: &'static str,
    },
    /// A sign of Quartz's stands in an expression of five fields.
    #[error(
        "`{0}` is Quartz's, whose expressions have six or seven fields and begin with the second; \
         five fields are Unix cron"
    )]
    OnlyQuartz(char),
    /// A `?` shares its field.
    #[error("`?` has to stand alone in its field")]
    NotAlone,
    /// Both day fields are `?`.
    #[error("`?` cannot stand in both day fields; write `*` in one of them for every day")]
    NoDays,
    /// Both day fields are restricted.
    #[error(
        "the day of month and the day of week are both restricted, which is ambiguous; write `?` \
         in one of them"
    )]
    BothDays,
    /// A word after `@` is unknown.
    #[error(
        "`{0}` is unknown; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and \
         @annually"
    )]
    UnknownShort(Box<str>),
    /// `@reboot` was given.
    #[error("`@reboot` is not a time, so no job can fire at it")]
    Reboot,
}

/// A problem and its place, before the text is added.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) problem: Problem,
}

impl Fault {
    pub(super) const fn new(at: Range<usize>, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// The error to show to whoever wrote `text`.
    pub(super) fn of(self, text: &str) -> InvalidCron {
        // Who sends a megabyte does not get it back.
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let at = self.at.start.min(text.len())..self.at.end.min(text.len());
        InvalidCron { text: text.into(), at, problem: self.problem }
    }
}
