//! Checks a value against several forms, and the properties that none of them names.

use serde_json::{Map, Value};

use super::{
    Kind,
    check::{At, Check, DEPTH, Step, Verdict},
    rules::{NodeId, Rules},
    say,
};

impl<'s> Check<'s> {
    pub(super) fn any_of(&mut self, any_of: &[NodeId], value: &Value, at: &At<'_>) -> Verdict {
        let mut branches = Vec::new();
        let mut open = false;
        for id in any_of {
            let branch = self.node(*id, value, at);
            if branch.fits() {
                return Verdict::default();
            }
            match branch.is_misfit() {
                true => branches.push(branch.misfits),
                false => open = true,
            }
        }
        match open {
            true => Verdict::open(),
            false => Verdict { misfits: say::nearest(branches, at), open: false },
        }
    }

    pub(super) fn one_of(&mut self, one_of: &[NodeId], value: &Value, at: &At<'_>) -> Verdict {
        let (mut branches, mut fit, mut open) = (Vec::new(), 0, false);
        for id in one_of {
            let branch = self.node(*id, value, at);
            match (branch.is_misfit(), branch.open) {
                (true, _) => branches.push(branch.misfits),
                (false, true) => open = true,
                (false, false) => fit += 1,
            }
        }
        let mut verdict = Verdict { open, ..Verdict::default() };
        match (fit, open) {
            (1, false) => {}
            (0 | 1, true) => {}
            (0, false) => verdict.misfits = say::nearest(branches, at),
            _ => verdict.add(at, Kind::Other, "it fits several forms, and exactly one is allowed"),
        }
        verdict
    }

    /// Checks the properties that no other rule of the subschema has looked at.
    pub(super) fn unevaluated(
        &mut self,
        rules: &'s Rules,
        id: NodeId,
        value: &Value,
        fields: &Map<String, Value>,
        at: &At<'_>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        for (name, field) in fields {
            match self.evaluates(rules, name, value) {
                Some(true) => {}
                Some(false) => {
                    let here = at.then(Step::Field(name));
                    match self.nodes[id].never {
                        true => verdict.add(&here, Kind::Extra, "there is no such field"),
                        false => verdict.and(self.node(id, field, &here)),
                    }
                }
                None => verdict.open = true,
            }
        }
        verdict
    }

    /// Whether a property is looked at by these rules; `None` if that is open.
    fn evaluates(&mut self, rules: &'s Rules, name: &str, value: &Value) -> Option<bool> {
        if rules.open || self.depth >= DEPTH || !self.spends(1) {
            return None;
        }
        let mut parts: Vec<NodeId> = rules.reference.iter().chain(&rules.all_of).copied().collect();
        if let Some(object) = &rules.object {
            let is_known = object.properties.contains_key(name) || object.additional.is_some();
            if is_known || !object.has_all_patterns {
                return Some(true);
            }
            for (pattern, _) in &object.patterns {
                if self.matches(pattern, name)? {
                    return Some(true);
                }
            }
            let fields = value.as_object()?;
            let there = object.dependent.iter().filter(|(name, _)| fields.contains_key(name));
            parts.extend(there.map(|(_, id)| *id));
        }
        for id in rules.any_of.iter().chain(&rules.one_of) {
            if self.decides(*id, value)? {
                parts.push(*id);
            }
        }
        if let Some(id) = rules.condition {
            match self.decides(id, value)? {
                true => parts.extend([Some(id), rules.then].into_iter().flatten()),
                false => parts.extend(rules.otherwise),
            }
        }
        self.depth += 1;
        let mut found = Some(false);
        for id in parts {
            let nodes = self.nodes;
            let nested =
                nodes[id].object.as_ref().is_some_and(|object| object.unevaluated.is_some());
            match if nested { Some(true) } else { self.evaluates(&nodes[id], name, value) } {
                Some(true) => {
                    found = Some(true);
                    break;
                }
                Some(false) => {}
                None => found = None,
            }
        }
        self.depth -= 1;
        found
    }

    /// Whether a value fits; `None` if that is open.
    fn decides(&mut self, id: NodeId, value: &Value) -> Option<bool> {
        let verdict = self.node(id, value, &At::ROOT);
        (verdict.is_misfit() || !verdict.open).then(|| verdict.fits())
    }
}
