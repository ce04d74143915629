//! A random executor, each with the same probability. The caller supplies the random number.

use super::Choice;

pub(super) fn random(choice: &Choice<'_>, dice: impl FnOnce(usize) -> usize) -> Option<usize> {
    let open = choice.open().count();
    if open == 0 {
        return None;
    }
    // Tolerate a random number that is out of range.
    let fallen = dice(open).min(open - 1);
    choice.open().nth(fallen).map(|(index, _)| index)
}
