//! Collects the problems of a draft: after a problem, the check continues with the next field.

use std::{fmt::Display, str::FromStr, time::Duration};

use super::super::Problem;
use crate::duration;

#[derive(Default)]
pub(in crate::job) struct Problems(pub(in crate::job) Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, field: &str, message: impl Display) {
        self.0.push(Problem { field: field.to_owned(), message: message.to_string() });
    }

    pub(super) fn take<T, E: Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|err| self.add(field, err)).ok()
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        self.take(field, text.parse())
    }

    pub(super) fn duration(
        &mut self,
        field: &str,
        text: Option<&str>,
        default: Duration,
    ) -> Duration {
        text.and_then(|text| self.take(field, duration::parse(text))).unwrap_or(default)
    }

    /// Parses an optional duration that must not be shorter than `least`.
    pub(super) fn at_least(
        &mut self,
        field: &str,
        text: Option<&str>,
        least: Duration,
    ) -> Option<Duration> {
        let text = text?;
        let given = self.take(field, duration::parse(text))?;
        if given < least {
            let least = duration::to_text(least);
            self.add(field, format_args!("`{text}` is shorter than {least}"));
        }
        Some(given)
    }

    pub(super) fn at_most(&mut self, field: &str, value: u32, least: u32, most: u32) -> u32 {
        if !(least..=most).contains(&value) {
            self.add(field, format_args!("{value} is not between {least} and {most}"));
        }
        value
    }

    /// Reports a list that is too long.
    pub(super) fn many(&mut self, field: &str, len: usize, most: usize) {
        if len > most {
            self.add(field, format_args!("there are {len}, at most {most} are allowed"));
        }
    }

    pub(super) fn word<T: Clone>(
        &mut self,
        field: &str,
        word: &str,
        names: &[(&str, T)],
        more: &str,
    ) -> Option<T> {
        let found = names.iter().find(|(name, _)| *name == word).map(|(_, value)| value.clone());
        if found.is_none() {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            self.add(
                field,
                format_args!("`{word}` is unknown; there are {}{more}", names.join(", ")),
            );
        }
        found
    }
}
