//! Tables of the file, read key by key, so that all problems are found and each has its key.

use std::{fmt::Display, str::FromStr};

use toml::{Table, Value as Toml};

use super::{
    Problem, Value,
    names::nearest,
    setting::{Group, Setting, Visitor},
    value::wrong_type,
};

/// A table from which known keys are taken; what remains is unknown.
pub(super) struct Section<'a> {
    /// `coordinator.tls`; empty for the whole file.
    name: String,
    table: Table,
    /// The keys that were read, listed in the message about an unknown key.
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: Table, problems: &'a mut Vec<Problem>) -> Self {
        Self { name: String::new(), table, known: Vec::new(), problems }
    }

    /// A table of this name.
    #[cfg(feature = "cli")]
    pub(super) fn named(name: &str, table: Table, problems: &'a mut Vec<Problem>) -> Self {
        Self { name: name.to_owned(), ..Self::root(table, problems) }
    }

    /// Reads the table `key`, if it exists.
    pub(super) fn section(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_>)) {
        match self.take(key) {
            None => {}
            Some(Toml::Table(table)) => {
                let name = self.key(key);
                let mut section =
                    Section { name, table, known: Vec::new(), problems: &mut *self.problems };
                read(&mut section);
                section.finish();
            }
            Some(other) => self.wrong_type(key, "a table", &other),
        }
    }

    /// Reads every table within the table `key`; the name of each is parsed too.
    pub(super) fn tables<N: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(N, &mut Section<'_>),
    ) {
        self.section(key, |all| {
            for (name, value) in std::mem::take(&mut all.table) {
                match (name.parse(), value) {
                    (Err(err), _) => all.problem(&name, err),
                    (Ok(parsed), Toml::Table(table)) => {
                        let (name, problems) = (all.key(&name), &mut *all.problems);
                        let mut one = Section { name, table, known: Vec::new(), problems };
                        read(parsed, &mut one);
                        one.finish();
                    }
                    (Ok(_), other) => all.wrong_type(&name, "a table", &other),
                }
            }
        });
    }

    /// Takes a value, if the key is there and its value is valid.
    pub(super) fn value<T: Value>(&mut self, key: &'static str) -> Option<T> {
        let value = self.take(key)?;
        T::of_file(value).map_err(|message| self.problem(key, message)).ok()
    }

    /// Takes a list of texts, or one text if that is allowed instead.
    #[cfg(feature = "cli")]
    pub(super) fn list(&mut self, key: &'static str, is_text_allowed: bool) -> Option<Vec<String>> {
        match self.take(key)? {
            Toml::Array(values) => {
                let mut texts = Vec::new();
                for value in values {
                    match value.as_str() {
                        Some(text) => texts.push(text.to_owned()),
                        None => self.wrong_type(key, "a text in quotes", &value),
                    }
                }
                Some(texts)
            }
            Toml::String(text) if is_text_allowed => Some(vec![text]),
            other @ (Toml::String(_)
            | Toml::Integer(_)
            | Toml::Float(_)
            | Toml::Boolean(_)
            | Toml::Datetime(_)
            | Toml::Table(_)) => {
                self.wrong_type(key, "a list", &other);
                None
            }
        }
    }

    /// Takes a list of texts and tables, or one text, without reading it.
    #[cfg(feature = "cli")]
    pub(super) fn entries(&mut self, key: &'static str) {
        let is_entry = |value: &Toml| value.is_str() || value.is_table();
        match self.take(key) {
            None => {}
            Some(Toml::Array(values)) => {
                if let Some(value) = values.iter().find(|value| !is_entry(value)) {
                    self.wrong_type(key, "a text in quotes or a table", value);
                }
            }
            Some(value) if value.is_str() => {}
            Some(other) => self.wrong_type(key, "a list", &other),
        }
    }

    /// Does not report the remaining keys: which of them are valid is unknown.
    pub(super) fn ignore_rest(&mut self) {
        self.table.clear();
    }

    /// Accepts a key without reading it.
    pub(super) fn ignore(&mut self, key: &'static str) {
        self.take(key);
    }

    pub(super) fn problem(&mut self, key: &str, message: impl Display) {
        let key = self.key(key);
        self.problems.push(Problem::new(key, message));
    }

    /// Reports all remaining keys as unknown.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let message = match nearest(key, self.known.iter().copied()) {
                Some(meant) => format!("unknown key; did you mean {meant}?"),
                None => format!("unknown key; there are {}", self.known.join(", ")),
            };
            self.problems.push(Problem::new(self.key(key), message));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Toml> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn key(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    fn wrong_type(&mut self, key: &str, wanted: &str, found: &Toml) {
        self.problem(key, wrong_type(found, wanted));
    }
}

impl Visitor for Section<'_> {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T) {
        if let Some(read) = self.value(setting.key) {
            *value = read;
        }
    }

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G) {
        self.section(key, |section| {
            group.given();
            group.settings(section);
        });
    }
}
