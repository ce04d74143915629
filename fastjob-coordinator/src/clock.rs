//! The one place where the coordinator reads clocks.
//!
//! The wall clock never runs backwards here. A forward jump is not followed until it is confirmed:
//! meanwhile time advances with the uptime. So a wrong clock that is corrected soon affects neither
//! schedules nor retention. The rule is in `judge`.

mod judge;
mod machine;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fastjob_engine::Now;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(crate) use self::machine::Manual;
use self::{
    judge::{Change, Judge, Reading},
    machine::{Machine, System},
};

/// A step back is logged if it is larger than this.
const NOTICED: SignedDuration = SignedDuration::from_secs(5);
/// Interval between two checks of the clock.
const LOOK: Duration = Duration::from_secs(1);
/// Interval between two log lines about a clock that stays wrong.
const REMIND: Duration = Duration::from_secs(600);

/// Whether this machine's clock can be compared with another clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Only with the uptime.
    Uptime,
    /// With the database's clock, which each heartbeat returns.
    Database,
}

/// The wall clock, kept from running backwards, and the time since the start.
#[derive(Debug)]
pub(crate) struct Clock {
    machine: Box<dyn Machine>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    judge: Judge,
    /// The latest wall time returned, in milliseconds.
    latest: i64,
    /// Set until the database's clock has been read once, if the store has one.
    awaits_database: bool,
}

/// What is wrong with this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It jumped forward by this much, and is not followed.
    Unconfirmed(SignedDuration),
    /// It was set back: schedules are paused until it shows this time again.
    SetBack(Timestamp),
}

impl Clock {
    pub(crate) fn start(witness: Witness) -> Self {
        Self::on(Box::new(System::start()), witness)
    }

    fn on(machine: Box<dyn Machine>, witness: Witness) -> Self {
        let reading = read(&*machine);
        let awaits_database = witness == Witness::Database;
        let state = State { judge: Judge::new(reading), latest: reading.wall, awaits_database };
        Self { machine, state: Mutex::new(state) }
    }

    /// A clock that a test controls; it also follows tokio's paused time.
    #[cfg(test)]
    pub(crate) fn manual() -> (Arc<Self>, Manual) {
        let manual = Manual::start();
        (Arc::new(Self::on(Box::new(manual.clone()), Witness::Uptime)), manual)
    }

    /// Both clocks, in whole milliseconds.
    pub(crate) fn now(&self) -> Now {
        let (latest, change) = {
            let mut state = self.lock();
            // Read under the lock, so that readings are judged in the order in which they were
            // made.
            let (wall, change) = state.judge.judge(read(&*self.machine));
            // After a step back, time is paused until the clock has caught up, so that no recorded
            // fire repeats.
            state.latest = state.latest.max(wall);
            (state.latest, change)
        };
        change.into_iter().for_each(log);
        let wall = Timestamp::from_millisecond(latest).unwrap_or(Timestamp::MAX);
        Now { wall, uptime: self.machine.uptime() }
    }

    /// The time since the start, as in [`Clock::now`].
    pub(crate) fn uptime(&self) -> Duration {
        self.machine.uptime()
    }

