//! The fleet: the executors of the services, and the counters of each.
//!
//! An executor's name is a seat, and each start of its process is a [`Life`]. The newest life of a
//! name has the seat. The attempts that a life is promised and those that it may hold are counted
//! only here, through the [`Placement`] of an attempt, so that the counters cannot drift from the
//! attempts.

mod life;
mod placement;

use std::{sync::Arc, time::Duration};

use fastjob_core::{ExecutorName, HandlerName, ServiceName};

pub(crate) use self::{life::Life, placement::Placement};
use super::timers::Timers;
use crate::{
    Config, ExecutorFigures,
    event::{Beat, Connected, DrainedSet, Now, SessionId},
    maps::{IdMap, Map},
    record::{LifeId, LifeRow},
};

/// The executors.
pub(crate) struct Fleet {
    lives: IdMap<LifeId, Life>,
    next_life: i64,
    /// The distance between consecutive ids of lives.
    step: i64,
    /// The lives that host a handler, sorted by the executor's name. In two steps, so that a lookup
    /// copies no names.
    groups: Map<ServiceName, Map<HandlerName, Vec<LifeId>>>,
    /// The current life of each executor.
    seats: Map<(ServiceName, ExecutorName), LifeId>,
    sessions: IdMap<SessionId, LifeId>,
    /// Lives without a session, with the uptime at which they are lost.
    away: Timers<LifeId>,
    /// How long a life may be without a session.
    lost_after: Duration,
    /// The executors that users drain, including those that are not connected.
    drained: Arc<DrainedSet>,
}

impl Fleet {
    /// A fleet without executors. The ids of new lives are at least `next_life`.
    pub(crate) fn new(config: &Config, next_life: i64) -> Self {
        Self {
            lives: IdMap::default(),
            next_life: config.id_from(next_life),
            step: config.step(),
            groups: Map::default(),
            seats: Map::default(),
            sessions: IdMap::default(),
            away: Timers::default(),
            lost_after: config.executor_lost,
            drained: Arc::default(),
        }
    }

    /// Adds a life that an earlier engine recorded. It has the usual time to reconnect.
    pub(crate) fn load(&mut self, row: &LifeRow, uptime: Duration) {
        let seat = (row.service.clone(), row.executor.clone());
        // Ids grow, so the newest life has the seat.
        let newest = self.seats.get(&seat).is_none_or(|other| *other < row.id);
        if newest {
            self.seats.insert(seat, row.id);
        }
        self.insert(row, uptime);
        self.away.set(row.id, uptime + self.lost_after);
    }

    pub(crate) fn get(&self, id: LifeId) -> Option<&Life> {
        self.lives.get(&id)
    }

    /// The life that an attempt is placed on, while it is known.
    pub(crate) fn at(&self, life: Option<LifeId>) -> Option<&Life> {
        self.lives.get(&life?)
    }

    /// The session over which an attempt's life can be reached.
    pub(crate) fn session_at(&self, life: Option<LifeId>) -> Option<SessionId> {
        self.at(life)?.session
    }

    pub(crate) fn of_session(&self, session: SessionId) -> Option<LifeId> {
        self.sessions.get(&session).copied()
    }

    /// The life that has the seat of an executor.
    pub(crate) fn in_seat(
        &self,
        service: &ServiceName,
        executor: &ExecutorName,
    ) -> Option<(LifeId, &Life)> {
        let id = *self.seats.get(&(service.clone(), executor.clone()))?;
        Some((id, self.lives.get(&id)?))
    }

    /// The lives that host a handler, sorted by the executor's name.
    pub(crate) fn hosts(
        &self,
        service: &ServiceName,
        handler: &HandlerName,
    ) -> impl ExactSizeIterator<Item = (LifeId, Option<&Life>)> {
        let group = self.groups.get(service).and_then(|groups| groups.get(handler));
        let group = group.map_or(&[][..], Vec::as_slice);
        group.iter().map(|id| (*id, self.lives.get(id)))
    }

    /// The live executors among [`hosts`](Self::hosts).
    pub(crate) fn live_hosts(
        &self,
        service: &ServiceName,
        handler: &HandlerName,
    ) -> impl Iterator<Item = (LifeId, &Life)> {
        let hosts = self.hosts(service, handler);
        hosts.filter_map(|(id, life)| Some((id, life.filter(|life| life.is_live())?)))
    }

