//! One life of an executor's process: from its start to its end, over any number of sessions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, ExecutorName, HandlerName, Incarnation, ServiceName,
    route::{Figures, Smoothed},
};
use jiff::Timestamp;

use crate::{
    ExecutorFigures,
    event::{Beat, Connected, Now, SessionId},
    maps::IdSet,
    record::LifeRow,
};

/// The age beyond which a measured response time no longer predicts the next one.
const ANSWER_AGE: Duration = Duration::from_secs(60);

/// An executor's process. The [`Fleet`](super::Fleet) changes it.
#[derive(Debug)]
pub(crate) struct Life {
    service: ServiceName,
    executor: ExecutorName,
    incarnation: Incarnation,
    link: u32,
    pub(super) session: Option<SessionId>,
    pub(super) draining: bool,
    /// A user drains it.
    pub(super) drained: bool,
    since: Timestamp,
    /// When its process first connected.
    began_at: Timestamp,
    address: String,
    version: String,
    capacity: u32,
    accepts_early: bool,
    /// Attempts that it may hold or is about to be sent.
    pub(super) held: IdSet<AttemptId>,
    /// The number of attempts that are planned for it and not sent.
    pub(super) promised: u32,
    labels: Arc<BTreeMap<String, String>>,
    pub(super) handlers: Arc<BTreeMap<HandlerName, String>>,
    /// The latest heartbeat, and when it arrived.
    beat: Option<Beat>,
    beat_at: Duration,
    /// When the engine last heard from it; `None` until it connects to this engine.
    pub(super) heard_at: Option<Duration>,
    round_trip: Smoothed,
    run_time: Smoothed,
    /// When `round_trip` or `run_time` was last measured.
    measured_at: Duration,
}

impl Life {
    /// An executor that is not connected.
    pub(super) fn new(row: &LifeRow, uptime: Duration) -> Self {
        Self {
            service: row.service.clone(),
            executor: row.executor.clone(),
            incarnation: row.incarnation.clone(),
            link: 0,
            session: None,
            draining: false,
            drained: false,
            since: row.since,
            began_at: row.since,
            address: String::new(),
            version: String::new(),
            capacity: 0,
            accepts_early: false,
            held: IdSet::default(),
            promised: 0,
            labels: Arc::default(),
            handlers: Arc::default(),
            beat: None,
            beat_at: uptime,
            heard_at: None,
            round_trip: Smoothed::default(),
            run_time: Smoothed::default(),
            measured_at: uptime,
        }
    }

    /// Replaces what the executor reports about itself. Its last heartbeat is kept until a newer
    /// one arrives.
    pub(super) fn introduce(&mut self, new: &mut Connected, now: Now) {
        self.link = new.link;
        self.session = Some(new.session);
        self.draining = new.leaving;
        self.since = now.wall;
        self.heard_at = Some(now.uptime);
        self.address = std::mem::take(&mut new.address);
        self.version = std::mem::take(&mut new.version);
        self.capacity = new.capacity;
        self.accepts_early = new.accepts_early;
        self.labels = Arc::clone(&new.labels);
        self.handlers = Arc::clone(&new.handlers);
    }

    pub(super) fn hear(&mut self, beat: Beat, uptime: Duration) {
        (self.beat, self.beat_at) = (Some(beat), uptime);
        self.heard_at = Some(uptime);
    }

    pub(super) fn measure_round_trip(&mut self, took: Duration, uptime: Duration) {
        self.round_trip.add(took.as_secs_f64() * 1_000.0);
        self.measured_at = uptime;
    }

    pub(super) fn measure_run(&mut self, milliseconds: f64, uptime: Duration) {
        self.run_time.add(milliseconds);
        self.measured_at = uptime;
    }

    pub(crate) fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(crate) fn executor(&self) -> &ExecutorName {
        &self.executor
    }

