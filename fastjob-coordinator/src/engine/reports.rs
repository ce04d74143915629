//! What handlers say of themselves while they run: how far they are, for people; and what the next
//! attempt is to go on from, which is written down.

use std::sync::Arc;

use fastjob_core::{AttemptId, Progress};

use super::{Engine, SessionId, state::Open};
use crate::record::Checkpoint;

impl Engine {
    pub(super) fn checkpoints(&mut self, session: SessionId, reached: Vec<(AttemptId, Arc<str>)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (attempt, value) in reached {
            let Some(open) = self.open.get_mut(&attempt) else { continue };
            if open.life != Some(life) || open.more().checkpoint.as_ref() == Some(&value) {
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

    pub(super) fn progress(&mut self, session: SessionId, told: Vec<(AttemptId, Progress)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (attempt, progress) in told {
            if let Some(open) = self.open.get_mut(&attempt).filter(|open| open.life == Some(life)) {
                open.more_mut().progress = Some(progress);
            }
        }
    }
}
