//! Executors that are chosen by what is known of them and their machines.
//!
//! Figures are as old as the last beat; what the coordinator itself gave out is known to the
//! moment, so it decides among equals. A figure that is missing, or is no number, is unknown.

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

/// Times the attempts at hand, because an executor that is quick while it has nothing to do would
/// else be given everything.
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

/// What it was given, then what it said of itself, which includes what others gave it.
fn at_hand(candidate: &Candidate<'_>) -> (u32, u32) {
    let figures = &candidate.figures;
    (figures.holds, figures.running.saturating_add(figures.waiting))
}

fn known(figure: Option<f64>) -> Option<f64> {
    figure.filter(|figure| figure.is_finite())
}
