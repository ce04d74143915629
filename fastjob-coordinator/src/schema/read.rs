//! Reads a schema: JSON Schema 2020-12, as schemars writes it.
//!
//! Subschemas are read one after the other and each once, whatever refers to it, so the time and the
//! memory follow from the length of the schema and the number of its subschemas, which are limited.
//! Subschemas beyond the limit are open.

use std::collections::HashMap;

use regex_lite::{Regex, RegexBuilder};
use serde_json::{Map, Number, Value};

use super::rules::{ListRules, NodeId, ObjectRules, Rules, Types, Values};

/// Maximum length of a pattern, and maximum size of what it compiles to.
const PATTERN_MAX: usize = 1024;
const PATTERN_SIZE: usize = 32 * 1024;
/// Maximum number of patterns in a schema.
const PATTERNS_MAX: usize = 200;
/// Maximum number of subschemas that are read. Each may take hundreds of bytes, and its text two.
const NODES_MAX: usize = 4_000;
/// Dialects whose keywords have the meaning that is implemented here.
const DIALECTS: [&str; 2] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
];

/// Reads all subschemas that the schema uses. Returns them, and the place of the whole schema.
pub(super) fn nodes(root: &Value) -> (Vec<Rules>, NodeId) {
    let mut reader = Reader {
        root,
        nodes: Vec::new(),
        places: HashMap::new(),
        queue: Vec::new(),
        patterns: 0,
        beyond: None,
    };
    let dialect = root.get("$schema").and_then(Value::as_str);
    let is_known = |dialect: &str| DIALECTS.contains(&dialect.trim_end_matches('#'));
    if dialect.is_some_and(|dialect| !is_known(dialect)) {
        return (vec![Rules { open: true, ..Rules::default() }], 0);
    }
    let id = reader.node(root);
    while let Some((id, value)) = reader.queue.pop() {
        let rules = reader.rules(value);
        reader.nodes[id] = rules;
    }
    (reader.nodes, id)
}

struct Reader<'v> {
    root: &'v Value,
    nodes: Vec<Rules>,
    places: HashMap<*const Value, NodeId>,
    queue: Vec<(NodeId, &'v Value)>,
    patterns: usize,
    /// The place that stands for all subschemas beyond the limit.
    beyond: Option<NodeId>,
}

/// A keyword whose value cannot be used.
struct Unsupported;

type Read<T> = Result<T, Unsupported>;

impl<'v> Reader<'v> {
    /// The place of a subschema, which is read later.
    fn node(&mut self, value: &'v Value) -> NodeId {
        if let Some(known) = self.places.get(&std::ptr::from_ref(value)) {
            return *known;
        }
        let id = self.nodes.len();
        if id >= NODES_MAX {
            return *self.beyond.get_or_insert_with(|| {
                self.nodes.push(Rules { open: true, ..Rules::default() });
                id
            });
        }
        self.nodes.push(Rules::default());
        self.places.insert(value, id);
        self.queue.push((id, value));
        id
    }

