//! How two definitions differ, field by field.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Job, JobDraft};

/// A field that differs between two definitions.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// The path of the field, with dots: `retry.count`.
    pub field: String,
    /// Its value in the first definition; `None` if it is not set there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub from: Option<Value>,
    /// Its value in the second definition; `None` if it is not set there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub to: Option<Value>,
}

/// The fields that differ between two jobs, defaults included, in the order of their names. Lists and
/// params are single values.
pub fn differences(from: &Job, to: &Job) -> Vec<FieldChange> {
    let mut found = Vec::new();
    if from != to {
        compare("", &json(from), &json(to), &mut found);
    }
    found
}

fn json(job: &Job) -> Value {
    let mut draft = JobDraft::from(job);
    // It may have any structure.
    let param = std::mem::take(&mut draft.param);
    // A draft has text keys only, so this does not fail.
    let mut value = serde_json::to_value(draft).unwrap_or_default();
    if let (Value::Object(fields), Value::String(_)) = (&mut value, &param) {
        fields.insert("param".to_owned(), param);
    }
    value
}

fn compare(path: &str, from: &Value, to: &Value, found: &mut Vec<FieldChange>) {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        if from != to {
            let value = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
            found.push(FieldChange { field: path.to_owned(), from: value(from), to: value(to) });
        }
        return;
    };
    for field in keys(from, to) {
        let dot = if path.is_empty() { "" } else { "." };
        let value = |table: &Map<String, Value>| table.get(field).cloned().unwrap_or_default();
        compare(&format!("{path}{dot}{field}"), &value(from), &value(to), found);
    }
}

/// The fields of either table.
fn keys<'v>(a: &'v Map<String, Value>, b: &'v Map<String, Value>) -> Vec<&'v str> {
    let mut keys: Vec<_> = a.keys().chain(b.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(json: &str) -> Job {
        serde_json::from_str::<JobDraft>(json).unwrap().try_into().unwrap()
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &[&str]) {
        let found = differences(&job(from), &job(to));
        let shown =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
        let found: Vec<_> = found
            .iter()
            .map(|change| format!("{} {} {}", change.field, shown(&change.from), shown(&change.to)))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_field_that_differs_is_named_with_both_values() {
        let plain = r#"{"name": "a"}"#;
        check(
            plain,
            r#"{"name": "a", "retry": 3, "timeout": "5s", "labels": {"team": "x"}}"#,
            &[r#"labels - {"team":"x"}"#, "retry.count 0 3", r#"timeout - "5s""#],
        );
        check(
            r#"{"name": "a", "schedule": {"cron": "0 0 * * *"}, "labels": {"team": "x"}}"#,
            r#"{"name": "a", "schedule": {"fixed_rate": "1h"}, "labels": {"team": "y", "of": "z"}}"#,
            &[
                r#"labels.of - "z""#,
                r#"labels.team "x" "y""#,
                r#"schedule.cron "0 0 * * *" -"#,
                r#"schedule.fixed_rate - "1h""#,
                r#"schedule.zone "UTC" -"#,
            ],
        );
        check(
            r#"{"name": "a", "param": {"x": 1}}"#,
            r#"{"name": "a", "param": {"x": 2}}"#,
            &[r#"param "{\"x\":1}" "{\"x\":2}""#],
        );
    }

    #[test]
    fn a_default_that_is_written_out_is_no_difference() {
        check(
            r#"{"name": "a"}"#,
            r#"{"name": "a", "handler": "a", "retry": 0, "grace": "10s"}"#,
            &[],
        );
    }
}
