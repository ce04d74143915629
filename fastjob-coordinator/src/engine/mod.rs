//! The engine: every decision of a coordinator, as one deterministic state machine.
//!
//! It is told events and says what is to be done; it has no clock, no I/O and no chance of its own
//! but seeded dice. The shell around it (`shell.rs`) writes commits, carries messages and
//! reads the clocks.
//!
//! What holds at all times:
//! - an attempt is sent only when its row, with its placement, is durable;
//! - an outcome is acknowledged only when it is durable, together with what follows from it;
//! - an answer is given only when what it says is durable;
//! - every fire up to the watermark is recorded, in the same commit as the watermark or before.
//!
//! `plan` turns schedules into attempts, `cancel` takes them out again, `place` gives them to executors, `waits` keeps those that no
//! executor can take yet, `track` follows the executors, `settle` takes outcomes in; `spread` lays sharded tasks out, `lane` keeps rules across
//! the cluster, `children` follows what ended; `jobs`, `start` and `tasks` answer people. `family`
//! judges which jobs may follow which, `quota` limits what is open and `job_quota` what is saved,
//! `retention` forgets deleted jobs, `keys` makes starts idempotent.

mod alarms;
mod answer;
mod cancel;
mod catalog;
mod checkpoints;
mod children;
mod chores;
mod effect;
mod event;
mod jobs;
mod keys;
mod lane;
mod load;
mod maps;
mod place;
mod plan;
mod pump;
mod queues;
mod quota;
mod reports;
mod retention;
mod round;
mod settle;
mod spread;
mod start;
mod state;
mod tasks;
mod timers;
mod track;
mod waits;

#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
#[cfg(any(test, feature = "simulation"))]
mod sizes;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use fastjob_core::{AttemptId, ExecutorName, HandlerName, JobId, ServiceName, TaskId};
use jiff::Timestamp;
use rand::{SeedableRng, rngs::SmallRng};

pub(crate) use self::{
    answer::{
        BackfillAnswer, ConnectAnswer, Declared, ExecutorFigures, JobRefused, LiveAttempt,
        LiveTask, OpenPage, SaveAnswer, SaveDone, StartAnswer, StopAnswer,
    },
    effect::{Answer, Effects, Message, StartAttempt},
    event::{
        Backfill, Beat, Command, CommitId, Connected, Event, Held, JobPath, Now, OpenAsk, Outcome,
        SaveMode, SessionId, Start, Switch, When,
    },
};
use self::{
    catalog::{Catalog, JobEntry},
    checkpoints::Checkpoints,
    chores::Chores,
    keys::Keys,
    maps::{IdMap, Map, Set},
    queues::{Due, Waiting},
    quota::Quota,
    round::Round,
    state::{After, Lane, Life, Open, Spread},
    timers::{Deadlines, Timers, Watched},
};
pub(crate) use self::{
    catalog::{Directory, JobQuota, LINKS_MOST},
    keys::StartKey,
    quota::{Limits, OpenLimit},
};
use crate::record::{Commit, Lease, LifeId, Loaded};

/// How far ahead fires are planned, so that they are durable when they come due.
pub(crate) const HORIZON: Duration = Duration::from_secs(1);
/// Longest wait between two looks at the schedules.
const LOOK: Duration = Duration::from_millis(250);
/// How many ids are reserved at a time.
const IDS: i64 = 1_000_000;
/// The same where there are several partitions, whose ids are not to drift apart.
const IDS_OF_SEVERAL: i64 = 20_000;
/// Most inserts in one commit.
const COMMIT_ROWS: usize = 2_000;
/// While more rows than this wait for the store, nothing is planned: a store that is slow or away
/// is given what it can take, and fires that come too late for it are misfires.
const UNWRITTEN_MOST: usize = 100_000;
/// Most due attempts that are sent before other events have their turn, so that the first of a
/// burst are entered while the last are still being sent.
const BURST: usize = 512;
/// Up to which id an executor may lift those of a partition: seven eighths of the ids that JSON
/// clients keep whole are left, however often executors lift.
const LIFT_MOST: i64 = 1 << 50;
/// Most timers that go off in one step.
const TIMERS: usize = 1_000;

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// How long an executor may be without a session before its attempts are lost.
    pub(crate) executor_lost: Duration,
    /// For the dice.
    pub(crate) seed: u64,
    /// What it acts on, and in which term.
    pub(crate) lease: Lease,
    /// How many partitions the store has.
    pub(crate) partitions: u32,
    /// When the store was created.
    pub(crate) since: Timestamp,
    /// How many jobs the store may have.
    pub(crate) job_quota: JobQuota,
}

