//! The candidates that may be picked: those with a place, without the one to be avoided.
//!
//! Nothing is copied. An empty choice is an answer, not a failure.

use super::Candidate;
use crate::id::ExecutorName;

/// All candidates, and which of them are open to a pick.
pub(super) struct Choice<'a> {
    from: &'a [Candidate<'a>],
    /// Left out; there is another with a place.
    avoid: Option<&'a ExecutorName>,
}

impl<'a> Choice<'a> {
    pub(super) fn new(from: &'a [Candidate<'a>], avoid: Option<&'a ExecutorName>) -> Self {
        let is_other = |avoid| from.iter().any(|other| other.has_place && other.name != avoid);
        Self { from, avoid: avoid.filter(|avoid| is_other(*avoid)) }
    }

    /// All candidates, also those that are not open.
    pub(super) const fn all(&self) -> &'a [Candidate<'a>] {
        self.from
    }

    pub(super) fn is_open(&self, candidate: &Candidate<'_>) -> bool {
        candidate.has_place && self.avoid != Some(candidate.name)
    }

    /// The open ones with their indices, by name.
    pub(super) fn open(
        &self,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Candidate<'a>)> + use<'_, 'a> {
        self.from.iter().enumerate().filter(|(_, candidate)| self.is_open(candidate))
    }

    /// The open ones with their indices, by name, from the first after `last` round to it.
    ///
    /// Counting by name and not by position keeps the turn fair while executors come and go.
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

    /// The open one with the least `key`; equals take turns after `last`.
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
