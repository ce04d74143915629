//! The environment variables of the process.

use std::collections::BTreeMap;

use crate::config::{Problem, unknown_variables};

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Env(BTreeMap<String, String>);

impl Env {
    /// The variables of the process.
    pub(super) fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Unknown variables, which are probably typos.
    pub(super) fn unknown(&self) -> Vec<Problem> {
        unknown_variables(self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

#[cfg(test)]
impl Env {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(vars: [(&str, &str); N]) -> Self {
        Self(vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}
