//! An executor as the engines see it: it runs each attempt once, holds outcomes until they are
//! acknowledged, and accepts attempts of a partition only from its latest owner.
//!
//! When it leaves, it drains: it reports that in every session, returns attempts that still arrive,
//! and finishes those that run. When it is suspended, its monotonic clock stops too.
//!
//! One file, because every message changes the same state.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastjob_core::{AttemptId, Progress, attempt::End};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Beat, Held, Message, Outcome, SessionId, StartAttempt,
    record::{Lease, Partition},
};

/// A message of an executor.
#[derive(Clone, Debug)]
pub(super) enum FromExecutor {
    Started(Held, Timestamp),
    Finished(Outcome),
    Checkpoint(Held, Arc<str>),
    Progress(Held, Progress),
    Figures(Beat),
    /// The attempts of these partitions that it holds, and whether it drains.
    Holding(Vec<Lease>, Vec<Held>, bool),
    /// It drains, and returns these attempts.
    Goodbye(Vec<AttemptId>),
    /// It rejects this attempt, although it does not drain, because the id is in use.
    Returned(AttemptId),
}

/// A message to an executor.
#[derive(Clone, Debug)]
pub(super) enum ToExecutor {
    Message(Lease, Message),
    /// The node acts on these partitions, as of that moment.
    Leases(Vec<Lease>, Moment),
    /// The node acted on these partitions when it answered a heartbeat that was sent at that
    /// moment.
    Heard(Vec<Partition>, Moment),
    /// All engines of the node know that the executor drains.
    Farewell,
}

/// The stream between an executor and one node.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) session: Option<SessionId>,
    pub(super) inbound: VecDeque<ToExecutor>,
    pub(super) outbound: VecDeque<FromExecutor>,
    /// The number of goodbyes of this session that are not answered.
    pub(super) goodbyes: u32,
}

/// An attempt whose handler was entered.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) start: StartAttempt,
    pub(super) started_at: Timestamp,
    /// The last checkpoint of its shard that the handler knows.
    pub(super) reached: Option<u64>,
}

/// A process that keeps running after another one has taken its seat. It cannot communicate with
/// any node.
#[derive(Debug)]
pub(super) struct Ghost {
    pub(super) running: BTreeMap<AttemptId, Run>,
    pub(super) heard_at: BTreeMap<Partition, Duration>,
}

/// A moment in the life of an executor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// The reading of its monotonic clock.
    pub(super) at: Duration,
    /// The total time of its suspensions up to then.
    lag: Duration,
}

#[derive(Debug)]
pub(super) struct Executor {
    pub(super) name: String,
    pub(super) incarnation: u32,
    pub(super) capacity: usize,
    partitions: u32,
    /// Its streams, by node.
    pub(super) links: Vec<Link>,
    /// By partition: its latest owner and that owner's term.
    owners: BTreeMap<Partition, (usize, i64)>,
    pub(super) running: BTreeMap<AttemptId, Run>,
    /// Attempts that are not due yet, with the instants of its own clock at which it enters them.
    pub(super) early: Vec<StartAttempt>,
    /// Attempts that wait for their turn in a lane of this executor, in the order of arrival.
    pub(super) queued: VecDeque<StartAttempt>,
    /// Attempts that wait for a place.
    pub(super) ready: VecDeque<StartAttempt>,
    pub(super) unacknowledged: BTreeMap<AttemptId, Outcome>,
    /// Attempts that arrived in this life and were not returned, with their creation times.
    pub(super) known: BTreeMap<AttemptId, Timestamp>,
    /// By partition: the highest attempt that this process was ever sent.
    pub(super) highest: BTreeMap<Partition, AttemptId>,
    /// Outcomes that were acknowledged.
    pub(super) remembered: BTreeMap<AttemptId, Outcome>,
    pub(super) heard_at: BTreeMap<Partition, Moment>,
    pub(super) ghosts: Vec<Ghost>,
    /// The offset of its wall clock.
    pub(super) offset: SignedDuration,
    /// When it started to drain, by its own clock.
    pub(super) drains_since: Option<Duration>,
    /// Partitions whose owners may expect attempts that it no longer holds. While it drains, it
    /// waits for their next owners.
    unconfirmed: BTreeSet<Partition>,
    /// Until when no node can be reached, by the world's time.
    pub(super) isolated_until: Duration,
    suspended_since: Option<Duration>,
    /// The total time of its suspensions.
    lag: Duration,
    /// Attempts that ran unfenced when it resumed, or that it entered unfenced.
    pub(super) excused: BTreeSet<AttemptId>,
}

