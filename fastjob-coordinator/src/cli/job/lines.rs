//! Finds the line of something in a TOML file.

use toml::de::{DeTable, DeValue};

/// A file whose tables have known places.
pub(super) struct Lines<'a> {
    text: &'a str,
    root: DeTable<'a>,
}

impl<'a> Lines<'a> {
    /// Empty for a text that is not TOML.
    pub(super) fn of(text: &'a str) -> Self {
        let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        Self { text, root }
    }

    /// The line of an offset in the text, from 1.
    pub(super) fn at(&self, place: usize) -> usize {
        1 + self.text.get(..place).map_or(0, |before| before.matches('\n').count())
    }

    /// The line of a field of a job, such as `retry.count` or `children[0].job`, or of the longest
    /// part of this path that exists.
    pub(super) fn of_field(&self, job: usize, path: &str) -> Option<usize> {
        let jobs = self.root.iter().find(|(key, _)| key.get_ref() == "job")?.1;
        let job = jobs.get_ref().as_array()?.get(job)?;
        let (mut here, mut place) = (job.get_ref(), job.span().start);
        for part in path.split(['.', '[']) {
            let next = match (here, part.strip_suffix(']')) {
                (DeValue::Array(list), Some(index)) => {
                    let value = index.parse().ok().and_then(|index: usize| list.get(index));
                    value.map(|value| (value, value.span()))
                }
                (DeValue::Table(table), None) => {
                    let found = table.iter().find(|(key, _)| key.get_ref() == part);
                    found.map(|(key, value)| (value, key.span()))
                }
                (
                    DeValue::String(_)
                    | DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)
                    | DeValue::Array(_)
                    | DeValue::Table(_),
                    _,
                ) => None,
            };
            let Some((value, span)) = next else { break };
            (here, place) = (value.get_ref(), span.start);
        }
        Some(self.at(place))
    }
}
