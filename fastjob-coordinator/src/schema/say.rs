//! The words for what is wrong with a param.

use serde_json::Value;

use super::{
    Kind, Misfit,
    check::{At, Step},
    rules::{ObjectRules, Types},
};

/// Maximum number of characters of a value in a message.
const SHOWN: usize = 60;
/// Maximum number of choices in a message.
const CHOICES: usize = 10;
/// Maximum number of characters of a path.
const PATH: usize = 200;

/// The path of a field: `param.items[3].name`.
pub(super) fn path(at: &At<'_>) -> String {
    let mut steps = Vec::new();
    let mut next = Some(at);
    while let Some(at) = next {
        steps.push(at.step);
        next = at.parent;
    }
    let mut path = String::new();
    for step in steps.into_iter().rev() {
        match step {
            Step::Root => path.push_str("param"),
            Step::Field(name) if is_plain(name) => {
                path.push('.');
                path.push_str(name);
            }
            Step::Field(name) => path.push_str(&format!("[{}]", Value::from(shortened(name)))),
            Step::Item(number) => path.push_str(&format!("[{number}]")),
        }
        if path.len() > PATH {
            return shortened_to(&path, PATH);
        }
    }
    path
}

fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= SHOWN && name.chars().all(allowed)
}

/// A value as JSON, shortened.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => Value::from(shortened(text)).to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    shortened_to(text, SHOWN)
}

fn shortened_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `a, b or c`, at most [`CHOICES`] of them.
fn listed(mut choices: Vec<String>) -> String {
    let count = choices.len();
    if count > CHOICES {
        choices.truncate(CHOICES);
        return format!("{} or {} others", choices.join(", "), count - CHOICES);
    }
    match choices.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

pub(super) fn wrong_type(types: Types, value: &Value) -> String {
    let words = types.words().map(str::to_owned).collect();
    format!("it must be {}, and is {}", listed(words), shown(value))
}

pub(super) fn one_of(values: &[Value], value: &Value) -> String {
    let choices = values.iter().map(shown).collect();
    format!("it must be {}, and is {}", listed(choices), shown(value))
}

/// How many steps it takes to compare an unknown field with the name of a property.
pub(super) fn steps(name: &str) -> usize {
    let compared = if name.len() <= SHOWN { name.len() } else { 0 };
    1 + compared * compared / 256
}

pub(super) fn unknown_field(name: &str, rules: &ObjectRules) -> String {
    let near = rules
        .properties
        .keys()
        .filter(|known| known.len().abs_diff(name.len()) <= 2 && name.len() <= SHOWN)
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min();
    if let Some((_, near)) = near {
        return format!("there is no such field; did you mean `{near}`?");
    }
    let known: Vec<_> = rules.properties.keys().map(|name| format!("`{name}`")).collect();
    match known.is_empty() {
        true => "there is no such field".to_owned(),
        false => format!("there is no such field; there are {}", and_listed(known)),
    }
}

fn and_listed(mut names: Vec<String>) -> String {
    let count = names.len();
    names.truncate(CHOICES);
    let more = if count > names.len() { " and more" } else { "" };
    format!("{}{more}", names.join(", "))
}

/// The problems of the form that was probably meant, of several forms that do not fit.
pub(super) fn nearest(branches: Vec<Vec<Misfit>>, at: &At<'_>) -> Vec<Misfit> {
    let (field, depth) = (path(at), depth(at));
    let rank = |misfits: &Vec<Misfit>| {
        let far = |misfit: &Misfit| match misfit.kind {
            Kind::Type | Kind::Value if misfit.depth <= depth => 2,
            // The tag of another variant, or its content.
            Kind::Value | Kind::Extra if misfit.depth == depth + 1 => 1,
            Kind::Type | Kind::Value | Kind::Missing | Kind::Extra | Kind::Other => 0,
        };
        (misfits.iter().map(far).max().unwrap_or(0), misfits.len())
    };
    let count = branches.len();
    let Some(best) = branches.iter().map(rank).min() else { return Vec::new() };
    let nearest: Vec<_> = branches.into_iter().filter(|misfits| rank(misfits) == best).collect();
    if let [_] = nearest.as_slice() {
        return nearest.into_iter().flatten().collect();
    }
    let firsts: Vec<_> =
        nearest.into_iter().filter_map(|misfits| misfits.into_iter().next()).collect();
    // `it must be a string, and is 7` and `it must be a list, and is 7` become one.
    let parts: Option<Vec<_>> = firsts
        .iter()
        .map(|misfit| {
            let rest = misfit.message.strip_prefix("it must be ")?;
            (misfit.field == field).then(|| rest.split_once(", and is ")).flatten()
        })
        .collect();
    let (kind, message) = match parts.as_deref() {
        Some([(_, is), ..]) => {
            let mut choices: Vec<String> = Vec::new();
            for (choice, _) in parts.iter().flatten() {
                if !choices.iter().any(|known| known == choice) {
                    choices.push((*choice).to_owned());
                }
            }
            let kind = firsts.first().map_or(Kind::Type, |first| first.kind);
            (kind, format!("it must be {}, and is {is}", listed(choices)))
        }
        _ => {
            let first = firsts.first().map(|one| format!(": {} {}", one.field, one.message));
            let first = first.unwrap_or_default();
            (Kind::Other, format!("it has none of the {count} allowed forms{first}"))
        }
    };
    vec![Misfit { field, message, kind, depth }]
}

fn depth(at: &At<'_>) -> usize {
    at.parent.map_or(0, |parent| depth(parent) + 1)
}
