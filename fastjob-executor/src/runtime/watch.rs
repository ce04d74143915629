//! The attempt watchdog: reports the start of attempts that do not end at once, and the end of
//! those that are stuck.
//!
//! A handler reports through its polls. A handler that blocks its thread is not polled and delays
//! everything else on that thread. So the executor's own thread reports its start and fires its
//! stop token on timeout. After the grace period the attempt is abandoned: it is reported as ended,
//! but keeps its place and its lane until it has really ended. An exclusive attempt is not
//! abandoned: while it may still run, no other may.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastjob_core::AttemptId;
use tokio::{sync::Notify, time::Instant};

use super::{
    control::{Control, Why},
    outcome::Outcome,
    run::{self, Ended},
    state::State,
};
use crate::clock;

/// Most handlers end within this time, so reporting their start would be useless.
const SOON: Duration = Duration::from_millis(100);
/// Minimum time between two checks.
const PAUSE: Duration = Duration::from_millis(50);
/// A handler that has not reached its first `.await` after this time blocks its thread.
const BLOCKS: Duration = Duration::from_secs(1);
/// Extra time for an attempt to report its own end after the grace period. The coordinator waits
/// longer.
const SLACK: Duration = Duration::from_secs(1);

/// When each attempt has to be checked.
#[derive(Default)]
pub(super) struct Watch {
    /// New attempts, in order.
    fresh: VecDeque<(Instant, AttemptId)>,
    /// Attempts that were checked before.
    later: BTreeSet<(Instant, AttemptId)>,
    /// When the next check is.
    next: Option<Instant>,
    /// Notified when the next check has to be earlier.
    pub(super) sooner: Arc<Notify>,
    /// Handlers that are known to block.
    blocking: HashSet<String>,
}

impl Watch {
    /// An attempt has got its place.
    pub(super) fn add(&mut self, id: AttemptId, now: Instant) {
        let at = now + SOON;
        self.fresh.push_back((at, id));
        self.look_by(at);
    }

    fn look_by(&mut self, at: Instant) {
        if self.next.is_none_or(|next| at < next) {
            self.next = Some(at);
            self.sooner.notify_one();
        }
    }

    /// The attempts that are due for a check.
    fn due(&mut self, now: Instant) -> Vec<AttemptId> {
        let mut due = Vec::new();
        while let Some((_, id)) = self.fresh.pop_front_if(|(at, _)| *at <= now) {
            due.push(id);
        }
        while let Some((at, id)) = self.later.pop_first() {
            if at > now {
                self.later.insert((at, id));
                break;
            }
            due.push(id);
        }
        due
    }

    /// When to check next; not at once, so that many attempts are checked together.
    fn rest(&mut self, now: Instant) -> Option<Instant> {
        let fresh = self.fresh.front().map(|(at, _)| *at);
        let later = self.later.first().map(|(at, _)| *at);
        let next = [fresh, later].into_iter().flatten().min();
        self.next = next.map(|at| at.max(now + PAUSE));
        self.next
    }
}

impl State {
    /// Checks the attempts that are due. Returns when to check again.
    pub(super) fn look_after(&mut self, now: Instant) -> Option<Instant> {
        for id in self.watch.due(now) {
            let again = self.look(id, now);
            self.look_again(id, again);
        }
        self.watch.rest(now)
    }

    /// Sets when an attempt is checked next, replacing the previous time.
    pub(super) fn look_again(&mut self, id: AttemptId, at: Option<Instant>) {
        let Some(running) = self.running_mut(id) else { return };
        let before = std::mem::replace(&mut running.look_at, at);
        self.unwatch(id, before);
        if let Some(at) = at {
            self.watch.later.insert((at, id));
            self.watch.look_by(at);
        }
    }

    /// The attempt no longer has to be checked.
    pub(super) fn unwatch(&mut self, id: AttemptId, look_at: Option<Instant>) {
        if let Some(at) = look_at {
            self.watch.later.remove(&(at, id));
        }
    }

    /// Checks one attempt. Returns when to check it again.
    fn look(&mut self, id: AttemptId, now: Instant) -> Option<Instant> {
        let running = self.running(id)?;
        let (control, yielded) = (Arc::clone(&running.control), running.yielded);
        // The handler waits for a free thread.
        let Some(entered) = control.entered() else { return Some(now + SOON) };
        self.tell_started(id);
        let blocks = entered.at + BLOCKS;
        let warn = !yielded && !self.watch.blocking.contains(&control.handler);
        if warn && blocks <= now {
            tracing::warn!(
                handler = control.handler,
                attempt.id = id.0,
                "a handler blocks its thread: it cannot be aborted, and other handlers wait; move \
                 blocking work into `tokio::task::spawn_blocking`"
            );
            self.watch.blocking.insert(control.handler.clone());
        }
        let blocks = Some(blocks).filter(|at| warn && *at > now);
        let ends = self.look_at_end(&control, entered.at, now);
        [blocks, ends].into_iter().flatten().min()
    }

    /// Ends an attempt that should have ended. Returns when it has to end otherwise.
    fn look_at_end(&mut self, control: &Control, from: Instant, now: Instant) -> Option<Instant> {
        if control.stopped().is_none() && !control.timeout.is_zero() {
            let limit = from.checked_add(control.timeout)?;
            if limit > now {
                return Some(limit);
            }
            control.stop(Why::TimeIsUp);
        }
        match control.stopped()? {
            _ if control.exclusive => None,
            // The drain or the silence watchdog decides how long to wait.
            (Why::Leaving | Why::CutOff, _) => None,
            (why @ (Why::Asked | Why::TimeIsUp), at) => {
                let end = at.checked_add(control.grace + SLACK)?;
                if end > now {
                    return Some(end);
                }
                self.give_up(control, why);
                None
            }
        }
    }

    /// Reports an attempt as ended, although its handler may still run.
    fn give_up(&mut self, control: &Control, why: Why) {
        let Some(entered) = control.entered() else { return };
        tracing::warn!(
            handler = control.handler,
            attempt.id = control.name.id.0,
            "abandoned an attempt: its handler still runs after the grace period, keeping its place"
        );
        let (end, _, message) = run::judge(Ended::Stuck, Some(why), control);
        let last = control.said.last_checkpoint().or_else(|| control.checkpoint.clone());
        let (log_at, log_tail) = entered.log.tail();
        self.stuck.insert(control.name.id);
        self.report(Outcome {
            name: control.name,
            end,
            result: None,
            message,
            started_at: Some(entered.started_at),
            ended_at: clock::now(),
            log_tail,
            log_at,
            checkpoint: last,
        });
    }
}
