//! Which params fit, what is said of the others, and that no schema takes long.

use serde_json::{Map, json};

use super::*;

fn schema(schema: &Value) -> Schema {
    Schema::read(&schema.to_string()).unwrap()
}

#[track_caller]
fn fits(of: &Value, param: Option<&str>) {
    assert_eq!(schema(of).check(param), Ok(()));
}

/// Checks the fields and the messages of a param that does not fit.
#[track_caller]
fn misfits(of: &Value, param: Option<&str>, expected: &[(&str, &str)]) {
    let found = schema(of).check(param).unwrap_err();
    let found: Vec<_> = found.iter().map(|one| (&*one.field, &*one.message)).collect();
    assert_eq!(found, expected);
}

/// As schemars writes the schema of a struct with an enum, an option and a list of structs.
fn report() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report", "type": "object", "required": ["month", "kind"],
        "properties": {
            "month": { "type": "integer", "format": "uint8", "minimum": 1, "maximum": 12 },
            "kind": { "$ref": "#/$defs/Kind" },
            "note": { "type": ["string", "null"], "maxLength": 3 },
            "to": { "anyOf": [{ "$ref": "#/$defs/Address" }, { "type": "null" }] },
            "copies": { "type": "array", "items": { "$ref": "#/$defs/Address" }, "maxItems": 2 },
        },
        "additionalProperties": false,
        "$defs": {
            "Kind": { "oneOf": [
                { "type": "string", "enum": ["short", "long"] },
                { "description": "the pages", "type": "string", "const": "pages" },
            ] },
            "Address": { "type": "object", "required": ["mail"], "properties": {
                "mail": { "type": "string", "pattern": "^[^@]+@[^@]+$" },
            } },
        },
    })
}

