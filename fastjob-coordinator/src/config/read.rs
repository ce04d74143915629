//! Tables of the file, read key by key, so that all problems are found and each has its key.

use std::{collections::BTreeMap, fmt::Display, path::PathBuf, str::FromStr, time::Duration};

use fastjob_core::duration;
use toml::{Table, Value};

use super::{Problem, Secret, names::nearest};

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
            Some(Value::Table(table)) => {
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
                    (Ok(parsed), Value::Table(table)) => {
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

    /// Whether this key is there and was not taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a problem with this key was reported.
    pub(super) fn has_problem(&self, key: &str) -> bool {
        let key = self.key(key);
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Takes a list of texts; a single text counts as a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let values = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(one) => vec![one],
        };
        let mut texts = Vec::new();
        for value in values {
            match value.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.wrong_type(key, "a text in quotes", &value),
            }
        }
        texts
    }

    /// Takes a list of texts, or one text if that is allowed instead.
    #[cfg(feature = "cli")]
    pub(super) fn list(&mut self, key: &'static str, is_text_allowed: bool) -> Option<Vec<String>> {
        match self.take(key)? {
            Value::Array(values) => {
                let mut texts = Vec::new();
                for value in values {
                    match value.as_str() {
                        Some(text) => texts.push(text.to_owned()),
                        None => self.wrong_type(key, "a text in quotes", &value),
                    }
                }
                Some(texts)
            }
            Value::String(text) if is_text_allowed => Some(vec![text]),
            other @ (Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Table(_)) => {
                self.wrong_type(key, "a list", &other);
                None
            }
        }
    }

    /// Takes a list of texts and tables, or one text, without reading it.
    #[cfg(feature = "cli")]
    pub(super) fn entries(&mut self, key: &'static str) {
        let is_entry = |value: &Value| value.is_str() || value.is_table();
        match self.take(key) {
            None => {}
            Some(Value::Array(values)) => {
                if let Some(value) = values.iter().find(|value| !is_entry(value)) {
                    self.wrong_type(key, "a text in quotes or a table", value);
                }
            }
            Some(value) if value.is_str() => {}
            Some(other) => self.wrong_type(key, "a list", &other),
        }
    }

    /// Takes a number from 0 to `most`.
    #[cfg(feature = "cli")]
    pub(super) fn number_up_to(&mut self, key: &'static str, most: u32, to: &mut Option<u32>) {
        let (before, mut number) = (self.problems.len(), 0);
        if !self.table.contains_key(key) {
            self.known.push(key);
            return;
        }
        self.number(key, &mut number);
        if number > most {
            self.problem(key, format_args!("{number} is not in the valid range"));
        } else if self.problems.len() == before {
            *to = Some(number);
        }
    }

    /// Takes a table of texts, which may be secrets.
    pub(super) fn texts_by_key(&mut self, key: &'static str) -> BTreeMap<String, Secret> {
        let mut texts = BTreeMap::new();
        match self.take(key) {
            None => {}
            Some(Value::Table(table)) => {
                for (name, value) in table {
                    match value {
                        Value::String(text) => {
                            texts.insert(name, text.into());
                        }
                        other @ (Value::Integer(_)
                        | Value::Float(_)
                        | Value::Boolean(_)
                        | Value::Datetime(_)
                        | Value::Array(_)
                        | Value::Table(_)) => {
                            self.wrong_type(key, "a table of texts in quotes", &other);
                        }
                    }
                }
            }
            Some(other) => self.wrong_type(key, "a table", &other),
        }
        texts
    }

    /// Does not report the remaining keys: which of them are valid is unknown.
    pub(super) fn ignore_rest(&mut self) {
        self.table.clear();
    }

    /// Takes a text and parses it.
    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, key: &'static str, to: &mut T) {
        if let Some(value) = self.parsed(key) {
            *to = value;
        }
    }

    /// Takes a text and parses it, for a value that may be absent.
    pub(super) fn parse_option<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        to: &mut Option<T>,
    ) {
        if let Some(value) = self.parsed(key) {
            *to = Some(value);
        }
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    pub(super) fn duration(&mut self, key: &'static str, to: &mut Duration) {
        let Some(text) = self.text(key) else { return };
        match duration::parse(&text) {
            Ok(value) => *to = value,
            Err(err) => self.problem(key, err),
        }
    }

    pub(super) fn switch(&mut self, key: &'static str, to: &mut bool) {
        match self.take(key) {
            None => {}
            Some(Value::Boolean(value)) => *to = value,
            Some(other) => self.wrong_type(key, "true or false", &other),
        }
    }

    pub(super) fn number<N: TryFrom<i64>>(&mut self, key: &'static str, to: &mut N) {
        match self.take(key) {
            None => {}
            Some(Value::Integer(value)) => match N::try_from(value) {
                Ok(value) => *to = value,
                Err(_) => self.problem(key, format_args!("{value} is not in the valid range")),
            },
            Some(other) => self.wrong_type(key, "a number", &other),
        }
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

    fn parsed<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|err| self.problem(key, err)).ok()
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(key, "a text in quotes", &value);
        }
        text
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn key(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    /// Reports the type and not the value, which may be a secret.
    fn wrong_type(&mut self, key: &str, wanted: &str, found: &Value) {
        self.problem(key, format_args!("it is a value of type {}, not {wanted}", found.type_str()));
    }
}
