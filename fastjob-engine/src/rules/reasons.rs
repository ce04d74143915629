//! What open attempts wait for, as a message for users.

use std::time::Duration;

use fastjob_core::{
    AttemptState, ExecutorName, Job, JobId, block::BlockStrategy, duration, lane::Lane,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    engine::Engine,
    event::Now,
    maps::Map,
    record::NOT_SPREAD,
    state::{
        attempts::{Open, Step},
        fleet::Life,
    },
};

/// The number of attempts in a lane from which on they are not counted exactly.
const COUNTED: usize = 1_000;
/// How many attempts and executors one command looks at for its reasons. Beyond it, reasons are
/// less exact.
const LOOKED_AT: usize = 100_000;

/// What was found out for other attempts of one command.
pub(super) struct Reasons {
    left: usize,
    /// Why no executor can take an attempt of a job, by what the reason depends on.
    missing: Map<(JobId, bool, Option<ExecutorName>), String>,
}

impl Reasons {
    pub(super) fn new() -> Self {
        Self { left: LOOKED_AT, missing: Map::default() }
    }

    /// Looks at so many, or at fewer if too many were looked at.
    fn look_at(&mut self, most: usize) -> usize {
        let most = most.min(self.left);
        self.left -= most;
        most
    }
}

impl Engine {
    /// What an attempt waits for; `None` if its handler runs.
    pub(super) fn waits_for(&self, now: Now, open: &Open, reasons: &mut Reasons) -> Option<String> {
        let job = self.catalog.job(open.row.job)?;
        let life = self.fleet.at(open.life());
        let name = life.map_or("", |life| life.executor().as_str());
        match open.step() {
            Step::Recording => Some("the store".to_owned()),
            Step::NotDue => Some(due(now, open)),
            Step::Queued => Some(self.turn(open, job, reasons)),
            Step::Waiting => Some(self.executor_for(now, open, job, reasons)),
            Step::Placing => Some(format!("the store, which records that it goes to `{name}`")),
            Step::Unsure if name.is_empty() => Some("executors to reconnect".to_owned()),
            Step::Unsure | Step::Sent if life.is_some_and(|life| life.session().is_none()) => {
                Some(format!("executor `{name}` to reconnect: it may have started the attempt"))
            }
            Step::Unsure | Step::Sent => (open.state == AttemptState::Dispatched)
                .then(|| format!("its turn on executor `{name}`, which has received it")),
        }
    }

    /// Its turn in the lane of its job across the cluster.
    fn turn(&self, open: &Open, job: &Job, reasons: &mut Reasons) -> String {
        let lane = self.lanes.get(open.row.job);
        let running = lane.map_or(0, Lane::running);
        let most = reasons.look_at(COUNTED);
        let ahead = lane.map_or(0, |lane| lane.ahead(open.row.attempt, most));
        // What was not looked at can be looked at for others.
        reasons.left += most - ahead;
        let ahead = match ahead {
            _ if most == 0 => String::new(),
            0 => String::new(),
            many if many >= most => format!(", {many} or more wait before it"),
            1 => ", 1 waits before it".to_owned(),
            some => format!(", {some} wait before it"),
        };
        match job.block.strategy {
            BlockStrategy::Parallel => {
                format!("its turn: {running} of {} run{ahead}", job.block.max_running)
            }
            BlockStrategy::ReplaceRunning => {
                format!("the tasks that it replaces to stop: {running} run{ahead}")
            }
            BlockStrategy::Serial | BlockStrategy::SkipNew => {
                let task = lane.and_then(|lane| lane.others(open.row.task).next());
                let task = task.and_then(|id| self.attempts.get(id)).map(|open| open.row.task);
                match task {
                    Some(task) => format!("its turn: task {task} runs{ahead}"),
                    None => format!("its turn{ahead}"),
                }
            }
        }
    }

