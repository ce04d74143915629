//! Strategies based on executor names and stable facts.

use super::{Candidate, Choice};
use crate::id::ExecutorName;

/// The named executor, if it has a free place. `avoid` is ignored, because there is no alternative.
pub(super) fn specific(from: &[Candidate<'_>], name: &ExecutorName) -> Option<usize> {
    from.iter().position(|candidate| candidate.name == name && candidate.has_place)
}

pub(super) fn first(choice: &Choice<'_>) -> Option<usize> {
    choice.open().next().map(|(index, _)| index)
}

pub(super) fn last(choice: &Choice<'_>) -> Option<usize> {
    choice.open().next_back().map(|(index, _)| index)
}

/// The previous executor, or the next by name if that is gone or full.
///
/// A job without memory, because it is new or the coordinator was restarted, starts with the first
/// by name.
pub(super) fn failover(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice
        .open()
        .find(|(_, candidate)| Some(candidate.name) == last)
        .or_else(|| choice.after(last).next())
        .map(|(index, _)| index)
}
