//! Filters: select the executors that run a shard, by their labels and figures.
//!
//! Invalid text is rejected with [`InvalidFilter`], which points at the position. A [`Filter`] is
//! always valid, and its evaluation cannot fail.

mod error;
mod expr;
mod lexer;
mod parse;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

pub use self::error::{InvalidFilter, Problem};
use self::expr::Expr;
use crate::{id::ExecutorName, route::Figures};

/// Longest filter, in bytes.
pub const LONGEST: usize = 4 * 1024;

/// Maximum nesting depth of parentheses and `not`.
pub const DEEPEST: usize = 32;

/// A parsed filter over the labels and figures of an executor.
///
/// - `region = eu`, `zone != "a b"`, `region in (eu, us)`, `region not in (eu, us)` compare a
///   label's text. `gpus >= 4` compares it as a number: `<`, `<=`, `>` and `>=` need one.
/// - `has gpu` is true if the label exists, whatever its value.
/// - `cpu < 80%` (or `0.8`), `memory_free > 2GiB`, `memory_total`, `running` and `waiting` are the
///   executor's figures; `executor` is its name. Write a label with such a name in quotes:
///   `"cpu" = fast`.
/// - `and` binds more tightly than `or`, and `not` more tightly than both; parentheses group.
///
/// Numbers may have a unit: `%`, `KB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`,
/// `TiB` (powers of 1024). Words of letters, digits and `_-.:/@+*%` need no quotes. Other words
/// need `"…"` or `'…'`, where `\` escapes a quote or a `\`. Keywords are not case-sensitive; names
/// and values are.
///
/// If a label or figure is missing, or a label is not a number where one is needed, every
/// comparison is false, except `!=` and `not in`, which are true.
///
/// Cloning is cheap. Two filters are equal if their texts are.
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

/// The facts about one executor that a filter is evaluated on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its name.
    pub name: &'a ExecutorName,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its figures.
    pub figures: &'a Figures,
}

impl Filter {
    /// Returns whether the executor matches the filter.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.expr.holds(facts)
    }

    /// Returns the text, without surrounding whitespace.
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

impl Hash for Filter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    /// The only constructor, so that a `Filter` is always valid.
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
