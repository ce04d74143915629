//! Environment variables: the same settings as in the file.

use super::{
    Config, Problem, Value,
    setting::{Group, Setting, Visitor, variable},
};

/// Applies the variables over the settings of the file. A variable may set a setting of the
/// coordinator and one of the client, such as `FASTJOB_TOKEN`.
pub(super) fn read(
    config: &mut Config,
    env: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    config.settings(&mut Variables { table: Vec::new(), env, problems });
    // Each of them replaces both settings of the file.
    let Config { coordinator, client, .. } = config;
    match (env("FASTJOB_TOKEN").is_some(), env("FASTJOB_TOKEN_FILE").is_some()) {
        (true, false) => (coordinator.token_file, client.token_file) = (None, None),
        (false, true) => (coordinator.token, client.token) = (None, None),
        (true, true) | (false, false) => {}
    }
}

struct Variables<'a, E> {
    table: Vec<&'static str>,
    env: &'a E,
    problems: &'a mut Vec<Problem>,
}

impl<E: Fn(&str) -> Option<String>> Visitor for Variables<'_, E> {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T) {
        let Some(name) = variable(&self.table, setting.key) else { return };
        let Some(text) = (self.env)(&name) else { return };
        match T::of_variable(&text) {
            Ok(read) => *value = read,
            Err(_) if self.problems.iter().any(|problem| problem.key == name) => {}
            Err(message) => self.problems.push(Problem::new(name, message)),
        }
    }

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G) {
        self.table.push(key);
        group.settings(self);
        self.table.pop();
    }
}
