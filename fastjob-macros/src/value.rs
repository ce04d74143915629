//! Parses the values of `#[job(…)]`: literals, with basic checks at compile time.
//!
//! The checks here only catch obvious mistakes early. FastJob's own rules check everything when the
//! executor starts.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::{Error, Expr, ExprLit, Lit, LitInt, LitStr, Result, spanned::Spanned};

/// Maximum length of a name, in bytes.
const NAME_MAX: usize = 128;

/// The kind of value that an argument needs.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Any string.
    Text,
    /// The name of a handler or a service.
    Name,
    /// A cron expression.
    Cron,
    /// A duration such as `30s`.
    Duration,
    /// An instant, RFC 3339.
    Instant,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A whole number.
    Count,
    /// A number, which may have a fraction.
    Number,
    /// `true` or `false`.
    Flag,
}

impl Kind {
    /// Parses the value of the argument `key`, which must be a literal of this kind. `long` is the
    /// alternative long form, or empty.
    pub(crate) fn read(self, key: &str, value: &Expr, long: &str) -> Result<TokenStream> {
        match self {
            Self::Count => count(key, value),
            Self::Number => number(key, value),
            Self::Texts => texts(key, value),
            Self::Flag => match literal(value) {
                Some(Lit::Bool(flag)) => Ok(flag.to_token_stream()),
                _ => Err(wrong(value, format_args!("`{key}` must be true or false"))),
            },
            Self::Text
            | Self::Name
            | Self::Cron
            | Self::Duration
            | Self::Instant
            | Self::Word(_) => {
                let text = text(value).ok_or_else(|| {
                    wrong(value, format_args!("`{key}` needs a string: {key} = \"…\""))
                })?;
                match self.problem(key, &text.value()) {
                    Some(problem) if !long.is_empty() => {
                        Err(Error::new(text.span(), format_args!("{problem}, or {long}")))
                    }
                    Some(problem) => Err(Error::new(text.span(), problem)),
                    None => Ok(text.to_token_stream()),
                }
            }
        }
    }

    /// The problem of a string, as far as it is known at compile time.
    fn problem(self, key: &str, text: &str) -> Option<String> {
        match self {
            Self::Text | Self::Texts | Self::Count | Self::Number | Self::Flag => None,
            Self::Name => name_problem(text).map(|problem| format!("`{key}`: {problem}")),
            Self::Cron => (!looks_like_cron(text)).then(|| {
                format!(
                    "`{text}` is not a cron expression: write 5, 6 or 7 fields, such as \
                     \"0 0 2 * * ?\", or a name such as \"@daily\""
                )
            }),
            Self::Duration => (!looks_like_duration(text)).then(|| {
                format!(
                    "`{text}` is not a duration; write it like \"30s\", \"10m\", \"1h 30m\" or \
                     \"250ms\""
                )
            }),
            Self::Instant => (!looks_like_instant(text)).then(|| {
                format!("`{text}` is not an instant; write it like \"2030-01-01T00:00:00Z\"")
            }),
            Self::Word(words) => (!words.contains(&text)).then(|| {
                format!("`{text}` is unknown; `{key}` must be one of {}", words.join(", "))
            }),
        }
    }
}

/// The literal of an expression, even if a macro has forwarded it.
fn literal(value: &Expr) -> Option<&Lit> {
    if let Expr::Group(group) = value {
        return literal(&group.expr);
    }
    let Expr::Lit(ExprLit { lit, .. }) = value else { return None };
    Some(lit)
}

/// The string literal of an expression, if it is one.
pub(crate) fn text(value: &Expr) -> Option<&LitStr> {
    let Some(Lit::Str(text)) = literal(value) else { return None };
    Some(text)
}

fn count(key: &str, value: &Expr) -> Result<TokenStream> {
    let wrong = || wrong(value, format_args!("`{key}` needs a whole number: {key} = 3"));
    let Some(Lit::Int(number)) = literal(value) else { return Err(wrong()) };
    let count: u32 = number.base10_parse().map_err(|_| wrong())?;
    // Without a type suffix.
    Ok(LitInt::new(&count.to_string(), number.span()).to_token_stream())
}

fn number(key: &str, value: &Expr) -> Result<TokenStream> {
    let number: Option<f64> = match literal(value) {
        Some(Lit::Int(number)) => number.base10_parse().ok(),
        Some(Lit::Float(number)) => number.base10_parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| number.is_finite());
    let number =
        number.ok_or_else(|| wrong(value, format_args!("`{key}` needs a number: {key} = 1.5")))?;
    let mut number = Literal::f64_suffixed(number);
    number.set_span(value.span());
    Ok(number.to_token_stream())
}