    /// The time since the start, including time that the machine was suspended. Leases use it
    /// because time went on for the other nodes.
    pub(crate) fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }

    /// Records the database's clock, which was read between two instants of [`Clock::elapsed`].
    pub(crate) fn database(&self, at: Timestamp, asked: Duration, answered: Duration) {
        let change = {
            let mut state = self.lock();
            let first = std::mem::take(&mut state.awaits_database);
            let origin = at.as_millisecond() - millis((asked + answered) / 2);
            let reading = read(&*self.machine);
            let change = state.judge.database(origin, first, reading);
            if matches!(change, Some(Change::AheadOfDatabase { .. })) {
                // This machine's clock has decided nothing yet: a node that shares its store takes
                // no partition before its first heartbeat.
                state.latest = origin + millis(reading.elapsed);
            }
            change
        };
        change.into_iter().for_each(log);
    }

    /// Pauses the wall clock until this instant, unless it has already been reached.
    pub(crate) fn not_before(&self, at: Timestamp) {
        let mut state = self.lock();
        state.latest = state.latest.max(at.as_millisecond());
    }

    /// The wall time to use for retention; `None` while it is uncertain, because rows that a wrong
    /// clock removes cannot be restored.
    pub(crate) fn settled(&self) -> Option<Timestamp> {
        let wall = self.now().wall;
        let certain = self.trouble().is_none() && !self.lock().awaits_database;
        certain.then_some(wall)
    }

    /// When a paused wall clock resumes, if it was set back far enough for users to notice.
    pub(crate) fn paused_until(&self) -> Option<Timestamp> {
        match self.trouble()? {
            Trouble::SetBack(until) => Some(until),
            Trouble::Unconfirmed(_) => None,
        }
    }

    /// What is wrong with this machine's clock now.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let state = self.lock();
        let reading = read(&*self.machine);
        if let Some(by) = state.judge.unconfirmed() {
            return Some(Trouble::Unconfirmed(SignedDuration::from_millis(by)));
        }
        let behind = SignedDuration::from_millis(state.latest - state.judge.trusted(reading));
        let until = Timestamp::from_millisecond(state.latest).ok()?;
        (behind > NOTICED).then_some(Trouble::SetBack(until))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(machine: &dyn Machine) -> Reading {
    Reading { wall: machine.wall(), elapsed: machine.elapsed() }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Clock changes are logged here, where they are detected, so that operators see them.
fn log(change: Change) {
    let span = |millis: i64| format!("{:#}", SignedDuration::from_millis(millis));
    match change {
        Change::Jumped { by } => tracing::warn!(
            jump = span(by),
            confirmed_after_s = judge::CONFIRM.as_secs(),
            "this machine's clock jumped forward: schedules follow the uptime for now. The jump is \
             accepted if it lasts for confirmed_after_s or if the database's clock agrees; the \
             fires in between then count as missed. If the clock is wrong, correct it before that"
        ),
        Change::Contradicted { by } => tracing::warn!(
            jump = span(by),
            "the database's clock contradicts the jump of this machine's clock: schedules follow \
             the database's clock until this machine's clock is corrected"
        ),
        Change::AheadOfDatabase { by } => tracing::warn!(
            ahead = span(by),
            "this machine's clock is ahead of the database's: schedules follow the database's \
             clock until this machine's clock is corrected"
        ),
        Change::BehindDatabase { by } => tracing::warn!(
            behind = span(by),
            "this machine's clock is behind the database's: fires of this node are late by the \
             same amount. Correct the clock"
        ),
        Change::Confirmed { by, because } => tracing::warn!(
            jump = span(by),
            because,
            "the jump of this machine's clock was accepted. If the clock is wrong, stop all \
             coordinators, correct it and run `fastjob repair clock`"
        ),
        Change::Corrected { by } => tracing::info!(
            jump = span(by),
            "this machine's clock was corrected: its jump had no effect"
        ),
    }
}

/// Logs when schedules pause and resume, and repeats the warning while a clock stays wrong.
pub(crate) async fn watch(clock: Arc<Clock>, stop: CancellationToken) {
    let mut paused = false;
    let mut logged: Option<Duration> = None;
    while !stop.is_cancelled() {
        let uptime = clock.now().uptime;
        let due = logged.is_none_or(|logged| uptime.saturating_sub(logged) >= REMIND);
        match clock.trouble() {
            Some(Trouble::SetBack(until)) => {
                if !paused || due {
                    tracing::warn!(
                        %until,
                        "this machine's clock was set back: schedules are paused until it shows \
                         that time again. If that takes too long, use `fastjob repair clock`"
                    );
                    logged = Some(uptime);
                }
                paused = true;
            }
            other => {
                if paused {
                    tracing::info!("the clock has caught up, schedules resume");
                    paused = false;
                }
                match other {
                    // The jump itself was logged when it was detected.
                    Some(Trouble::Unconfirmed(_)) if logged.is_none() => logged = Some(uptime),
                    Some(Trouble::Unconfirmed(jump)) if due => {
                        let jump = format!("{jump:#}");
                        tracing::warn!(
                            jump,
                            "the jump of this machine's clock is still not accepted"
                        );
                        logged = Some(uptime);
                    }
                    Some(_) => {}
                    None => logged = None,
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// The wall clock as it is, for display only.
pub(crate) fn wall_now() -> Timestamp {
    machine::wall()
}
