//! An engine beside a store that never fails: what single rules are told with.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, Cause, FailReason, Job, JobDraft, TaskState, attempt::End};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use crate::engine::simulation::ModelStore;
use crate::{
    engine::{
        Command, Config, ConnectAnswer, Connected, Effects, Engine, Event, JobPath, Message, Now,
        Outcome, SaveAnswer, SaveMode, SessionId, Start, StartAttempt, When,
    },
    record::Origin,
};

/// An engine whose commits are durable at once.
pub(super) struct Story {
    pub(super) engine: Engine,
    pub(super) store: ModelStore,
    pub(super) now: Now,
    pub(super) sent: Vec<(SessionId, Message)>,
}

pub(super) fn job(json: &str) -> Job {
    Job::try_from(serde_json::from_str::<JobDraft>(json).unwrap()).unwrap()
}

impl Story {
    pub(super) fn begin() -> Self {
        let wall = Timestamp::from_second(1_800_000_000).unwrap();
        Self::carry_on(ModelStore::default(), Now { wall, uptime: Duration::ZERO })
    }

    pub(super) fn carry_on(store: ModelStore, now: Now) -> Self {
        let config = Config::alone(Duration::from_secs(10), 1);
        let engine = Engine::new(config, store.load(), now);
        Self { engine, store, now, sent: Vec::new() }
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut effects = Effects::default();
        self.engine.handle(self.now, event, &mut effects);
        loop {
            self.engine.handle(self.now, Event::Tick, &mut effects);
            self.engine.flush(&mut effects);
            self.sent.append(&mut effects.sends);
            for answer in effects.answers.drain(..) {
                answer.give();
            }
            if effects.commits.is_empty() {
                return;
            }
            for (id, commit) in std::mem::take(&mut effects.commits) {
                self.store.apply(&commit);
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
        self.tell(Event::Command(Command::Save { job, mode: SaveMode::Replace, origin, answer }));
        wait.try_recv().unwrap()
    }

    pub(super) fn connect(
        &mut self,
        executor: &str,
        life: &str,
        session: u64,
        holding: &[i64],
    ) -> ConnectAnswer {
        self.connect_with(executor, life, session, holding, Vec::new())
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
        let (answer, mut wait) = oneshot::channel();
        let connected = Connected {
            session: SessionId(session),
            link: 0,
            service: "default".parse().unwrap(),
            executor: executor.parse().unwrap(),
            incarnation: life.parse().unwrap(),
            address: String::new(),
            version: String::new(),
            capacity: 2,
            labels: Arc::default(),
            handlers: Arc::new([("h".parse().unwrap(), String::new())].into()),
            jobs,
            holding: holding.iter().copied().map(AttemptId).collect(),
        };
        self.tell(Event::Connected(Box::new(connected), answer));
        wait.try_recv().unwrap()
    }

    pub(super) fn start(&mut self, name: &str) -> AttemptId {
        let (answer, mut wait) = oneshot::channel();
        let job = JobPath(name.to_owned());
        let ask =
            Start { job, cause: Cause::Api, param: None, at: When::Now, executor: None, key: None };
        self.tell(Event::Command(Command::Start { ask, answer }));
        wait.try_recv().unwrap().unwrap().first_attempt()
    }

    pub(super) fn finish(&mut self, session: u64, attempt: AttemptId, end: End) {
        let outcome = Outcome {
            attempt,
            end,
            result: None,
            message: None,
            started_at: Some(self.now.wall),
            ended_at: self.now.wall,
            log_tail: String::new(),
            checkpoint: None,
        };
        self.tell(Event::Finished(SessionId(session), vec![outcome]));
    }

    /// What was sent to a session since the last look.
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
