//! Partial definitions: the fields to change, merged into a complete definition.

use serde_json::{Map, Value};

/// The fields of a schedule of which exactly one is set.
const SCHEDULES: &[&str] = &["cron", "fixed_rate", "fixed_delay", "once"];
/// What limits a schedule.
const OF_A_SCHEDULE: &[&str] = &["jitter", "exclude", "start_at", "end_at"];
/// What belongs to some block strategies only.
const BOUNDS: &[&str] = &["max_waiting", "max_running"];
/// The fields of shards of which exactly one is set.
const SHARDS: &[&str] = &["dynamic", "count"];

/// A definition with the fields of `edit`, both as the JSON of a [`JobDraft`](super::JobDraft).
///
/// Tables are merged as JSON Merge Patch does (RFC 7396): a field that `edit` omits keeps its value,
/// and `null` removes a field, so that it gets its default. Lists and the param are replaced as a
/// whole. The kinds of a schedule replace each other, and so do those of shards. Another block strategy
/// has bounds of its own. A number for `retry` sets its count only.
pub fn merged(current: Value, edit: &Map<String, Value>) -> Value {
    let current = table(current);
    let mut merged = current.clone();
    for (field, value) in edit {
        let before = merged.remove(field);
        let after = match (field.as_str(), value) {
            (_, Value::Null) => None,
            ("param", value) => Some(value.clone()),
            ("schedule", value) => Some(merge(before.map(|b| without(b, SCHEDULES, value)), value)),
            ("shard", value) => Some(merge(before.map(|b| without(b, SHARDS, value)), value)),
            ("block", value) => Some(merged_block(before, value)),
            ("retry", count @ Value::Number(_)) => {
                Some(merge(before, &serde_json::json!({ "count": count })))
            }
            (_, value) => Some(merge(before, value)),
        };
        merged.extend(after.map(|after| (field.clone(), after)));
    }
    fit(&mut merged, &current, edit);
    merged.into()
}

/// Adapts fields that depend on others which the edit has changed, unless it has them as well.
fn fit(merged: &mut Map<String, Value>, before: &Map<String, Value>, edit: &Map<String, Value>) {
    let has_alarms = merged.get("alarms").and_then(Value::as_array).is_some_and(|a| !a.is_empty());
    if !has_alarms && !edit.contains_key("alarm_when") {
        merged.remove("alarm_when");
    }
    // Without a schedule, nothing limits it.
    if merged.get("schedule").is_some_and(|schedule| schedule == "none") {
        merged.retain(|field, _| {
            !OF_A_SCHEDULE.contains(&field.as_str()) || edit.contains_key(field)
        });
    }
    // A calendar uses the zone of a cron expression, and has its own with other schedules.
    let is_cron = merged.get("schedule").is_some_and(|schedule| schedule.get("cron").is_some());
    let zone = before.get("schedule").and_then(|schedule| schedule.get("zone")).cloned();
    let has_zone = edit.get("exclude").is_some_and(|exclude| exclude.get("zone").is_some());
    let Some(Value::Object(exclude)) = merged.get_mut("exclude").filter(|_| !has_zone) else {
        return;
    };
    match (is_cron, zone) {
        (true, _) => {
            let own = exclude.remove("zone");
            if let (Some(own), Some(Value::Object(schedule))) = (own, merged.get_mut("schedule")) {
                schedule.entry("zone").or_insert(own);
            }
        }
        (false, Some(zone)) => drop(exclude.insert("zone".to_owned(), zone)),
        (false, None) => {}
    }
}

/// The block strategy with its scope and, unless the strategy changes, its bounds.
fn merged_block(before: Option<Value>, edit: &Value) -> Value {
    let name = |block: &Value| block.get("strategy").unwrap_or(block).as_str().map(str::to_owned);
    let (old, new) = (before.as_ref().and_then(name), name(edit));
    let mut before = match before.as_ref().and_then(Value::as_str) {
        Some(strategy) => serde_json::json!({ "strategy": strategy }),
        None => before.unwrap_or_default(),
    };
    if new.is_some()
        && new != old
        && let Value::Object(before) = &mut before
    {
        before.retain(|field, _| !BOUNDS.contains(&field.as_str()));
    }
    match edit.as_str() {
        Some(strategy) => merge(Some(before), &serde_json::json!({ "strategy": strategy })),
        None => merge(Some(before), edit),
    }
}

/// Without the kinds that another kind in `edit` replaces. A zone belongs to `cron`.
fn without(before: Value, kinds: &[&str], edit: &Value) -> Value {
    let Value::Object(mut before) = before else { return before };
    let has = |kind: &str| edit.get(kind).is_some_and(|value| !value.is_null());
    if kinds.iter().any(|kind| has(kind)) {
        before.retain(|field, _| {
            !kinds.contains(&field.as_str()) && (field != "zone" || has("cron"))
        });
    }
    before.into()
}

