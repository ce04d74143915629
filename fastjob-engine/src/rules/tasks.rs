//! Open tasks: how they are stopped, and their state for users.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{AttemptId, JobId, TaskId, TaskState, attempt::End, task::TaskEvent};

use super::reasons::Reasons;
use crate::{
    answer::{LiveAttempt, LiveTask, OpenCount, OpenPage, StopAnswer},
    effect::{Effects, Message},
    engine::Engine,
    event::{Now, OpenAsk},
    record::MovedTask,
    state::{
        attempts::{Open, Step},
        fleet::Life,
    },
};

impl Engine {
    /// Stops a task with all its shards. Returns its new state; `None` if it was not open.
    pub(super) fn stop_task(
        &mut self,
        now: Now,
        task: TaskId,
        why: &str,
        out: &mut Effects,
    ) -> StopAnswer {
        let attempts = self.attempts.of_task(task);
        let first = *attempts.first()?;
        // Attempts on an executor end when it reports that. The others end now, so they never end
        // last.
        let (sent, unsent): (Vec<_>, Vec<_>) = attempts
            .into_iter()
            .partition(|attempt| self.attempts.get(*attempt).is_some_and(Open::is_out));
        let before = self.attempts.get(first).map(|open| self.attempts.task_state(open))?;
        let state = match sent.is_empty() {
            true => {
                // It was stopped before it ended: shards that failed earlier do not make it failed.
                if self.attempts.is_spread(task) {
                    self.attempts.move_task(first, TaskEvent::StopAsked);
                }
                TaskState::Stopped
            }
            false => self.attempts.move_task(first, TaskEvent::StopAsked)?,
        };
        if state != before && !sent.is_empty() {
            self.journal.commit().moved.push(MovedTask { task, state });
        }
        for attempt in unsent {
            self.end_here(now, attempt, End::Stopped, Some(why.to_owned()));
        }
        for attempt in sent {
            self.await_stop(now, attempt);
            let Some(open) = self.attempts.get(attempt) else { continue };
            // A disconnected executor gets the stop request when it reconnects.
            if let Some(session) = self.fleet.session_at(open.life()) {
                out.sends.push((session, Message::Stop(vec![open.held()])));
            }
        }
        Some(state)
    }

    pub(super) fn open_tasks(&self, ask: &OpenAsk) -> OpenPage {
        let is_after = |task: TaskId| match (ask.after, ask.is_oldest_first) {
            (Some(after), true) => task > after,
            (Some(after), false) => task < after,
            (None, _) => true,
        };
        let found = self
            .attempts
            .iter()
            .filter(|open| ask.states.contains(&self.attempts.task_state(open)))
            .filter(|open| ask.job.is_none_or(|job| open.row.job == job))
            .filter(|open| is_after(open.row.task))
            .filter(|open| ask.since.is_none_or(|since| open.row.created_at >= since))
            // A retry was created later than its task.
            .filter(|open| {
                open.row.number > 1 || ask.until.is_none_or(|until| open.row.created_at < until)
            })
            .filter(|open| open.step() != Step::Recording)
            .map(|open| open.row.task);
        // Keeps the first ones, each once, without sorting all.
        let mut tasks = BTreeSet::new();
        for task in found {
            if tasks.insert(task) && tasks.len() > ask.limit as usize {
                if ask.is_oldest_first {
                    tasks.pop_last();
                } else {
                    tasks.pop_first();
                }
            }
        }
        let tasks = tasks.into_iter();
        let tasks = if ask.is_oldest_first { tasks.collect() } else { tasks.rev().collect() };
        OpenPage { tasks }
    }

    /// How many tasks of a job are open; `None` if there are none.
    pub(super) fn count_open(&self, job: JobId) -> Option<OpenCount> {
        let attempts = self.attempts.of_job(job).filter_map(|id| self.attempts.get(id));
        let attempts = attempts.filter(|open| open.step() != Step::Recording);
        // The open attempts of a task agree on its state.
        let tasks: BTreeMap<_, _> =
            attempts.map(|open| (open.row.task, self.attempts.task_state(open))).collect();
        let running = |state: &&TaskState| **state != TaskState::Queued;
        let running = tasks.values().filter(running).count() as u64;
        let count = OpenCount { job, queued: tasks.len() as u64 - running, running };
        (!tasks.is_empty()).then_some(count)
    }

    pub(super) fn live(&self, now: Now, task: TaskId, reasons: &mut Reasons) -> Option<LiveTask> {
        let attempts = self.attempts.of_task(task);
        let state = attempts.first().and_then(|id| self.attempts.get(*id))?;
        let state = self.attempts.task_state(state);
        let live = |attempt: AttemptId| {
            let open = self.attempts.get(attempt)?;
            let life = self.fleet.at(open.life());
            Some(LiveAttempt {
                attempt,
                state: open.state,
                started_at: open.started_at,
                progress: open.rare().progress.clone(),
                waits_for: self.waits_for(now, open, reasons),
                executor: life.map(|life| life.executor().clone()),
                session: life.and_then(Life::session),
            })
        };
        Some(LiveTask { task, state, attempts: attempts.into_iter().filter_map(live).collect() })
    }
}
