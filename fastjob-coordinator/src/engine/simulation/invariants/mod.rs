//! What must hold, whatever happens. Each is checked where it could first be broken: when an engine
//! has taken a step, when a commit is applied, when a message is sent, when a handler is entered,
//! and when all has come to rest.

mod commits;
mod limits;
mod rest;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use fastjob_core::{
    AttemptId, Cause, JobId, TaskId,
    block::{BlockScope, BlockStrategy},
};
use jiff::Timestamp;

pub(super) use self::commits::see_ids;
use super::{
    clocks::CUT_OFF,
    executor::Executor,
    model::{ModelStore, Row},
    shape::{Feature, Shape},
};
use crate::{
    engine::{Held, StartAttempt},
    record::{Lease, LifeId, NOT_SPREAD, Partition},
};

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Witness {
    shape: Shape,
    /// What was entered in one life of an executor: an attempt is named by its id and its creation.
    entered: HashSet<(String, u32, AttemptId, Timestamp)>,
    /// By attempt: where it was entered, since the store was last restored.
    entered_on: HashMap<(AttemptId, Timestamp), String>,
    /// By life of an executor and partition: the term of the last dispatch that it took.
    taken: HashMap<(String, u32, Partition), i64>,
    fires: HashMap<(JobId, Timestamp), TaskId>,
    /// By job: since when a disable is acknowledged.
    pub(super) off_since: HashMap<String, Timestamp>,
    /// By attempt: the checkpoint that was durable when it was planned.
    reached: HashMap<AttemptId, u64>,
    /// By partition, the last term in which a node took it that could not know of another that acted
    /// on it.
    pub(super) unknowing: BTreeMap<Partition, i64>,
    /// Jobs of which the last alarm reports a failure.
    failing: BTreeMap<JobId, bool>,
    /// Nodes paused for so long that not every fire is caught up with.
    pub(super) long_pause: bool,
    pub(super) tasks: u64,
    pub(super) attempts: u64,
}

