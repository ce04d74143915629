//! The fields of a param, from its JSON schema.

use serde_json::Value;

use crate::cli::table::{Table, shortened};

/// Maximum number of characters of a description.
const DESCRIPTION: usize = 60;
/// Maximum number of characters of a type.
const TYPE: usize = 40;
/// How many references are followed.
const REFERENCES: usize = 8;

/// The fields of an object; `None` if the param is something else, or has none.
pub(super) fn fields(schema: &Value) -> Option<Table> {
    let object = resolved(schema, schema);
    let properties = object.get("properties")?.as_object().filter(|fields| !fields.is_empty())?;
    let required = object.get("required").and_then(Value::as_array);
    let mut table = Table::new(&["FIELD", "TYPE", "REQUIRED", "DEFAULT", "DESCRIPTION"]);
    for (name, field) in properties {
        let is_required = required.is_some_and(|names| names.iter().any(|other| other == name));
        let resolved = resolved(schema, field);
        let text = |key: &str| {
            let text = field.get(key).or_else(|| resolved.get(key)).and_then(Value::as_str);
            shortened(text.unwrap_or_default(), DESCRIPTION)
        };
        table.row([
            name.clone(),
            shortened(&kind(schema, field), TYPE),
            if is_required { "yes" } else { "no" }.to_owned(),
            field.get("default").map(ToString::to_string).unwrap_or_default(),
            text("description"),
        ]);
    }
    Some(table)
}

/// What a param is, in a few words: its title or its type.
pub(super) fn form(schema: &Value) -> String {
    match schema.get("title").and_then(Value::as_str) {
        Some(title) => shortened(title, TYPE),
        None => shortened(&kind(schema, schema), TYPE),
    }
}

/// The type of a subschema.
fn kind(root: &Value, schema: &Value) -> String {
    let schema = resolved(root, schema);
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    }
    if let Some(only) = schema.get("const") {
        return only.to_string();
    }
    for forms in ["anyOf", "oneOf"] {
        if let Some(forms) = schema.get(forms).and_then(Value::as_array) {
            // One level, because schemas may be recursive.
            let kinds = forms.iter().map(|form| simple(resolved(root, form)));
            return kinds.collect::<Vec<_>>().join(" or ");
        }
    }
    simple(schema)
}

fn simple(schema: &Value) -> String {
    let kind = match (schema.get("type"), schema.get("const")) {
        (Some(Value::String(one)), _) => one.clone(),
        (Some(Value::Array(several)), _) => {
            several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        (_, Some(only)) => only.to_string(),
        _ => "any".to_owned(),
    };
    match schema.get("format").and_then(Value::as_str) {
        Some(format) => format!("{kind} ({format})"),
        None => kind,
    }
}

/// The subschema itself, or that to which it refers.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..REFERENCES {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fields_of_a_param_are_listed_with_their_types() {
        let schema = json!({
            "title": "Month", "type": "object", "required": ["month"],
            "properties": {
                "month": { "type": "integer", "format": "uint8", "description": "1 to 12" },
                "kind": { "$ref": "#/$defs/Kind" },
                "note": { "type": ["string", "null"], "default": null },
                "nested": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] },
            },
            "$defs": { "Kind": { "type": "string", "enum": ["short", "long"] } },
        });
        assert_eq!(form(&schema), "Month");
        let expected = "FIELD   TYPE               REQUIRED  DEFAULT  DESCRIPTION\n\
                        kind    \"short\" or \"long\"  no        -        -\n\
                        month   integer (uint8)    yes       -        1 to 12\n\
                        nested  object or null     no        -        -\n\
                        note    string or null     no        null     -";
        assert_eq!(fields(&schema).unwrap().to_string(), expected);
        for other in [json!(true), json!({ "type": "string" }), json!({ "$ref": "#" })] {
            assert!(fields(&other).is_none());
        }
        assert_eq!(form(&json!({ "type": "string" })), "string");
    }
}
