//! A schema in the form in which params are checked.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Number, Value};

/// The place of a subschema in its schema.
pub(super) type NodeId = usize;

/// The rules of one subschema. Empty rules allow every value.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// It has rules that are not supported: a value that meets all others may be invalid.
    pub(super) open: bool,
    /// The schema `false`.
    pub(super) never: bool,
    pub(super) types: Option<Types>,
    pub(super) one_of_values: Option<Values>,
    pub(super) reference: Option<NodeId>,
    pub(super) all_of: Vec<NodeId>,
    pub(super) any_of: Vec<NodeId>,
    pub(super) one_of: Vec<NodeId>,
    pub(super) not: Option<NodeId>,
    pub(super) condition: Option<NodeId>,
    pub(super) then: Option<NodeId>,
    pub(super) otherwise: Option<NodeId>,
    pub(super) number: NumberRules,
    pub(super) string: StringRules,
    // Most subschemas have no rules for lists and objects.
    pub(super) list: Option<Box<ListRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
}

/// The values of `enum` or `const`.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) values: Vec<Value>,
    /// How many steps a comparison with all of them counts.
    pub(super) weight: u32,
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) minimum: Option<Number>,
    pub(super) maximum: Option<Number>,
    pub(super) above: Option<Number>,
    pub(super) below: Option<Number>,
    pub(super) multiple_of: Option<Number>,
}

#[derive(Debug, Default)]
pub(super) struct StringRules {
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) pattern: Option<Regex>,
}

#[derive(Debug, Default)]
pub(super) struct ListRules {
    pub(super) prefix: Vec<NodeId>,
    pub(super) items: Option<NodeId>,
    pub(super) contains: Option<NodeId>,
    pub(super) min_contains: Option<u64>,
    pub(super) max_contains: Option<u64>,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) unique: bool,
}

#[derive(Debug)]
pub(super) struct ObjectRules {
    pub(super) properties: BTreeMap<String, NodeId>,
    pub(super) patterns: Vec<(Regex, NodeId)>,
    /// Otherwise it is not known which properties are additional.
    pub(super) has_all_patterns: bool,
    pub(super) additional: Option<NodeId>,
    pub(super) unevaluated: Option<NodeId>,
    pub(super) names: Option<NodeId>,
    pub(super) required: Vec<String>,
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
    /// If the first property is there, so are the others.
    pub(super) needs: Vec<(String, Vec<String>)>,
    /// If the property is there, the object fits the subschema.
    pub(super) dependent: Vec<(String, NodeId)>,
}

impl Default for ObjectRules {
    fn default() -> Self {
        Self {
            properties: BTreeMap::new(),
            patterns: Vec::new(),
            has_all_patterns: true,
            additional: None,
            unevaluated: None,
            names: None,
            required: Vec::new(),
            min: None,
            max: None,
            needs: Vec::new(),
            dependent: Vec::new(),
        }
    }
}

/// A set of JSON types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

/// The types, with their names in schemas and in messages.
pub(super) const TYPES: [(&str, &str); 7] = [
    ("null", "null"),
    ("boolean", "true or false"),
    ("integer", "a whole number"),
    ("number", "a number"),
    ("string", "a string"),
    ("array", "a list"),
    ("object", "an object"),
];

impl Types {
    /// Adds a type by its name in schemas; `None` if it is unknown.
    pub(super) fn with(self, name: &str) -> Option<Self> {
        let at = TYPES.iter().position(|(known, _)| *known == name)?;
        Some(Self(self.0 | 1 << at))
    }

    pub(super) fn has(self, value: &Value) -> bool {
        let has = |at: u8| self.0 & 1 << at != 0;
        match value {
            Value::Null => has(0),
            Value::Bool(_) => has(1),
            Value::Number(number) => has(3) || has(2) && is_whole(number),
            Value::String(_) => has(4),
            Value::Array(_) => has(5),
            Value::Object(_) => has(6),
        }
    }

    /// Its types in words.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let has = move |(at, _): &(usize, _)| self.0 & 1 << at != 0;
        TYPES.iter().enumerate().filter(has).map(|(_, (_, words))| *words)
    }
}

fn is_whole(number: &Number) -> bool {
    let is_whole = |number: f64| number.is_finite() && number.fract() == 0.0;
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(is_whole)
}
