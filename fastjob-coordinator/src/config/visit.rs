//! Visitors of the settings: what is beyond its bounds, and what is secret.

use super::{
    Problem, Value,
    setting::{Group, Setting, Visitor},
    value::plain,
};

/// Adds a problem for each setting of a group whose value is beyond its bounds.
pub(super) fn check_bounds<G: Group>(group: &G, table: &str, problems: &mut Vec<Problem>) {
    group.clone().settings(&mut Bounded { table: table.to_owned(), problems });
}

struct Bounded<'a> {
    table: String,
    problems: &'a mut Vec<Problem>,
}

impl Visitor for Bounded<'_> {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T) {
        if let (false, Some(bounds)) = (setting.bounds.hold(value), setting.bounds.text()) {
            let value = value.shown().map(|value| plain(&value)).unwrap_or_default();
            let message = format_args!("it is {value}; {bounds} is allowed");
            self.problems.push(Problem::new(format!("{}.{}", self.table, setting.key), message));
        }
    }

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G) {
        check_bounds(group, &format!("{}.{key}", self.table), self.problems);
    }
}

/// The keys of a group's settings that contain secrets.
pub(super) fn secrets<G: Group>(group: &G, table: &str) -> Vec<String> {
    let mut found = Secrets { table: table.to_owned(), keys: Vec::new() };
    group.clone().settings(&mut found);
    found.keys
}

struct Secrets {
    table: String,
    keys: Vec<String>,
}

impl Visitor for Secrets {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T) {
        if value.has_secret() {
            self.keys.push(format!("{}.{}", self.table, setting.key));
        }
    }

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G) {
        self.keys.extend(secrets(group, &format!("{}.{key}", self.table)));
    }
}
