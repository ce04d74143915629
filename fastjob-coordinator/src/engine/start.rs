//! Starts that somebody asked for: one, or the fires of a past range.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastjob_core::{JobId, TaskId};
use jiff::SignedDuration;

use super::{
    Backfill, BackfillAnswer, CommitId, Engine, JobRefused, Now, Start, StartAnswer, When,
    plan::{Head, NewTask},
};

/// How long a key is remembered here after its start: longer than any call that looked for it in
/// the store, in vain, can have been under way.
const KEY_AGE: Duration = Duration::from_secs(60);

/// Keys of starts that are so young that a caller may not have seen them in the store.
#[derive(Default)]
pub(super) struct Keys {
    known: HashMap<(JobId, Arc<str>), TaskId>,
    order: VecDeque<(Duration, CommitId, (JobId, Arc<str>))>,
}

impl Keys {
    pub(super) fn is_known(&self, key: &(JobId, Arc<str>)) -> bool {
        self.known.contains_key(key)
    }

    /// Remembers a start that is written with `commit`.
    pub(super) fn remember(
        &mut self,
        now: Now,
        key: (JobId, Arc<str>),
        task: TaskId,
        commit: CommitId,
    ) {
        self.known.insert(key.clone(), task);
        self.order.push_back((now.uptime, commit, key));
    }
}

impl Engine {
    pub(super) fn start(&mut self, now: Now, ask: Start) -> StartAnswer {
        let job = self.resolve(&ask.job)?;
        let key = ask.key.map(|key| (job, key));
        if let Some(task) = key.as_ref().and_then(|key| self.keys.known.get(key)) {
            return Ok(*task);
        }
        let (due_at, due_in) = match ask.at {
            When::Now => (now.wall, None),
            When::At(at) => (at.max(now.wall), None),
            When::After(delay) => {
                let due_at = SignedDuration::try_from(delay)
                    .ok()
                    .and_then(|delay| now.wall.checked_add(delay).ok());
                (due_at.unwrap_or(now.wall), Some(now.uptime + delay))
            }
        };
        let head = Head { key: key.as_ref().map(|(_, key)| Arc::clone(key)), ..Head::default() };
        let new = NewTask::new(job, ask.cause, due_at);
        let new = NewTask { param: ask.param, wanted: ask.executor, due_in, head, ..new };
        let task = self.new_task(now, new);
        if let Some(key) = key {
            self.keys.remember(now, key, task, CommitId(self.next_commit));
        }
        Ok(task)
    }

    /// Forgets the keys that everybody sees in the store by now.
    pub(super) fn forget_keys(&mut self, now: Now) {
        while let Some((since, commit, _)) = self.keys.order.front() {
            let durable = commit.0 < self.next_commit && !self.in_flight.contains_key(commit);
            if !durable || now.uptime.saturating_sub(*since) < KEY_AGE {
                return;
            }
            if let Some((_, _, key)) = self.keys.order.pop_front() {
                self.keys.known.remove(&key);
            }
        }
    }

    pub(super) fn backfill(&mut self, now: Now, ask: Backfill) -> BackfillAnswer {
        let id = self.resolve(&ask.job)?;
        let Some(entry) = self.jobs.get(&id) else {
            return Err(JobRefused::Unknown(ask.job.0));
        };
        let until = ask.until.min(now.wall);
        let fires = entry
            .row
            .job
            .timetable
            .fires_between(ask.from, until, entry.row.anchor, ask.most as usize)
            .map_err(|why| JobRefused::NoBackfill(why.to_string()))?;
        let mut tasks = Vec::with_capacity(fires.fires.len());
        for fire_at in fires.fires {
            let head = Head { note: Some("backfilled".to_owned()), ..Head::default() };
            let new = NewTask::new(id, ask.cause, now.wall);
            tasks.push(self.new_task(now, NewTask { fire_at: Some(fire_at), head, ..new }));
        }
        Ok((tasks, fires.more))
    }
}
