//! What people and programs ask about tasks and executors.

use fastjob_core::{
    AttemptId, TaskId, TaskState,
    attempt::End,
    task::{self, TaskEvent},
};
use jiff::SignedDuration;

use super::{
    Answer, Command, Effects, Engine, ExecutorFigures, LiveTask, Message, Now, OpenAsk, OpenPage,
    Start, StartAnswer, StopAnswer, When, plan::NewTask, state::Step,
};
use crate::record::MovedTask;

impl Engine {
    pub(super) fn command(&mut self, now: Now, command: Command, out: &mut Effects) {
        match command {
            Command::Save { job, mode, origin, answer } => {
                let saved = self.save(now, *job, mode, origin);
                // The new schedule is planned up to the watermark with the change itself.
                self.plan(now);
                self.answer_save(answer, saved, out);
            }
            Command::Delete { job, answer } => {
                let deleted = self.delete(now, &job);
                self.answer_save(answer, deleted, out);
            }
            Command::Switch { job, to, answer } => {
                let switched = self.switch(now, &job, to);
                self.plan(now);
                self.answer_save(answer, switched, out);
            }
            Command::Start { ask, answer } => match self.start(now, ask) {
                Ok(task) => self.answer_when_durable(Answer::Start(answer, Ok(task))),
                Err(refused) => out.answers.push(Answer::Start(answer, Err(refused))),
            },
            Command::Stop { task, answer } => {
                let stopped = self.stop(now, task, out);
                self.answer_when_durable(Answer::Stop(answer, stopped));
            }
            Command::Open { ask, answer } => {
                out.answers.push(Answer::Open(answer, self.open_tasks(&ask)));
            }
            Command::Live { tasks, answer } => {
                let live = tasks.into_iter().filter_map(|task| self.live(task)).collect();
                out.answers.push(Answer::Live(answer, live));
            }
            Command::Executors { answer } => {
                out.answers.push(Answer::Executors(answer, self.executors(now)));
            }
        }
    }

    fn start(&mut self, now: Now, ask: Start) -> StartAnswer {
        let job = self.resolve(&ask.job)?;
        let due_at = match ask.at {
            When::Now => now.wall,
            When::At(at) => at.max(now.wall),
            When::After(delay) => SignedDuration::try_from(delay)
                .ok()
                .and_then(|delay| now.wall.checked_add(delay).ok())
                .unwrap_or(now.wall),
        };
        let new =
            NewTask { job, cause: ask.cause, fire_at: None, due_at, param: ask.param, note: None };
        Ok(self.new_task(now, new))
    }

    fn stop(&mut self, now: Now, task: TaskId, out: &mut Effects) -> StopAnswer {
        let attempt = self.attempt_of(task)?;
        let open = self.open.get_mut(&attempt)?;
        if !matches!(open.step, Step::Sent | Step::Unsure) {
            self.end_here(
                now,
                attempt,
                End::Stopped,
                Some("stopped before it was sent".to_owned()),
            );
            return Some(TaskState::Stopped);
        }
        let stopping = task::next(open.task_state, TaskEvent::StopAsked)?;
        if stopping != open.task_state {
            open.task_state = stopping;
            self.commit.moved.push(MovedTask { task, state: stopping });
        }
        let life = open.life.and_then(|life| self.lives.get(&life));
        // An executor that is away is told when it comes back.
        if let Some(session) = life.and_then(|life| life.session) {
            out.sends.push((session, Message::Stop(vec![attempt])));
        }
        Some(stopping)
    }

    /// The attempt that a task is at, if the task is open.
    fn attempt_of(&self, task: TaskId) -> Option<AttemptId> {
        let first = task.first_attempt();
        match self.open.get(&first) {
            Some(open) if open.task == task => Some(first),
            _ => self.retried.get(&task).copied(),
        }
    }

    fn open_tasks(&self, ask: &OpenAsk) -> OpenPage {
        let mut tasks: Vec<_> = self
            .open
            .values()
            .filter(|open| open.task_state == ask.state)
            .filter(|open| ask.job.is_none_or(|job| open.job == job))
            .filter(|open| ask.below.is_none_or(|below| open.task < below))
            .filter(|open| ask.since.is_none_or(|since| open.created_at >= since))
            .filter(|open| open.step != Step::Recording)
            .map(|open| open.task)
            .collect();
        tasks.sort_unstable_by(|a, b| b.cmp(a));
        tasks.truncate(ask.limit as usize);
        OpenPage { tasks }
    }

    fn live(&self, task: TaskId) -> Option<LiveTask> {
        let attempt = self.attempt_of(task)?;
        let open = self.open.get(&attempt)?;
        let life = open.life.and_then(|life| self.lives.get(&life));
        Some(LiveTask {
            task,
            state: open.task_state,
            attempt,
            attempt_state: open.state,
            started_at: open.started_at,
            executor: life.map(|life| life.executor.clone()),
            session: life.and_then(|life| life.session),
        })
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
                attempts: life.holds,
                beat: life.beat,
                beat_age: now.uptime.saturating_sub(life.beat_at),
                labels: life.labels.clone(),
                handlers: life.handlers.clone(),
            })
            .collect();
        list.sort_by(|a, b| (&a.service, &a.executor).cmp(&(&b.service, &b.executor)));
        list
    }
}
