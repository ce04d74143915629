//! Any executor, each as likely as the others. The caller brings the dice.

use super::Choice;

pub(super) fn random(choice: &Choice<'_>, dice: impl FnOnce(usize) -> usize) -> Option<usize> {
    let open = choice.open().count();
    if open == 0 {
        return None;
    }
    // Dice that fall beside the table still pick someone.
    let fallen = dice(open).min(open - 1);
    choice.open().nth(fallen).map(|(index, _)| index)
}
