//! An engine with a store that never fails, for tests of single rules.

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, Cause, FailReason, Job, JobDraft, TaskState, Trace, attempt::End, trace::Sampler,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use crate::simulation::ModelStore;
use crate::{
    Command, Condition, Config, ConnectAnswer, Connected, Effects, Engine, Event, Held, Limits,
    Message, Now, Outcome, SaveAnswer, SaveMode, SessionId, Start, StartAnswer, StartAttempt,
    Switch, Target, When,
    record::{AlarmRow, Origin},
};

/// An engine whose commits are durable at once.
pub(super) struct Story {
    pub(super) engine: Engine,
    pub(super) store: ModelStore,
    pub(super) now: Now,
    pub(super) sent: Vec<(SessionId, Message)>,
    pub(super) alarms: Vec<AlarmRow>,
    pub(super) notices: Vec<crate::Notice>,
    pub(super) spans: Vec<crate::Span>,
    /// How many commits there were.
    pub(super) commits: usize,
}

pub(super) fn job(json: &str) -> Job {
    Job::try_from(serde_json::from_str::<JobDraft>(json).unwrap()).unwrap()
}

impl Story {
    pub(super) fn begin() -> Self {
        let wall = Timestamp::from_second(1_800_000_000).unwrap();
        Self::resume(ModelStore::default(), Now { wall, uptime: Duration::ZERO })
    }

    pub(super) fn resume(store: ModelStore, now: Now) -> Self {
        Self::resume_with(store, now, None)
    }

    /// Records traces.
    pub(super) fn resume_with(store: ModelStore, now: Now, traces: Option<Sampler>) -> Self {
        let config = Config { traces, ..Config::alone(Duration::from_secs(10), 1) };
        let engine = Engine::new(config, Limits::default(), store.load(), now);
        Self {
            engine,
            store,
            now,
            sent: Vec::new(),
            alarms: Vec::new(),
            notices: Vec::new(),
            spans: Vec::new(),
            commits: 0,
        }
    }