#[test]
fn a_param_that_fits_is_accepted() {
    let report = report();
    fits(&report, Some(r#"{"month": 12, "kind": "pages"}"#));
    fits(&report, Some(r#"{"month": 1.0, "kind": "long", "note": null, "to": null}"#));
    fits(&report, Some(r#"{"month": 1, "kind": "short", "to": {"mail": "a@b", "more": 1}}"#));
    fits(&report, Some(r#"{"month": 1, "kind": "short", "note": "日本語", "copies": []}"#));
    for any in [json!(true), json!({}), json!({ "title": "AnyValue" })] {
        fits(&any, Some("plain words"));
        fits(&any, None);
    }
}

#[test]
fn a_problem_names_its_field_in_plain_words() {
    let report = report();
    let check = |param: &str, expected: &[(&str, &str)]| misfits(&report, Some(param), expected);
    check(
        r#"{"month": 13, "kind": "short"}"#,
        &[("param.month", "it must be at most 12, and is 13")],
    );
    check(
        r#"{"month": "May", "kind": "shrt"}"#,
        &[
            ("param.kind", "it must be \"short\" or \"long\" or \"pages\", and is \"shrt\""),
            ("param.month", "it must be a whole number, and is \"May\""),
        ],
    );
    check(
        r#"{"mont": 1, "kind": "short"}"#,
        &[
            ("param.month", "it is missing"),
            ("param.mont", "there is no such field; did you mean `month`?"),
        ],
    );
    check(
        r#"{"month": 1, "kind": "short", "further words": 1}"#,
        &[(
            "param[\"further words\"]",
            "there is no such field; there are `copies`, `kind`, `month`, `note`, `to`",
        )],
    );
    check(
        r#"{"month": 1, "kind": "long", "to": {}, "copies": [{"mail": "a@b"}, {"mail": "x"}]}"#,
        &[
            ("param.copies[1].mail", "it must match the pattern ^[^@]+@[^@]+$"),
            ("param.to.mail", "it is missing"),
        ],
    );
    check(
        r#"{"month": 1, "kind": "long", "to": 7, "note": "long"}"#,
        &[
            ("param.note", "it has 4 characters, at most 3 are allowed"),
            ("param.to", "it must be an object or null, and is 7"),
        ],
    );
    check("[]", &[("param", "it must be an object, and is an empty list")]);
    misfits(&report, None, &[("param", "it is missing: the handler needs a param")]);
}

#[test]
fn text_is_a_param_of_a_handler_that_takes_a_string() {
    let string = json!({ "type": "string", "minLength": 2 });
    for text in ["plain words", "42", "true", "{\"a\": 1}", "\"quoted\""] {
        fits(&string, Some(text));
    }
    misfits(&string, Some("x"), &[("param", "it has 1 character, at least 2 are needed")]);
    let choice = json!({ "type": "string", "enum": ["a", "7"] });
    fits(&choice, Some("a"));
    fits(&choice, Some("7"));
    misfits(&choice, Some("b"), &[("param", "it must be \"a\" or \"7\", and is \"b\"")]);
    misfits(
        &json!({ "type": "integer" }),
        Some("many"),
        &[(
            "param",
            "it is not JSON (expected value at line 1 column 1): it must be a whole number, and is \
             \"many\"",
        )],
    );
    fits(&json!({ "type": ["string", "null"] }), None);
    fits(&json!({ "type": "null" }), None);
}

#[test]
fn the_variant_that_was_meant_is_the_one_that_is_described() {
    let of = json!({ "oneOf": [
        { "type": "object", "required": ["Mail"], "additionalProperties": false, "properties": {
            "Mail": { "type": "object", "required": ["to"], "properties": {
                "to": { "type": "string" },
            } },
        } },
        { "type": "object", "required": ["Page"], "additionalProperties": false, "properties": {
            "Page": { "type": "integer" },
        } },
        { "type": "string", "const": "None" },
    ] });
    fits(&of, Some(r#"{"Page": 3}"#));
    fits(&of, Some("None"));
    misfits(&of, Some(r#"{"Mail": {}}"#), &[("param.Mail.to", "it is missing")]);
    let tagged = json!({ "oneOf": [
        { "type": "object", "required": ["kind", "to"], "properties": {
            "kind": { "const": "mail" }, "to": { "type": "string" },
        } },
        { "type": "object", "required": ["kind", "number"], "properties": {
            "kind": { "const": "page" }, "number": { "type": "integer" },
        } },
    ] });
    misfits(
        &tagged,
        Some(r#"{"kind": "page", "number": "x"}"#),
        &[("param.number", "it must be a whole number, and is \"x\"")],
    );
    misfits(
        &json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 5 }] }),
        Some("3"),
        &[("param", "it fits several forms, and exactly one is allowed")],
    );
}

#[test]
fn what_is_not_supported_is_open_and_the_rest_is_checked() {
    for open in [
        json!({ "$ref": "https://example.org/schema.json" }),
        json!({ "$ref": "other.json#/$defs/A" }),
        json!({ "$ref": "#anchor" }),
        json!({ "$ref": "#/$defs/none" }),
        json!({ "$dynamicRef": "#x" }),
        json!({ "pattern": "(?=lookahead)" }),
        json!({ "pattern": "(((((a{999}){999}){999}){999}){999}){999}" }),
        json!({ "type": "text" }),
        json!({ "minimum": "one" }),
        json!({ "items": [{ "type": "string" }] }),
        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1 }),
        json!({ "not": { "$ref": "https://example.org" } }),
        json!({ "oneOf": [{ "$ref": "x.json" }, { "const": 1 }] }),
        json!({ "patternProperties": { "(?=a)": {} }, "additionalProperties": false }),
    ] {
        let schema = schema(&open);
        assert!(!schema.is_supported(), "{open}");
        for param in [None, Some("1"), Some(r#"{"a": ["text"]}"#), Some("text")] {
            assert_eq!(schema.check(param), Ok(()), "{open}");
        }
    }
    let partly = json!({ "$ref": "https://example.org", "type": "object", "required": ["a"] });
    misfits(&partly, Some("{}"), &[("param.a", "it is missing")]);
}

#[test]
fn no_schema_takes_long_or_ends_the_process() {
    // Each level doubles the work: 2^60 steps without a bound.
    let mut defs = Map::new();
    for level in 0..60 {
        let next = json!({ "$ref": format!("#/$defs/{}", level + 1) });
        defs.insert(level.to_string(), json!({ "allOf": [next, next] }));
    }
    defs.insert("60".to_owned(), json!({ "type": "object" }));
    fits(&json!({ "$ref": "#/$defs/0", "$defs": defs }), Some("{}"));
    fits(&json!({ "$ref": "#" }), Some("1"));
    fits(&json!({ "anyOf": [{ "$ref": "#" }, { "not": { "$ref": "#" } }] }), Some("1"));
    let own = json!({ "properties": { "a": { "$ref": "#" } }, "items": { "$ref": "#" } });
    let deep = format!("{}1{}", r#"{"a":"#.repeat(120), "}".repeat(120));
    fits(&own, Some(&deep));
    let evil = json!({ "type": "string", "pattern": "^(a|aa)+$", "maxLength": 300_000 });
    fits(&evil, Some(&format!("{}b", "a".repeat(200_000))));
    let many = format!("[{}]", vec!["[1,2]"; 40_000].join(","));
    fits(&json!({ "uniqueItems": true, "items": { "enum": [[1, 2], [3]] } }), Some(&many));
    let bad = json!({ "type": "array", "items": { "type": "string" } });
    assert_eq!(schema(&bad).check(Some(&many)).unwrap_err().len(), 10, "the first problems");
}

#[test]
fn many_unknown_fields_take_steps_and_few_suggestions() {
    let properties: Map<_, _> = (0..900).map(|n| (format!("{n:0>60}"), json!({}))).collect();
    let of = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let unknown: Map<_, _> = (0..3_000).map(|n| (format!("{n:x>60}"), json!(1))).collect();
    let found = schema(&of).check(Some(&Value::from(unknown).to_string())).unwrap_err();
    assert!((1..=10).contains(&found.len()), "{found:?}");
    let needs: Vec<_> = (0..9_000).map(|n| n.to_string()).collect();
    let needs: Map<_, _> = [("a".to_owned(), json!(needs))].into_iter().collect();
    let of = json!({ "type": "array", "items": { "dependentRequired": needs } });
    let many = format!("[{}]", vec![r#"{"a":1}"#; 30_000].join(","));
    assert_eq!(schema(&of).check(Some(&many)).unwrap_err().len(), 10);
}

#[test]
fn subschemas_beyond_the_limit_are_open() {
    let of = |count: usize| json!({ "allOf": vec![json!({}); count], "type": "object" });
    assert!(schema(&of(3_999)).is_supported() && !schema(&of(4_000)).is_supported());
    let long = schema(&of(15_000));
    assert_eq!(long.nodes.len(), 4_001);
    assert_eq!(long.check(Some("{}")), Ok(()));
    assert!(long.check(Some("1")).is_err(), "the rest is checked");
}

#[test]
fn a_schema_that_is_none_is_refused() {
    let refused = |text: &str| Schema::read(text).unwrap_err().to_string();
    assert_eq!(refused("[]"), "a schema is an object, true or false");
    assert_eq!(refused("{"), "it is not JSON");
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(SCHEMA_MAX));
    assert!(refused(&long).ends_with("at most 65536 are allowed"));
}

#[test]
fn keywords_mean_what_json_schema_says() {
    #[track_caller]
    fn check(schema: Value, fit: &[Value], misfit: &[Value]) {
        let of = self::schema(&schema);
        for (values, expected) in [(fit, true), (misfit, false)] {
            for value in values {
                assert_eq!(of.misfits(value).is_none(), expected, "{schema} {value}");
            }
        }
    }
    check(json!({ "exclusiveMinimum": 1, "multipleOf": 0.1 }), &[json!(1.3)], &[json!(1)]);
    check(json!({ "const": 1 }), &[json!(1.0)], &[json!("1"), json!(2)]);
    check(json!({ "uniqueItems": true }), &[json!([1, "1"])], &[json!([1, 2, 1.0])]);
    check(
        json!({ "prefixItems": [{ "type": "string" }], "items": false }),
        &[json!(["a"]), json!([])],
        &[json!([1]), json!(["a", "b"])],
    );
    check(
        json!({ "contains": { "type": "string" }, "maxContains": 1 }),
        &[json!(["a", 1])],
        &[json!([1]), json!(["a", "b"])],
    );
    check(
        json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": { "maxProperties": 1 } }),
        &[json!({ "a": 1, "b": 1 }), json!({ "c": 1 })],
        &[json!({ "a": 1 }), json!({ "c": 1, "d": 1 })],
    );
    check(
        json!({ "patternProperties": { "^n": { "type": "integer" } }, "additionalProperties": { "type": "string" } }),
        &[json!({ "n1": 1, "a": "x" })],
        &[json!({ "n1": "x" }), json!({ "a": 1 })],
    );
    check(
        json!({
            "allOf": [{ "properties": { "a": {} } }, { "$ref": "#/$defs/more" }],
            "properties": { "b": {} }, "unevaluatedProperties": false,
            "$defs": { "more": { "anyOf": [{ "properties": { "c": { "const": 1 } } }, true] } },
        }),
        &[json!({ "a": 1, "b": 1, "c": 1 })],
        &[json!({ "d": 1 }), json!({ "c": 2 })],
    );
    check(
        json!({ "dependentRequired": { "a": ["b"] }, "propertyNames": { "maxLength": 2 } }),
        &[json!({ "b": 1 }), json!({ "a": 1, "b": 1 })],
        &[json!({ "a": 1 }), json!({ "long": 1 })],
    );
    check(json!({ "not": { "type": "string" } }), &[json!(1)], &[json!("a")]);
    check(json!({ "type": "integer" }), &[json!(1.0), json!(u64::MAX)], &[json!(1.5)]);
}
