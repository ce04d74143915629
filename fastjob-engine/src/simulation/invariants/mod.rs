//! The invariants. Each is checked where it could first be broken: after a step of an engine, when
//! a commit is applied, when a message is sent, when a handler is entered, and at the end of the
//! history.

mod commits;
mod limits;
mod rest;
mod store;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use fastjob_core::{
    AttemptId, Cause, JobId, TaskId,
    block::{BlockScope, BlockStrategy},
};
use jiff::{SignedDuration, Timestamp};

pub(super) use self::{
    commits::see_ids,
    store::{see_all_rows, see_loaded, see_rows},
};
use super::{
    clocks::CUT_OFF,
    executor::Executor,
    model::{ModelStore, Row},
    shape::{Feature, Shape},
};
use crate::{
    Effects, Held, Message, Now, StartAttempt,
    record::{Lease, LifeId, NOT_SPREAD, Partition},
    rules::early::EARLY,
};

/// The observations so far.
#[derive(Debug)]
pub(super) struct Witness {
    shape: Shape,
    /// The attempts that each life of an executor has entered, identified by id and creation time.
    entered: HashSet<(String, u32, AttemptId, Timestamp)>,
    /// By attempt: the executor that entered it, since the store was last restored.
    entered_on: HashMap<(AttemptId, Timestamp), String>,
    /// By life of an executor and partition: the term of the last dispatch that it accepted.
    taken: HashMap<(String, u32, Partition), i64>,
    fires: HashMap<(JobId, Timestamp), TaskId>,
    /// By job: when its disable was acknowledged.
    pub(super) off_since: HashMap<String, Timestamp>,
    /// By attempt: the checkpoint that was durable when it was planned.
    reached: HashMap<AttemptId, u64>,
    /// By partition: the last term in which a node acquired it that could not know that another
    /// node acted on it.
    pub(super) unknowing: BTreeMap<Partition, i64>,
    /// By job: whether its last alarm reports a failure.
    failing: BTreeMap<JobId, bool>,
    /// Attempts that executors knew when the store was restored. What they report of a run that the
    /// store has lost is late and is acknowledged, also if the attempt was placed on the same
    /// executor again: that answers the new dispatch with the outcome that it remembers.
    known_at_restore: HashSet<(AttemptId, Timestamp)>,
    /// Whether nodes were paused for so long that they do not catch up on all fires.
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
            known_at_restore: HashSet::new(),
            long_pause: false,
            tasks: 0,
            attempts: 0,
        }
    }

    /// The store is restored: everything recorded since the backup is undone.
    pub(super) fn see_restore(&mut self, store: &ModelStore, executors: &[Executor]) {
        let known = executors.iter().flat_map(|executor| &executor.known);
        self.known_at_restore.extend(known.map(|(attempt, created_at)| (*attempt, *created_at)));
        self.off_since.clear();
        self.entered_on.clear();
        self.fires.clear();
        self.reached.clear();
        self.failing.clear();
        for row in store.attempts.values() {
            self.see_fire(row);
            self.see_planned(row.new.row.attempt, row.new.row.task, row.new.row.shard.index, store);
        }
        for (job, (_, kind)) in &store.last_alarm {
            self.failing.insert(*job, *kind == crate::record::AlarmKind::Failed);
        }
    }

    /// Checks fires that an engine sends before they are due: they are entered when they are.
    pub(super) fn see_early(&self, effects: &Effects, engine: Now) {
        let sent = effects.sends.iter().filter_map(|(_, message)| match message {
            Message::Start(attempts) => Some(attempts),
            Message::Stop(_) | Message::Recorded(_) | Message::Close => None,
        });
        for start in sent.flatten() {
            let Some(enter_at) = start.enter_at else { continue };
            let (id, due_at) = (start.row.attempt, start.row.due_at);
            let wait = enter_at.checked_sub(engine.uptime).unwrap_or_default();
            assert!(wait <= EARLY, "{id} was sent {wait:?} before it is entered");
            let entered = engine.wall + wait;
            assert!(entered >= due_at, "{id} is due at {due_at} and entered at {entered}");
            assert!(start.job.enabled, "{id} of a disabled job was sent early");
        }
    }

    /// Checks an attempt that is about to be sent by an engine whose clock reads `by`.
    pub(super) fn see_send(
        &self,
        start: &StartAttempt,
        to: &Executor,
        store: &ModelStore,
        by: Timestamp,
    ) {
        let row = store.attempts.get(&start.row.attempt);
        let row =
            row.unwrap_or_else(|| panic!("{} was sent before it was durable", start.row.attempt));
        assert!(row.is_open(), "{} was sent after its end", start.row.attempt);
        assert!(
            row.new.row.shard != NOT_SPREAD,
            "{} was sent before it was spread",
            start.row.attempt
        );
        let life = row.new.life.and_then(|life| store.lives.get(&life));
        let life = life.unwrap_or_else(|| panic!("{} has no durable place", start.row.attempt));
        assert_eq!(life.executor.as_str(), to.name, "{} is placed elsewhere", start.row.attempt);
        let (due_at, is_fire) = (row.new.row.due_at, start.row.cause == Cause::Schedule);
        if is_fire && start.row.number == 1 && self.shape.has(Feature::CheckEarly) {
            let early = SignedDuration::try_from(EARLY).unwrap_or_default();
            let by = if start.enter_at.is_some() { by + early } else { by };
            assert!(due_at <= by, "{} is due at {due_at} and was sent at {by}", start.row.attempt);
        }
        let reached = start.checkpoint.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
        let durable = self.reached.get(&start.row.attempt).copied().unwrap_or(0);
        assert!(
            reached >= durable,
            "{} starts from checkpoint {reached}, though {durable} was durable when it was planned",
            start.row.attempt
        );
    }

    /// Checks an engine that is about to send attempts: no other node has acquired its partition,
    /// unless that node could not know.
    pub(super) fn see_sender(&self, lease: Lease, store: &ModelStore) {
        let excused =
            || self.unknowing.get(&lease.partition).is_some_and(|term| lease.term < *term);
        assert!(
            store.holds(lease) || excused(),
            "{lease:?} sends, and another node has the partition"
        );
    }

    /// Checks outcomes that are about to be acknowledged: their executor will forget them.
    pub(super) fn see_acknowledged(
        &self,
        attempts: &[Held],
        life: Option<LifeId>,
        store: &ModelStore,
    ) {
        for held in attempts {
            let row = store.attempts.get(&held.attempt);
            let is_its = |row: &&Row| row.new.life == life && held.names(row.new.row.created_at);
            let row = row.filter(is_its);
            let is_of_lost_run =
                |row: &Row| self.known_at_restore.contains(&(held.attempt, row.new.row.created_at));
            let open = row.is_some_and(|row| row.is_open() && !is_of_lost_run(row));
            assert!(!open, "the end of {} was acknowledged before it was durable", held.attempt);
        }
    }

    /// Checks an executor that accepts attempts sent under a lease.
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

    /// Checks a handler that is about to be entered on executor `n`.
    pub(super) fn see_enter(
        &mut self,
        start: &StartAttempt,
        due_at: Option<Timestamp>,
        uptime: Duration,
        n: usize,
        all: &[Executor],
    ) {
        let executor = &all[n];
        let id = start.row.attempt;
        let key = (executor.name.clone(), executor.incarnation, id, start.row.created_at);
        assert!(self.entered.insert(key), "attempt {id} was entered twice on {}", executor.name);
        // An attempt that may run on one executor is not sent to another one: only its retry is,
        // which is another attempt. An attempt that an executor held at a restore may have been
        // sent to it after the backup.
        if !executor.excused.contains(&id) {
            let on = self.entered_on.insert((id, start.row.created_at), executor.name.clone());
            assert!(on.is_none(), "attempt {id} was entered on {on:?} and on {}", executor.name);
        }
        assert!(
            !executor.drains(),
            "attempt {id} was entered on {} while it drains",
            executor.name
        );

        let name = start.job.name.as_str();
        if let (Some(since), Cause::Schedule, 1) =
            (self.off_since.get(name), start.row.cause, start.row.number)
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
        assert!(!is_cut, "{name} is entered on {}, which reaches no node", executor.name);
        see_overlap(start, n, all);
    }
}