impl Config {
    /// Of a store that has one partition.
    #[cfg(test)]
    pub(crate) fn alone(executor_lost: Duration, seed: u64) -> Self {
        let since = Timestamp::UNIX_EPOCH;
        let (lease, job_quota) = (Lease::default(), JobQuota::default());
        Self { executor_lost, seed, lease, partitions: 1, since, job_quota }
    }

    fn step(&self) -> i64 {
        i64::from(self.partitions.max(1))
    }

    /// The first id of the partition that is not below.
    fn id_from(&self, least: i64) -> i64 {
        let own = i64::from(self.lease.partition.0);
        let least = least.max(1);
        least + (own - least).rem_euclid(self.step())
    }
}

/// Decides what runs, when and where.
pub(crate) struct Engine {
    config: Config,
    dice: SmallRng,

    /// The wall clock is taken to be at least this: what was done before a start was not done
    /// later than after it.
    floor: Timestamp,
    next_id: i64,
    ids_until: i64,
    /// Every fire up to here is planned.
    watermark: Timestamp,
    catalog: Catalog,
    /// The next fire of each job.
    fires: BTreeSet<(Timestamp, JobId)>,
    /// The planning that is under way.
    round: Round,

    /// Most tasks that may follow from one start.
    descendants: u32,
    /// What `open` takes.
    quota: Quota,
    /// All attempts that have not ended; see [`Engine::enter`].
    open: IdMap<AttemptId, Open>,
    /// The open attempt of a task whose first attempt is over.
    retried: IdMap<TaskId, AttemptId>,
    /// Open tasks that are laid out over executors.
    spreads: IdMap<TaskId, Spread>,
    /// What jobs with a rule across the cluster are doing.
    lanes: IdMap<JobId, Lane>,
    /// Starts with a key that the store may not show yet.
    keys: Keys,
    /// Recorded attempts whose time has not come.
    due: Due,
    /// Ended, and not durable yet.
    settling: Set<AttemptId>,
    /// Due, and no executor could take them.
    waiting: Waiting,
    checkpoints: Checkpoints,

    lives: IdMap<LifeId, Life>,
    next_life: i64,
    /// The lives that host a handler, sorted by the executor's name.
    groups: Map<(ServiceName, HandlerName), Vec<LifeId>>,
    /// The current life of each executor.
    seats: Map<(ServiceName, ExecutorName), LifeId>,
    sessions: Map<SessionId, LifeId>,

    timers: Timers,
    /// Long work that is done in slices.
    chores: Chores,

    next_commit: u64,
    commit: Commit,
    after: Vec<After>,
    in_flight: Map<CommitId, InFlight>,
    /// Rows of the commits in flight.
    unwritten: usize,
}

/// A commit that was handed over.
struct InFlight {
    rows: usize,
    after: Vec<After>,
}

impl Engine {
    /// Carries on from what the store holds.
    ///
    /// Attempts that may have been dispatched before wait for their executor to come back and say
    /// what it holds; the others go on as they were planned.
    pub(crate) fn new(config: Config, loaded: Loaded, now: Now) -> Self {
        // Time never runs backwards: not over a restart, nor from one node's clock to another's.
        let floor = loaded.clock.map_or(now.wall, |clock| clock.max(now.wall));
        let now = Now { wall: floor, ..now };
        let mut engine = Self {
            floor,
            config,
            dice: SmallRng::seed_from_u64(config.seed),
            next_id: config.id_from(loaded.ids_until),
            ids_until: loaded.ids_until.max(1),
            watermark: loaded.watermark.unwrap_or(now.wall),
            catalog: Catalog::new(config),
            fires: BTreeSet::new(),
            round: Round::default(),
            descendants: Limits::default().descendants,
            quota: Quota::new(Limits::default().open),
            open: IdMap::default(),
            retried: IdMap::default(),
            spreads: IdMap::default(),
            lanes: IdMap::default(),
            keys: Keys::new(now),
            due: Due::default(),
            settling: Set::default(),
            waiting: Waiting::default(),
            checkpoints: Checkpoints::default(),
            lives: IdMap::default(),
            next_life: config.id_from(loaded.next_life),
            groups: Map::default(),
            seats: Map::default(),
            sessions: Map::default(),
            timers: Timers::default(),
            chores: Chores::default(),
            next_commit: 1,
            commit: Commit::default(),
            after: Vec::new(),
            in_flight: Map::default(),
            unwritten: 0,
        };
        engine.load_lives(loaded.lives, now);
        engine.load_open(loaded.open);
        engine.load_jobs(loaded.jobs, loaded.cursors);
        engine.load_returned(loaded.clock);
        engine.load_ended(loaded.ended_shards);
        engine.load_failing(loaded.failing);
        engine.lift_ids(now);
        engine.chores.start_children(loaded.child_starts, None);
        engine
    }

