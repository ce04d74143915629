//! Commands of users and programs.

use tokio::sync::oneshot;

use super::reasons::Reasons;
use crate::{
    answer::SaveAnswer,
    effect::{Answer, Effects},
    engine::Engine,
    event::{Command, Now},
};

impl Engine {
    pub(super) fn command(&mut self, now: Now, command: Command, out: &mut Effects) {
        match command {
            Command::Save { job, mode, origin, condition, answer } => {
                let saved = self.save(now, *job, (mode, origin), &condition);
                self.answer_save(answer, saved, out);
            }
            Command::Apply { ask, answer } => match self.apply(now, &ask) {
                Ok(done) if !ask.is_dry => {
                    self.journal.answer_when_durable(Answer::Apply(answer, Ok(done)));
                }
                tried => out.answers.push(Answer::Apply(answer, tried)),
            },
            Command::Delete { job, only, condition, answer } => {
                let deleted = self.delete(now, &job, only, &condition);
                self.answer_save(answer, deleted, out);
            }
            Command::Switch { job, to, condition, answer } => {
                let switched = self.switch(now, &job, to, &condition);
                self.answer_save(answer, switched, out);
            }
            Command::Release { job, condition, answer } => {
                let released = self.release(now, &job, &condition);
                self.answer_save(answer, released, out);
            }
            Command::Start { ask, answer } => match self.start(now, ask) {
                Ok(task) => self.journal.answer_when_durable(Answer::Start(answer, Ok(task))),
                Err(refused) => out.answers.push(Answer::Start(answer, Err(refused))),
            },
            Command::Rerun { ask, answer } => match self.rerun(now, ask) {
                Ok(task) => self.journal.answer_when_durable(Answer::Start(answer, Ok(task))),
                Err(refused) => out.answers.push(Answer::Start(answer, Err(refused))),
            },
            Command::Backfill { ask, answer } => match self.backfill(now, ask) {
                Ok(done) => self.journal.answer_when_durable(Answer::Backfill(answer, Ok(done))),
                Err(refused) => out.answers.push(Answer::Backfill(answer, Err(refused))),
            },
            Command::Stop { task, why, answer } => {
                let stopped = self.stop_task(now, task, "stopped before it was sent", out);
                if stopped.is_some()
                    && let Some(why) = why
                {
                    self.journal.commit().notes.push((task, why));
                }
                self.journal.answer_when_durable(Answer::Stop(answer, stopped));
            }
            Command::Open { ask, answer } => {
                out.answers.push(Answer::Open(answer, self.open_tasks(&ask)));
            }
            Command::Live { tasks, answer } => {
                let mut reasons = Reasons::new();
                let live = tasks.into_iter();
                let live = live.filter_map(|task| self.live(now, task, &mut reasons)).collect();
                out.answers.push(Answer::Live(answer, live));
            }
            Command::CountOpen { jobs, answer } => {
                let counts = jobs.into_iter().filter_map(|job| self.count_open(job)).collect();
                out.answers.push(Answer::CountOpen(answer, counts));
            }
            Command::Survey { answer } => {
                out.answers.push(Answer::Survey(answer, self.survey(now)));
            }
            Command::Lives { answer } => {
                let lives = self.fleet.ids().collect();
                self.journal.answer_when_durable(Answer::Lives(answer, lives));
            }
            Command::Executors { answer } => {
                out.answers.push(Answer::Executors(answer, self.fleet.view(now.uptime)));
            }
        }
    }

    /// Answers a change to a job when it is durable, and a rejected change at once.
    fn answer_save(
        &mut self,
        to: oneshot::Sender<SaveAnswer>,
        answer: SaveAnswer,
        out: &mut Effects,
    ) {
        match answer {
            Ok(_) => self.journal.answer_when_durable(Answer::Save(to, answer)),
            Err(_) => out.answers.push(Answer::Save(to, answer)),
        }
    }
}
