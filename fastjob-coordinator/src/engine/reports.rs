//! How far attempts have come, for people: kept in memory only.

use fastjob_core::Progress;

use super::{Engine, Held, SessionId};

impl Engine {
    pub(super) fn progress(&mut self, session: SessionId, told: Vec<(Held, Progress)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (held, progress) in told {
            let open = self.open.get_mut(&held.attempt).filter(|open| open.life == Some(life));
            if let Some(open) = open.filter(|open| held.names(open.created_at)) {
                open.more_mut().progress = Some(progress);
            }
        }
    }
}