    /// Takes in what happened. What is to be done for it is complete after [`Engine::flush`].
    pub(crate) fn handle(&mut self, now: Now, event: Event, out: &mut Effects) {
        let now = Now { wall: now.wall.max(self.floor), ..now };
        self.floor = now.wall;
        match event {
            Event::Tick => {
                self.lift_ids(now);
                self.run_timers(now, out);
                self.forget_keys(now);
                self.run_chores(now, out);
                self.plan(now, out);
                self.dispatch_due(now, out);
            }
            Event::Committed(ids) => {
                for id in ids {
                    let Some(done) = self.in_flight.remove(&id) else { continue };
                    self.unwritten -= done.rows;
                    for after in done.after {
                        self.follow(now, after, out);
                    }
                }
            }
            Event::Connected(executor, answer) => self.connected(now, *executor, answer, out),
            Event::Beat(session, beat) => self.beat(now, session, beat, out),
            Event::Started(session, attempts) => self.started(now, session, attempts),
            Event::Checkpoints(session, reached) => self.checkpoints(session, reached),
            Event::Progress(session, told) => self.progress(session, told),
            Event::RoundTrip(session, took) => self.round_trip(now, session, took),
            Event::Finished(session, outcomes) => self.finished(now, session, outcomes, out),
            Event::Leaving(session, returned, answer) => {
                self.leaving(now, session, returned, out);
                // It relies on it: what it returned is not to be looked for there again.
                self.answer_when_durable(Answer::Noted(answer));
            }
            Event::Returned(session, returned) => self.returned(now, session, returned, out),
            Event::Disconnected(session) => self.disconnected(now, session),
            Event::ChildStarts(children, read_at) => {
                self.chores.start_children(children, Some(read_at));
            }
            Event::JobsRemoved { jobs, before } => self.forget_jobs(&jobs, before),
            Event::Command(command) => self.command(now, command, out),
            Event::CommandWith(directory, command) => {
                self.catalog.set_others(directory);
                self.command(now, command, out);
                self.catalog.set_others(Directory::default());
            }
        }
        if self.commit.planned.len() + self.commit.ended.len() >= COMMIT_ROWS {
            self.flush(out);
        }
    }

    /// Hands over what has gathered as one commit, unless a round of planning holds it back.
    pub(crate) fn flush(&mut self, out: &mut Effects) {
        if !self.round.holds_commit() {
            self.hand_over(out);
        }
    }

    /// Hands over everything that was decided, before the engine ends in order. What a round of
    /// planning has not reached is planned by the next engine.
    pub(crate) fn retire(&mut self, out: &mut Effects) {
        self.displace_unsent();
        self.cut_round();
        self.hand_over(out);
    }

    fn hand_over(&mut self, out: &mut Effects) {
        self.write_checkpoints();
        if self.commit == Commit::default() && self.after.is_empty() {
            return;
        }
        let id = CommitId(self.next_commit);
        self.next_commit += 1;
        let mut commit = std::mem::take(&mut self.commit);
        commit.lease = self.config.lease;
        commit.clock = Some(self.floor);
        let rows = commit.rows();
        self.unwritten += rows;
        self.in_flight.insert(id, InFlight { rows, after: std::mem::take(&mut self.after) });
        out.commits.push((id, commit));
    }

