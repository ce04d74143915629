//! What the engines of this node do and hold. The loop of each engine adds what it has counted
//! after each batch of events, and stores what it holds; a scrape reads that without asking it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use fastjob_core::{Cause, TaskState};
use fastjob_engine::{
    ALARM_KINDS, ATTEMPT_ENDS, DURATION_BOUNDS, Durations, Gauges, TASK_ENDS, Tally,
};

use super::{
    histogram::{Sums, add, add_all, read_all},
    out::{In, Out},
};

const BUCKETS: usize = DURATION_BOUNDS.len() + 1;

/// What all engines of this node have done since the process started.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    fires_planned: AtomicU64,
    fires_caught_up: AtomicU64,
    fires_skipped: AtomicU64,
    fires_cancelled: AtomicU64,
    created: [AtomicU64; Cause::ALL.len()],
    over_limit: AtomicU64,
    dispatched: AtomicU64,
    started: AtomicU64,
    attempts: [AtomicU64; ATTEMPT_ENDS.len()],
    retried: AtomicU64,
    tasks: [AtomicU64; TASK_ENDS.len()],
    alarms: [AtomicU64; ALARM_KINDS.len()],
    lateness: Sums<BUCKETS>,
    wait: Sums<BUCKETS>,
    run_time: Sums<BUCKETS>,
    running: Mutex<Vec<Weak<Held>>>,
}

/// What live pages show of the engines of this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Open tasks that wait.
    pub(crate) queued: u64,
    /// Open tasks that run, or that are stopping.
    pub(crate) running: u64,
    /// Attempts that have started since the process started.
    pub(crate) started: u64,
    /// Tasks that have ended since the process started.
    pub(crate) ended: u64,
    /// Those of them that failed.
    pub(crate) failed: u64,
    /// Alarms that were raised since the process started.
    pub(crate) alarms: u64,
}

/// What one engine holds, as of its last batch of events.
#[derive(Debug, Default)]
pub(crate) struct Held {
    tasks_queued: AtomicU64,
    tasks_running: AtomicU64,
    not_due: AtomicU64,
    waiting_turn: AtomicU64,
    waiting_executor: AtomicU64,
    dispatched: AtomicU64,
    running: AtomicU64,
    unwritten: AtomicU64,
    /// In milliseconds since the Unix epoch.
    watermark: AtomicI64,
}

impl Held {
    pub(crate) fn set(&self, gauges: &Gauges) {
        self.tasks_queued.store(gauges.tasks_queued, Relaxed);
        self.tasks_running.store(gauges.tasks_running, Relaxed);
        self.not_due.store(gauges.not_due, Relaxed);
        self.waiting_turn.store(gauges.waiting_turn, Relaxed);
        self.waiting_executor.store(gauges.waiting_executor, Relaxed);
        self.dispatched.store(gauges.dispatched, Relaxed);
        self.running.store(gauges.running, Relaxed);
        self.unwritten.store(gauges.unwritten, Relaxed);
        self.watermark.store(gauges.watermark.as_millisecond(), Relaxed);
    }
}