    pub(crate) fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    pub(crate) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Whether a user drains it: it keeps what it holds, and gets no new attempts.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained
    }

    /// How long ago the engine last heard from it; `None` if it never did.
    pub(crate) fn silent_for(&self, uptime: Duration) -> Option<Duration> {
        self.heard_at.map(|at| uptime.saturating_sub(at))
    }

    /// Whether it drains because its process is about to exit: it accepts no more attempts.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    pub(crate) fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    pub(crate) fn handlers(&self) -> impl Iterator<Item = &HandlerName> {
        self.handlers.keys()
    }

    /// Why another process, or another address of the same one, cannot take its seat; `None` if it
    /// can.
    pub(crate) fn rejects(&self, new: &Connected) -> Option<String> {
        self.session?;
        new.is_rejected_beside(&self.incarnation, self.link, &self.address)
    }

    /// How many attempts it may hold or is about to be sent.
    pub(crate) fn holds(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    /// The attempts that it may hold or is about to be sent, in the order of their ids.
    pub(crate) fn held(&self) -> Vec<AttemptId> {
        let mut held: Vec<_> = self.held.iter().copied().collect();
        held.sort_unstable();
        held
    }

    /// Whether it can get new attempts: it is connected, does not drain, and no user drains it.
    pub(crate) fn is_live(&self) -> bool {
        self.session.is_some() && !self.draining && !self.drained
    }

    /// Whether it can be sent another attempt now.
    pub(crate) fn has_room(&self) -> bool {
        self.is_live() && self.holds() < self.capacity
    }

    /// Whether it accepts attempts before they are due.
    pub(crate) fn accepts_early(&self) -> bool {
        self.accepts_early
    }

    /// Whether it can be sent another attempt before it is due. A quarter of its places, at
    /// least one, stays free for attempts that are due.
    pub(crate) fn has_early_room(&self) -> bool {
        self.is_live()
            && self.accepts_early
            && self.holds() < self.capacity - self.capacity.div_ceil(4)
    }

    /// Whether its last heartbeat reported it as full: other engines send attempts to it as well.
    pub(crate) fn is_crowded(&self) -> bool {
        self.beat.is_some_and(|beat| beat.running.saturating_add(beat.waiting) >= self.capacity)
    }

    pub(crate) fn hosts(&self, service: &ServiceName, handler: &HandlerName) -> bool {
        self.service == *service && self.handlers.contains_key(handler)
    }

    /// The figures that routes and filters use.
    pub(crate) fn figures(&self, uptime: Duration) -> Figures {
        let beat = self.beat.unwrap_or_default();
        let fresh = uptime.saturating_sub(self.measured_at) < ANSWER_AGE;
        let response = || match (self.round_trip.get(), self.run_time.get()) {
            (None, None) => None,
            (trip, run) => Some(trip.unwrap_or(0.0) + run.unwrap_or(0.0)),
        };
        Figures {
            cpu: self.beat.map(|beat| beat.cpu),
            memory_free: self.beat.map(|beat| beat.memory_free),
            memory_total: self.beat.map(|beat| beat.memory_total),
            response_ms: if fresh { response() } else { None },
            running: beat.running,
            waiting: beat.waiting,
            holds: self.holds().saturating_add(self.promised),
        }
    }

    /// Its figures for users.
    pub(crate) fn view(&self, uptime: Duration) -> ExecutorFigures {
        ExecutorFigures {
            session: self.session,
            leaving: self.draining,
            drained: self.drained,
            service: self.service.clone(),
            executor: self.executor.clone(),
            incarnation: self.incarnation.clone(),
            address: self.address.clone(),
            version: self.version.clone(),
            since: self.since,
            began_at: self.began_at,
            capacity: self.capacity,
            attempts: self.holds(),
            beat: self.beat.unwrap_or_default(),
            beat_age: uptime.saturating_sub(self.beat_at),
            silent_for: self.silent_for(uptime),
            labels: Arc::clone(&self.labels),
            handlers: Arc::clone(&self.handlers),
        }
    }
}
