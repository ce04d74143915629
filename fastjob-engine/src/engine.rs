//! The engine: its parts, and the events that it handles.

use std::{sync::Arc, time::Duration};

use fastjob_core::trace::Sampler;
use jiff::Timestamp;
use rand::{SeedableRng, rngs::SmallRng};

use crate::{
    effect::{Answer, Effects},
    event::{Event, Now},
    record::{Lease, Loaded},
    rules::early::EARLY,
    state::{
        agenda::Agenda,
        attempts::{Attempts, DefaultAlarms, Limits},
        catalog::{Catalog, JobQuota},
        changes::{Changes, Left},
        chores::Chores,
        fleet::Fleet,
        journal::{Follow, Journal},
        keys::Keys,
        lanes::Lanes,
        timers::Deadlines,
    },
    tally::Tally,
};

/// How far ahead of their due time fires are planned, so that they are durable when they are due.
pub const HORIZON: Duration = Duration::from_secs(1);
/// The longest time between two checks of the schedules.
const LOOK: Duration = Duration::from_millis(250);
/// The maximum number of timers that fire in one step.
const TIMERS: usize = 1_000;

/// The settings of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How long an executor may be without a session before the engine considers its attempts lost.
    pub executor_lost: Duration,
    /// The seed of all random decisions.
    pub seed: u64,
    /// The partition that the engine owns, and its term.
    pub lease: Lease,
    /// The number of partitions of the store; at least 1.
    pub partitions: u32,
    /// When the store was created.
    pub since: Timestamp,
    /// The limits of the jobs of the whole store.
    pub job_quota: JobQuota,
    /// Which traces that begin with a fire are recorded; `None` if this node records no spans at
    /// all. Traces of callers are then only passed on.
    pub traces: Option<Sampler>,
}

impl Config {
    /// The settings for a store with one partition.
    #[cfg(any(test, feature = "simulation"))]
    pub fn alone(executor_lost: Duration, seed: u64) -> Self {
        let since = Timestamp::UNIX_EPOCH;
        let (lease, job_quota) = (Lease::default(), JobQuota::default());
        Self { executor_lost, seed, lease, partitions: 1, since, job_quota, traces: None }
    }

    /// The distance between consecutive ids of a partition.
    pub(crate) fn step(&self) -> i64 {
        i64::from(self.partitions.max(1))
    }

    /// The first id of the partition that is at least `least`.
    pub(crate) fn id_from(&self, least: i64) -> i64 {
        let own = i64::from(self.lease.partition.0);
        let least = least.max(1);
        least + (own - least).rem_euclid(self.step())
    }
}

/// Decides what runs, when and where, for the jobs of one partition.
///
/// The caller passes each [`Event`] with the current clocks to [`handle`](Self::handle). After one
/// or more events, it calls [`flush`](Self::flush) and carries out the [`Effects`].
pub struct Engine {
    pub(crate) dice: SmallRng,
    /// The lowest reading of the wall clock: time does not run backwards after a restart, or when
    /// the partition moves to a node whose clock is behind.
    pub(crate) floor: Timestamp,
    /// The maximum number of tasks that may follow from one start.
    pub(crate) descendants: u32,
    /// The alarm channels of jobs that name none.
    pub(crate) default_alarms: DefaultAlarms,
    pub(crate) catalog: Catalog,
    pub(crate) agenda: Agenda,
    pub(crate) attempts: Attempts,
    pub(crate) lanes: Lanes,
    pub(crate) fleet: Fleet,
    pub(crate) journal: Journal,
    pub(crate) keys: Keys,
    pub(crate) chores: Chores,
    pub(crate) left: Left,
    pub(crate) changes: Changes,
    pub(crate) tally: Tally,
    /// Which new traces are recorded; `None` if no spans are.
    pub(crate) traces: Option<Sampler>,
}