    /// The ids of all lives, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = LifeId> {
        self.lives.keys().copied()
    }

    /// The figures of all executors for users, sorted by service and name.
    pub(crate) fn view(&self, uptime: Duration) -> Vec<ExecutorFigures> {
        let mut list: Vec<_> = self.lives.values().map(|life| life.view(uptime)).collect();
        list.sort_by(|a, b| (&a.service, &a.executor).cmp(&(&b.service, &b.executor)));
        list
    }

    /// Creates a new life in the seat of the executor. Returns its row.
    pub(crate) fn begin_life(&mut self, now: Now, new: &Connected) -> LifeRow {
        let id = LifeId(self.next_life);
        self.next_life += self.step;
        self.seats.insert((new.service.clone(), new.executor.clone()), id);
        let row = LifeRow {
            id,
            service: new.service.clone(),
            executor: new.executor.clone(),
            incarnation: new.incarnation.clone(),
            since: now.wall,
        };
        self.insert(&row, now.uptime);
        row
    }

    /// Gives a life its new session. Returns the session that this ends, if there was one.
    pub(crate) fn connect(
        &mut self,
        now: Now,
        id: LifeId,
        new: &mut Connected,
    ) -> Option<SessionId> {
        self.leave_groups(id);
        let groups = self.groups.entry(new.service.clone()).or_default();
        for handler in new.handlers.keys() {
            let group = groups.entry(handler.clone()).or_default();
            let at = group.partition_point(|other| {
                self.lives.get(other).is_some_and(|other| *other.executor() < new.executor)
            });
            group.insert(at, id);
        }
        self.away.cancel(id);
        self.sessions.insert(new.session, id);
        let life = self.lives.get_mut(&id)?;
        let before = life.session.filter(|before| *before != new.session);
        life.introduce(new, now);
        if let Some(before) = before {
            self.sessions.remove(&before);
        }
        before
    }

    /// Ends a session. Unless its life reconnects in time, it is lost; see
    /// [`next_lost_at`](Self::next_lost_at).
    pub(crate) fn disconnect(&mut self, session: SessionId, uptime: Duration) -> Option<LifeId> {
        let id = self.sessions.remove(&session)?;
        let life = self.lives.get_mut(&id)?;
        (life.session, life.heard_at) = (None, Some(uptime));
        self.away.set(id, uptime + self.lost_after);
        Some(id)
    }

    /// When the next life without a session is lost, by uptime.
    pub(crate) fn next_lost_at(&self) -> Option<Duration> {
        self.away.next_at()
    }

    /// The next life that has been without a session for too long.
    pub(crate) fn pop_lost(&mut self, uptime: Duration) -> Option<LifeId> {
        self.away.pop(uptime)
    }

    /// Removes a life that is gone.
    pub(crate) fn remove(&mut self, id: LifeId) -> Option<Life> {
        self.leave_groups(id);
        let life = self.lives.remove(&id)?;
        self.away.cancel(id);
        let seat = (life.service().clone(), life.executor().clone());
        if self.seats.get(&seat) == Some(&id) {
            self.seats.remove(&seat);
        }
        Some(life)
    }

    /// Takes a life out of the groups, so that no attempt is placed on it.
    pub(crate) fn leave_groups(&mut self, id: LifeId) {
        let Some(life) = self.lives.get(&id) else { return };
        let Some(groups) = self.groups.get_mut(life.service()) else { return };
        for handler in life.handlers() {
            if let Some(group) = groups.get_mut(handler) {
                group.retain(|other| *other != id);
                if group.is_empty() {
                    groups.remove(handler);
                }
            }
        }
        if groups.is_empty() {
            self.groups.remove(life.service());
        }
    }

    /// Records that the executor of a session drains. Returns its life.
    pub(crate) fn drain(&mut self, session: SessionId) -> Option<LifeId> {
        let id = self.of_session(session)?;
        self.lives.get_mut(&id)?.draining = true;
        Some(id)
    }

    fn insert(&mut self, row: &LifeRow, uptime: Duration) {
        let mut life = Life::new(row, uptime);
        life.drained = self.is_drained(&row.service, &row.executor);
        self.lives.insert(row.id, life);
    }

    fn is_drained(&self, service: &ServiceName, executor: &ExecutorName) -> bool {
        // Users rarely drain any.
        !self.drained.is_empty() && self.drained.contains(&(service.clone(), executor.clone()))
    }

    /// Replaces the executors that users drain. Returns the lives that this changes, in the order of
    /// their ids.
    pub(crate) fn set_drained(&mut self, drained: Arc<DrainedSet>) -> Vec<LifeId> {
        self.drained = drained;
        let changed = self
            .lives
            .iter()
            .filter(|(_, life)| life.drained != self.is_drained(life.service(), life.executor()));
        let mut changed: Vec<_> = changed.map(|(id, _)| *id).collect();
        changed.sort_unstable();
        for id in &changed {
            if let Some(life) = self.lives.get_mut(id) {
                life.drained = !life.drained;
            }
        }
        changed
    }

    /// Records a heartbeat. Returns the life of the executor.
    pub(crate) fn beat(
        &mut self,
        session: SessionId,
        beat: Beat,
        uptime: Duration,
    ) -> Option<LifeId> {
        let id = self.of_session(session)?;
        self.lives.get_mut(&id)?.hear(beat, uptime);
        Some(id)
    }

    /// Records how long a message to the executor took, together with its answer.
    pub(crate) fn measure_round_trip(
        &mut self,
        session: SessionId,
        took: Duration,
        uptime: Duration,
    ) {
        let life = self.of_session(session);
        if let Some(life) = life.and_then(|id| self.lives.get_mut(&id)) {
            life.measure_round_trip(took, uptime);
        }
    }

    /// Records how long a handler ran on a life.
    pub(crate) fn measure_run(&mut self, id: LifeId, milliseconds: f64, uptime: Duration) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.measure_run(milliseconds, uptime);
        }
    }
}

/// Figures for the limits that the simulation checks.
#[cfg(any(test, feature = "simulation"))]
impl Fleet {
    pub(crate) fn len(&self) -> usize {
        self.lives.len()
    }

    /// The number of attempts that are counted as held.
    pub(crate) fn held(&self) -> usize {
        self.lives.values().map(|life| life.holds() as usize).sum()
    }

    pub(crate) fn sessions_and_seats(&self) -> usize {
        self.sessions.len() + self.seats.len()
    }

    pub(crate) fn grouped(&self) -> usize {
        self.groups.values().flat_map(Map::values).map(Vec::len).sum()
    }

    pub(crate) fn timers(&self) -> usize {
        self.away.len()
    }

    /// Whether a life is expected to reconnect.
    pub(crate) fn is_away(&self, id: LifeId) -> bool {
        self.away.is_set(id)
    }

    /// A timer of a life that is gone.
    pub(crate) fn outlived_timer(&self) -> Option<LifeId> {
        self.away.all().find(|id| !self.lives.contains_key(id))
    }
}
