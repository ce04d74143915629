//! Strategies by name, in turn, by chance, and by the attempts that the job placed before.

use super::{Candidate, Choice, Memory};
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

/// The first open candidate after `last` by name, wrapping around at the end.
pub(super) fn round_robin(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice.after(last).next().map(|(index, _)| index)
}

/// A random executor, each with the same probability. The caller supplies the random number.
pub(super) fn random(choice: &Choice<'_>, dice: impl FnOnce(usize) -> usize) -> Option<usize> {
    let open = choice.open().count();
    if open == 0 {
        return None;
    }
    // Tolerate a random number that is out of range.
    let fallen = dice(open).min(open - 1);
    choice.open().nth(fallen).map(|(index, _)| index)
}

/// The executor with the fewest attempts; ties rotate.
pub(super) fn least_scheduled(choice: &Choice<'_>, memory: &Memory) -> Option<usize> {
    let start = memory.start(choice.all());
    choice.least(memory.last(), |index, candidate| {
        memory.seat(index, candidate.name).map_or(start, |seat| seat.given)
    })
}

/// The least recently used executor. Executors that were never used rotate.
pub(super) fn least_recently_used(choice: &Choice<'_>, memory: &Memory) -> Option<usize> {
    choice.least(memory.last(), |index, candidate| {
        memory.seat(index, candidate.name).map_or(0, |seat| seat.when)
    })
}
