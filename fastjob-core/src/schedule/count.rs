//! The number of fires in a range.

use std::fmt;

/// A number of fires: exact, or a lower bound if counting further would take too long.
///
/// # Examples
///
/// ```
/// use fastjob_core::schedule::Count;
///
/// assert_eq!(Count::exactly(5).to_string(), "5");
/// assert_eq!(Count { number: 5, at_least: true }.to_string(), "at least 5");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many fires were counted.
    pub number: u64,
    /// Whether there may be more than `number`.
    pub at_least: bool,
}

impl Count {
    /// Exactly `number` fires.
    pub const fn exactly(number: u64) -> Self {
        Self { number, at_least: false }
    }

    /// The sum; a lower bound if one of the two is.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            number: self.number.saturating_add(other.number),
            at_least: self.at_least || other.at_least,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at_least { write!(f, "at least {}", self.number) } else { self.number.fmt(f) }
    }
}
