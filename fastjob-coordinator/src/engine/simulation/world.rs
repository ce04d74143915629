//! The engine, a model of the store, executors and the streams between them, under two clocks.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use fastjob_core::{FailReason, Job, JobDraft, attempt::End};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::sync::oneshot;

use super::{
    action::{Action, EXECUTORS},
    executor::{Executor, Said},
    invariants::Witness,
    jobs,
    model::ModelStore,
};
use crate::{
    engine::{
        Command, CommitId, Config, ConnectAnswer, Connected, Effects, Engine, Event, JobPath,
        Message, Now, SaveAnswer, SaveMode, SessionId, Switch,
    },
    record::{Commit, Origin},
};

/// How long an executor may be away.
const LOST: Duration = Duration::from_secs(10);
/// When an executor has stopped what is exclusive: before it may be lost.
const CUT_OFF: Duration = Duration::from_secs(6);

pub(super) struct World {
    /// The wall clock of the machine, which may jump.
    clock: Timestamp,
    /// What the engine is told of it: held monotonic while the process lives.
    pub(super) wall: Timestamp,
    uptime: Duration,
    /// For the seeds of engines.
    started: u64,
    engine: Option<Engine>,
    pub(super) store: ModelStore,
    pending: VecDeque<(CommitId, Commit)>,
    executors: Vec<Executor>,
    next_session: u64,
    disabled: Vec<(oneshot::Receiver<SaveAnswer>, String)>,
    pub(super) witness: Witness,
    pub(super) events: u64,
    resting: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Timestamp::from_second(1_800_000_000).unwrap_or_default();
        let mut world = Self {
            clock,
            wall: clock,
            uptime: Duration::ZERO,
            started: 0,
            engine: None,
            store: ModelStore::default(),
            pending: VecDeque::new(),
            executors: (0..EXECUTORS).map(Executor::new).collect(),
            next_session: 1,
            disabled: Vec::new(),
            witness: Witness::default(),
            events: 0,
            resting: false,
        };
        world.start_coordinator();
        for draft in jobs::drafts() {
            world.save(draft);
        }
        while !world.pending.is_empty() {
            world.commit(false);
        }
        world
    }

    pub(super) fn apply(&mut self, action: Action) {
        match action {
            Action::Pass(millis) => {
                self.pass(millis);
                self.tell(Event::Tick);
            }
            Action::Commit => self.commit(false),
            Action::CommitTwice => self.commit(true),
            Action::Deliver(n) => self.deliver(n),
            Action::DeliverTwice(n) => {
                if let Some(first) = self.executors[n].inbound.front().cloned() {
                    self.executors[n].inbound.push_front(first);
                }
                self.deliver(n);
                self.deliver(n);
            }
            Action::Reorder(n) => {
                if self.executors[n].inbound.len() > 1 {
                    self.executors[n].inbound.swap(0, 1);
                }
            }
            Action::Receive(n) => self.receive(n),
            Action::Run(n, seed) => self.run_handlers(n, &mut SmallRng::seed_from_u64(seed)),
            Action::Connect(n) => self.connect(n),
            Action::Disconnect(n) => self.disconnect(n),
            Action::Leave(n) => self.leave(n),
            Action::People(seed) => self.people(&mut SmallRng::seed_from_u64(seed)),
            Action::CrashExecutor(n) => {
                self.disconnect(n);
                self.executors[n].restart();
            }
            Action::CrashCoordinator(seed) => {
                self.crash_coordinator(&mut SmallRng::seed_from_u64(seed));
            }
            Action::Jump(millis) => {
                self.clock += SignedDuration::from_millis(millis);
                self.wall = self.wall.max(self.clock);
                self.tell(Event::Tick);
            }
            Action::Pause(millis) => {
                self.pass_unheard(millis);
                self.tell(Event::Tick);
            }
        }
        self.see_disabled();
    }

    fn now(&self) -> Now {
        Now { wall: self.wall, uptime: self.uptime }
    }

    fn start_coordinator(&mut self) {
        self.started += 1;
        let config = Config { executor_lost: LOST, seed: self.started };
        self.wall = self.clock;
        self.engine = Some(Engine::new(config, self.store.load(), self.now()));
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        let Some(engine) = &mut self.engine else { return };
        self.events += 1;
        let mut effects = Effects::default();
        engine.handle(now, event, &mut effects);
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        self.pending.extend(effects.commits);
        for (session, message) in effects.sends {
            let to = self.executors.iter_mut().find(|e| e.session == Some(session));
            let Some(executor) = to else { continue };
            if let Message::Start(attempts) = &message {
                for start in attempts {
                    self.witness.see_send(start, executor, &self.store);
                }
            }
            executor.inbound.push_back(message);
        }
        for answer in effects.answers {
            answer.give();
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        self.tell(Event::Command(command));
    }

    pub(super) fn save(&mut self, draft: JobDraft) {
        let job = Job::try_from(draft).expect("a job of the simulation is valid");
        let (answer, _) = oneshot::channel();
        let (job, mode, origin) = (Box::new(job), SaveMode::Replace, Origin::Api);
        self.command(Command::Save { job, mode, origin, answer });
    }

    pub(super) fn switch(&mut self, job: &str, to: Switch) {
        let (answer, wait) = oneshot::channel();
        self.witness.off_since.remove(job);
        self.disabled.retain(|(_, other)| other != job);
        self.command(Command::Switch { job: JobPath(job.to_owned()), to, answer });
        if to == Switch::Off {
            self.disabled.push((wait, job.to_owned()));
        }
    }

    fn pass(&mut self, millis: u64) {
        for executor in &mut self.executors {
            if executor.session.is_some() {
                executor.heard_at = self.uptime;
            }
        }
        self.pass_unheard(millis);
    }

    fn pass_unheard(&mut self, millis: u64) {
        self.clock += SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0));
        self.wall = self.wall.max(self.clock);
        self.uptime += Duration::from_millis(millis);
        for executor in &mut self.executors {
            if self.uptime.saturating_sub(executor.heard_at) > CUT_OFF {
                executor.stop_exclusive(self.wall);
            }
        }
    }

    fn connect(&mut self, n: usize) {
        if self.engine.is_none() || self.executors[n].session.is_some() {
            return;
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let executor = &mut self.executors[n];
        executor.session = Some(session);
        executor.heard_at = self.uptime;
        let outcomes: Vec<_> = executor.unacknowledged.values().cloned().collect();
        let connected = Connected {
            session,
            link: 0,
            service: jobs::name("default"),
            executor: jobs::name(&executor.name),
            incarnation: jobs::name(&format!("i{}", executor.incarnation)),
            address: String::new(),
            version: String::new(),
            capacity: 8,
            labels: [("zone".to_owned(), if n < 2 { "a" } else { "b" }.to_owned())].into(),
            handlers: BTreeMap::from([(jobs::name("h"), String::new())]),
            jobs: Vec::new(),
            holding: executor.holding(),
        };
        let (answer, mut wait) = oneshot::channel();
        self.tell(Event::Connected(Box::new(connected), answer));
        match wait.try_recv() {
            Ok(ConnectAnswer::Welcome) => {
                let running: Vec<_> = self.executors[n].running.keys().copied().collect();
                for attempt in running {
                    self.executors[n].say(Said::Started(attempt, self.wall));
                }
                for outcome in outcomes {
                    self.executors[n].say(Said::Finished(outcome));
                }
            }
            _ => drop(self.executors[n].cut()),
        }
    }

    fn disconnect(&mut self, n: usize) {
        if let Some(session) = self.executors[n].cut() {
            self.tell(Event::Disconnected(session));
        }
    }

    /// It takes no more, ends what it runs, and stops.
    fn leave(&mut self, n: usize) {
        let Some(session) = self.executors[n].session else { return };
        self.tell(Event::Leaving(session, Vec::new()));
        let running: Vec<_> = self.executors[n].running.keys().copied().collect();
        for attempt in running {
            self.executors[n].finish(attempt, End::Failed(FailReason::Error), self.wall);
        }
        while !self.executors[n].outbound.is_empty() {
            self.receive(n);
        }
        self.disconnect(n);
        self.executors[n].restart();
    }

    fn deliver(&mut self, n: usize) {
        let Some(message) = self.executors[n].inbound.pop_front() else { return };
        match message {
            Message::Start(attempts) => {
                for start in attempts {
                    if self.executors[n].entered.contains(&start.attempt) {
                        continue; // it answers with what it knows
                    }
                    let due_at = self.store.attempts[&start.attempt].new.due_at;
                    self.witness.see_enter(&start, due_at, n, &self.executors);
                    let (executor, at) = (&mut self.executors[n], self.wall);
                    executor.entered.insert(start.attempt);
                    executor.say(Said::Started(start.attempt, at));
                    executor.running.insert(start.attempt, start);
                }
            }
            Message::Stop(attempts) => {
                for id in attempts {
                    let hangs =
                        |start: &crate::engine::StartAttempt| start.job.name.as_str() == "hangs";
                    if !self.executors[n].running.get(&id).is_some_and(hangs) {
                        self.executors[n].finish(id, End::Stopped, self.wall);
                    }
                }
            }
            Message::Recorded(attempts) => {
                for id in attempts {
                    self.executors[n].unacknowledged.remove(&id);
                }
            }
            Message::Close => drop(self.executors[n].cut()),
        }
    }

    fn receive(&mut self, n: usize) {
        let Some(session) = self.executors[n].session else { return };
        match self.executors[n].outbound.pop_front() {
            Some(Said::Started(attempt, at)) => {
                self.tell(Event::Started(session, vec![(attempt, at)]));
            }
            Some(Said::Finished(outcome)) => self.tell(Event::Finished(session, vec![outcome])),
            None => {}
        }
    }

    fn run_handlers(&mut self, n: usize, dice: &mut SmallRng) {
        let running: Vec<_> = self.executors[n].running.keys().copied().collect();
        for id in running {
            let hangs = self.executors[n].running[&id].job.name.as_str() == "hangs";
            if hangs || dice.random_bool(0.5) {
                continue;
            }
            let end = match dice.random_range(0..12) {
                0 if !self.resting => End::Failed(FailReason::Error),
                1 if !self.resting => End::Failed(FailReason::Fatal),
                2 if !self.resting => End::Failed(FailReason::TimedOut),
                _ => End::Succeeded,
            };
            self.executors[n].finish(id, end, self.wall);
        }
    }

    fn commit(&mut self, twice: bool) {
        let Some((id, commit)) = self.pending.pop_front() else { return };
        self.make_durable(&commit);
        if twice {
            let before = self.store.attempts.clone();
            self.store.apply(&commit);
            let same = before == self.store.attempts;
            assert!(same, "a commit that was sent again changed something");
        }
        self.tell(Event::Committed(vec![id]));
    }

    fn make_durable(&mut self, commit: &Commit) {
        self.witness.see_commit(commit, &self.store);
        self.store.apply(commit);
    }

    fn crash_coordinator(&mut self, dice: &mut SmallRng) {
        self.engine = None;
        // Some of what was handed over became durable, its answer did not come back.
        let durable = dice.random_range(0..=self.pending.len());
        for (_, commit) in std::mem::take(&mut self.pending).into_iter().take(durable) {
            self.make_durable(&commit);
        }
        self.disabled.clear();
        for executor in &mut self.executors {
            executor.cut();
        }
        // Down for a moment, or long enough for misfires.
        let down = if dice.random_bool(0.3) { 20_000 } else { 1_500 };
        self.pass_unheard(dice.random_range(0..down));
        self.start_coordinator();
    }

    fn see_disabled(&mut self) {
        let Some(engine) = &self.engine else { return };
        let wall = engine.floor;
        for (wait, job) in &mut self.disabled {
            if let Ok(Ok(_)) = wait.try_recv() {
                self.witness.off_since.insert(job.clone(), wall);
            }
        }
    }

    /// Lets everything come to its end, without faults, and checks that it did.
    pub(super) fn rest(&mut self) {
        self.resting = true;
        for job in jobs::names() {
            self.switch(&job, Switch::Off);
        }
        let mut dice = SmallRng::seed_from_u64(0);
        // The longest wait is for an executor, a minute.
        for _ in 0..1_200 {
            for n in 0..self.executors.len() {
                self.connect(n);
                while !self.executors[n].inbound.is_empty() {
                    self.deliver(n);
                }
                self.run_handlers(n, &mut dice);
                while !self.executors[n].outbound.is_empty() {
                    self.receive(n);
                }
            }
            while !self.pending.is_empty() {
                self.commit(false);
            }
            self.pass(100);
            self.tell(Event::Tick);
            if self.store.attempts.values().all(|row| !row.is_open()) {
                break;
            }
        }
        if let Some(row) = self.store.attempts.values().find(|row| row.is_open()) {
            let engine = self.engine.as_ref().and_then(|engine| engine.open.get(&row.new.attempt));
            panic!("an attempt stayed open: {row:?}, and the engine has {engine:?}");
        }
        self.witness.see_rest(&self.store);
    }
}
