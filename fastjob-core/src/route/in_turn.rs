//! Each executor in turn.

use super::Choice;
use crate::id::ExecutorName;

/// The first open candidate after `last` by name, wrapping around at the end.
pub(super) fn round_robin(choice: &Choice<'_>, last: Option<&ExecutorName>) -> Option<usize> {
    choice.after(last).next().map(|(index, _)| index)
}
