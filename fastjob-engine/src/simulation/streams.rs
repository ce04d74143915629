//! Streams between nodes and executors: they open and break, and messages arrive.

use std::sync::Arc;

use fastjob_core::{AttemptId, attempt::End};
use tokio::sync::oneshot;

use super::{
    clocks::CUT_OFF,
    executor::{FromExecutor, ToExecutor, checkpoint, held},
    jobs,
    shape::Feature,
    world::World,
};
use crate::{
    ConnectAnswer, Connected, Event, Held, Message, SessionId, StartAttempt, record::Lease,
};

impl World {
    pub(super) fn connect(&mut self, n: usize, m: usize) {
        let node = &self.nodes[m];
        let executor = &self.executors[n];
        if !node.is_awake(self.uptime)
            || executor.is_suspended()
            || executor.isolated_until > self.uptime
            || executor.links[m].session.is_some()
        {
            return;
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let leases: Vec<_> = match node.may_act(self.uptime) {
            true => node.engines.values().map(|running| running.lease).collect(),
            false => Vec::new(),
        };
        let executor = &mut self.executors[n];
        let moment = executor.moment(self.uptime);
        let link = &mut executor.links[m];
        link.session = Some(session);
        if !leases.is_empty() {
            link.inbound.push_back(ToExecutor::Leases(leases, moment));
        }
        if executor.drains() {
            executor.say_goodbye(m, Vec::new());
        }
    }

    /// A node receives a report of what an executor holds.
    fn holds(&mut self, n: usize, m: usize, leases: Vec<Lease>, holding: Vec<Held>, leaving: bool) {
        let executor = &self.executors[n];
        let Some(session) = executor.links[m].session else { return };
        let connected = Connected {
            session,
            link: 0,
            service: jobs::name("default"),
            executor: jobs::name(&executor.name),
            incarnation: jobs::name(&format!("i{}", executor.incarnation)),
            address: String::new(),
            version: String::new(),
            capacity: u32::try_from(executor.capacity).unwrap_or(u32::MAX),
            labels: Arc::new(
                [("zone".to_owned(), if n < 2 { "a" } else { "b" }.to_owned())].into(),
            ),
            handlers: Arc::new([(jobs::name("h"), String::new())].into()),
            jobs: Vec::new(),
            holding: Vec::new(),
            leaving,
            accepts_early: self.shape.has(Feature::Early) && n != 0,
            highest: None,
        };
        let highest = executor.highest.clone();
        for lease in leases {
            let here = self.nodes[m].engines.get(&lease.partition).map(|running| running.lease);
            if here != Some(lease) {
                continue;
            }
            let of = |held: &&Held| self.partition_of_id(held.attempt.0) == lease.partition;
            let holding = holding.iter().filter(of).copied().collect();
            let highest = highest.get(&lease.partition).copied();
            let connected = Box::new(Connected { holding, highest, ..connected.clone() });
            let (answer, mut wait) = oneshot::channel();
            self.notify(m, lease.partition, Event::Connected(connected, answer));
            match wait.try_recv() {
                Ok(ConnectAnswer::Taken { .. }) => return self.disconnect(n, m),
                Ok(ConnectAnswer::Welcome(_)) => {
                    self.has_said(m, lease, highest);
                }
                Err(_) => {}
            }
        }
    }

    /// Records that an engine knows the highest attempt that an executor was sent.
    fn has_said(&mut self, m: usize, lease: Lease, highest: Option<AttemptId>) {
        let running = self.nodes[m].engines.get_mut(&lease.partition);
        if let (Some(running), Some(highest)) = (running, highest)
            && running.highest.is_none_or(|(before, _)| before < highest)
        {
            running.highest = Some((highest, running.engine.floor));
        }
    }

    pub(super) fn disconnect(&mut self, n: usize, m: usize) {
        if let Some(session) = self.executors[n].cut(m) {
            self.nodes[m].gone.push(session);
            self.see_gone();
        }
    }

    pub(super) fn disconnect_all(&mut self, n: usize) {
        for m in 0..self.nodes.len() {
            self.disconnect(n, m);
        }
    }

    /// Nodes detect broken streams; paused nodes do so when they resume.
    pub(super) fn see_gone(&mut self) {
        for m in 0..self.nodes.len() {
            if self.nodes[m].is_awake(self.uptime) {
                for session in std::mem::take(&mut self.nodes[m].gone) {
                    self.notify_all(m, || Event::Disconnected(session));
                }
            }
        }
    }

    /// Delivers everything that is in transit between the two.
    pub(super) fn exchange(&mut self, n: usize, m: usize) {
        while !self.executors[n].is_suspended() && !self.executors[n].links[m].inbound.is_empty() {
            self.deliver(n, m);
        }
        let mut most = 10_000;
        while most > 0
            && self.nodes[m].is_awake(self.uptime)
            && !self.executors[n].links[m].outbound.is_empty()
        {
            self.receive(n, m);
            most -= 1;
        }
    }

    pub(super) fn deliver(&mut self, n: usize, m: usize) {
        if self.executors[n].is_suspended() {
            return;
        }
        let Some(message) = self.executors[n].links[m].inbound.pop_front() else { return };
        match message {
            ToExecutor::Heard(partitions, moment) => {
                self.executors[n].hear(m, &partitions, moment);
                self.deliver(n, m);
            }
            ToExecutor::Leases(leases, moment) => self.executors[n].take(m, leases, moment),
            ToExecutor::Farewell => {
                let link = &mut self.executors[n].links[m];
                link.goodbyes = link.goodbyes.saturating_sub(1);
            }
            ToExecutor::Message(lease, message) => self.obey(n, m, lease, message),
        }
    }

    pub(super) fn deliver_twice(&mut self, n: usize, m: usize) {
        let inbound = &mut self.executors[n].links[m].inbound;
        let first = inbound.front().filter(|first| !matches!(first, ToExecutor::Farewell));
        if let Some(first) = first.cloned() {
            inbound.push_front(first);
        }
        self.deliver(n, m);
        self.deliver(n, m);
    }

    pub(super) fn reorder(&mut self, n: usize, m: usize) {
        let inbound = &mut self.executors[n].links[m].inbound;
        // A stream keeps its order, except that attempts may be swapped: many of them are sent at
        // once.
        if let (Some(ToExecutor::Message(..)), Some(ToExecutor::Message(..))) =
            (inbound.front(), inbound.get(1))
        {
            inbound.swap(0, 1);
        }
    }

    fn obey(&mut self, n: usize, m: usize, lease: Lease, message: Message) {
        let wall = self.executor_wall(n);
        match message {
            Message::Start(attempts) => {
                if !self.executors[n].allows(m, lease) {
                    return;
                }
                self.witness.see_taken(lease, &self.executors[n]);
                let mut returned = Vec::new();
                for start in attempts {
                    let id = start.row.attempt;
                    if !self.arrive(n, start) {
                        returned.push(id);
                    }
                }
                if !returned.is_empty() {
                    self.executors[n].say_goodbye(m, returned);
                }
            }
            Message::Stop(attempts) => {
                for named in attempts {
                    let id = named.attempt;
                    let executor = &mut self.executors[n];
                    let run = executor.running.get(&id).map(|run| &run.start);
                    let waits = |start: &&StartAttempt| start.row.attempt == id;
                    let start = run.or_else(|| executor.waiting().find(waits));
                    let stops = start.is_some_and(|start| {
                        named.names(start.row.created_at)
                            && !(run.is_some() && start.job.name.as_str() == "hangs")
                    });
                    if stops && executor.is_of(m, id) && !executor.stop_waiting(id, wall) {
                        executor.finish(id, End::Stopped, wall);
                    }
                }
            }
            Message::Recorded(attempts) => {
                let executor = &mut self.executors[n];
                for named in attempts {
                    let id = named.attempt;
                    let outcome = executor.unacknowledged.get(&id);
                    if outcome.is_some_and(|outcome| named.names(outcome.created_at))
                        && let Some(outcome) = executor.unacknowledged.remove(&id)
                    {
                        executor.remembered.insert(id, outcome);
                    }
                }
            }
            Message::Close => self.disconnect(n, m),
        }
        self.promote(n);
    }

    /// Delivers an attempt; `false` if the executor drains and returns it.
    fn arrive(&mut self, n: usize, start: StartAttempt) -> bool {
        let (id, wall) = (start.row.attempt, self.executor_wall(n));
        let partition = self.partition_of_id(id.0);
        let executor = &mut self.executors[n];
        let highest = executor.highest.entry(partition).or_insert(id);
        *highest = id.max(*highest);
        let known = executor.known.get(&id).copied();
        if known == Some(start.row.created_at) {
            self.answer_known(n, id);
            return true;
        }
        if executor.drains() {
            return false;
        }
        let is_used = executor.running.contains_key(&id)
            || executor.unacknowledged.contains_key(&id)
            || executor.waiting().any(|other| other.row.attempt == id);
        if is_used {
            executor.report(id, FromExecutor::Returned(id));
            return true;
        }
        executor.known.insert(id, start.row.created_at);
        executor.remembered.remove(&id);
        if start.job.block.is_exclusive() && executor.is_cut(id, self.uptime, CUT_OFF) {
            // It was in transit for longer than its node is known to act.
            executor.refuse(&start, wall);
        } else {
            executor.early.push(start);
            self.promote(n);
        }
        true
    }

    /// Delivers an attempt that the executor already knows: it reports what it knows.
    fn answer_known(&mut self, n: usize, id: AttemptId) {
        let executor = &mut self.executors[n];
        if let Some(run) = executor.running.get(&id) {
            let (named, started_at, reached) = (held(&run.start), run.started_at, run.reached);
            executor.report(id, FromExecutor::Started(named, started_at));
            if let Some(reached) = reached {
                executor.report(id, FromExecutor::Checkpoint(named, checkpoint(reached)));
            }
        } else if let Some(outcome) = executor.unacknowledged.get(&id).cloned() {
            executor.report(id, FromExecutor::Finished(outcome));
        } else if let Some(outcome) = executor.remembered.remove(&id) {
            executor.unacknowledged.insert(id, outcome.clone());
            executor.report(id, FromExecutor::Finished(outcome));
        }
    }

    pub(super) fn receive(&mut self, n: usize, m: usize) {
        if !self.nodes[m].is_awake(self.uptime) {
            if self.resting {
                self.executors[n].links[m].outbound.clear();
            }
            return;
        }
        let link = &mut self.executors[n].links[m];
        let Some(session) = link.session else { return };
        match link.outbound.pop_front() {
            Some(FromExecutor::Started(held, at)) => {
                self.notify_owner(m, held.attempt, Event::Started(session, vec![(held, at)]));
            }
            Some(FromExecutor::Finished(outcome)) => {
                let attempt = outcome.attempt;
                self.notify_owner(m, attempt, Event::Finished(session, vec![outcome]));
            }
            Some(FromExecutor::Checkpoint(held, value)) => {
                let event = Event::Checkpoints(session, vec![(held, value)]);
                self.notify_owner(m, held.attempt, event);
            }
            Some(FromExecutor::Progress(held, progress)) => {
                let event = Event::Progress(session, vec![(held, progress)]);
                self.notify_owner(m, held.attempt, event);
            }
            Some(FromExecutor::Figures(beat)) => {
                self.notify_all(m, || Event::Beat(session, beat));
            }
            Some(FromExecutor::Holding(leases, attempts, leaving)) => {
                self.holds(n, m, leases, attempts, leaving);
            }
            Some(FromExecutor::Returned(attempt)) => {
                self.notify_owner(m, attempt, Event::Returned(session, vec![attempt]));
            }
            Some(FromExecutor::Goodbye(returned)) => self.goodbye(n, m, session, returned),
            None => {}
        }
    }

    fn notify_owner(&mut self, m: usize, attempt: AttemptId, event: Event) {
        self.notify(m, self.partition_of_id(attempt.0), event);
    }

    /// All engines of the node note that the executor drains; then it gets its farewell.
    fn goodbye(&mut self, n: usize, m: usize, session: SessionId, returned: Vec<AttemptId>) {
        if self.nodes[m].engines.values().any(|running| running.stalled.is_some()) {
            let link = &mut self.executors[n].links[m];
            link.outbound.push_front(FromExecutor::Goodbye(returned));
            if self.resting {
                link.outbound.rotate_left(1);
            }
            return;
        }
        self.notify_leaving(m, session, &returned);
        if self.nodes[m].engines.values().any(|running| running.retiring) {
            // A retiring engine does not answer, so the executor must not depend on it.
            return self.disconnect(n, m);
        }
        let link = &mut self.executors[n].links[m];
        if link.session == Some(session) && self.shape.has(Feature::Drains) {
            link.inbound.push_back(ToExecutor::Farewell);
        }
    }

    pub(super) fn notify_leaving(&mut self, m: usize, session: SessionId, returned: &[AttemptId]) {
        self.notify_all(m, || {
            // Engines answer at once here, so no code waits for the answer.
            let (answer, _) = oneshot::channel();
            Event::Leaving(session, returned.to_vec(), answer)
        });
    }
}
