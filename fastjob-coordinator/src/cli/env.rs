//! The environment variables of the process.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::config::{Problem, unknown_variables};

/// Variables by name.
#[derive(Clone, Debug)]
pub(super) struct Env {
    variables: BTreeMap<String, String>,
    zone: TimeZone,
}

impl Env {
    /// The variables of the process.
    pub(super) fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self { variables: variables.collect(), zone: TimeZone::system() }
    }

    /// The zone of the terminal: of the variable TZ, else of the system, else UTC.
    pub(super) fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// Unknown variables, which are probably typos.
    pub(super) fn unknown(&self) -> Vec<Problem> {
        unknown_variables(
            self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }
}

#[cfg(test)]
impl Env {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(vars: [(&str, &str); N]) -> Self {
        let variables = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { variables, zone: TimeZone::UTC }
    }
}
