//! Checks a value against the rules of a schema.
//!
//! A result has three values: it fits, it does not, or that is open. They combine as in Kleene's
//! logic, so that an unsupported keyword inside a `not` or a `oneOf` causes no false refusal.

use serde_json::{Map, Value};

use super::{
    Kind, Misfit,
    rules::{ListRules, NodeId, ObjectRules, Rules, StringRules, Values},
    say,
    values::{bounds, is_equal, numbers, twice, weight},
};

/// Maximum number of steps of one check, each of which takes less than a microsecond.
const STEPS: u32 = 100_000;
/// Maximum depth of subschemas, which follow references.
pub(super) const DEPTH: u32 = 200;
/// Maximum number of problems that are listed.
const MISFITS: usize = 10;
/// How many steps a pattern counts for each byte of the text.
const PATTERN_STEPS: usize = 16;

/// The result of a check.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) misfits: Vec<Misfit>,
    /// Something was not checked.
    pub(super) open: bool,
}

impl Verdict {
    pub(super) fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    pub(super) fn is_misfit(&self) -> bool {
        !self.misfits.is_empty()
    }

    pub(super) fn fits(&self) -> bool {
        !self.open && !self.is_misfit()
    }

    pub(super) fn and(&mut self, other: Self) {
        self.open |= other.open;
        let room = MISFITS.saturating_sub(self.misfits.len());
        self.misfits.extend(other.misfits.into_iter().take(room));
    }

    /// Whether no further problem is listed.
    fn is_full(&self) -> bool {
        self.misfits.len() >= MISFITS
    }

    pub(super) fn add(&mut self, at: &At<'_>, kind: Kind, message: impl Into<String>) {
        if !self.is_full() {
            let (field, message) = (say::path(at), message.into());
            self.misfits.push(Misfit { field, message, kind, depth: at.depth() });
        }
    }
}

/// Where a value is in the param.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'p> {
    pub(super) parent: Option<&'p At<'p>>,
    pub(super) step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'p> {
    Root,
    Field(&'p str),
    Item(usize),
}

impl<'p> At<'p> {
    pub(super) const ROOT: At<'static> = At { parent: None, step: Step::Root };

    pub(super) fn then(&'p self, step: Step<'p>) -> Self {
        Self { parent: Some(self), step }
    }

    fn depth(&self) -> usize {
        self.parent.map_or(0, |parent| parent.depth() + 1)
    }
}

/// One check, with the steps that it has left.
pub(super) struct Check<'s> {
    pub(super) nodes: &'s [Rules],
    left: u32,
    pub(super) depth: u32,
}

impl<'s> Check<'s> {
    pub(super) fn new(nodes: &'s [Rules]) -> Self {
        Self { nodes, left: STEPS, depth: 0 }
    }

    pub(super) fn run(&mut self, root: NodeId, value: &Value) -> Verdict {
        self.node(root, value, &At::ROOT)
    }