/// If an executor was suspended for longer than this since it last heard the owner, it cannot know
/// that it may have been lost. The margin between the coordinator's time limit and its own is 2 s.
const UNNOTICED: Duration = Duration::from_millis(1_500);

impl Executor {
    pub(super) fn new(n: usize, nodes: usize, partitions: u32, capacity: usize) -> Self {
        Self {
            name: format!("e{n}"),
            incarnation: 1,
            capacity,
            partitions,
            links: (0..nodes).map(|_| Link::default()).collect(),
            owners: BTreeMap::new(),
            running: BTreeMap::new(),
            early: Vec::new(),
            queued: VecDeque::new(),
            ready: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            known: BTreeMap::new(),
            highest: BTreeMap::new(),
            remembered: BTreeMap::new(),
            heard_at: BTreeMap::new(),
            ghosts: Vec::new(),
            offset: SignedDuration::ZERO,
            drains_since: None,
            unconfirmed: BTreeSet::new(),
            isolated_until: Duration::ZERO,
            suspended_since: None,
            lag: Duration::ZERO,
            excused: BTreeSet::new(),
        }
    }

    pub(super) fn partitions(&self) -> u32 {
        self.partitions
    }

    pub(super) fn partition(&self, attempt: AttemptId) -> Partition {
        Partition::of_id(attempt.0, self.partitions)
    }

    /// Its monotonic clock.
    pub(super) fn uptime(&self, world: Duration) -> Duration {
        self.suspended_since.unwrap_or(world).saturating_sub(self.lag)
    }

    pub(super) fn moment(&self, world: Duration) -> Moment {
        Moment { at: self.uptime(world), lag: self.lag }
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.suspended_since.is_some()
    }

    pub(super) fn drains(&self) -> bool {
        self.drains_since.is_some()
    }

    pub(super) fn suspend(&mut self, world: Duration) {
        self.suspended_since.get_or_insert(world);
    }

    /// The length of its current suspension.
    pub(super) fn suspended_for(&self, world: Duration) -> Duration {
        self.suspended_since.map_or(Duration::ZERO, |since| world.saturating_sub(since))
    }

    /// Resumes. In the meantime, another executor may have received the exclusive attempts that it
    /// runs.
    pub(super) fn resume(&mut self, world: Duration) {
        self.lag += self.suspended_for(world);
        self.suspended_since = None;
        let ids = self.running.keys().copied();
        let ids = ids.chain(self.waiting().map(|start| start.row.attempt));
        let unfenced: Vec<_> = ids.filter(|id| self.is_unfenced(*id)).collect();
        self.excused.extend(unfenced);
    }

    /// Whether it may have been lost without noticing, because its clock was stopped.
    pub(super) fn is_unfenced(&self, attempt: AttemptId) -> bool {
        let heard = self.heard_at.get(&self.partition(attempt)).copied().unwrap_or_default();
        self.lag.saturating_sub(heard.lag) > UNNOTICED
    }

