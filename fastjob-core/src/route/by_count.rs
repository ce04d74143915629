//! Executors that are chosen by what this job gave them before.

use super::{Choice, Memory};

/// The fewest attempts; equals take turns.
pub(super) fn least_scheduled(choice: &Choice<'_>, memory: &Memory) -> Option<usize> {
    let start = memory.start(choice.all());
    choice.least(memory.last(), |index, candidate| {
        memory.seat(index, candidate.name).map_or(start, |seat| seat.given)
    })
}

/// The longest ago; of those that never had an attempt, the next in turn.
pub(super) fn least_recently_used(choice: &Choice<'_>, memory: &Memory) -> Option<usize> {
    choice.least(memory.last(), |index, candidate| {
        memory.seat(index, candidate.name).map_or(0, |seat| seat.when)
    })
}
