//! Every route is described, every example fits its schema, and the committed file is up to date.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{document, nouns};
use crate::api::routes;

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

fn text() -> String {
    let mut text = document().to_pretty_json().expect("a description is JSON");
    text.push('\n');
    text
}

pub(super) fn json() -> Value {
    serde_json::from_str(&text()).unwrap()
}

#[test]
fn the_committed_description_is_up_to_date() {
    let text = text();
    if std::env::var_os("WRITE_OPENAPI").is_some() {
        fs::write(committed(), &text).unwrap();
        return;
    }
    let there = fs::read_to_string(committed()).unwrap_or_default();
    let first = there.lines().zip(text.lines()).position(|(there, new)| there != new);
    assert!(
        there == text,
        "fastjob-coordinator/openapi.json is not what the code says (from line {}): write it again \
         with `WRITE_OPENAPI=1 cargo test -p fastjob-coordinator --all-features --lib \
         openapi`",
        first.unwrap_or_else(|| there.lines().count().min(text.lines().count())) + 1
    );
}

#[test]
fn every_route_is_described_and_every_description_has_a_route() {
    let served: BTreeSet<_> = routes().into_iter().map(|(path, _)| path).collect();
    let described: BTreeSet<_> =
        nouns().iter().flat_map(|noun| noun.calls.iter().map(|call| call.path)).collect();
    let missing: Vec<_> = served.difference(&described).collect();
    assert!(missing.is_empty(), "without a description, see api/openapi/mod.rs: {missing:?}");
    let gone: Vec<_> = described.difference(&served).collect();
    assert!(gone.is_empty(), "described without a route: {gone:?}");
}

#[test]
fn operations_have_unique_names() {
    let mut ids = BTreeSet::new();
    for noun in nouns() {
        for call in &noun.calls {
            assert!(ids.insert(call.id), "{} is the name of two operations", call.id);
        }
    }
    // Links name operations.
    for noun in nouns() {
        for call in noun.calls {
            for id in call.leads() {
                assert!(ids.contains(id), "{} leads to {id}, which does not exist", call.id);
            }
        }
    }
}

#[test]
fn every_path_parameter_is_described() {
    let json = json();
    for (path, item) in json["paths"].as_object().unwrap() {
        let in_path: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in item.as_object().unwrap() {
            let described = operation["parameters"].as_array().into_iter().flatten();
            let described: BTreeSet<_> = described
                .filter(|param| param["in"] == "path")
                .map(|param| param["name"].as_str().unwrap())
                .collect();
            assert_eq!(in_path, described, "{method} {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let json = json();
    let mut all = Vec::new();
    references(&json, &mut all);
    assert!(!all.is_empty());
    for target in all {
        let pointer = target.strip_prefix('#').expect("it refers to the description itself");
        assert!(json.pointer(pointer).is_some(), "there is no {target}");
    }
}

#[test]
fn every_schema_is_used() {
    let json = json();
    let mut used = Vec::new();
    references(&json, &mut used);
    for name in json["components"]["schemas"].as_object().unwrap().keys() {
        let pointer = format!("#/components/schemas/{name}");
        // Data of events, which only texts name.
        let in_text = json.to_string().contains(&format!("`{name}`"));
        assert!(used.contains(&pointer) || in_text, "{name} is not used");
    }
}

fn references(json: &Value, into: &mut Vec<String>) {
    match json {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                into.push(target.clone());
            }
            fields.values().for_each(|field| references(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_example_fits_its_schema() {
    let json = json();
    let mut found = Vec::new();
    examples(&json, String::new(), &mut found);
    assert!(found.len() > 50, "{}", found.len());
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource("file:///openapi.json", json.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    for (pointer, example) in found {
        let schema =
            compiler.compile(&format!("file:///openapi.json#{pointer}/schema"), &mut schemas);
        let schema = schema.unwrap_or_else(|err| panic!("{pointer}: {err:#}"));
        if let Err(err) = schemas.validate(&example, schema) {
            panic!("the example of {pointer} does not fit: {err:#}");
        }
    }
}

/// The examples beside schemas, with the place of both.
fn examples(json: &Value, at: String, into: &mut Vec<(String, Value)>) {
    let Value::Object(fields) = json else { return };
    if fields.contains_key("schema") {
        into.extend(fields.get("example").map(|example| (at.clone(), example.clone())));
        let several = fields.get("examples").and_then(Value::as_object).into_iter().flatten();
        into.extend(several.map(|(_, example)| (at.clone(), example["value"].clone())));
    }
    for (name, field) in fields {
        let name =
            name.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D");
        if let Value::Array(items) = field {
            for (n, item) in items.iter().enumerate() {
                examples(item, format!("{at}/{name}/{n}"), into);
            }
        } else {
            examples(field, format!("{at}/{name}"), into);
        }
    }
}
