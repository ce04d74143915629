//! What handlers say of themselves while they run: how far they are, for people; and what the next
//! attempt is to go on from, which is written down.

use std::sync::Arc;

use fastjob_core::Progress;

use super::{Engine, Held, SessionId, state::Open};
use crate::record::Checkpoint;

impl Engine {
    pub(super) fn checkpoints(&mut self, session: SessionId, reached: Vec<(Held, Arc<str>)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (held, value) in reached {
            let Some(open) = self.open.get_mut(&held.attempt) else { continue };
            if open.life != Some(life) || !held.names(open.created_at) {
                continue;
            }
            if open.more().checkpoint.as_ref() == Some(&value) {
                continue;
            }
            open.more_mut().checkpoint = Some(Arc::clone(&value));
            let (task, shard) = (open.task, open.shard.index);
            self.commit.checkpoints.push(Checkpoint { task, shard, value });
        }
    }

    /// The last checkpoint of an attempt that came with its outcome.
    pub(super) fn last_checkpoint(&mut self, open: &mut Open, value: Option<String>) {
        let Some(value) = value.map(Arc::<str>::from) else { return };
        if open.more().checkpoint.as_ref() == Some(&value) {
            return;
        }
        open.more_mut().checkpoint = Some(Arc::clone(&value));
        let (task, shard) = (open.task, open.shard.index);
        self.commit.checkpoints.push(Checkpoint { task, shard, value });
    }

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