impl Witness {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            entered: HashSet::new(),
            entered_on: HashMap::new(),
            taken: HashMap::new(),
            fires: HashMap::new(),
            off_since: HashMap::new(),
            reached: HashMap::new(),
            unknowing: BTreeMap::new(),
            failing: BTreeMap::new(),
            long_pause: false,
            tasks: 0,
            attempts: 0,
        }
    }

    /// The store is what it was earlier: what was recorded since has never happened.
    pub(super) fn see_restore(&mut self, store: &ModelStore) {
        self.off_since.clear();
        self.entered_on.clear();
        self.fires.clear();
        self.reached.clear();
        self.failing.clear();
        for row in store.attempts.values() {
            self.see_fire(row);
            self.see_planned(row.new.attempt, row.new.task, row.new.shard.index, store);
        }
        for (job, (_, kind)) in &store.last_alarm {
            self.failing.insert(*job, *kind == crate::record::AlarmKind::Failed);
        }
    }

    /// An attempt is about to be sent by an engine whose clock says `by`.
    pub(super) fn see_send(
        &self,
        start: &StartAttempt,
        to: &Executor,
        store: &ModelStore,
        by: Timestamp,
    ) {
        let row = store.attempts.get(&start.attempt);
        let row = row.unwrap_or_else(|| panic!("{} was sent before it was durable", start.attempt));
        assert!(row.is_open(), "{} was sent after its end", start.attempt);
        assert!(row.new.shard != NOT_SPREAD, "{} was sent before it was spread", start.attempt);
        let life = row.new.life.and_then(|life| store.lives.get(&life));
        let life = life.unwrap_or_else(|| panic!("{} has no durable place", start.attempt));
        assert_eq!(life.executor.as_str(), to.name, "{} is placed elsewhere", start.attempt);
        let (due_at, is_fire) = (row.new.due_at, start.cause == Cause::Schedule);
        if is_fire && start.number == 1 && self.shape.has(Feature::CheckEarly) {
            assert!(due_at <= by, "{} is due at {due_at} and was sent at {by}", start.attempt);
        }
        let reached = start.checkpoint.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
        let durable = self.reached.get(&start.attempt).copied().unwrap_or(0);
        assert!(
            reached >= durable,
            "{} starts from checkpoint {reached}, though {durable} was durable when it was planned",
            start.attempt
        );
    }

    /// An engine is about to send attempts: no other node has acquired its partition, unless that one
    /// could not know.
    pub(super) fn see_sender(&self, lease: Lease, store: &ModelStore) {
        let excused =
            || self.unknowing.get(&lease.partition).is_some_and(|term| lease.term < *term);
        assert!(
            store.holds(lease) || excused(),
            "{lease:?} sends, and another node has the partition"
        );
    }

    /// Ends that an executor reported are about to be acknowledged: it forgets them.
    pub(super) fn see_acknowledged(
        &self,
        attempts: &[Held],
        life: Option<LifeId>,
        store: &ModelStore,
    ) {
        for held in attempts {
            let row = store.attempts.get(&held.attempt);
            let is_its = |row: &&Row| row.new.life == life && held.names(row.new.created_at);
            let open = row.filter(is_its).is_some_and(Row::is_open);
            assert!(!open, "the end of {} was acknowledged before it was durable", held.attempt);
        }
    }

    /// An executor takes attempts that were sent in a lease.
    pub(super) fn see_taken(&mut self, lease: Lease, executor: &Executor) {
        let key = (executor.name.clone(), executor.incarnation, lease.partition);
        let newest = self.taken.entry(key).or_insert(lease.term);
        assert!(
            lease.term >= *newest,
            "{} takes attempts of {lease:?}, and has taken some of term {newest}",
            executor.name
        );
        *newest = lease.term;
    }

    /// A handler is about to be entered on executor `n`.
    pub(super) fn see_enter(
        &mut self,
        start: &StartAttempt,
        due_at: Option<Timestamp>,
        uptime: Duration,
        n: usize,
        all: &[Executor],
    ) {
        let executor = &all[n];
        let id = start.attempt;
        let key = (executor.name.clone(), executor.incarnation, id, start.created_at);
        assert!(self.entered.insert(key), "attempt {id} was entered twice on {}", executor.name);
        // What may run somewhere is not sent elsewhere: only its retry is, which is another attempt.
        // What an executor held at a restore may have been sent to it after the backup.
        if !executor.excused.contains(&id) {
            let on = self.entered_on.insert((id, start.created_at), executor.name.clone());
            assert!(on.is_none(), "attempt {id} was entered on {on:?} and on {}", executor.name);
        }
        assert!(
            !executor.drains(),
            "attempt {id} was entered on {} while it drains",
            executor.name
        );

        let name = start.job.name.as_str();
        if let (Some(since), Cause::Schedule, 1) =
            (self.off_since.get(name), start.cause, start.number)
        {
            let in_time = due_at.is_none_or(|due_at| due_at <= *since);
            assert!(in_time, "{name} fired at {due_at:?}, disabled since {since}");
        }

        match name {
            "on_e1" => assert_eq!(executor.name, "e1", "{id} is for another executor"),
            "much_memory" => assert_ne!(executor.name, "e0", "{id} does not meet its filter"),
            _ => {}
        }
        assert!(executor.taken() < executor.capacity, "{} has no place for {id}", executor.name);
        let is_cut = start.job.block.is_exclusive() && executor.is_cut(id, uptime, CUT_OFF);
        assert!(!is_cut, "{name} is entered on {}, which hears nobody", executor.name);
        see_overlap(start, n, all);
    }
}

/// Whether an attempt may run beside what runs already.
fn see_overlap(start: &StartAttempt, n: usize, all: &[Executor]) {
    let (executor, id, block) = (&all[n], start.attempt, start.job.block);
    let name = start.job.name.as_str();
    if block.scope == BlockScope::Executor {
        let running = executor.running.values();
        let running = running.filter(|other| other.start.job_id == start.job_id);
        let most = match block.strategy {
            BlockStrategy::Parallel => block.max_running as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => 1,
        };
        assert!(running.count() < most, "{name} overlaps on {}", executor.name);
    }
    if !block.is_exclusive() || executor.excused.contains(&id) {
        return;
    }
    // What is suspended does nothing, and what was suspended unnoticed cannot be fenced.
    let others = all.iter().flat_map(|executor| {
        let ghosts = executor.ghosts.iter().flat_map(|ghost| ghost.running.values());
        let runs = executor.running.values().filter(|run| {
            !executor.is_suspended() && !executor.excused.contains(&run.start.attempt)
        });
        runs.chain(ghosts).map(|run| &run.start)
    });
    let others = others.filter(|other| other.job_id == start.job_id);
    if block.strategy == BlockStrategy::Parallel {
        let running = others.count();
        assert!(running < block.max_running as usize, "{name} runs {} times", running + 1);
    } else {
        // The shards of a task run side by side, the attempts of a shard do not.
        let beside = |other: &&StartAttempt| {
            other.task != start.task || other.shard.index == start.shard.index
        };
        let other = others.clone().find(beside);
        assert!(other.is_none(), "{name} overlaps: {id} with {other:?}");
    }
}