    fn rules(&mut self, value: &'v Value) -> Rules {
        let mut rules = Rules::default();
        match value {
            Value::Bool(allows) => rules.never = !allows,
            Value::Object(schema) => {
                for (key, value) in schema {
                    if self.keyword(&mut rules, schema, key, value).is_err() {
                        rules.open = true;
                    }
                }
                // A nested document has references of its own.
                rules.open |= schema.contains_key("$id") && !std::ptr::eq(value, self.root);
            }
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                rules.open = true;
            }
        }
        rules
    }

    fn keyword(
        &mut self,
        rules: &mut Rules,
        schema: &'v Map<String, Value>,
        key: &str,
        value: &'v Value,
    ) -> Read<()> {
        match key {
            "type" => rules.types = Some(types(value)?),
            "enum" => {
                let values = value.as_array().ok_or(Unsupported)?;
                // `const` beside it is stricter.
                if !schema.contains_key("const") {
                    rules.one_of_values = Some(values_of(values.clone()));
                }
            }
            "const" => rules.one_of_values = Some(values_of(vec![value.clone()])),
            "$ref" => rules.reference = Some(self.referred(value)?),
            "allOf" => rules.all_of = self.list(value)?,
            "anyOf" => rules.any_of = self.list(value)?,
            "oneOf" => rules.one_of = self.list(value)?,
            "not" => rules.not = Some(self.node(value)),
            "if" => rules.condition = Some(self.node(value)),
            "then" => rules.then = Some(self.node(value)),
            "else" => rules.otherwise = Some(self.node(value)),
            "minimum" => rules.number.minimum = Some(number(value)?),
            "maximum" => rules.number.maximum = Some(number(value)?),
            "exclusiveMinimum" => rules.number.above = Some(number(value)?),
            "exclusiveMaximum" => rules.number.below = Some(number(value)?),
            "multipleOf" => rules.number.multiple_of = Some(number(value)?),
            "minLength" => rules.string.min = Some(count(value)?),
            "maxLength" => rules.string.max = Some(count(value)?),
            "pattern" => rules.string.pattern = Some(self.pattern(value)?),
            "prefixItems" | "items" | "contains" | "minContains" | "maxContains" | "minItems"
            | "maxItems" | "uniqueItems" => {
                self.list_keyword(rules.list.get_or_insert_default(), key, value)?;
            }
            "properties"
            | "patternProperties"
            | "additionalProperties"
            | "propertyNames"
            | "unevaluatedProperties"
            | "required"
            | "minProperties"
            | "maxProperties"
            | "dependentRequired"
            | "dependentSchemas" => {
                self.object_keyword(rules.object.get_or_insert_default(), key, value)?;
            }
            "$dynamicRef" | "$recursiveRef" | "unevaluatedItems" | "additionalItems"
            | "dependencies" => return Err(Unsupported),
            // All others describe values and do not restrict them, such as `title` and `format`.
            _ => {}
        }
        Ok(())
    }

    fn list_keyword(&mut self, rules: &mut ListRules, key: &str, value: &'v Value) -> Read<()> {
        match key {
            "prefixItems" => rules.prefix = self.list(value)?,
            // A list of subschemas is the form of earlier drafts.
            "items" if value.is_array() => return Err(Unsupported),
            "items" => rules.items = Some(self.node(value)),
            "contains" => rules.contains = Some(self.node(value)),
            "minContains" => rules.min_contains = Some(count(value)?),
            "maxContains" => rules.max_contains = Some(count(value)?),
            "minItems" => rules.min = Some(count(value)?),
            "maxItems" => rules.max = Some(count(value)?),
            _ => rules.unique = value.as_bool().ok_or(Unsupported)?,
        }
        Ok(())
    }

    fn object_keyword(&mut self, rules: &mut ObjectRules, key: &str, value: &'v Value) -> Read<()> {
        match key {
            "properties" => {
                for (name, value) in object(value)? {
                    rules.properties.insert(name.clone(), self.node(value));
                }
            }
            "patternProperties" => {
                // Until all of them are read, it is not known which properties are additional.
                rules.has_all_patterns = false;
                for (pattern, value) in object(value)? {
                    rules.patterns.push((self.compile(pattern)?, self.node(value)));
                }
                rules.has_all_patterns = true;
            }
            "additionalProperties" => rules.additional = Some(self.node(value)),
            "unevaluatedProperties" => rules.unevaluated = Some(self.node(value)),
            "propertyNames" => rules.names = Some(self.node(value)),
            "required" => rules.required = names(value)?,
            "minProperties" => rules.min = Some(count(value)?),
            "maxProperties" => rules.max = Some(count(value)?),
            "dependentRequired" => {
                for (name, value) in object(value)? {
                    rules.needs.push((name.clone(), names(value)?));
                }
            }
            _ => {
                for (name, value) in object(value)? {
                    rules.dependent.push((name.clone(), self.node(value)));
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, value: &'v Value) -> Read<Vec<NodeId>> {
        let list = value.as_array().ok_or(Unsupported)?;
        Ok(list.iter().map(|value| self.node(value)).collect())
    }

    /// The subschema at `#` or `#/…`. Others are not resolved.
    fn referred(&mut self, value: &'v Value) -> Read<NodeId> {
        let pointer = value.as_str().and_then(|text| text.strip_prefix('#')).ok_or(Unsupported)?;
        let pointer = percent_decoded(pointer).ok_or(Unsupported)?;
        let target = self.root.pointer(&pointer).ok_or(Unsupported)?;
        Ok(self.node(target))
    }

    fn pattern(&mut self, value: &Value) -> Read<Regex> {
        self.compile(value.as_str().ok_or(Unsupported)?)
    }

    /// Compiles a pattern. The engine matches in linear time; it has no lookaround, no references
    /// and no `\p`.
    fn compile(&mut self, pattern: &str) -> Read<Regex> {
        self.patterns += 1;
        if pattern.len() > PATTERN_MAX || self.patterns > PATTERNS_MAX {
            return Err(Unsupported);
        }
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_SIZE).build().map_err(|_| Unsupported)
    }
}

fn types(value: &Value) -> Read<Types> {
    let add = |types: Types, name: &Value| types.with(name.as_str()?);
    let types = match value {
        Value::Array(names) => names.iter().try_fold(Types::default(), add),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            add(Types::default(), value)
        }
    };
    types.ok_or(Unsupported)
}

fn values_of(values: Vec<Value>) -> Values {
    let bytes: usize = values.iter().map(|value| value.to_string().len()).sum();
    Values { values, weight: u32::try_from(bytes / 16).unwrap_or(u32::MAX).saturating_add(1) }
}

fn number(value: &Value) -> Read<Number> {
    value.as_number().cloned().ok_or(Unsupported)
}

/// A count; whole numbers may be written as `1.0`.
fn count(value: &Value) -> Read<u64> {
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=1e15).contains(number);
    let whole = || value.as_f64().filter(is_whole).map(|number| number as u64);
    value.as_u64().or_else(whole).ok_or(Unsupported)
}

fn object(value: &Value) -> Read<&Map<String, Value>> {
    value.as_object().ok_or(Unsupported)
}

fn names(value: &Value) -> Read<Vec<String>> {
    let list = value.as_array().ok_or(Unsupported)?;
    list.iter().map(|name| name.as_str().map(str::to_owned).ok_or(Unsupported)).collect()
}

/// The text with `%xx` replaced, as the fragment of a reference may be encoded.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        match byte {
            b'%' => bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}
