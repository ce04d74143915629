//! What a job can say and this release cannot do: refused, so that nothing is accepted and ignored.
//!
//! One line a feature. A line goes when the engine knows what it names, and this file with the last.

use super::{BlockDraft, JobDraft, Problem, WordOr};

/// What the draft asks for in vain.
pub(super) fn not_yet(draft: &JobDraft) -> impl Iterator<Item = Problem> {
    let in_one = |block: &BlockDraft| {
        block.strategy.as_deref() == Some("parallel") && block.scope.as_deref() != Some("cluster")
    };
    [
        ("block", blocks(draft, in_one)),
        ("alarms", !draft.alarms.is_empty()),
        ("alarm_when", draft.alarm_when.is_some()),
    ]
    .into_iter()
    .filter(|(_, asked)| *asked)
    .map(|(field, _)| Problem {
        field: field.to_owned(),
        message: "it is not available in this release; leave it out".to_owned(),
    })
}

fn blocks(draft: &JobDraft, asks: impl Fn(&BlockDraft) -> bool) -> bool {
    match &draft.block {
        None => false,
        Some(WordOr::Table(table)) => asks(table),
        Some(WordOr::Word(word)) => {
            asks(&BlockDraft { strategy: Some(word.clone()), ..BlockDraft::default() })
        }
    }
}
