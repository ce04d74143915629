//! The candidates for a pick: those with a free place, except the one to avoid.
//!
//! Nothing is copied. An empty choice is a valid result, not an error.

use super::Candidate;
use crate::id::ExecutorName;

/// All candidates, and which of them are open.
pub(super) struct Choice<'a> {
    from: &'a [Candidate<'a>],
    /// Excluded, because another one has a free place.
    avoid: Option<&'a ExecutorName>,
}

impl<'a> Choice<'a> {
    pub(super) fn new(from: &'a [Candidate<'a>], avoid: Option<&'a ExecutorName>) -> Self {
        let is_other = |avoid| from.iter().any(|other| other.has_place && other.name != avoid);
        Self { from, avoid: avoid.filter(|avoid| is_other(*avoid)) }
    }

    /// All candidates, including those that are not open.
    pub(super) const fn all(&self) -> &'a [Candidate<'a>] {
        self.from
    }

    pub(super) fn is_open(&self, candidate: &Candidate<'_>) -> bool {
        candidate.has_place && self.avoid != Some(candidate.name)
    }

    /// The open candidates with their indices, by name.
    pub(super) fn open(
        &self,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Candidate<'a>)> + use<'_, 'a> {
        self.from.iter().enumerate().filter(|(_, candidate)| self.is_open(candidate))
    }

    /// The open candidates with their indices, by name, starting after `last` and wrapping around.
    ///
    /// Using the name and not the position keeps the rotation fair while executors come and go.
    pub(super) fn after(
        &self,
        last: Option<&ExecutorName>,
    ) -> impl Iterator<Item = (usize, &'a Candidate<'a>)> + use<'_, 'a> {
        let start =
            last.map_or(0, |last| self.from.partition_point(|candidate| candidate.name <= last));
        let (before, rest) = self.from.split_at(start);
        let rest = (start..).zip(rest);
        rest.chain((0..).zip(before)).filter(|(_, candidate)| self.is_open(candidate))
    }

    /// The open candidate with the smallest `key`; ties rotate, starting after `last`.
    pub(super) fn least<K: PartialOrd>(
        &self,
        last: Option<&ExecutorName>,
        key: impl Fn(usize, &Candidate<'_>) -> K,
    ) -> Option<usize> {
        let mut best: Option<(usize, K)> = None;
        for (index, candidate) in self.after(last) {
            let key = key(index, candidate);
            if best.as_ref().is_none_or(|(_, least)| key < *least) {
                best = Some((index, key));
            }
        }
        best.map(|(index, _)| index)
    }
}
