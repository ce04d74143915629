//! Tables of the file, read key by key, so that all problems are found and each has its key.

use std::{collections::BTreeMap, fmt::Display, path::PathBuf, str::FromStr, time::Duration};

use fastjob_core::duration;
use toml::{Table, Value};

use super::{Problem, Secret};

/// A table of which keys are taken until nothing unknown is left.
pub(super) struct Section<'a> {
    /// `coordinator.tls`; empty for the whole file.
    name: String,
    table: Table,
    /// What was asked for, to be named where something unknown is found.
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: Table, problems: &'a mut Vec<Problem>) -> Self {
        Self { name: String::new(), table, known: Vec::new(), problems }
    }

    /// Reads the table `key`, if it is there.
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

    /// Reads every table within the table `key`; the name of each has to be one.
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

    /// Takes a list of texts; one text stands for a list of it.
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

    /// Says nothing about what was not asked for: what it should be is not known.
    pub(super) fn ignore_rest(&mut self) {
        self.table.clear();
    }

    /// Takes a text that stands for something.
    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, key: &'static str, to: &mut T) {
        if let Some(value) = self.parsed(key) {
            *to = value;
        }
    }

    /// Takes a text that stands for something that may be absent.
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
                Err(_) => self.problem(key, format_args!("{value} is not a number that fits")),
            },
            Some(other) => self.wrong_type(key, "a number", &other),
        }
    }

    /// Lets a key be there without looking at it.
    pub(super) fn ignore(&mut self, key: &'static str) {
        self.take(key);
    }

    pub(super) fn problem(&mut self, key: &str, message: impl Display) {
        let key = self.key(key);
        self.problems.push(Problem::new(key, message));
    }

    /// Refuses whatever was not asked for.
    pub(super) fn finish(self) {
        let known = self.known.join(", ");
        for key in self.table.keys() {
            let key = self.key(key);
            self.problems.push(Problem::new(key, format_args!("unknown key; there are {known}")));
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

    /// Says the type and not the value, which may be a secret.
    fn wrong_type(&mut self, key: &str, wanted: &str, found: &Value) {
        self.problem(key, format_args!("it is a value of type {}, not {wanted}", found.type_str()));
    }
}
