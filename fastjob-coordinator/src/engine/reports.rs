//! How far attempts have come, for people: kept in memory only.

use fastjob_core::{AttemptId, Progress};

use super::{Engine, SessionId};

impl Engine {
    pub(super) fn progress(&mut self, session: SessionId, told: Vec<(AttemptId, Progress)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (attempt, progress) in told {
            if let Some(open) = self.open.get_mut(&attempt).filter(|open| open.life == Some(life)) {
                open.more_mut().progress = Some(progress);
            }
        }
    }
}
