//! Numbers, counts and equality of JSON values.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use serde_json::{Number, Value};

use super::{
    Kind,
    check::{At, Verdict},
    rules::NumberRules,
};

pub(super) fn numbers(rules: &NumberRules, number: &Number, at: &At<'_>, verdict: &mut Verdict) {
    let mut check = |bound: &Option<Number>, allowed: &[Ordering], words: &str| {
        let Some(bound) = bound else { return };
        if compare(number, bound).is_some_and(|order| !allowed.contains(&order)) {
            verdict.add(at, Kind::Other, format!("it must be {words} {bound}, and is {number}"));
        }
    };
    check(&rules.minimum, &[Equal, Greater], "at least");
    check(&rules.maximum, &[Equal, Less], "at most");
    check(&rules.above, &[Greater], "more than");
    check(&rules.below, &[Less], "less than");
    if let Some(of) = &rules.multiple_of
        && !is_multiple(number, of)
    {
        let message = format!("it must be a multiple of {of}, and is {number}");
        verdict.add(at, Kind::Other, message);
    }
}

pub(super) fn bounds(
    count: u64,
    (min, max): (Option<u64>, Option<u64>),
    what: &str,
    at: &At<'_>,
    verdict: &mut Verdict,
) {
    let what = if count == 1 { what.trim_end_matches('s') } else { what };
    if let Some(min) = min.filter(|min| count < *min) {
        let message = format!("it has {count} {what}, at least {min} are needed");
        verdict.add(at, Kind::Other, message);
    }
    if let Some(max) = max.filter(|max| count > *max) {
        verdict.add(at, Kind::Other, format!("it has {count} {what}, at most {max} are allowed"));
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Whether it is a multiple. Binary fractions are rounded: 0.3 is a multiple of 0.1.
fn is_multiple(number: &Number, of: &Number) -> bool {
    if let (Some(number), Some(of)) = (whole(number), whole(of)) {
        return of == 0 || number % of == 0;
    }
    let (Some(number), Some(of)) = (number.as_f64(), of.as_f64()) else { return true };
    let times = number / of;
    !times.is_finite() || (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
}

/// Equality of JSON: 1 and 1.0 are the same number.
pub(super) fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| is_equal(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

/// How many values there are in a value.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / 32,
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(fields) => {
            1 + fields.iter().map(|(name, value)| name.len() / 32 + weight(value)).sum::<usize>()
        }
    }
}

/// The place of an item that is in the list before.
pub(super) fn twice(items: &[Value]) -> Option<usize> {
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    items.iter().position(|item| !seen.insert(canonical(item)))
}

/// A text that equal values have in common.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => match whole(number) {
            Some(whole) => whole.to_string(),
            None => match number.as_f64() {
                Some(float) if float.fract() == 0.0 => format!("{float:.0}"),
                _ => number.to_string(),
            },
        },
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{name:?}:{}", canonical(value)))
                .collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}
