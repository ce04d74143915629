//! Strategies based on the figures of executors and their machines.
//!
//! Figures are as old as the last heartbeat. What the coordinator itself has placed is always
//! current, so it breaks ties. A missing or invalid figure is unknown.

use std::cmp::Reverse;

use super::{Candidate, Choice};
use crate::id::ExecutorName;

pub(super) fn memory_first(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice.least(last, |_, candidate| {
        (Reverse(candidate.figures.memory_free.unwrap_or(0)), at_hand(candidate))
    })
}

pub(super) fn cpu_first(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice.least(last, |_, candidate| {
        (known(candidate.figures.cpu).unwrap_or(f64::INFINITY), at_hand(candidate))
    })
}

/// Multiplied by the number of held attempts. Otherwise an idle and fast executor would get
/// everything.
pub(super) fn response_first(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice.least(last, |_, candidate| {
        let holds = candidate.figures.holds;
        let cost = match known(candidate.figures.response_ms) {
            Some(response) => response * (f64::from(holds) + 1.0),
            None if holds == 0 => f64::NEG_INFINITY,
            None => f64::INFINITY,
        };
        (cost, at_hand(candidate))
    })
}

pub(super) fn idle_first(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice.least(last, |_, candidate| at_hand(candidate))
}

/// The coordinator's own count, then the executor's figures, which include attempts from other
/// coordinators.
fn at_hand(candidate: &Candidate<'_>) -> (u32, u32) {
    let figures = &candidate.figures;
    (figures.holds, figures.running.saturating_add(figures.waiting))
}

fn known(figure: Option<f64>) -> Option<f64> {
    figure.filter(|figure| figure.is_finite())
}
