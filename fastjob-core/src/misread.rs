//! Rewrites serde's errors for users.
//!
//! serde names Rust types such as `u32` and `struct BlockDraft`. Users need to know which field is
//! meant, what was found, and which values are valid.

/// A value that does not have the expected type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The path of the field, such as `children[0].job`; empty for the whole input.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

impl Misread {
    /// Parses what serde `said` about `path`. `table` is the format's term for a set of fields with
    /// values. Unknown messages are kept as they are.
    pub fn of(path: &str, said: &str, table: &str) -> Self {
        let path = if path == "." { "" } else { path };
        let (said, place) = split_place(said);
        if let Some(name) = quoted(said, "missing field `") {
            let dot = if path.is_empty() { "" } else { "." };
            return Self { field: format!("{path}{dot}{name}"), message: "it is missing".into() };
        }
        let message = match said.rsplit_once(", expected ") {
            Some((found, expected)) if let Some(found) = misfit(found) => {
                let (seen, wanted) = (seen(found, table), wanted(expected, table));
                format!("found {seen}{place}, expected {wanted}")
            }
            _ => format!("{said}{place}"),
        };
        Self { field: path.to_owned(), message }
    }
}

/// Splits off ` at line 1 column 9`, which serde_json appends.
fn split_place(said: &str) -> (&str, &str) {
    let is_place = |place: &str| {
        let mut words = place.split(' ').skip(3);
        let number = |word: Option<&str>| word.is_some_and(|word| word.parse::<u64>().is_ok());
        number(words.next()) && words.next() == Some("column") && number(words.next())
    };
    match said.rfind(" at line ") {
        Some(at) if is_place(&said[at..]) => said.split_at(at),
        _ => (said, ""),
    }
}

fn misfit(found: &str) -> Option<&str> {
    found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: "))
}

fn quoted<'a>(said: &'a str, before: &str) -> Option<&'a str> {
    said.strip_prefix(before)?.split('`').next()
}

fn seen(found: &str, table: &str) -> String {
    for number in ["integer `", "floating point `", "boolean `"] {
        if let Some(value) = quoted(found, number) {
            return value.to_owned();
        }
    }
    match found {
        "map" => table.to_owned(),
        "sequence" => "a list".to_owned(),
        "unit value" => "null".to_owned(),
        other => match other.strip_prefix("string ") {
            Some(text) => format!("the text {text}"),
            None => other.to_owned(),
        },
    }
}

fn wanted(expected: &str, table: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a whole number, not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "string" | "str" => "a text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => table.to_owned(),
        other if other.starts_with("struct ") => table.to_owned(),
        other => other.replace("a table", table),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::JobDraft;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let said = JobDraft::deserialize(value).unwrap_err().to_string();
        let Misread { field, message } = Misread::of(".", &said, "an object");
        assert_eq!((field.as_str(), message.as_str()), ("", expected));
    }

    #[test]
    fn found_and_expected_values_are_reported_without_type_names() {
        let whole = "expected a whole number from 0 to 4294967295";
        check(r#"{"retry": {"count": "many"}}"#, &format!("found the text \"many\", {whole}"));
        check(r#"{"shard": {"count": -1}}"#, &format!("found -1, {whole}"));
        check(r#"{"shard": {"count": 1.5}}"#, &format!("found 1.5, {whole}"));
        check(r#"{"shard": {"count": true}}"#, &format!("found true, {whole}"));
        check(r#"{"retry": {"factor": []}}"#, "found a list, expected a number");
        check(r#"{"enabled": "yes"}"#, "found the text \"yes\", expected true or false");
        check(r#"{"timeout": 30}"#, "found 30, expected a text in quotes");
        check(r#"{"name": null}"#, "found null, expected a text in quotes");
        check(r#"{"labels": "x"}"#, "found the text \"x\", expected an object");
        check(r#"{"alarms": "x"}"#, "found the text \"x\", expected a list");
        check(r#"{"exclude": "sat"}"#, "found the text \"sat\", expected an object");
        check(r#"{"block": 7}"#, "found 7, expected a word or an object");
        check(
            r#"{"retry": "x"}"#,
            "found the text \"x\", expected a number of retries or an object",
        );
    }

    #[test]
    fn the_position_is_kept_and_a_missing_field_is_named() {
        let said = "invalid type: string \"a, expected b\", expected u32 at line 2 column 9";
        let read = Misread::of("a[2].b", said, "a table");
        assert_eq!(read.field, "a[2].b");
        let found = "found the text \"a, expected b\" at line 2 column 9, expected a whole number";
        assert!(read.message.starts_with(found), "{read:?}");
        let read = Misread::of("misfire", "missing field `fire_all` at line 1 column 2", "a table");
        assert_eq!((&*read.field, &*read.message), ("misfire.fire_all", "it is missing"));
        assert_eq!(Misread::of(".", "missing field `from`", "a table").field, "from");
        let odd = "unknown field `x`, expected `a` or `b`";
        assert_eq!(Misread::of("x", odd, "a table").message, odd);
    }
}
