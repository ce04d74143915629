//! Coordinators and executors that crash, messages that are lost with their streams, commits that
//! are lost or whose answer is lost, jobs that are switched and tasks that are stopped, all from
//! one seed. What must hold is checked on the way and at the end.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use fastjob_core::{AttemptId, Cause, FailReason, Job, JobDraft, TaskId, TaskState, attempt::End};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};
use tokio::sync::oneshot;

use super::model::ModelStore;
use crate::{
    engine::{
        Command, CommitId, Config, ConnectAnswer, Connected, Effects, Engine, Event, JobPath,
        Message, Now, Outcome, SaveMode, SessionId, Start, Switch, When,
    },
    record::{Commit, Origin},
};

const LOST: Duration = Duration::from_secs(10);

struct Executor {
    name: String,
    incarnation: u32,
    up: bool,
    session: Option<SessionId>,
    inbound: VecDeque<Message>,
    running: BTreeSet<AttemptId>,
    unacknowledged: BTreeMap<AttemptId, Outcome>,
    finished: BTreeSet<AttemptId>,
}

struct World {
    dice: SmallRng,
    wall: Timestamp,
    uptime: Duration,
    engine: Option<Engine>,
    store: ModelStore,
    pending: VecDeque<(CommitId, Commit)>,
    executors: Vec<Executor>,
    next_session: u64,
    /// How often an attempt was entered in one life of an executor.
    entered: HashMap<(String, u32, AttemptId), u32>,
    stopped: Vec<(oneshot::Receiver<Option<TaskState>>, TaskId)>,
    disabled: Vec<(oneshot::Receiver<crate::engine::SaveAnswer>, usize)>,
    /// By job: since when a disable is acknowledged.
    off_since: HashMap<usize, Timestamp>,
    jobs: Vec<String>,
    faults: bool,
}

