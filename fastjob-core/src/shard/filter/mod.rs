//! Filters: which executors run a shard, by their labels and figures.
//!
//! The parser decides what is a filter and refuses the rest with [`InvalidFilter`], which points
//! at the place; whoever holds a [`Filter`] never checks it again, and asking it cannot fail.

mod error;
mod expr;
mod lexer;
mod parse;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

pub use self::error::{InvalidFilter, Problem};
use self::expr::Expr;
use crate::{id::ExecutorName, route::Figures};

/// Longest filter, in bytes.
pub const LONGEST: usize = 4 * 1024;

/// How deep parentheses and `not` may stand in each other.
pub const DEEPEST: usize = 32;

/// A parsed filter over the labels and figures of an executor.
///
/// - `region = eu`, `zone != "a b"`, `region in (eu, us)`, `region not in (eu, us)` compare a
///   label's text. `gpus >= 4` compares it as a number: `<`, `<=`, `>` and `>=` need one.
/// - `has gpu` is true where the label is there, whatever it says.
/// - `cpu < 80%` (or `0.8`), `memory_free > 2GiB`, `memory_total`, `running` and `waiting` are the
///   executor's figures; `executor` is its name. A label of such a name is written in quotes:
///   `"cpu" = fast`.
/// - `and` binds more closely than `or`, and `not` than both; parentheses group.
///
/// Numbers may have a unit: `%`, `KB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`,
/// `TiB` (powers of 1024). Words of letters, digits and `_-.:/@+*%` need no quotes, others take
/// `"…"` or `'…'`, in which `\` stands before a quote or a `\`. The words of the language may be
/// in capitals, names and values are taken as they are.
///
/// What is missing is equal to nothing, and neither more nor less: of a label or a figure that is
/// not there, and of a label that is no number where one is needed, every comparison is false but
/// `!=` and `not in`, which are true.
///
/// Cloning is cheap. Two are equal if their text is.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use fastjob_core::{route::Figures, shard::{Facts, Filter}};
///
/// let filter: Filter = "region in (eu, us) and cpu < 80%".parse()?;
/// let labels = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
/// let figures = Figures { cpu: Some(0.25), ..Figures::default() };
/// assert!(filter.matches(&Facts { name: &"e1".parse()?, labels: &labels, figures: &figures }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    text: Arc<str>,
    expr: Arc<Expr>,
}

/// What a filter is asked about: one executor.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its name.
    pub name: &'a ExecutorName,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// What is known of it.
    pub figures: &'a Figures,
}

impl Filter {
    /// Says whether the executor meets the filter.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.expr.holds(facts)
    }

    /// Returns the text as it was given, without the space around it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Filter {}

impl FromStr for Filter {
    type Err = InvalidFilter;

    /// The only way in: whoever holds a `Filter` never checks it again.
    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let expr = parse::filter(text).map_err(|fault| fault.of(text))?;
        Ok(Self { text: text.trim().into(), expr: Arc::new(expr) })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
