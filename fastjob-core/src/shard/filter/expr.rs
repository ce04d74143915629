//! The expression of a filter, and its evaluation for one executor.
//!
//! Evaluation cannot fail: a missing label or figure has a defined result.

use super::Facts;

/// A filter, or a part of one. Its depth is bounded by the parser.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    /// The label exists.
    Has(Box<str>),
    /// The text is one of these.
    Among(Text, Vec<Box<str>>),
    /// The label, compared as a number.
    Label(Box<str>, Order, f64),
    Figure(Figure, Order, f64),
}

/// A subject with a text value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    Executor,
    Label(Box<str>),
}

/// A subject with a numeric value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Cpu,
    MemoryFree,
    MemoryTotal,
    Running,
    Waiting,
}

/// A numeric comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Expr {
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        let label = |name: &str| facts.labels.get(name).map(String::as_str);
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::Not(part) => !part.holds(facts),
            Self::Has(name) => label(name).is_some(),
            Self::Among(text, words) => {
                let text = match text {
                    Text::Executor => Some(facts.name.as_str()),
                    Text::Label(name) => label(name),
                };
                text.is_some_and(|text| words.iter().any(|word| **word == *text))
            }
            Self::Label(name, order, number) => {
                label(name).and_then(number_of).is_some_and(|is| order.holds(is, *number))
            }
            Self::Figure(figure, order, number) => {
                figure.of(facts).is_some_and(|is| order.holds(is, *number))
            }
        }
    }
}

impl Figure {
    /// The figures and their names.
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("cpu", Self::Cpu),
        ("memory_free", Self::MemoryFree),
        ("memory_total", Self::MemoryTotal),
        ("running", Self::Running),
        ("waiting", Self::Waiting),
    ];

    fn of(self, facts: &Facts<'_>) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB of memory")]
        let bytes = |bytes: u64| bytes as f64;
        let figures = facts.figures;
        match self {
            Self::Cpu => figures.cpu,
            Self::MemoryFree => figures.memory_free.map(bytes),
            Self::MemoryTotal => figures.memory_total.map(bytes),
            Self::Running => Some(figures.running.into()),
            Self::Waiting => Some(figures.waiting.into()),
        }
    }
}

impl Order {
    #[expect(clippy::float_cmp, reason = "`=` was asked for; counts and bytes are exact")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// The units of bytes.
const BYTES: [(&str, f64); 8] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
];

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    Part,
    Bytes,
}

/// Parses `4`, `-0.5`, `80%` or `2GiB`; `None` if it is not a number.
pub(super) fn number(text: &str) -> Option<(f64, Unit)> {
    if let Some(digits) = text.strip_suffix('%') {
        return Some((plain(digits)? / 100.0, Unit::Part));
    }
    let bytes = BYTES.iter().find_map(|(name, size)| Some((text.strip_suffix(name)?, size)));
    match bytes {
        Some((digits, size)) => Some((plain(digits)? * size, Unit::Bytes)),
        None => Some((plain(text)?, Unit::None)),
    }
}

/// Parses digits with an optional sign and decimal point. Rust also parses exponents and
/// infinities, but these are more likely words.
fn plain(text: &str) -> Option<f64> {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let number = Some(text).filter(|text| text.chars().all(is_digit))?.parse::<f64>().ok()?;
    number.is_finite().then_some(number)
}

fn number_of(label: &str) -> Option<f64> {
    number(label.trim()).map(|(value, _)| value)
}
