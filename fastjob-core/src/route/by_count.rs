//! Strategies based on the attempts that this job placed before.

use super::{Choice, Memory};

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
