//! Executors that are chosen by their names, and by nothing that changes with every attempt.

use super::{Candidate, Choice};
use crate::id::ExecutorName;

/// The one that is named, if it has a place. It is not avoided: there is no other.
pub(super) fn specific(from: &[Candidate<'_>], name: &ExecutorName) -> Option<usize> {
    from.iter().position(|candidate| candidate.name == name && candidate.has_place)
}

pub(super) fn first(choice: &Choice<'_>) -> Option<usize> {
    choice.open().next().map(|(index, _)| index)
}

pub(super) fn last(choice: &Choice<'_>) -> Option<usize> {
    choice.open().next_back().map(|(index, _)| index)
}

/// The one it went to before; where that is gone or full, the next by name.
///
/// A job that has no memory, because it is new or the coordinator was restarted, begins with the
/// first by name.
pub(super) fn failover(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice
        .open()
        .find(|(_, candidate)| Some(candidate.name) == last)
        .or_else(|| choice.after(last).next())
        .map(|(index, _)| index)
}