impl Engine {
    /// Continues from what the store holds.
    ///
    /// Attempts that an earlier engine may have sent wait for their executor to reconnect and
    /// report what it holds. The others continue as they were planned.
    pub fn new(config: Config, limits: Limits, loaded: Loaded, now: Now) -> Self {
        let floor = loaded.clock.map_or(now.wall, |clock| clock.max(now.wall));
        let now = Now { wall: floor, ..now };
        let mut engine = Self {
            dice: SmallRng::seed_from_u64(config.seed),
            floor,
            descendants: limits.descendants,
            default_alarms: Arc::clone(&limits.default_alarms),
            catalog: Catalog::new(config),
            agenda: Agenda::new(loaded.watermark.unwrap_or(now.wall)),
            attempts: Attempts::new(limits),
            lanes: Lanes::default(),
            fleet: Fleet::new(&config, loaded.next_life),
            journal: Journal::new(config, loaded.ids_until),
            keys: Keys::new(now),
            chores: Chores::default(),
            left: Left::new(now.uptime + EARLY),
            changes: Changes::default(),
            tally: Tally::default(),
            traces: config.traces,
        };
        engine.load(loaded, now);
        engine.journal.raise_ids(now);
        engine
    }

    /// Replaces the limits.
    #[cfg(test)]
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.descendants = limits.descendants;
        self.default_alarms = limits.default_alarms;
        self.attempts.limit(limits.open);
    }

    /// Handles an event. The effects are complete after [`Engine::flush`].
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Effects) {
        let now = Now { wall: now.wall.max(self.floor), ..now };
        self.floor = now.wall;
        match event {
            Event::Tick => {
                self.journal.raise_ids(now);
                self.run_timers(now, out);
                self.keys.settle(now, |commit| self.journal.is_durable(commit));
                self.run_chores(now, out);
                self.run_changes(now, out);
                self.plan(now, out);
                self.dispatch_due(now, out);
            }
            Event::Committed(ids) => {
                for id in ids {
                    for follow in self.journal.durable(id) {
                        self.follow(now, follow, out);
                    }
                }
            }
            Event::Connected(executor, answer) => {
                let connected = self.connected(now, *executor, out);
                out.answers.push(Answer::Connect(answer, connected));
            }
            Event::Beat(session, beat) => self.beat(now, session, beat, out),
            Event::Started(session, attempts) => self.started(now, session, attempts),
            Event::Checkpoints(session, reached) => self.checkpoints(session, reached),
            Event::Progress(session, progress) => self.progress(session, progress),
            Event::RoundTrip(session, took) => {
                self.fleet.measure_round_trip(session, took, now.uptime);
            }
            Event::Finished(session, outcomes) => self.finished(now, session, outcomes, out),
            Event::Leaving(session, returned, answer) => {
                self.draining(now, session, returned, out);
                // After the answer, the executor may exit: nothing refers to what it returned.
                self.journal.answer_when_durable(Answer::Noted(answer));
            }
            Event::Returned(session, returned) => self.returned(now, session, returned, out),
            Event::Disconnected(session) => self.disconnected(now, session, out),
            Event::Drained(drained) => self.set_drained(now, drained, out),
            Event::ChildStarts(children, read_at) => {
                self.chores.start_children(children, Some(read_at));
            }
            Event::JobsRemoved { jobs, before } => self.forget_jobs(&jobs, before),
            Event::Command(command) => self.command_or_wait(now, command, None, out),
            Event::CommandWith(directory, command) => {
                self.command_or_wait(now, command, Some(directory), out);
            }
        }
        if self.journal.is_full() {
            self.flush(out);
        }
    }

    /// Adds the changes since the last commit to the effects, as one commit. A round of planning
    /// that is not complete holds them back.
    pub fn flush(&mut self, out: &mut Effects) {
        if !self.agenda.holds_commit() {
            self.hand_over(out);
        }
    }

    /// Adds everything that was decided to the effects, before the engine shuts down. The next
    /// engine plans what the current round of planning has not reached. Changes that wait have to be
    /// carried out first, after [`Engine::settles_in`].
    pub fn retire(&mut self, now: Now, out: &mut Effects) {
        let now = Now { wall: now.wall.max(self.floor), ..now };
        self.floor = now.wall;
        self.run_changes(now, out);
        self.displace_unsent();
        self.cut_round();
        self.hand_over(out);
    }

    /// How long changes of jobs still wait for fires that have left early; zero if there are none.
    pub fn settles_in(&self, now: Now) -> Duration {
        self.changes.last_at().map_or(Duration::ZERO, |at| at.saturating_sub(now.uptime))
    }

    pub(crate) fn hand_over(&mut self, out: &mut Effects) {
        out.commits.extend(self.journal.take_commit(self.floor));
    }

    /// Whether attempts are due for dispatch.
    pub fn is_due(&self, now: Now) -> bool {
        self.attempts.next_due().is_some_and(|at| at <= now.wall.max(self.floor))
    }

    /// Sends some of the due attempts, and does nothing else. An [`Event::Tick`] does so as well,
    /// after it has planned.
    pub fn send_due(&mut self, now: Now, out: &mut Effects) {
        let now = Now { wall: now.wall.max(self.floor), ..now };
        self.floor = now.wall;
        self.dispatch_due(now, out);
    }

    /// How long the caller may wait before the next [`Event::Tick`]; any other event may change it.
    pub fn wake_in(&self, now: Now) -> Duration {
        let now = Now { wall: now.wall.max(self.floor), ..now };
        let until =
            |at: Timestamp| Duration::try_from(at.duration_since(now.wall)).unwrap_or_default();
        let may_plan = self.journal.store_keeps_up();
        if !self.chores.is_empty() || (may_plan && self.agenda.is_in_progress()) {
            return Duration::ZERO;
        }
        let due = self.attempts.next_due().map(until);
        let fire = self.agenda.first().filter(|_| may_plan);
        let fire = fire.map(|(at, _)| until(at).saturating_sub(HORIZON));
        let timers =
            [self.attempts.next_deadline(), self.fleet.next_lost_at(), self.changes.next_at()];
        let timers = timers.map(|at| at.map(|at| at.saturating_sub(now.uptime)));
        [due, fire].into_iter().chain(timers).flatten().fold(LOOK, Duration::min)
    }

    /// Whether all commits that the engine has handed over are durable.
    pub fn is_written(&self) -> bool {
        self.journal.is_written()
    }

    /// Continues work that waited for a commit.
    fn follow(&mut self, now: Now, follow: Follow, out: &mut Effects) {
        match follow {
            Follow::Recorded(attempts) => {
                for attempt in attempts {
                    self.recorded(now, attempt);
                }
            }
            Follow::Placed(attempts) => self.send_placed(now, attempts, out),
            Follow::Settled(life, attempts) => self.acknowledge(life, attempts, out),
            Follow::Answer(answer) => out.answers.push(answer),
            Follow::Spans(spans) => out.spans.extend(spans),
        }
    }

    /// Handles expired timers, the earliest first.
    fn run_timers(&mut self, now: Now, out: &mut Effects) {
        for _ in 0..TIMERS {
            let deadline = self.attempts.next_deadline();
            let lost = self.fleet.next_lost_at();
            if lost.is_some_and(|lost| deadline.is_none_or(|deadline| lost < deadline)) {
                let Some(life) = self.fleet.pop_lost(now.uptime) else { return };
                self.lost_if_still_away(now, life, out);
            } else {
                let Some((id, passed)) = self.attempts.pop_deadlines(now.uptime) else { return };
                self.deadlines_passed(now, id, &passed, out);
            }
        }
    }

    fn deadlines_passed(
        &mut self,
        now: Now,
        attempt: fastjob_core::AttemptId,
        passed: &Deadlines,
        out: &mut Effects,
    ) {
        let Deadlines { due, no_executor, ends, starts_late, runs_long, displaced } = passed;
        if due.is_some() {
            self.attempts.set_due(attempt, now.wall);
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
            self.fail_waiting(now, attempt);
        }
        if ends.is_some() {
            self.overdue(now, attempt, out);
        }
    }
}