fn drafts() -> Vec<JobDraft> {
    let texts = [
        r#"{"name": "second", "schedule": {"fixed_rate": "1s"}, "misfire": {"fire_all": {"max": 1000}}, "handler": "h"}"#,
        r#"{"name": "retried", "schedule": {"fixed_rate": "3s"}, "misfire": "fire_once", "retry": {"count": 2, "delay": "1s"}, "handler": "h"}"#,
        r#"{"name": "delayed", "schedule": {"fixed_delay": "2s"}, "handler": "h"}"#,
        r#"{"name": "switched", "schedule": {"fixed_rate": "500ms"}, "handler": "h"}"#,
        r#"{"name": "manual", "handler": "h"}"#,
    ];
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

impl World {
    fn new(seed: u64) -> Self {
        let executors = (0..3)
            .map(|n| Executor {
                name: format!("e{n}"),
                incarnation: 1,
                up: true,
                session: None,
                inbound: VecDeque::new(),
                running: BTreeSet::new(),
                unacknowledged: BTreeMap::new(),
                finished: BTreeSet::new(),
            })
            .collect();
        let mut world = Self {
            dice: SmallRng::seed_from_u64(seed),
            wall: Timestamp::from_second(1_800_000_000).unwrap(),
            uptime: Duration::ZERO,
            engine: None,
            store: ModelStore::default(),
            pending: VecDeque::new(),
            executors,
            next_session: 1,
            entered: HashMap::new(),
            stopped: Vec::new(),
            disabled: Vec::new(),
            off_since: HashMap::new(),
            jobs: drafts().into_iter().map(|draft| draft.name).collect(),
            faults: true,
        };
        world.start_coordinator();
        for draft in drafts() {
            let job = Box::new(Job::try_from(draft).unwrap());
            let (answer, _) = oneshot::channel();
            world.command(Command::Save {
                job,
                mode: SaveMode::Create,
                origin: Origin::Api,
                answer,
            });
        }
        while !world.pending.is_empty() {
            world.commit();
        }
        world
    }

    fn now(&self) -> Now {
        Now { wall: self.wall, uptime: self.uptime }
    }

    fn start_coordinator(&mut self) {
        let config = Config { executor_lost: LOST, seed: self.dice.next_u64() };
        self.engine = Some(Engine::new(config, self.store.load(), self.now()));
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        let Some(engine) = &mut self.engine else { return };
        let mut effects = Effects::default();
        engine.handle(now, event, &mut effects);
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        self.pending.extend(effects.commits);
        for (session, message) in effects.sends {
            let to = self.executors.iter_mut().find(|e| e.session == Some(session));
            if let Some(executor) = to {
                if let Message::Start(attempts) = &message {
                    for start in attempts {
                        let row = &self.store.attempts.get(&start.attempt);
                        assert!(
                            row.is_some(),
                            "attempt {} was sent before it was durable",
                            start.attempt
                        );
                    }
                }
                executor.inbound.push_back(message);
            }
        }
        for answer in effects.answers {
            answer.give();
        }
    }

    fn command(&mut self, command: Command) {
        self.tell(Event::Command(command));
    }

    fn pass(&mut self, millis: u64) {
        self.wall += SignedDuration::from_millis(millis as i64);
        self.uptime += Duration::from_millis(millis);
    }

    fn connect(&mut self, n: usize) {
        if self.engine.is_none() || !self.executors[n].up || self.executors[n].session.is_some() {
            return;
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let executor = &mut self.executors[n];
        executor.session = Some(session);
        executor.inbound.clear();
        let holding =
            executor.running.iter().chain(executor.unacknowledged.keys()).copied().collect();
        let connected = Connected {
            session,
            link: 0,
            service: "default".parse().unwrap(),
            executor: executor.name.parse().unwrap(),
            incarnation: format!("i{}", executor.incarnation).parse().unwrap(),
            address: String::new(),
            version: String::new(),
            capacity: 8,
            labels: BTreeMap::new(),
            handlers: [("h".parse().unwrap(), String::new())].into(),
            jobs: Vec::new(),
            holding,
        };
        let outcomes: Vec<_> = executor.unacknowledged.values().cloned().collect();
        let (answer, mut wait) = oneshot::channel();
        self.tell(Event::Connected(Box::new(connected), answer));
        match wait.try_recv() {
            Ok(ConnectAnswer::Welcome) => {
                if !outcomes.is_empty() {
                    self.tell(Event::Finished(session, outcomes));
                }
            }
            _ => self.executors[n].session = None,
        }
    }

    fn disconnect(&mut self, n: usize) {
        if let Some(session) = self.executors[n].session.take() {
            self.executors[n].inbound.clear();
            self.tell(Event::Disconnected(session));
        }
    }

    /// One message arrives at an executor.
    fn deliver(&mut self, n: usize) {
        let Some(message) = self.executors[n].inbound.pop_front() else { return };
        let executor = &mut self.executors[n];
        match message {
            Message::Start(attempts) => {
                for start in attempts {
                    let id = start.attempt;
                    let known = executor.running.contains(&id) || executor.finished.contains(&id);
                    if !known {
                        executor.running.insert(id);
                        let key = (executor.name.clone(), executor.incarnation, id);
                        let times = self.entered.entry(key).or_default();
                        *times += 1;
                        assert_eq!(*times, 1, "attempt {id} was entered twice");
                    }
                }
            }
            Message::Stop(attempts) => {
                for id in attempts {
                    if self.executors[n].running.contains(&id) {
                        self.finish(n, id, End::Stopped);
                    }
                }
            }
            Message::Recorded(attempts) => {
                for id in attempts {
                    executor.unacknowledged.remove(&id);
                }
            }
            Message::Close => executor.session = None,
        }
    }

    fn finish(&mut self, n: usize, id: AttemptId, end: End) {
        let executor = &mut self.executors[n];
        executor.running.remove(&id);
        executor.finished.insert(id);
        let outcome = Outcome {
            attempt: id,
            end,
            result: None,
            message: None,
            started_at: Some(self.wall),
            ended_at: self.wall,
            log_tail: String::new(),
            checkpoint: None,
        };
        executor.unacknowledged.insert(id, outcome.clone());
        if let Some(session) = executor.session {
            self.tell(Event::Finished(session, vec![outcome]));
        }
    }

    fn commit(&mut self) {
        let Some((id, commit)) = self.pending.pop_front() else { return };
        self.store.apply(&commit);
        // The same commit sent again changes nothing.
        let before = format!("{:?}", self.store.attempts);
        if self.dice.random_bool(0.02) {
            self.store.apply(&commit);
            assert_eq!(before, format!("{:?}", self.store.attempts), "a commit is not repeatable");
        }
        self.tell(Event::Committed(vec![id]));
    }

    fn crash_coordinator(&mut self) {
        self.engine = None;
        // Some of what was handed over became durable, its answer did not come back.
        let durable = self.dice.random_range(0..=self.pending.len());
        for (_, commit) in self.pending.drain(..).take(durable).collect::<Vec<_>>() {
            self.store.apply(&commit);
        }
        self.pending.clear();
        self.stopped.clear();
        self.disabled.clear();
        for executor in &mut self.executors {
            executor.session = None;
            executor.inbound.clear();
        }
        // Down for a moment, or long enough for misfires.
        let down = if self.dice.random_bool(0.3) { 20_000 } else { 1_500 };
        let down = self.dice.random_range(0..down);
        self.pass(down);
        self.start_coordinator();
    }

    fn crash_executor(&mut self, n: usize) {
        self.disconnect(n);
        let executor = &mut self.executors[n];
        executor.incarnation += 1;
        executor.running.clear();
        executor.unacknowledged.clear();
        executor.finished.clear();
    }

    fn run_handlers(&mut self, n: usize) {
        let running: Vec<_> = self.executors[n].running.iter().copied().collect();
        for id in running {
            if self.dice.random_bool(0.5) {
                let end = match self.dice.random_range(0..10) {
                    0 if self.faults => End::Failed(FailReason::Error),
                    1 if self.faults => End::Failed(FailReason::Fatal),
                    _ => End::Succeeded,
                };
                self.finish(n, id, end);
            }
        }
    }

    fn people(&mut self) {
        match self.dice.random_range(0..4) {
            0 => {
                let to = if self.dice.random_bool(0.5) { Switch::On } else { Switch::Off };
                let (answer, wait) = oneshot::channel();
                self.off_since.remove(&3);
                self.disabled.retain(|(_, job)| *job != 3);
                self.command(Command::Switch { job: JobPath("switched".to_owned()), to, answer });
                if to == Switch::Off {
                    self.disabled.push((wait, 3));
                }
            }
            1 => {
                let (answer, _) = oneshot::channel();
                let ask = Start {
                    job: JobPath("default.manual".to_owned()),
                    cause: Cause::Api,
                    param: Some("p".into()),
                    at: When::After(Duration::from_millis(self.dice.random_range(0..3_000))),
                };
                self.command(Command::Start { ask, answer });
            }
            _ => {
                let open: Vec<_> = self
                    .store
                    .attempts
                    .values()
                    .filter(|row| row.is_open())
                    .map(|row| row.new.task)
                    .collect();
                if !open.is_empty() {
                    let task = open[self.dice.random_range(0..open.len())];
                    let (answer, wait) = oneshot::channel();
                    self.command(Command::Stop { task, answer });
                    self.stopped.push((wait, task));
                }
            }
        }
    }

    fn watch(&mut self) {
        for (wait, job) in &mut self.disabled {
            if let Ok(Ok(_)) = wait.try_recv() {
                self.off_since.insert(*job, self.wall);
            }
        }
        for (job, since) in &self.off_since {
            let name = &self.jobs[*job];
            for row in self.store.attempts.values() {
                let of = &self.store.jobs[&row.new.job].job.name;
                // One that somebody stopped before it was sent did not fire.
                let stopped = row.ended.as_ref().is_some_and(|ended| ended.started_at.is_none());
                let fired = of.as_str() == name && row.new.cause == Cause::Schedule && !stopped;
                let late = fired && row.new.fire_at.is_some_and(|at| at > *since);
                assert!(!late, "{name} fired at {:?}, disabled since {since}", row.new.fire_at);
            }
        }
    }

    fn step(&mut self) {
        let n = self.dice.random_range(0..self.executors.len());
        match self.dice.random_range(0..100) {
            0..=34 => {
                let millis = self.dice.random_range(1..120);
                self.pass(millis);
                self.tell(Event::Tick);
            }
            35..=59 => self.commit(),
            60..=74 => self.deliver(n),
            75..=89 => self.run_handlers(n),
            90..=93 => self.connect(n),
            _ if !self.faults => self.connect(n),
            94..=95 => self.disconnect(n),
            96 => self.people(),
            97 if self.dice.random_bool(0.3) => self.crash_executor(n),
            98 if self.dice.random_bool(0.2) => self.crash_coordinator(),
            99 if self.dice.random_bool(0.1) => {
                let jump = self.dice.random_range(0..30_000);
                self.pass(jump); // paused, or the clock jumped
            }
            _ => self.deliver(n),
        }
        self.watch();
    }

    /// Lets everything come to its end, without faults.
    fn settle(&mut self) {
        self.faults = false;
        for job in self.jobs.clone() {
            let (answer, _) = oneshot::channel();
            self.command(Command::Switch { job: JobPath(job), to: Switch::Off, answer });
        }
        for _ in 0..4_000 {
            for n in 0..self.executors.len() {
                self.connect(n);
                self.deliver(n);
                self.run_handlers(n);
            }
            self.commit();
            self.pass(20);
            self.tell(Event::Tick);
        }
    }

    fn check(&self) {
        let mut fires: BTreeMap<(i64, Timestamp), u32> = BTreeMap::new();
        for row in self.store.attempts.values() {
            assert!(!row.is_open(), "an attempt stayed open: {row:?}");
            let head = &self.store.attempts[&row.new.task.first_attempt()];
            assert!(head.task_state.is_final(), "a task stayed open: {head:?}");
            let is_head = row.new.attempt == row.new.task.first_attempt();
            let skipped = head.task_state == TaskState::Skipped;
            if let (true, false, Some(at)) = (is_head, skipped, row.new.fire_at) {
                *fires.entry((row.new.job.0, at)).or_default() += 1;
            }
        }
        for ((job, at), times) in &fires {
            assert_eq!(*times, 1, "job {job} fired {times} times for {at}");
        }
        self.check_every_second(&fires);
    }

    /// `second` makes up for whatever it missed, so that no second is without its task.
    fn check_every_second(&self, fires: &BTreeMap<(i64, Timestamp), u32>) {
        let job = self.store.jobs.values().find(|row| row.job.name.as_str() == "second").unwrap();
        let seconds: Vec<_> =
            fires.keys().filter(|(id, _)| *id == job.id.0).map(|(_, at)| *at).collect();
        for pair in seconds.windows(2) {
            let gap = pair[1].duration_since(pair[0]);
            assert_eq!(gap, SignedDuration::from_secs(1), "after {} comes {}", pair[0], pair[1]);
        }
    }
}

fn simulate(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..3_000 {
        world.step();
    }
    world.settle();
    world.check();
}

/// `FASTJOB_SEED=7 cargo test -p fastjob-coordinator whatever` replays one seed.
#[test]
fn whatever_fails_every_fire_has_one_task_and_every_task_an_end() {
    let seeds = match std::env::var("FASTJOB_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("FASTJOB_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..300,
    };
    for seed in seeds {
        let run = std::panic::catch_unwind(|| simulate(seed));
        assert!(run.is_ok(), "seed {seed} failed: replay it with FASTJOB_SEED={seed}");
    }
}
