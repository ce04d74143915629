//! How many attempts are at each step.

use super::Step;

/// How many attempts are at each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) recording: usize,
    pub(crate) not_due: usize,
    pub(crate) queued: usize,
    pub(crate) waiting: usize,
    pub(crate) placing: usize,
    pub(crate) unsure: usize,
    pub(crate) sent: usize,
}

impl Steps {
    pub(super) fn add(&mut self, step: Step, change: isize) {
        let count = match step {
            Step::Recording => &mut self.recording,
            Step::NotDue => &mut self.not_due,
            Step::Queued => &mut self.queued,
            Step::Waiting => &mut self.waiting,
            Step::Placing => &mut self.placing,
            Step::Unsure => &mut self.unsure,
            Step::Sent => &mut self.sent,
        };
        *count = count.saturating_add_signed(change);
    }
}
