//! Measures what the engine's work costs: a fire from its plan to its acknowledged outcome, and
//! deletes beside many other jobs.
//!
//! `cargo test --release -p fastjob-engine tests::speed -- --ignored --nocapture --test-threads 1`

use std::time::{Duration, Instant};

use fastjob_core::{JobId, attempt::End};
use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::story::{Story, job};
use crate::{
    CommitId, Condition, Config, Connected, Effects, Engine, Event, Limits, Message, Now, Outcome,
    SessionId,
    record::{Attempt, Commit, JobRow, Origin},
};

/// The jobs of the measured fires, and how often each fires.
const JOBS: i64 = 20_000;
const ROUNDS: u32 = 10;
/// The outcomes in one message.
const REPORTED: usize = 512;

#[test]
#[ignore = "a measurement"]
fn a_fire_from_its_plan_to_its_acknowledged_outcome() {
    let mut fires = Fires::begin();
    fires.round();
    let [mut plan, mut record, mut dispatch, mut settle, mut acknowledge] = [Duration::ZERO; 5];
    for _ in 0..ROUNDS {
        let took = fires.round();
        let all = [&mut plan, &mut record, &mut dispatch, &mut settle, &mut acknowledge];
        all.into_iter().zip(took).for_each(|(all, took)| *all += took);
    }
    let each = |all: Duration| (all / ROUNDS).as_nanos() / u128::from(JOBS.unsigned_abs());
    println!(
        "nanoseconds of the engine for each run: plan {}, record {}, dispatch {}, settle {}, \
         acknowledge {}; together {}",
        each(plan),
        each(record),
        each(dispatch),
        each(settle),
        each(acknowledge),
        each(plan + record + dispatch + settle + acknowledge),
    );
}

/// An engine with many jobs that fire every two seconds, and an executor that takes all of them.
struct Fires {
    engine: Engine,
    now: Now,
    effects: Effects,
}

impl Fires {
    fn begin() -> Self {
        let mut story = Story::begin();
        let text = r#"{"name": "j0", "handler": "h", "schedule": {"cron": "0/2 * * * * ?"}}"#;
        story.save(text, Origin::Api).unwrap();
        let mut store = story.store;
        let row = store.jobs.values().next().unwrap().clone();
        for n in 1..JOBS {
            let id = JobId(row.id.0 + n);
            let job = job(&text.replace("j0", &format!("j{n}"))).into();
            store.jobs.insert(id, JobRow { id, job, ..row.clone() });
        }
        let config = Config::alone(Duration::from_secs(10), 1);
        let engine = Engine::new(config, Limits::default(), store.load(), story.now);
        let mut fires = Self { engine, now: story.now, effects: Effects::default() };
        let connected = Connected { capacity: 1_000_000, ..Connected::with(SessionId(1)) };
        let (answer, _connected) = oneshot::channel();
        fires.tell(Event::Connected(Box::new(connected), answer));
        fires.pass(100);
        fires.tick_until(|fires| !fires.engine.agenda.is_in_progress());
        fires.be_durable();
        fires
    }

    fn pass(&mut self, millis: i64) {
        self.now.wall += SignedDuration::from_millis(millis);
        self.now.uptime += Duration::from_millis(millis.unsigned_abs());
    }

    fn tell(&mut self, event: Event) {
        self.engine.handle(self.now, event, &mut self.effects);
        self.engine.flush(&mut self.effects);
    }

    fn tick_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        self.tell(Event::Tick);
        while !is_done(self) {
            self.tell(Event::Tick);
        }
    }

    /// Makes everything durable that was handed over.
    fn be_durable(&mut self) -> Vec<Commit> {
        let (ids, commits): (Vec<CommitId>, _) = self.effects.commits.drain(..).unzip();
        self.tell(Event::Committed(ids));
        commits
    }

    /// One fire of each job. Returns how long the engine took to plan, to note that this is durable,
    /// to dispatch, to settle, and to acknowledge.
    fn round(&mut self) -> [Duration; 5] {
        // A second before the fires, so that no other fire is within the horizon when they are due.
        self.pass(1_000);
        let plan = busy(|| self.tick_until(|fires| !fires.engine.agenda.is_in_progress()));
        let mut planned = Vec::new();
        let record = busy(|| planned = self.be_durable());
        let count = planned.iter().map(|commit| commit.planned.len()).sum::<usize>();
        assert_eq!(count, usize::try_from(JOBS).unwrap());
        self.effects.sends.clear();
        self.pass(1_000);
        let dispatch = busy(|| {
            self.tick_until(|fires| fires.engine.attempts.next_due().is_none());
        });
        let sends = std::mem::take(&mut self.effects.sends).into_iter();
        let starts = sends.filter_map(|(_, message)| {
            if let Message::Start(starts) = message { Some(starts) } else { None }
        });
        let outcomes: Vec<_> = starts.flatten().map(|start| self.outcome(&start.row)).collect();
        assert_eq!(outcomes.len(), count);
        let reports: Vec<_> = outcomes.chunks(REPORTED).map(<[_]>::to_vec).collect();
        let settle = busy(|| {
            for report in reports {
                self.tell(Event::Finished(SessionId(1), report));
            }
        });
        let mut settled = Vec::new();
        let acknowledge = busy(|| settled = self.be_durable());
        assert_eq!(settled.iter().map(|commit| commit.ended.len()).sum::<usize>(), count);
        [plan, record, dispatch, settle, acknowledge]
    }

    fn outcome(&self, row: &Attempt) -> Outcome {
        Outcome {
            attempt: row.attempt,
            created_at: row.created_at,
            end: End::Succeeded,
            result: None,
            message: None,
            started_at: Some(self.now.wall),
            ended_at: self.now.wall,
            log_tail: String::new(),
            log_at: 0,
            checkpoint: None,
        }
    }
}

/// The processor time of this thread for `work`: other processes do not count.
fn busy(work: impl FnOnce()) -> Duration {
    let used = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
    };
    let before = used();
    work();
    used() - before
}

#[test]
#[ignore = "a measurement"]
fn deleting_and_saving_one_of_a_hundred_thousand_jobs() {
    let mut story = Story::begin();
    story.save(r#"{"name": "j0", "handler": "h"}"#, Origin::Api).unwrap();
    let mut store = story.store;
    let row = store.jobs.values().next().unwrap().clone();
    for n in 1..100_000 {
        let id = JobId(row.id.0 + n);
        let job = job(&format!(r#"{{"name": "j{n}", "handler": "h"}}"#)).into();
        store.jobs.insert(id, JobRow { id, job, ..row.clone() });
    }
    let mut story = Story::resume(store, story.now);
    let began = Instant::now();
    for n in 0..1_000 {
        let job = format!(
            r#"{{"name": "p{n}", "handler": "h", "children": [{{"job": "j{}"}}]}}"#,
            50_000 + n
        );
        story.save(&job, Origin::Api).unwrap();
    }
    println!("1,000 saves with a child: {:?}", began.elapsed());
    let began = Instant::now();
    for n in 0..1_000 {
        let (answer, mut wait) = tokio::sync::oneshot::channel();
        let job = format!("j{n}").parse().unwrap();
        story.tell(crate::Event::Command(crate::Command::Delete {
            job,
            only: None,
            condition: Condition::Unconditional,
            answer,
        }));
        wait.try_recv().unwrap().unwrap();
    }
    println!("1,000 deletes: {:?}", began.elapsed());
}