/// Checks that an attempt may run beside the attempts that run already.
fn see_overlap(start: &StartAttempt, n: usize, all: &[Executor]) {
    let (executor, id, block) = (&all[n], start.row.attempt, start.job.block);
    let name = start.job.name.as_str();
    if block.scope == BlockScope::Executor {
        let running = executor.running.values();
        let running = running.filter(|other| other.start.row.job == start.row.job);
        let most = match block.strategy {
            BlockStrategy::Parallel => block.max_running as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => 1,
        };
        assert!(running.count() < most, "{name} overlaps on {}", executor.name);
    }
    if !block.is_exclusive() || executor.excused.contains(&id) {
        return;
    }
    // Suspended executors do nothing, and attempts of an executor that did not notice its
    // suspension cannot be fenced.
    let others = all.iter().flat_map(|executor| {
        let ghosts = executor.ghosts.iter().flat_map(|ghost| ghost.running.values());
        let runs = executor.running.values().filter(|run| {
            !executor.is_suspended() && !executor.excused.contains(&run.start.row.attempt)
        });
        runs.chain(ghosts).map(|run| &run.start)
    });
    let others = others.filter(|other| other.row.job == start.row.job);
    if block.strategy == BlockStrategy::Parallel {
        let running = others.count();
        assert!(running < block.max_running as usize, "{name} runs {} times", running + 1);
    } else {
        // The shards of a task run in parallel, the attempts of a shard do not.
        let beside = |other: &&StartAttempt| {
            other.row.task != start.row.task || other.row.shard.index == start.row.shard.index
        };
        let other = others.clone().find(beside);
        assert!(other.is_none(), "{name} overlaps: {id} with {other:?}");
    }
}
