//! What people and programs ask about tasks and executors.

use std::{collections::BTreeSet, sync::Arc};

use fastjob_core::{AttemptId, TaskId, TaskState, attempt::End, task::TaskEvent};

use super::{
    Answer, Command, Effects, Engine, ExecutorFigures, LiveAttempt, LiveTask, Message, Now,
    OpenAsk, OpenPage, StopAnswer,
    state::{Open, ShardAt, Step},
};
use crate::record::MovedTask;

impl Engine {
    pub(super) fn command(&mut self, now: Now, command: Command, out: &mut Effects) {
        match command {
            Command::Save { job, mode, origin, answer } => {
                let saved = self.save(now, *job, mode, origin);
                self.answer_save(answer, saved, out);
            }
            Command::Delete { job, answer } => {
                let deleted = self.delete(now, &job);
                self.answer_save(answer, deleted, out);
            }
            Command::Switch { job, to, answer } => {
                let switched = self.switch(now, &job, to);
                self.answer_save(answer, switched, out);
            }
            Command::Start { ask, answer } => match self.start(now, ask) {
                Ok(task) => self.answer_when_durable(Answer::Start(answer, Ok(task))),
                Err(refused) => out.answers.push(Answer::Start(answer, Err(refused))),
            },
            Command::Backfill { ask, answer } => match self.backfill(now, ask) {
                Ok(done) => self.answer_when_durable(Answer::Backfill(answer, Ok(done))),
                Err(refused) => out.answers.push(Answer::Backfill(answer, Err(refused))),
            },
            Command::Stop { task, answer } => {
                let stopped = self.stop_task(now, task, "stopped before it was sent", out);
                self.answer_when_durable(Answer::Stop(answer, stopped));
            }
            Command::Open { ask, answer } => {
                out.answers.push(Answer::Open(answer, self.open_tasks(&ask)));
            }
            Command::Live { tasks, answer } => {
                let live = tasks.into_iter().filter_map(|task| self.live(task)).collect();
                out.answers.push(Answer::Live(answer, live));
            }
            Command::Lives { answer } => {
                let lives = self.current_lives();
                self.answer_when_durable(Answer::Lives(answer, lives));
            }
            Command::Executors { answer } => {
                out.answers.push(Answer::Executors(answer, self.executors(now)));
            }
        }
    }

    /// Stops a task with all its shards; its state, if it was open.
    pub(super) fn stop_task(
        &mut self,
        now: Now,
        task: TaskId,
        why: &str,
        out: &mut Effects,
    ) -> StopAnswer {
        let attempts = self.attempts_of(task);
        let first = *attempts.first()?;
        // What is on an executor ends when that says so; then the rest has ended already.
        let (sent, unsent): (Vec<_>, Vec<_>) = attempts
            .into_iter()
            .partition(|attempt| self.open.get(attempt).is_some_and(Open::is_out));
        let before = self.open.get(&first).map(|open| self.task_state(open))?;
        let state = match sent.is_empty() {
            true => {
                // Shards that failed before do not make it fail: it is stopped before it is over.
                if self.spreads.contains_key(&task) {
                    self.move_task(first, TaskEvent::StopAsked);
                }
                TaskState::Stopped
            }
            false => self.move_task(first, TaskEvent::StopAsked)?,
        };
        if state != before && !sent.is_empty() {
            self.commit.moved.push(MovedTask { task, state });
        }
        for attempt in unsent {
            self.end_here(now, attempt, End::Stopped, Some(why.to_owned()));
        }
        for attempt in sent {
            self.await_stop(now, attempt);
            let Some(open) = self.open.get(&attempt) else { continue };
            let life = open.life.and_then(|life| self.lives.get(&life));
            // An executor that is away is told when it comes back.
            if let Some(session) = life.and_then(|life| life.session) {
                out.sends.push((session, Message::Stop(vec![open.named(attempt)])));
            }
        }
        Some(state)
    }

    /// The attempts that a task is at, if the task is open.
    fn attempts_of(&self, task: TaskId) -> Vec<AttemptId> {
        if let Some(spread) = self.spreads.get(&task) {
            let open = spread.shards.iter().filter_map(|at| match at {
                ShardAt::Open(attempt) => Some(*attempt),
                ShardAt::Ended { .. } => None,
            });
            return open.filter(|attempt| self.open.contains_key(attempt)).collect();
        }
        let first = task.first_attempt();
        match self.open.get(&first) {
            Some(open) if open.task == task => vec![first],
            _ => self.retried.get(&task).copied().into_iter().collect(),
        }
    }

    fn open_tasks(&self, ask: &OpenAsk) -> OpenPage {
        let found = self
            .open
            .values()
            .filter(|open| self.task_state(open) == ask.state)
            .filter(|open| ask.job.is_none_or(|job| open.job == job))
            .filter(|open| ask.below.is_none_or(|below| open.task < below))
            .filter(|open| ask.since.is_none_or(|since| open.created_at >= since))
            .filter(|open| open.step != Step::Recording)
            .map(|open| open.task);
        // The newest, each once, without sorting all.
        let mut tasks = BTreeSet::new();
        for task in found {
            if tasks.insert(task) && tasks.len() > ask.limit as usize {
                tasks.pop_first();
            }
        }
        OpenPage { tasks: tasks.into_iter().rev().collect() }
    }

    fn live(&self, task: TaskId) -> Option<LiveTask> {
        let attempts = self.attempts_of(task);
        let state = attempts.first().and_then(|id| self.open.get(id))?;
        let state = self.task_state(state);
        let live = |attempt: AttemptId| {
            let open = self.open.get(&attempt)?;
            let life = open.life.and_then(|life| self.lives.get(&life));
            Some(LiveAttempt {
                attempt,
                state: open.state,
                started_at: open.started_at,
                progress: open.more().progress.clone(),
                executor: life.map(|life| life.executor.clone()),
                session: life.and_then(|life| life.session),
            })
        };
        Some(LiveTask { task, state, attempts: attempts.into_iter().filter_map(live).collect() })
    }

    fn executors(&self, now: Now) -> Vec<ExecutorFigures> {
        let mut list: Vec<_> = self
            .lives
            .values()
            .map(|life| ExecutorFigures {
                session: life.session,
                leaving: life.leaving,
                service: life.service.clone(),
                executor: life.executor.clone(),
                incarnation: life.incarnation.clone(),
                address: life.address.clone(),
                version: life.version.clone(),
                since: life.since,
                capacity: life.capacity,
                attempts: life.holds(),
                beat: life.beat.unwrap_or_default(),
                beat_age: now.uptime.saturating_sub(life.beat_at),
                labels: Arc::clone(&life.labels),
                handlers: Arc::clone(&life.handlers),
            })
            .collect();
        list.sort_by(|a, b| (&a.service, &a.executor).cmp(&(&b.service, &b.executor)));
        list
    }
}