fn merge(before: Option<Value>, edit: &Value) -> Value {
    let Value::Object(edit) = edit else { return edit.clone() };
    let mut merged = before.map(table).unwrap_or_default();
    for (field, value) in edit {
        let before = merged.remove(field);
        if !value.is_null() {
            merged.insert(field.clone(), merge(before, value));
        }
    }
    merged.into()
}

/// The fields of a table; none of anything else.
fn table(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(table) => table,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(current: Value, edit: Value, expected: Value) {
        assert_eq!(merged(current, &table(edit)), expected);
    }

    #[test]
    fn what_an_edit_omits_keeps_its_value_and_null_removes_it() {
        let before = json!({"name": "a", "timeout": "5s", "labels": {"team": "x", "tier": "1"}});
        check(before.clone(), json!({}), before.clone());
        check(before.clone(), json!({"grace": "1s", "labels": {"tier": null, "of": "y"}}), {
            json!({"name": "a", "timeout": "5s", "grace": "1s", "labels": {"team": "x", "of": "y"}})
        });
        check(before, json!({"timeout": null, "labels": null}), json!({"name": "a"}));
    }

    #[test]
    fn a_schedule_of_another_kind_replaces_it_and_keeps_the_zone_of_a_cron_expression() {
        let cron = json!({"schedule": {"cron": "0 0 * * *", "zone": "Europe/Berlin"}});
        check(cron.clone(), json!({"schedule": {"cron": "0 1 * * *"}}), {
            json!({"schedule": {"cron": "0 1 * * *", "zone": "Europe/Berlin"}})
        });
        let rate = json!({"schedule": {"fixed_rate": "1h"}});
        check(cron.clone(), rate.clone(), rate.clone());
        check(cron.clone(), json!({"schedule": {"zone": "UTC"}}), {
            json!({"schedule": {"cron": "0 0 * * *", "zone": "UTC"}})
        });
        check(rate.clone(), json!({"schedule": "none"}), json!({"schedule": "none"}));
        check(
            json!({"schedule": {"fixed_rate": "1h"}, "jitter": "1m", "timeout": "1s"}),
            json!({"schedule": "none"}),
            json!({"schedule": "none", "timeout": "1s"}),
        );
        check(json!({"schedule": "none"}), rate.clone(), rate);
    }

    #[test]
    fn strategies_with_parameters_are_merged_by_their_parameters() {
        let retry = json!({"retry": {"count": 3, "delay": "1m"}});
        for edit in [json!({"retry": 5}), json!({"retry": {"count": 5}})] {
            check(retry.clone(), edit, json!({"retry": {"count": 5, "delay": "1m"}}));
        }
        let block = json!({"block": {"strategy": "serial", "scope": "cluster", "max_waiting": 5}});
        let other = json!({"block": {"strategy": "skip_new", "scope": "cluster"}});
        check(block.clone(), json!({"block": "skip_new"}), other.clone());
        check(block.clone(), json!({"block": {"strategy": "skip_new"}}), other);
        check(block.clone(), json!({"block": "serial"}), block.clone());
        check(block, json!({"block": {"max_waiting": 6}}), {
            json!({"block": {"strategy": "serial", "scope": "cluster", "max_waiting": 6}})
        });
        check(json!({"shard": {"dynamic": "cpu < 1"}}), json!({"shard": {"count": 2}}), {
            json!({"shard": {"count": 2}})
        });
        check(json!({"misfire": "skip"}), json!({"misfire": {"fire_all": {"max": 2}}}), {
            json!({"misfire": {"fire_all": {"max": 2}}})
        });
    }

    #[test]
    fn fields_that_depend_on_a_changed_field_follow_it() {
        let alarms = json!({"alarms": ["x"], "alarm_when": {"runs_longer": "1h"}});
        check(alarms.clone(), json!({"alarms": ["y"]}), {
            json!({"alarms": ["y"], "alarm_when": {"runs_longer": "1h"}})
        });
        check(alarms, json!({"alarms": []}), json!({"alarms": []}));
        let cron = json!({
            "schedule": {"cron": "0 0 * * *", "zone": "Asia/Tokyo"}, "exclude": {"days": ["sat"]},
        });
        let rate = json!({
            "schedule": {"fixed_rate": "1h"}, "exclude": {"days": ["sat"], "zone": "Asia/Tokyo"},
        });
        check(cron.clone(), json!({"schedule": {"fixed_rate": "1h"}}), rate.clone());
        check(rate.clone(), json!({"schedule": {"cron": "0 0 * * *"}}), cron.clone());
        check(rate, json!({"schedule": {"cron": "0 0 * * *", "zone": "Asia/Tokyo"}}), cron);
    }

    #[test]
    fn params_and_lists_are_replaced_as_a_whole() {
        let before = json!({"param": {"a": 1}, "alarms": ["x", "y"]});
        check(before, json!({"param": {"b": 2}, "alarms": ["z"]}), {
            json!({"param": {"b": 2}, "alarms": ["z"]})
        });
    }
}