    /// An executor that can take it, and for how long it waits for one.
    fn executor_for(&self, now: Now, open: &Open, job: &Job, reasons: &mut Reasons) -> String {
        let missing = self.missing_executor(open, job, reasons);
        match open.deadlines().no_executor.map(|at| at.saturating_sub(now.uptime)) {
            Some(left) => {
                let left = Duration::from_secs(left.as_secs().max(1));
                format!("{missing}; it fails in {}", duration::to_text(left))
            }
            None => missing,
        }
    }

    /// Why no executor can take an attempt at the moment.
    fn missing_executor(&self, open: &Open, job: &Job, reasons: &mut Reasons) -> String {
        let bound = self.fleet.at(open.rare().bound).filter(|life| life.is_live());
        let only = bound.map(Life::executor);
        let only = only.or(open.rare().wanted.as_ref()).or(job.route.names());
        let key = (open.row.job, open.row.shard == NOT_SPREAD, only.cloned());
        if let Some(known) = reasons.missing.get(&key) {
            return known.clone();
        }
        let hosts = self.fleet.hosts(&job.service, &job.handler).len();
        if reasons.look_at(hosts) < hosts {
            return format!("an executor with handler `{}`", job.handler);
        }
        let missing = self.missing(open, job, only);
        reasons.missing.insert(key, missing.clone());
        missing
    }

    fn missing(&self, open: &Open, job: &Job, only: Option<&ExecutorName>) -> String {
        let (service, handler) = (&job.service, &job.handler);
        if let Some(name) = only {
            let Some((_, life)) = self.fleet.in_seat(service, name) else {
                return format!("executor `{name}` of service `{service}`, which is unknown");
            };
            return match life {
                life if life.session().is_none() => {
                    format!("executor `{name}`, which is disconnected")
                }
                life if !life.hosts(service, handler) => {
                    format!("executor `{name}`, which has no handler `{handler}`")
                }
                life if life.is_drained() => {
                    format!("executor `{name}`, which is drained until it is resumed")
                }
                life if !life.is_live() => format!("executor `{name}`, which drains"),
                life => format!("executor `{name}`, which is full: it holds {}", life.holds()),
            };
        }
        let (mut all, mut live, mut drained) = (0_usize, 0_usize, 0_usize);
        for (_, life) in self.fleet.hosts(service, handler) {
            let Some(life) = life.filter(|life| life.session().is_some()) else { continue };
            (all, live) = (all + 1, live + usize::from(life.is_live()));
            drained += usize::from(life.is_drained());
        }
        match (all, live) {
            (0, _) => format!("no executor of `{service}` with handler `{handler}` is connected"),
            (1, 0) if drained == 1 => {
                format!("the only executor with handler `{handler}` is drained until it is resumed")
            }
            (_, 0) if drained == all => {
                format!("all {all} executors with handler `{handler}` are drained until resumed")
            }
            (1, 0) => format!("the only executor with handler `{handler}` drains"),
            (_, 0) => format!("all {all} executors with handler `{handler}` drain"),
            _ if open.row.shard == NOT_SPREAD => {
                format!("no executor with handler `{handler}` matches the filter of its shards")
            }
            (_, 1) => format!("the only executor with handler `{handler}` is full or not eligible"),
            _ => format!("all {live} executors with handler `{handler}` are full or not eligible"),
        }
    }
}

/// The instant at which an attempt is due.
fn due(now: Now, open: &Open) -> String {
    let at = match open.rare().due_in {
        Some(at) => due_in(now, at),
        None => open.row.due_at,
    };
    let what = if open.row.number > 1 { "the delay of its retry" } else { "its time" };
    format!("{what}: {at:.0}")
}

/// The wall-clock instant of an uptime.
fn due_in(now: Now, at: Duration) -> Timestamp {
    let left = SignedDuration::try_from(at.saturating_sub(now.uptime)).unwrap_or_default();
    now.wall.saturating_add(left).unwrap_or(now.wall)
}