    /// Sets the limits of the engine.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.engine.limit(limits);
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut effects = Effects::default();
        self.engine.handle(self.now, event, &mut effects);
        loop {
            self.engine.handle(self.now, Event::Tick, &mut effects);
            self.engine.flush(&mut effects);
            self.sent.append(&mut effects.sends);
            self.notices.append(&mut effects.notices);
            self.spans.append(&mut effects.spans);
            for answer in effects.answers.drain(..) {
                answer.give();
            }
            if effects.commits.is_empty() {
                return;
            }
            for (id, commit) in std::mem::take(&mut effects.commits) {
                self.store.apply(&commit);
                self.commits += 1;
                self.alarms.extend(commit.alarms);
                self.engine.handle(self.now, Event::Committed(vec![id]), &mut effects);
            }
        }
    }

    pub(super) fn pass(&mut self, millis: i64) {
        self.now.wall += SignedDuration::from_millis(millis);
        self.now.uptime += Duration::from_millis(millis.unsigned_abs());
        self.tell(Event::Tick);
    }

    pub(super) fn save(&mut self, json: &str, origin: Origin) -> SaveAnswer {
        let (answer, mut wait) = oneshot::channel();
        let job = Box::new(job(json));
        self.tell(Event::Command(Command::Save {
            job,
            mode: SaveMode::Replace,
            origin,
            condition: Condition::Unconditional,
            answer,
        }));
        self.answered(&mut wait)
    }

    pub(super) fn delete(&mut self, name: &str) -> SaveAnswer {
        let (answer, mut wait) = oneshot::channel();
        let job = name.parse().unwrap();
        self.tell(Event::Command(Command::Delete {
            job,
            only: None,
            condition: Condition::Unconditional,
            answer,
        }));
        self.answered(&mut wait)
    }

    /// The answer to a change. The change waits if an earlier engine may have sent fires that are
    /// not due yet. The wall clock does not advance meanwhile, as if that engine's clock was ahead.
    fn answered(&mut self, wait: &mut oneshot::Receiver<SaveAnswer>) -> SaveAnswer {
        if let Ok(answer) = wait.try_recv() {
            return answer;
        }
        self.now.uptime += self.engine.settles_in(self.now);
        self.tell(Event::Tick);
        wait.try_recv().unwrap()
    }

    pub(super) fn connect(
        &mut self,
        executor: &str,
        life: &str,
        session: u64,
        holding: &[i64],
    ) -> ConnectAnswer {
        self.connect_as(executor, life, session, holding, |_| {})
    }

    /// Connects an executor that declares these jobs.
    pub(super) fn connect_with(
        &mut self,
        executor: &str,
        life: &str,
        session: u64,
        holding: &[i64],
        jobs: Vec<Arc<Job>>,
    ) -> ConnectAnswer {
        self.connect_as(executor, life, session, holding, |connected| connected.jobs = jobs)
    }

    /// Connects an executor whose hello `change` modifies.
    pub(super) fn connect_as(
        &mut self,
        executor: &str,
        life: &str,
        session: u64,
        holding: &[i64],
        change: impl FnOnce(&mut Connected),
    ) -> ConnectAnswer {
        let (answer, mut wait) = oneshot::channel();
        let mut connected = self.connected(executor, life, session, holding);
        change(&mut connected);
        self.tell(Event::Connected(Box::new(connected), answer));
        wait.try_recv().unwrap()
    }

    /// The hello of an executor with two places.
    pub(super) fn connected(
        &self,
        executor: &str,
        life: &str,
        session: u64,
        holding: &[i64],
    ) -> Connected {
        Connected {
            executor: executor.parse().unwrap(),
            incarnation: life.parse().unwrap(),
            capacity: 2,
            holding: holding.iter().map(|id| self.held(AttemptId(*id))).collect(),
            ..Connected::with(SessionId(session))
        }
    }

    pub(super) fn start(&mut self, name: &str) -> AttemptId {
        self.start_at(name, When::Now)
    }

    pub(super) fn start_at(&mut self, name: &str, at: When) -> AttemptId {
        self.start_with(name, None, at).unwrap().task.first_attempt()
    }

    pub(super) fn start_with(&mut self, name: &str, param: Option<&str>, at: When) -> StartAnswer {
        let (answer, mut wait) = oneshot::channel();
        let (job, param) = (Target::Path(name.parse().unwrap()), param.map(Into::into));
        let (executor, key, trace) = (None, None, None);
        let ask = Start { job, cause: Cause::Api, param, at, executor, key, trace };
        self.tell(Event::Command(Command::Start { ask, answer }));
        wait.try_recv().unwrap()
    }

    /// Starts a task in a trace.
    pub(super) fn start_in(&mut self, name: &str, trace: Trace) -> AttemptId {
        let (answer, mut wait) = oneshot::channel();
        let (job, executor, key) = (Target::Path(name.parse().unwrap()), None, None);
        let (at, trace) = (When::Now, Some(trace));
        let ask = Start { job, cause: Cause::Api, param: None, at, executor, key, trace };
        self.tell(Event::Command(Command::Start { ask, answer }));
        wait.try_recv().unwrap().unwrap().task.first_attempt()
    }

    /// Starts a task on one executor.
    pub(super) fn start_on(&mut self, name: &str, executor: &str) -> AttemptId {
        let (answer, mut wait) = oneshot::channel();
        let job = Target::Path(name.parse().unwrap());
        let executor = Some(executor.parse().unwrap());
        let (at, key, trace) = (When::Now, None, None);
        let ask = Start { job, cause: Cause::Api, param: None, at, executor, key, trace };
        self.tell(Event::Command(Command::Start { ask, answer }));
        wait.try_recv().unwrap().unwrap().task.first_attempt()
    }

    pub(super) fn finish(&mut self, session: u64, attempt: AttemptId, end: End) {
        self.finish_saying(session, attempt, end, None);
    }

    pub(super) fn finish_saying(
        &mut self,
        session: u64,
        attempt: AttemptId,
        end: End,
        message: Option<&str>,
    ) {
        let outcome = Outcome {
            attempt,
            created_at: self.held(attempt).created_at,
            end,
            result: None,
            message: message.map(str::to_owned),
            started_at: Some(self.now.wall),
            ended_at: self.now.wall,
            log_tail: String::new(),
            log_at: 0,
            checkpoint: None,
        };
        self.tell(Event::Finished(SessionId(session), vec![outcome]));
    }

    /// The attempt with its creation time, from the store.
    pub(super) fn held(&self, attempt: AttemptId) -> Held {
        let row = self.store.attempts.get(&attempt);
        let created_at = row.map_or(Timestamp::UNIX_EPOCH, |row| row.new.row.created_at);
        Held { attempt, created_at }
    }

    pub(super) fn switch(&mut self, name: &str, to: Switch) {
        let (answer, mut wait) = oneshot::channel();
        let job = name.parse().unwrap();
        self.tell(Event::Command(Command::Switch {
            job,
            to,
            condition: Condition::Unconditional,
            answer,
        }));
        self.answered(&mut wait).unwrap();
    }

    /// An executor reports that it drains, and returns attempts.
    pub(super) fn leave(&mut self, session: u64, returned: &[AttemptId]) {
        let (noted, mut wait) = oneshot::channel();
        self.tell(Event::Leaving(SessionId(session), returned.to_vec(), noted));
        wait.try_recv().expect("the engine has taken note");
    }

    /// The attempts that were sent to a session since the last call.
    pub(super) fn starts(&mut self, session: u64) -> Vec<StartAttempt> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter()
            .filter(|(to, _)| *to == SessionId(session))
            .filter_map(|(_, message)| if let Message::Start(s) = message { Some(s) } else { None })
            .flatten()
            .collect()
    }

    pub(super) fn task_state(&self, attempt: AttemptId) -> TaskState {
        self.store.attempts[&attempt].task_state
    }

    pub(super) fn reason(&self, attempt: AttemptId) -> Option<FailReason> {
        self.store.attempts[&attempt].ended.as_ref().and_then(|ended| ended.reason)
    }
}
