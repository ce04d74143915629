//! Instants in RFC 3339 format: `2026-11-24T08:00:00Z`.
//!
//! Job files, REST and the command line all use this parser, so they report the same errors.

use jiff::{Timestamp, civil::DateTime};

/// Why a text is not a valid instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInstant {
    /// It could not be parsed.
    #[error(
        "`{0}` is not an instant; write it like 2026-11-24T08:00:00Z, or with an offset like \
         2026-11-24T16:00:00+08:00"
    )]
    Text(String),
    /// It is a date or time without a time zone.
    #[error("`{given}` is an instant only with a time zone; write it like {with_zone} for UTC")]
    NoZone {
        /// The text.
        given: String,
        /// The same instant in UTC.
        with_zone: Timestamp,
    },
}

/// Maximum bytes of the text that an error message quotes.
const SHOWN: usize = 64;

/// Parses an instant and truncates it to milliseconds, the precision of stored instants.
///
/// # Errors
///
/// Fails with [`InvalidInstant`], which shows the expected format.
pub fn parse(text: &str) -> Result<Timestamp, InvalidInstant> {
    let invalid = || {
        let end = text.floor_char_boundary(SHOWN);
        let more = if end < text.len() { "…" } else { "" };
        InvalidInstant::Text(format!("{}{more}", &text[..end]))
    };
    match text.parse::<Timestamp>() {
        Ok(at) => Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| invalid()),
        Err(_) => match text.parse::<DateTime>().map(|civil| civil.in_tz("UTC")) {
            Ok(Ok(at)) if text.len() <= SHOWN => {
                Err(InvalidInstant::NoZone { given: text.to_owned(), with_zone: at.timestamp() })
            }
            _ => Err(invalid()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_parsed_with_any_offset_and_kept_to_the_millisecond() {
        for (text, at) in [
            ("2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z"),
            ("2026-11-24T16:00:00+08:00", "2026-11-24T08:00:00Z"),
            ("2026-11-24 08:00:00.1239Z", "2026-11-24T08:00:00.123Z"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), at, "{text}");
        }
    }

    #[test]
    fn an_invalid_instant_is_rejected_with_the_expected_format() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
        let form = "is not an instant; write it like 2026-11-24T08:00:00Z, or with an offset like \
                    2026-11-24T16:00:00+08:00";
        for wrong in ["xyz", "", "2026-13-01T00:00:00Z", "tomorrow", "08:00:00Z", "1764000000"] {
            check(wrong, &format!("`{wrong}` {form}"));
        }
        check(&"9".repeat(500), &format!("`{}…` {form}", "9".repeat(64)));
        let no_zone = "is an instant only with a time zone; write it like";
        check("2026-11-24", &format!("`2026-11-24` {no_zone} 2026-11-24T00:00:00Z for UTC"));
        check(
            "2026-11-24T08:30",
            &format!("`2026-11-24T08:30` {no_zone} 2026-11-24T08:30:00Z for UTC"),
        );
    }
}