    /// Attempts that were not entered.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &StartAttempt> {
        self.early.iter().chain(&self.queued).chain(&self.ready)
    }

    /// Removes all attempts that were not entered.
    pub(super) fn take_waiting(&mut self) -> Vec<StartAttempt> {
        let queued = self.queued.drain(..).chain(self.ready.drain(..));
        self.early.drain(..).chain(queued).collect()
    }

    /// Removes the attempts that are due now.
    pub(super) fn take_due(&mut self, world: Duration) -> Vec<StartAttempt> {
        let uptime = self.uptime(world);
        let is_due = |start: &mut StartAttempt| start.enter_at.is_none_or(|at| at <= uptime);
        self.early.extract_if(.., is_due).collect()
    }

    /// Removes the stream to a node, with the messages in transit.
    pub(super) fn cut(&mut self, node: usize) -> Option<SessionId> {
        let link = std::mem::take(&mut self.links[node]);
        if link.goodbyes > 0 {
            let of_node = self.owners.iter().filter(|(_, (owner, _))| *owner == node);
            self.unconfirmed.extend(of_node.map(|(partition, _)| *partition));
        }
        link.session
    }

    /// Replaces the process.
    pub(super) fn restart(&mut self) {
        self.incarnation += 1;
        self.owners.clear();
        self.running.clear();
        self.early.clear();
        self.queued.clear();
        self.ready.clear();
        self.unacknowledged.clear();
        self.known.clear();
        self.highest.clear();
        self.remembered.clear();
        self.heard_at.clear();
        self.drains_since = None;
        self.unconfirmed.clear();
        self.suspended_since = None;
        self.lag = Duration::ZERO;
        self.excused.clear();
    }

    /// Replaces the process, while the old one keeps running.
    pub(super) fn haunt(&mut self) {
        let mut running = std::mem::take(&mut self.running);
        running.retain(|id, _| !self.excused.contains(id));
        let lag = self.lag;
        let heard_at = self.heard_at.iter().map(|(partition, heard)| (*partition, heard.at + lag));
        let heard_at = heard_at.collect();
        self.ghosts.push(Ghost { running, heard_at });
        self.restart();
    }

    /// Accepts a node as the owner of these partitions: it gets the held attempts, and every report
    /// again.
    pub(super) fn take(&mut self, node: usize, leases: Vec<Lease>, at: Moment) {
        let newer = |lease: &Lease| {
            self.owners.get(&lease.partition).is_none_or(|(_, term)| *term <= lease.term)
        };
        let taken: Vec<_> = leases.into_iter().filter(newer).collect();
        for lease in &taken {
            self.owners.insert(lease.partition, (node, lease.term));
            self.unconfirmed.remove(&lease.partition);
            self.heard(lease.partition, at);
        }
        let of = |id: &AttemptId| {
            let partition = Partition::of_id(id.0, self.partitions);
            taken.iter().any(|lease| lease.partition == partition)
        };
        let running: Vec<_> = self.running.iter().filter(|(id, _)| of(id)).collect();
        let ended = self.unacknowledged.values().filter(|outcome| of(&outcome.attempt));
        let ended: Vec<_> = ended.cloned().collect();
        let waiting = self.waiting().filter(|start| of(&start.row.attempt));
        let held = running.iter().map(|(_, run)| held(&run.start));
        let held = held.chain(ended.iter().map(Outcome::held));
        let held = held.chain(waiting.map(self::held)).collect();
        let mut reports = vec![FromExecutor::Holding(taken.clone(), held, self.drains())];
        for (_, run) in running {
            let held = self::held(&run.start);
            reports.push(FromExecutor::Started(held, run.started_at));
            if let Some(reached) = run.reached {
                reports.push(FromExecutor::Checkpoint(held, checkpoint(reached)));
            }
        }
        reports.extend(ended.into_iter().map(FromExecutor::Finished));
        self.links[node].outbound.extend(reports);
        if self.drains() {
            // The answer confirms that the new owner knows which attempts are held.
            self.say_goodbye(node, Vec::new());
        }
    }

    /// Whether attempts with this lease are accepted from the node.
    pub(super) fn allows(&self, node: usize, lease: Lease) -> bool {
        self.owners.get(&lease.partition) == Some(&(node, lease.term))
    }

    /// Whether the node may stop the attempt.
    pub(super) fn is_of(&self, node: usize, attempt: AttemptId) -> bool {
        self.owners.get(&self.partition(attempt)).is_some_and(|owner| owner.0 == node)
    }

    /// Reports on an attempt to the node that acts on its partition.
    pub(super) fn report(&mut self, attempt: AttemptId, report: FromExecutor) {
        let Some((node, _)) = self.owners.get(&self.partition(attempt)).copied() else { return };
        let link = &mut self.links[node];
        if link.session.is_some() {
            link.outbound.push_back(report);
        }
    }

    /// Records that a node that acts on these partitions has answered a heartbeat.
    pub(super) fn hear(&mut self, node: usize, partitions: &[Partition], at: Moment) {
        for partition in partitions {
            if self.owners.get(partition).is_some_and(|owner| owner.0 == node) {
                self.heard(*partition, at);
            }
        }
    }

    fn heard(&mut self, partition: Partition, moment: Moment) {
        let heard = self.heard_at.entry(partition).or_default();
        if moment.at >= heard.at {
            *heard = moment;
        }
    }

    /// Starts to drain: returns the attempts that were not entered to the owners of their
    /// partitions.
    pub(super) fn drain(&mut self, world: Duration) {
        if self.drains() {
            return;
        }
        self.drains_since = Some(self.uptime(world));
        let waiting = self.take_waiting();
        for node in 0..self.links.len() {
            if self.links[node].session.is_some() {
                let ids = waiting.iter().map(|start| start.row.attempt);
                let returned = ids.filter(|id| self.is_of(node, *id)).collect();
                self.say_goodbye(node, returned);
            }
        }
        for start in waiting {
            self.known.remove(&start.row.attempt);
            let owner = self.owners.get(&self.partition(start.row.attempt));
            if owner.is_none_or(|(node, _)| self.links[*node].session.is_none()) {
                self.unconfirmed.insert(self.partition(start.row.attempt));
            }
        }
    }

    pub(super) fn say_goodbye(&mut self, node: usize, returned: Vec<AttemptId>) {
        let link = &mut self.links[node];
        link.goodbyes += 1;
        link.outbound.push_back(FromExecutor::Goodbye(returned));
    }

    /// Whether a draining executor has nothing left to do.
    pub(super) fn is_drained(&self) -> bool {
        if !self.unconfirmed.is_empty() {
            return false;
        }
        let said = |link: &Link| {
            link.session.is_none()
                || (link.goodbyes == 0 && link.inbound.is_empty() && link.outbound.is_empty())
        };
        self.drains()
            && self.running.is_empty()
            && self.unacknowledged.is_empty()
            && self.links.iter().all(said)
    }

    /// Ends an attempt.
    pub(super) fn finish(&mut self, attempt: AttemptId, end: End, now: Timestamp) {
        if let Some(run) = self.running.remove(&attempt) {
            let last = run.reached.filter(|_| end != End::Succeeded);
            self.ended(held(&run.start), end, Some(run.started_at), now, last);
        }
    }

    pub(super) fn ended(
        &mut self,
        Held { attempt, created_at }: Held,
        end: End,
        started_at: Option<Timestamp>,
        now: Timestamp,
        reached: Option<u64>,
    ) {
        let outcome = Outcome {
            attempt,
            created_at,
            end,
            result: (end == End::Succeeded).then(|| attempt.to_string()),
            message: None,
            checkpoint: reached.map(|reached| reached.to_string()),
            started_at,
            ended_at: now,
            log_tail: String::new(),
            log_at: 0,
        };
        self.unacknowledged.insert(attempt, outcome.clone());
        self.report(attempt, FromExecutor::Finished(outcome));
    }
}

pub(super) fn checkpoint(reached: u64) -> Arc<str> {
    reached.to_string().into()
}

pub(super) fn held(start: &StartAttempt) -> Held {
    Held { attempt: start.row.attempt, created_at: start.row.created_at }
}
