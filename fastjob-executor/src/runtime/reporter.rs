//! What a handler reports while it runs: checkpoints and progress.

use std::sync::Arc;

use fastjob_core::{JobReports, Progress};

use super::{Inner, control::Control};

/// Accepts a handler's reports. Reports after the attempt's end are ignored.
pub(super) struct Reporter {
    pub(super) inner: Arc<Inner>,
    pub(super) control: Arc<Control>,
}

impl JobReports for Reporter {
    fn checkpoint(&self, json: &Arc<str>) {
        let said = &self.control.said;
        if said.checkpoint(json) {
            let mut state = self.inner.lock();
            if state.is_running(&self.control) {
                let partition = state.owners.partition(self.control.name.id);
                state.reports.checkpoint(partition, said);
                state.wake(partition);
            }
        }
    }

    fn progress(&self, progress: Progress) {
        let said = &self.control.said;
        if said.progress(progress) {
            let mut state = self.inner.lock();
            if state.is_running(&self.control) {
                let partition = state.owners.partition(self.control.name.id);
                state.reports.progress(partition, said);
                state.wake(partition);
            }
        }
    }
}