    /// Whether so many steps are left.
    pub(super) fn spends(&mut self, steps: usize) -> bool {
        let left = u32::try_from(steps).ok().and_then(|steps| self.left.checked_sub(steps));
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    pub(super) fn node(&mut self, id: NodeId, value: &Value, at: &At<'_>) -> Verdict {
        if self.depth >= DEPTH || !self.spends(1) {
            return Verdict::open();
        }
        self.depth += 1;
        let verdict = self.rules(&self.nodes[id], value, at);
        self.depth -= 1;
        verdict
    }

    fn rules(&mut self, rules: &'s Rules, value: &Value, at: &At<'_>) -> Verdict {
        let mut verdict = Verdict { open: rules.open, ..Verdict::default() };
        if rules.never {
            verdict.add(at, Kind::Extra, "it is not allowed");
        }
        if let Some(types) = rules.types.filter(|types| !types.has(value)) {
            verdict.add(at, Kind::Type, say::wrong_type(types, value));
            // Its other rules are for values of another type.
            return verdict;
        }
        if let Some(values) = &rules.one_of_values {
            verdict.and(self.values(values, value, at));
        }
        match value {
            Value::Number(number) => numbers(&rules.number, number, at, &mut verdict),
            Value::String(text) => verdict.and(self.text(&rules.string, text, at)),
            Value::Array(items) => {
                if let Some(rules) = &rules.list {
                    verdict.and(self.items(rules, items, at));
                }
            }
            Value::Object(fields) => {
                if let Some(rules) = &rules.object {
                    verdict.and(self.fields(rules, value, fields, at));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        for id in rules.reference.iter().chain(&rules.all_of) {
            verdict.and(self.node(*id, value, at));
        }
        if !rules.any_of.is_empty() {
            verdict.and(self.any_of(&rules.any_of, value, at));
        }
        if !rules.one_of.is_empty() {
            verdict.and(self.one_of(&rules.one_of, value, at));
        }
        if let Some(id) = rules.not {
            let not = self.node(id, value, at);
            if not.fits() {
                verdict.add(at, Kind::Other, "this value is excluded");
            }
            verdict.open |= not.open && !not.is_misfit();
        }
        if let Some(id) = rules.condition {
            let condition = self.node(id, value, at);
            let next = if condition.is_misfit() { rules.otherwise } else { rules.then };
            match next {
                _ if condition.open && !condition.is_misfit() => verdict.open = true,
                Some(id) => verdict.and(self.node(id, value, at)),
                None => {}
            }
        }
        if let (Some(object), Value::Object(fields)) = (&rules.object, value)
            && let Some(id) = object.unevaluated
        {
            verdict.and(self.unevaluated(rules, id, value, fields, at));
        }
        verdict
    }

    fn values(&mut self, values: &Values, value: &Value, at: &At<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.spends(values.weight as usize) {
            return Verdict::open();
        }
        if !values.values.iter().any(|other| is_equal(other, value)) {
            verdict.add(at, Kind::Value, say::one_of(&values.values, value));
        }
        verdict
    }

    fn text(&mut self, rules: &StringRules, text: &str, at: &At<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        if rules.min.is_some() || rules.max.is_some() {
            if !self.spends(text.len() / 64) {
                return Verdict::open();
            }
            let length = text.chars().count() as u64;
            bounds(length, (rules.min, rules.max), "characters", at, &mut verdict);
        }
        if let Some(pattern) = &rules.pattern {
            match self.spends(text.len().saturating_mul(PATTERN_STEPS)) {
                false => verdict.open = true,
                true if !pattern.is_match(text) => {
                    let message = format!("it must match the pattern {}", pattern.as_str());
                    verdict.add(at, Kind::Other, message);
                }
                true => {}
            }
        }
        verdict
    }

    fn items(&mut self, rules: &ListRules, items: &[Value], at: &At<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        bounds(items.len() as u64, (rules.min, rules.max), "items", at, &mut verdict);
        for (number, item) in items.iter().enumerate() {
            if let Some(id) = rules.prefix.get(number).or(rules.items.as_ref()) {
                verdict.and(self.node(*id, item, &at.then(Step::Item(number))));
            }
        }
        if let Some(id) = rules.contains {
            let (mut fit, mut open) = (0, 0);
            for (number, item) in items.iter().enumerate() {
                let one = self.node(id, item, &at.then(Step::Item(number)));
                fit += u64::from(one.fits());
                open += u64::from(one.open && !one.is_misfit());
            }
            let (min, max) = (rules.min_contains.unwrap_or(1), rules.max_contains);
            if fit + open < min || max.is_some_and(|max| fit > max) {
                verdict.add(at, Kind::Other, format!("{fit} of its items have the needed form"));
            }
            verdict.open |= open > 0;
        }
        if rules.unique {
            let steps = items.iter().map(weight).fold(0, usize::saturating_add);
            if !self.spends(steps.saturating_mul(2)) {
                verdict.open = true;
            } else if let Some(twice) = twice(items) {
                let message = "an equal item is in the list before";
                verdict.add(&at.then(Step::Item(twice)), Kind::Other, message);
            }
        }
        verdict
    }

    fn fields(
        &mut self,
        rules: &'s ObjectRules,
        value: &Value,
        fields: &Map<String, Value>,
        at: &At<'_>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.spends(rules.required.len() + rules.needs.len() + rules.dependent.len()) {
            return Verdict::open();
        }
        let missing = |name: &String| !fields.contains_key(name);
        for name in rules.required.iter().filter(|name| missing(name)) {
            verdict.add(&at.then(Step::Field(name)), Kind::Missing, "it is missing");
        }
        bounds(fields.len() as u64, (rules.min, rules.max), "fields", at, &mut verdict);
        for (name, value) in fields {
            let is_full = verdict.is_full();
            verdict.and(self.field(rules, name, value, at, is_full));
        }
        for (name, needed) in rules.needs.iter().filter(|(name, _)| !missing(name)) {
            if !self.spends(needed.len()) {
                verdict.open = true;
                break;
            }
            for needed in needed.iter().filter(|name| missing(name)).take(MISFITS) {
                let message = format!("it is missing, and `{name}` needs it");
                verdict.add(&at.then(Step::Field(needed)), Kind::Missing, message);
            }
        }
        for (_, id) in rules.dependent.iter().filter(|(name, _)| !missing(name)) {
            verdict.and(self.node(*id, value, at));
        }
        verdict
    }

    /// Checks a field. If the list of problems `is_full`, nothing is suggested for an unknown one.
    fn field(
        &mut self,
        rules: &'s ObjectRules,
        name: &str,
        value: &Value,
        at: &At<'_>,
        is_full: bool,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let here = at.then(Step::Field(name));
        if let Some(id) = rules.names {
            let key = self.node(id, &Value::String(name.to_owned()), &here);
            if key.is_misfit() {
                verdict.add(&here, Kind::Extra, "its name is not allowed");
            }
            verdict.open |= key.open;
        }
        let known = rules.properties.get(name);
        let mut is_known = known.is_some();
        if let Some(id) = known {
            verdict.and(self.node(*id, value, &here));
        }
        for (pattern, id) in &rules.patterns {
            match self.matches(pattern, name) {
                Some(true) => {
                    is_known = true;
                    verdict.and(self.node(*id, value, &here));
                }
                Some(false) => {}
                None => return Verdict::open(),
            }
        }
        match rules.additional.filter(|_| !is_known) {
            Some(_) if !rules.has_all_patterns => verdict.open = true,
            Some(id) if self.nodes[id].never => {
                // It is compared with the names of all properties, to say what is meant.
                let names = if is_full { 0 } else { rules.properties.len() };
                match self.spends((1 + names).saturating_mul(say::steps(name))) {
                    false => verdict.open = true,
                    true if is_full => verdict.add(&here, Kind::Extra, "there is no such field"),
                    true => verdict.add(&here, Kind::Extra, say::unknown_field(name, rules)),
                }
            }
            Some(id) => verdict.and(self.node(id, value, &here)),
            None => {}
        }
        verdict
    }

    /// Whether a name matches; `None` if no steps are left.
    pub(super) fn matches(&mut self, pattern: &regex_lite::Regex, name: &str) -> Option<bool> {
        let steps = (name.len() + 1).saturating_mul(PATTERN_STEPS);
        self.spends(steps).then(|| pattern.is_match(name))
    }
}