impl Engines {
    /// A place for what an engine holds, which counts until it is dropped.
    pub(crate) fn enter(&self, gauges: &Gauges) -> Arc<Held> {
        let held = Arc::new(Held::default());
        held.set(gauges);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|held| held.strong_count() > 0);
        running.push(Arc::downgrade(&held));
        held
    }

    pub(super) fn add(&self, tally: &Tally) {
        add(&self.fires_planned, tally.fires_planned);
        add(&self.fires_caught_up, tally.fires_caught_up);
        add(&self.fires_skipped, tally.fires_skipped);
        add(&self.fires_cancelled, tally.fires_cancelled);
        add_all(&self.created, &tally.created);
        add(&self.over_limit, tally.over_limit);
        add(&self.dispatched, tally.dispatched);
        add(&self.started, tally.started);
        add_all(&self.attempts, &tally.attempts);
        add(&self.retried, tally.retried);
        add_all(&self.tasks, &tally.tasks);
        add_all(&self.alarms, &tally.alarms);
        for (all, new) in [
            (&self.lateness, &tally.lateness),
            (&self.wait, &tally.wait),
            (&self.run_time, &tally.run_time),
        ] {
            let Durations { buckets, sum_ms } = new;
            all.add(buckets, *sum_ms);
        }
    }

    fn held(&self) -> Vec<Arc<Held>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().filter_map(Weak::upgrade).collect()
    }

    /// What pages show. Engines may count between the reads: a moment with a task too many.
    pub(crate) fn figures(&self) -> Figures {
        let held = self.held();
        let open = |of: fn(&Held) -> &AtomicU64| held.iter().map(|it| of(it).load(Relaxed)).sum();
        let failed = TASK_ENDS.iter().position(|state| *state == TaskState::Failed);
        let tasks = read_all(&self.tasks);
        Figures {
            queued: open(|held| &held.tasks_queued),
            running: open(|held| &held.tasks_running),
            started: self.started.load(Relaxed),
            ended: tasks.iter().sum(),
            failed: failed.and_then(|at| tasks.get(at)).copied().unwrap_or_default(),
            alarms: read_all(&self.alarms).iter().sum(),
        }
    }

    /// `now` is in milliseconds since the Unix epoch.
    pub(super) fn write(&self, now: i64, out: &mut Out<'_>) -> fmt::Result {
        let held = self.held();
        let sum = |of: fn(&Held) -> &AtomicU64| -> u64 {
            held.iter().map(|held| of(held).load(Relaxed)).sum()
        };
        out.counters_by(
            "fastjob_fires",
            "Fires of schedules: planned in time, missed and caught up by one task, or missed and skipped",
            "result",
            [
                ("planned", self.fires_planned.load(Relaxed)),
                ("caught_up", self.fires_caught_up.load(Relaxed)),
                ("skipped", self.fires_skipped.load(Relaxed)),
            ],
        )?;
        out.counter(
            "fastjob_fires_cancelled",
            "Planned fires whose task was cancelled, because the job was changed before it was sent",
            self.fires_cancelled.load(Relaxed),
        )?;
        out.counters_by(
            "fastjob_tasks_created",
            "Tasks that were created to run, by cause",
            "cause",
            Cause::ALL.map(Cause::as_str).into_iter().zip(read_all(&self.created)),
        )?;
        out.counter(
            "fastjob_tasks_over_limit",
            "Fires and children that were recorded as skipped because a limit of open tasks was reached",
            self.over_limit.load(Relaxed),
        )?;
        out.counters_by(
            "fastjob_tasks_ended",
            "Tasks that ended, by final state",
            "state",
            TASK_ENDS.iter().map(|state| state.as_str()).zip(read_all(&self.tasks)),
        )?;
        out.counter(
            "fastjob_attempts_dispatched",
            "Attempts that were sent to executors",
            self.dispatched.load(Relaxed),
        )?;
        out.counters_by(
            "fastjob_attempts_ended",
            "Attempts that ended, by outcome",
            "outcome",
            ATTEMPT_ENDS.into_iter().zip(read_all(&self.attempts)),
        )?;
        out.counter(
            "fastjob_attempts_retried",
            "Attempts that failed and are followed by another one",
            self.retried.load(Relaxed),
        )?;
        out.histogram(
            "fastjob_lateness",
            "From the fire to the start, of first attempts that a schedule started, counted when they end",
            &self.lateness.read(&DURATION_BOUNDS),
        )?;
        out.histogram(
            "fastjob_wait",
            "From the instant when an attempt is due to its start, counted when it ends",
            &self.wait.read(&DURATION_BOUNDS),
        )?;
        out.histogram(
            "fastjob_run_time",
            "From the start to the end of an attempt",
            &self.run_time.read(&DURATION_BOUNDS),
        )?;
        out.gauges_by(
            "fastjob_attempts_open",
            "Open attempts by what they wait for: their instant, their turn across the cluster, an executor, \
             their start on an executor, or their end",
            "state",
            [
                ("not_due", sum(|held| &held.not_due)),
                ("waiting_turn", sum(|held| &held.waiting_turn)),
                ("waiting_executor", sum(|held| &held.waiting_executor)),
                ("dispatched", sum(|held| &held.dispatched)),
                ("running", sum(|held| &held.running)),
            ],
        )?;
        out.counters_by(
            "fastjob_alarms_raised",
            "Alarms that were raised, by kind",
            "kind",
            ALARM_KINDS.iter().map(|kind| kind.as_str()).zip(read_all(&self.alarms)),
        )?;
        out.gauge(
            "fastjob_journal_rows_waiting",
            "Rows that engines have handed over and that are not durable yet",
            sum(|held| &held.unwritten),
        )?;
        let behind = held.iter().map(|held| now - held.watermark.load(Relaxed)).max();
        let behind = behind.unwrap_or_default().max(0);
        out.gauges(
            In::Seconds,
            "fastjob_schedule_lag",
            "How far the planning of fires is behind the clock, for the partition that is most behind",
        )?
        .gauge(&[], behind as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges(tasks_queued: u64, tasks_running: u64) -> Gauges {
        Gauges {
            tasks_queued,
            tasks_running,
            not_due: 0,
            waiting_turn: 0,
            waiting_executor: 0,
            dispatched: 0,
            running: 0,
            unwritten: 0,
            watermark: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_open_tasks_of_an_engine_leave_the_figures_with_it_and_those_that_ended_stay() {
        let engines = Engines::default();
        let (one, other) = (engines.enter(&gauges(5, 2)), engines.enter(&gauges(1, 1)));
        add_all(&engines.tasks, &[4, 2, 1, 1]);
        one.set(&gauges(3, 3));
        let figures = |queued, running| Figures {
            queued,
            running,
            ended: 8,
            failed: 2,
            ..Figures::default()
        };
        assert_eq!(engines.figures(), figures(4, 4));
        drop(other);
        assert_eq!(engines.figures(), figures(3, 3));
        drop(one);
        assert_eq!(engines.figures(), figures(0, 0));
    }
}
