//! Checkpoints on their way to the store: of each shard at most one is being written and one waits.
//!
//! So a store that is slow or away costs memory for the latest checkpoint of each open attempt,
//! and no more.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::TaskId;

use super::{
    Engine, Held, SessionId,
    maps::Set,
    state::{After, Open},
};
use crate::record::Checkpoint;

/// A shard of a task.
type Part = (TaskId, u32);

/// The checkpoints that are not durable.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// The latest of each shard, not handed over yet.
    latest: BTreeMap<Part, Arc<str>>,
    /// Shards of which one has been handed over and is not durable.
    in_flight: Set<Part>,
}

impl Checkpoints {
    /// These are durable.
    pub(super) fn written(&mut self, parts: &[Part]) {
        for part in parts {
            self.in_flight.remove(part);
        }
    }

    /// No attempt will need the checkpoint of this shard.
    pub(super) fn forget(&mut self, part: Part) {
        self.latest.remove(&part);
    }

    /// Takes out what can be handed over.
    fn take(&mut self) -> Vec<(Part, Arc<str>)> {
        if self.latest.is_empty() {
            return Vec::new();
        }
        let in_flight = &mut self.in_flight;
        let ready = self.latest.extract_if(.., |part, _| in_flight.insert(*part));
        ready.collect()
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        self.latest.len() + self.in_flight.len()
    }
}

impl Engine {
    pub(super) fn checkpoints(&mut self, session: SessionId, reached: Vec<(Held, Arc<str>)>) {
        let Some(life) = self.sessions.get(&session).copied() else { return };
        for (held, value) in reached {
            let of = |open: &&mut Open| open.life == Some(life) && held.names(open.created_at);
            let Some(open) = self.open.get_mut(&held.attempt).filter(of) else { continue };
            if open.more().checkpoint.as_ref() == Some(&value) {
                continue;
            }
            open.more_mut().checkpoint = Some(Arc::clone(&value));
            self.checkpoints.latest.insert((open.task, open.shard.index), value);
        }
    }

    /// The last checkpoint of an attempt, which came with its outcome: it is written with the retry
    /// that starts from it.
    pub(super) fn last_checkpoint(&mut self, open: &mut Open, value: Option<String>) {
        let part = (open.task, open.shard.index);
        let waits = self.checkpoints.latest.remove(&part);
        let last = value.map(Arc::<str>::from);
        let is_new = last.is_some() && open.more().checkpoint != last;
        let Some(value) = last.filter(|_| is_new).or(waits) else { return };
        open.more_mut().checkpoint = Some(Arc::clone(&value));
        self.commit.checkpoints.push(Checkpoint { task: part.0, shard: part.1, value });
    }

    /// Adds the checkpoints that can be written to the commit.
    pub(super) fn write_checkpoints(&mut self) {
        let ready = self.checkpoints.take();
        if ready.is_empty() {
            return;
        }
        self.after.push(After::Checkpointed(ready.iter().map(|(part, _)| *part).collect()));
        let rows = ready.into_iter();
        let rows = rows.map(|((task, shard), value)| Checkpoint { task, shard, value });
        self.commit.checkpoints.extend(rows);
    }
}
