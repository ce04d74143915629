//! Durations in human-readable form: `"30s"`, `"1h 30m"`, `"250ms"`.
//!
//! Text that is not a duration, is negative, or has a precision finer than a millisecond is
//! rejected.

use std::time::Duration;

use jiff::{SignedDuration, fmt::friendly};

/// Maximum duration of a job or a setting: ten years.
pub const MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why a text is not a valid duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDuration {
    /// It could not be parsed.
    #[error("`{0}` is not a duration; write it like \"30s\", \"10m\", \"1h 30m\" or \"250ms\"")]
    Text(String),
    /// It is negative.
    #[error("`{0}` is negative; a duration is zero or longer")]
    Negative(String),
    /// Its precision is finer than a millisecond.
    #[error("`{0}` is more precise than a millisecond; write whole milliseconds")]
    TooFine(String),
    /// It is longer than [`MAX`].
    #[error("`{0}` is longer than ten years")]
    TooLong(String),
}

/// Parses a duration of whole milliseconds, 0 to [`MAX`].
///
/// # Errors
///
/// Fails with [`InvalidDuration`], which says what is wrong.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let days = text.trim().strip_suffix('d').and_then(|n| n.trim().parse::<u32>().ok());
    let signed = match days {
        Some(days) => SignedDuration::from_hours(i64::from(days) * 24),
        None => friendly::SpanParser::new()
            .parse_duration(text.trim())
            .map_err(|_| InvalidDuration::Text(text.to_owned()))?,
    };
    if signed.is_negative() {
        return Err(InvalidDuration::Negative(text.to_owned()));
    }
    let duration = signed.unsigned_abs();
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err(InvalidDuration::TooFine(text.to_owned()));
    }
    if duration > MAX {
        return Err(InvalidDuration::TooLong(text.to_owned()));
    }
    Ok(duration)
}

/// Formats a duration so that [`parse`] reads it back: `1h 30m`.
pub fn to_text(duration: Duration) -> String {
    let signed = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    friendly::SpanPrinter::new().duration_to_string(&signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_in_human_readable_form() {
        for (text, millis) in [
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
            assert_eq!(
                parse(&to_text(Duration::from_millis(millis))).unwrap().as_millis(),
                millis.into()
            );
        }
        for wrong in ["", "30", "s", "-1s", "1.5us", "1 year", "99999d", "P1D extra"] {
            assert!(parse(wrong).is_err(), "{wrong:?} was accepted");
        }
    }
}
