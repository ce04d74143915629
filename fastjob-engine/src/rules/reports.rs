//! Reports of running attempts: checkpoints, and progress, which is kept in memory only.

use std::sync::Arc;

use fastjob_core::Progress;

use crate::{
    engine::Engine,
    event::{Held, SessionId},
};

impl Engine {
    pub(crate) fn checkpoints(&mut self, session: SessionId, reached: Vec<(Held, Arc<str>)>) {
        let Some(life) = self.fleet.of_session(session) else { return };
        for (held, value) in reached {
            let open = self.attempts.get_mut(held.attempt);
            let Some(open) = open.filter(|open| open.is_at(life, held)) else { continue };
            if open.rare().checkpoint.as_ref() == Some(&value) {
                continue;
            }
            open.rare_mut().checkpoint = Some(Arc::clone(&value));
            let part = (open.row.task, open.row.shard.index);
            self.journal.checkpoints().reach(part, value);
        }
    }

    pub(crate) fn progress(&mut self, session: SessionId, reported: Vec<(Held, Progress)>) {
        let Some(life) = self.fleet.of_session(session) else { return };
        for (held, progress) in reported {
            let open = self.attempts.get_mut(held.attempt);
            if let Some(open) = open.filter(|open| open.is_at(life, held)) {
                open.rare_mut().progress = Some(progress);
            }
        }
    }
}