fn texts(key: &str, value: &Expr) -> Result<TokenStream> {
    let wrong =
        |at: &Expr| wrong(at, format_args!("`{key}` needs strings: {key} = [\"…\", \"…\"]"));
    let Expr::Array(array) = value else { return Err(wrong(value)) };
    let texts = array.elems.iter().map(|item| text(item).ok_or_else(|| wrong(item)));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    Ok(quote!(&[#(#texts),*]))
}

/// An error that spans the whole expression.
pub(crate) fn wrong(at: impl ToTokens, message: std::fmt::Arguments<'_>) -> Error {
    Error::new_spanned(at, message)
}

/// Why a text is not a valid name; the rule is that of `fastjob_core::HandlerName`.
pub(crate) fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    if name.len() > NAME_MAX {
        return Some(format!("the name has {} bytes, at most {NAME_MAX} are allowed", name.len()));
    }
    let wrong = name.chars().find(|c| !c.is_alphanumeric() && !"_-.:".contains(*c))?;
    Some(format!(
        "`{name}` has the character `{wrong}`; letters, digits, `_`, `-`, `.` and `:` are allowed"
    ))
}

fn looks_like_cron(text: &str) -> bool {
    match text.split_whitespace().count() {
        1 => text.trim().len() > 1 && text.trim().starts_with('@'),
        fields => (5..=7).contains(&fields),
    }
}

/// Checks for numbers with units: `1h 30m`, `2 hours`, `2d`.
fn looks_like_duration(text: &str) -> bool {
    const UNITS: &[&str] = &[
        "d",
        "h",
        "hr",
        "hrs",
        "hour",
        "hours",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "ms",
        "msec",
        "msecs",
        "milli",
        "millis",
        "millisecond",
        "milliseconds",
    ];
    let mut rest = text.trim();
    let mut parts = 0;
    while !rest.is_empty() {
        let after_number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if after_number.len() == rest.len() || !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        let unit_on = after_number.trim_start();
        let after_unit = unit_on.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        if !UNITS.contains(&&unit_on[..unit_on.len() - after_unit.len()]) {
            return false;
        }
        rest = after_unit.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        parts += 1;
    }
    parts > 0
}

fn looks_like_instant(text: &str) -> bool {
    let text = text.trim().as_bytes();
    // A date, a time and a time zone, which an instant needs.
    text.len() >= 17
        && text[..4].iter().all(u8::is_ascii_digit)
        && text[4] == b'-'
        && text[7] == b'-'
        && matches!(text[10], b'T' | b't' | b' ')
        && (text.ends_with(b"Z")
            || text.ends_with(b"z")
            || text[16..].iter().any(|b| b"+-".contains(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for good in ["30s", "1h 30m", "1h30m", "250ms", "2d", "0s", "1.5s", "2 hours, 3 minutes"] {
            assert!(looks_like_duration(good), "{good:?} was rejected");
        }
        for bad in ["", " ", "30", "s", "-1s", "30x", "1 year", "s30", ".", "ten minutes"] {
            assert!(!looks_like_duration(bad), "{bad:?} was accepted");
        }
    }

    #[test]
    fn cron_expressions_have_5_to_7_fields_or_are_a_word() {
        for good in ["* * * * *", "0/10 * * * * ?", "0 0 2 * * ? 2030", "@daily", " @hourly "] {
            assert!(looks_like_cron(good), "{good:?} was rejected");
        }
        for bad in ["", "daily", "* * * *", "@", "1 2 3 4 5 6 7 8", "@every 5m"] {
            assert!(!looks_like_cron(bad), "{bad:?} was accepted");
        }
    }

    #[test]
    fn instants_have_a_zone() {
        for good in ["2030-01-01T00:00:00Z", "2030-01-01T00:00:00.5+02:00", "2030-01-01T00:00-05"] {
            assert!(looks_like_instant(good), "{good:?} was rejected");
        }
        for bad in ["", "tomorrow", "2030-01-01", "2030-01-01T00:00:00", "Ünicode-01-01T00:00:00Z"]
        {
            assert!(!looks_like_instant(bad), "{bad:?} was accepted");
        }
    }

    #[test]
    fn names_follow_the_rule_of_core() {
        for good in ["a", "demoJobHandler", "billing-2.mail", "报表", "a:b"] {
            assert_eq!(name_problem(good), None);
        }
        for bad in ["", "a b", "a/b", &"x".repeat(129)] {
            assert!(name_problem(bad).is_some(), "{bad:?} was accepted");
        }
    }
}
