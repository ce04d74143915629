//! What a job can say and this release cannot do: refused, so that nothing is accepted and ignored.
//!
//! One line a feature. A line goes when the engine knows what it names, and this file with the last.

use super::{JobDraft, Problem};

/// What the draft asks for in vain.
pub(super) fn not_yet(draft: &JobDraft) -> impl Iterator<Item = Problem> {
    [("alarms", !draft.alarms.is_empty()), ("alarm_when", draft.alarm_when.is_some())]
        .into_iter()
        .filter(|(_, asked)| *asked)
        .map(|(field, _)| Problem {
            field: field.to_owned(),
            message: "it is not available in this release; leave it out".to_owned(),
        })
}