    /// When to be told [`Event::Tick`] again, if nothing else happens before.
    pub(crate) fn wake_in(&self, now: Now) -> Duration {
        let now = Now { wall: now.wall.max(self.floor), ..now };
        let until =
            |at: Timestamp| Duration::try_from(at.duration_since(now.wall)).unwrap_or_default();
        let may_plan = self.unwritten <= UNWRITTEN_MOST;
        if !self.chores.is_empty() || (may_plan && self.round.is_under_way()) {
            return Duration::ZERO;
        }
        let mut wait = LOOK;
        if let Some(at) = self.due.next_at() {
            wait = wait.min(until(at));
        }
        if let Some((at, _)) = self.fires.first()
            && may_plan
        {
            wait = wait.min(until(*at).saturating_sub(HORIZON));
        }
        if let Some(at) = self.timers.next_at() {
            wait = wait.min(at.saturating_sub(now.uptime));
        }
        wait
    }

    /// Goes on with what had to wait for a commit.
    fn follow(&mut self, now: Now, after: After, out: &mut Effects) {
        match after {
            After::Recorded(attempts) => {
                for attempt in attempts {
                    self.recorded(now, attempt);
                }
            }
            After::Placed(attempts) => self.send_placed(now, attempts, out),
            After::Settled(life, attempts) => {
                for held in &attempts {
                    self.settling.remove(&held.attempt);
                }
                self.acknowledge(life, attempts, out);
            }
            After::Checkpointed(shards) => self.checkpoints.written(&shards),
            After::Answer(answer) => out.answers.push(answer),
        }
    }

    /// Whether everything that was handed over is durable.
    pub(crate) fn is_written(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Keeps the ids of several partitions in about the order of time: each is ahead of as many as
    /// there have been milliseconds.
    fn lift_ids(&mut self, now: Now) {
        if self.config.partitions > 1 {
            let age = now.wall.duration_since(self.config.since).as_millis();
            let age = i64::try_from(age).unwrap_or_default().max(0);
            let least = self.config.id_from(age.saturating_mul(self.config.step()));
            self.next_id = self.next_id.max(least);
        }
    }

    /// An executor was sent a higher id than any that the store knows of: the store was restored from
    /// a backup. Ids that were handed out since the backup are not handed out again.
    fn lift_ids_above(&mut self, highest: AttemptId) {
        if highest.0 < self.next_id {
            return;
        }
        if highest.0 > LIFT_MOST {
            tracing::warn!(
                attempt.id = highest.0,
                "an executor claims to know an attempt id far above those of the store; ignored"
            );
            return;
        }
        self.next_id = self.config.id_from(highest.0 + 1);
        tracing::warn!(
            attempt.id = highest.0,
            "an executor knows attempts that the store does not: the store was restored from a \
             backup, ids continue above"
        );
    }

    fn new_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += self.config.step();
        if id >= self.ids_until {
            // The reservation travels with, or before, the first row that uses it.
            let many = if self.config.partitions > 1 { IDS_OF_SEVERAL } else { IDS };
            self.ids_until = id + many * self.config.step();
            self.commit.ids_until = Some(self.ids_until);
        }
        id
    }

    /// Changes what an attempt waits for, and sets its timer to the earliest.
    fn set_deadline(&mut self, attempt: AttemptId, set: impl FnOnce(&mut Deadlines)) {
        let Some(open) = self.open.get_mut(&attempt) else { return };
        let deadlines = &mut open.more_mut().deadlines;
        set(deadlines);
        match deadlines.earliest() {
            Some(at) => self.timers.set(Watched::Attempt(attempt), at),
            None => self.timers.cancel(Watched::Attempt(attempt)),
        }
    }

    fn run_timers(&mut self, now: Now, out: &mut Effects) {
        for _ in 0..TIMERS {
            match self.timers.pop(now.uptime) {
                Some(Watched::Life(life)) => self.lost_if_still_away(now, life),
                Some(Watched::Attempt(attempt)) => self.deadline_passed(now, attempt, out),
                None => return,
            }
        }
    }

    fn deadline_passed(&mut self, now: Now, attempt: AttemptId, out: &mut Effects) {
        let mut passed = Deadlines::NONE;
        self.set_deadline(attempt, |deadlines| passed = deadlines.take_passed(now.uptime));
        let Deadlines { due, no_executor, ends, starts_late, runs_long, displaced } = passed;
        if due.is_some() {
            self.make_due(now, attempt);
        }
        if displaced.is_some() {
            self.displace_waiting(attempt);
        }
        if starts_late.is_some() {
            self.starts_late(now, attempt);
        }
        if runs_long.is_some() {
            self.runs_long(now, attempt);
        }
        if no_executor.is_some() {
            self.give_up_waiting(now, attempt);
        }
        if ends.is_some() {
            self.overdue(now, attempt, out);
        }
    }
}
