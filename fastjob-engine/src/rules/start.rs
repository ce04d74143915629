//! Starts by callers: of one task, or of the fires of a past range.

use std::sync::Arc;

use fastjob_core::Cause;
use jiff::SignedDuration;

use super::plan::{Head, NewTask};
use crate::{
    answer::{BackfillAnswer, Backfilled, JobRefused, StartAnswer, StartedTask},
    engine::Engine,
    event::{Backfill, Now, Start, Target, When},
    state::keys::{Found, backfill_key},
};

impl Engine {
    pub(super) fn start(&mut self, now: Now, ask: Start) -> StartAnswer {
        let job = match &ask.job {
            Target::Path(path) => self.catalog.resolve(path)?,
            Target::WithService(path) => self.catalog.resolve_with_service(path)?,
        };
        let looked_at = ask.key.as_ref().map(|key| key.looked_at);
        let key = ask.key.map(|key| (job, key.text));
        if let Some((key, looked_at)) = key.as_ref().zip(looked_at) {
            match self.keys.find(key, looked_at) {
                Found::Task(task) => return Ok(StartedTask { task, is_new: false }),
                Found::LookAgain => return Err(JobRefused::LookAgain),
                Found::Nothing => {}
            }
        }
        self.attempts.admit(1, ask.param.as_deref())?;
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
        let (param, wanted, trace) = (ask.param, ask.executor, ask.trace);
        let new = NewTask { param, wanted, due_in, head, trace, ..new };
        let task = self.new_task(now, new);
        if let Some(key) = key {
            self.keys.remember(key, task, self.journal.commit_id());
        }
        Ok(StartedTask { task, is_new: true })
    }

    /// Starts the fires of a past range that no backfill has started before.
    pub(super) fn backfill(&mut self, now: Now, ask: Backfill) -> BackfillAnswer {
        let id = self.catalog.resolve(&ask.job)?;
        let Some(entry) = self.catalog.get(id) else {
            return Err(JobRefused::Unknown(ask.job.to_string()));
        };
        let until = ask.until.min(now.wall);
        let fires = entry
            .job()
            .timetable
            .fires_between(ask.from, until, entry.anchor(), ask.most as usize)
            .map_err(|why| JobRefused::NoBackfill(why.to_string()))?;
        let mut done = Backfilled { more: fires.more, ..Backfilled::default() };
        let mut new = Vec::with_capacity(fires.fires.len());
        for fire_at in fires.fires {
            let key = match &ask.looked {
                None => None,
                Some(looked) => {
                    let key = (id, backfill_key(fire_at, ask.key.as_deref()));
                    let found = match looked.found.get(&fire_at) {
                        Some(Some(task)) => Found::Task(*task),
                        Some(None) => self.keys.find(&key, looked.at),
                        // The schedule was changed since, or the fire was due.
                        None => Found::LookAgain,
                    };
                    match found {
                        Found::Task(task) => {
                            done.existing.push(task);
                            continue;
                        }
                        Found::LookAgain => return Err(JobRefused::LookAgain),
                        Found::Nothing => Some(key),
                    }
                }
            };
            new.push((fire_at, key));
        }
        self.attempts.admit(new.len(), None)?;
        for (fire_at, key) in new {
            let head =
                Head { key: key.as_ref().map(|(_, key)| Arc::clone(key)), ..Head::default() };
            let new = NewTask::new(id, Cause::Backfill, now.wall);
            let (fire_at, trace) = (Some(fire_at), ask.trace.clone());
            let task = self.new_task(now, NewTask { fire_at, head, trace, ..new });
            if let Some(key) = key {
                self.keys.remember(key, task, self.journal.commit_id());
            }
            done.tasks.push(task);
        }
        Ok(done)
    }
}
