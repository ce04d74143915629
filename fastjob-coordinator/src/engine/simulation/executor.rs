//! An executor as the engines see it: it runs what it is sent once, holds outcomes until they are
//! acknowledged, takes attempts of a partition only from the node that took it last, and stops what
//! is exclusive when nobody who acts on its partition is heard.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use fastjob_core::{
    AttemptId, TaskId,
    attempt::End,
    block::{BlockScope, BlockStrategy},
};
use jiff::Timestamp;

use crate::{
    engine::{Beat, Held, Message, Outcome, SessionId, StartAttempt},
    record::{Lease, Partition},
};

/// What an executor says.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Started(Held, Timestamp),
    Finished(Outcome),
    Figures(Beat),
    /// What it holds of these partitions.
    Holding(Vec<Lease>, Vec<Held>),
}

/// What an executor is told.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Message(Lease, Message),
    /// The node acts on these, as of then.
    Leases(Vec<Lease>, Duration),
    /// The node acted on these when it answered a beat.
    Heard(Vec<Partition>, Duration),
}

/// The stream between an executor and one node.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) session: Option<SessionId>,
    /// To the executor.
    pub(super) inbound: VecDeque<Told>,
    /// From it.
    pub(super) outbound: VecDeque<Said>,
}

/// A process that runs on while another has taken its seat: nobody hears it, and it hears nobody.
#[derive(Debug)]
pub(super) struct Ghost {
    pub(super) running: BTreeMap<AttemptId, StartAttempt>,
    heard_at: BTreeMap<Partition, Duration>,
}

#[derive(Debug)]
pub(super) struct Executor {
    pub(super) name: String,
    pub(super) incarnation: u32,
    partitions: u32,
    /// By node.
    pub(super) links: Vec<Link>,
    /// Which node took a partition last, and in which term.
    owners: BTreeMap<Partition, (usize, i64)>,
    pub(super) running: BTreeMap<AttemptId, StartAttempt>,
    /// What waits for its turn in a lane of this executor, in the order of its arrival.
    pub(super) waiting: VecDeque<StartAttempt>,
    pub(super) unacknowledged: BTreeMap<AttemptId, Outcome>,
    /// Everything that was entered in this life.
    pub(super) entered: BTreeSet<AttemptId>,
    /// When it heard from a partition's owner last.
    heard_at: BTreeMap<Partition, Duration>,
    pub(super) ghosts: Vec<Ghost>,
}

impl Executor {
    pub(super) fn new(n: usize, nodes: usize, partitions: u32) -> Self {
        Self {
            name: format!("e{n}"),
            incarnation: 1,
            partitions,
            links: (0..nodes).map(|_| Link::default()).collect(),
            owners: BTreeMap::new(),
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            entered: BTreeSet::new(),
            heard_at: BTreeMap::new(),
            ghosts: Vec::new(),
        }
    }

    fn partition(&self, attempt: AttemptId) -> Partition {
        Partition::of_id(attempt.0, self.partitions)
    }

    /// The stream to a node is gone, with what was under way on it.
    pub(super) fn cut(&mut self, node: usize) -> Option<SessionId> {
        let link = std::mem::take(&mut self.links[node]);
        link.session
    }

    /// The process is another one.
    pub(super) fn restart(&mut self) {
        self.incarnation += 1;
        self.owners.clear();
        self.running.clear();
        self.waiting.clear();
        self.unacknowledged.clear();
        self.entered.clear();
        self.heard_at.clear();
    }

    /// The process is another one, and the old one runs on.
    pub(super) fn haunt(&mut self) {
        let running = std::mem::take(&mut self.running);
        let heard_at = std::mem::take(&mut self.heard_at);
        self.ghosts.push(Ghost { running, heard_at });
        self.restart();
    }

    /// A node acts on these partitions: it hears what is held of them, and all of it again.
    pub(super) fn take(&mut self, node: usize, leases: Vec<Lease>, at: Duration, wall: Timestamp) {
        let newer = |lease: &Lease| {
            self.owners.get(&lease.partition).is_none_or(|(_, term)| *term <= lease.term)
        };
        let taken: Vec<_> = leases.into_iter().filter(newer).collect();
        for lease in &taken {
            self.owners.insert(lease.partition, (node, lease.term));
            let heard_at = self.heard_at.entry(lease.partition).or_default();
            *heard_at = at.max(*heard_at);
        }
        let of = |id: &AttemptId| {
            let partition = Partition::of_id(id.0, self.partitions);
            taken.iter().any(|lease| lease.partition == partition)
        };
        let running: Vec<_> =
            self.running.values().map(held).filter(|held| of(&held.attempt)).collect();
        let ended: Vec<_> =
            self.unacknowledged.values().filter(|outcome| of(&outcome.attempt)).cloned().collect();
        let waiting = self.waiting.iter().map(held).filter(|held| of(&held.attempt));
        let ids = running.iter().copied().chain(ended.iter().map(Outcome::held));
        let ids = ids.chain(waiting);
        let holding = Said::Holding(taken.clone(), ids.collect());
        let link = &mut self.links[node].outbound;
        link.push_back(holding);
        link.extend(running.into_iter().map(|id| Said::Started(id, wall)));
        link.extend(ended.into_iter().map(Said::Finished));
    }

    /// Whether attempts with this lease are taken from the node.
    pub(super) fn allows(&self, node: usize, lease: Lease) -> bool {
        self.owners.get(&lease.partition) == Some(&(node, lease.term))
    }

    /// Whether the attempt is the node's to stop.
    pub(super) fn is_of(&self, node: usize, attempt: AttemptId) -> bool {
        self.owners.get(&self.partition(attempt)).is_some_and(|owner| owner.0 == node)
    }

    /// Says something of an attempt to the node that acts on its partition.
    pub(super) fn say(&mut self, attempt: AttemptId, said: Said) {
        let Some((node, _)) = self.owners.get(&self.partition(attempt)).copied() else { return };
        let link = &mut self.links[node];
        if link.session.is_some() {
            link.outbound.push_back(said);
        }
    }

    /// A node that acts on these partitions has answered a beat.
    pub(super) fn hear(&mut self, node: usize, partitions: &[Partition], at: Duration) {
        for partition in partitions {
            if self.owners.get(partition).is_some_and(|owner| owner.0 == node) {
                let heard_at = self.heard_at.entry(*partition).or_default();
                *heard_at = at.max(*heard_at);
            }
        }
    }

    /// Whether nobody who acts on the attempt's partition was heard for so long that what is
    /// exclusive must not run.
    pub(super) fn is_cut(&self, attempt: AttemptId, uptime: Duration, limit: Duration) -> bool {
        is_silent(&self.heard_at, self.partition(attempt), uptime, limit)
    }

    /// Whether the lane of its job lets an attempt run beside those that do.
    fn has_room(&self, start: &StartAttempt) -> bool {
        let block = start.job.block;
        let running = self.running.values().filter(|other| other.job_id == start.job_id).count();
        match block.strategy {
            _ if block.scope == BlockScope::Cluster => true,
            BlockStrategy::Parallel => running < block.max_running as usize,
            BlockStrategy::Serial | BlockStrategy::SkipNew | BlockStrategy::ReplaceRunning => {
                running == 0
            }
        }
    }

    /// An attempt has come; it is given back if it is to be entered now.
    pub(super) fn arrive(&mut self, start: StartAttempt, now: Timestamp) -> Option<StartAttempt> {
        let waits = |other: &StartAttempt| other.job_id == start.job_id;
        if !self.waiting.iter().any(waits) && self.has_room(&start) {
            return Some(start);
        }
        let lane = |all: &mut dyn Iterator<Item = &StartAttempt>| -> Vec<(AttemptId, TaskId)> {
            let of = all.filter(|other| other.job_id == start.job_id && other.task != start.task);
            of.map(|other| (other.attempt, other.task)).collect()
        };
        let running = lane(&mut self.running.values());
        let waiting = lane(&mut self.waiting.iter());
        match start.job.block.strategy {
            BlockStrategy::SkipNew if !running.is_empty() => {
                self.ended(held(&start), End::Skipped, None, now);
                return None;
            }
            BlockStrategy::ReplaceRunning => {
                let mut others = running.iter().chain(&waiting);
                if start.number > 1 && others.any(|(_, task)| *task > start.task) {
                    self.ended(held(&start), End::Stopped, None, now);
                    return None;
                }
                for (attempt, _) in waiting {
                    self.stop_waiting(attempt, now);
                }
                for (attempt, _) in running {
                    self.finish(attempt, End::Stopped, now);
                }
            }
            BlockStrategy::Serial | BlockStrategy::Parallel | BlockStrategy::SkipNew => {}
        }
        self.waiting.push_back(start);
        None
    }

    /// Whoever's turn it is.
    pub(super) fn next(&mut self) -> Option<StartAttempt> {
        let index = self.waiting.iter().position(|start| self.has_room(start))?;
        self.waiting.remove(index)
    }

    /// Ends what waits; whether it did.
    pub(super) fn stop_waiting(&mut self, attempt: AttemptId, now: Timestamp) -> bool {
        let at = self.waiting.iter().position(|start| start.attempt == attempt);
        let Some(start) = at.and_then(|at| self.waiting.remove(at)) else { return false };
        self.ended(held(&start), End::Stopped, None, now);
        true
    }

    /// An attempt that came too late is not entered.
    pub(super) fn refuse(&mut self, start: &StartAttempt, now: Timestamp) {
        self.ended(held(start), End::Failed(fastjob_core::FailReason::ExecutorLost), None, now);
    }

    /// An attempt ends here; the job knows whether its result is worth a text.
    pub(super) fn finish(&mut self, attempt: AttemptId, end: End, now: Timestamp) {
        if let Some(start) = self.running.remove(&attempt) {
            self.ended(held(&start), end, Some(now), now);
        }
    }

    fn ended(
        &mut self,
        Held { attempt, created_at }: Held,
        end: End,
        started_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let result = (end == End::Succeeded).then(|| attempt.to_string());
        let outcome = Outcome {
            attempt,
            created_at,
            end,
            result,
            message: None,
            checkpoint: None,
            started_at,
            ended_at: now,
            log_tail: String::new(),
        };
        self.unacknowledged.insert(attempt, outcome.clone());
        self.say(attempt, Said::Finished(outcome));
    }

    /// Ends what no other executor may run at the same time, before another may be given it.
    pub(super) fn stop_exclusive(&mut self, uptime: Duration, limit: Duration, now: Timestamp) {
        let exclusive = self.running.values().filter(|start| start.job.block.is_exclusive());
        let stopped: Vec<_> = exclusive
            .map(|start| start.attempt)
            .filter(|id| self.is_cut(*id, uptime, limit))
            .collect();
        let partitions = self.partitions;
        for ghost in &mut self.ghosts {
            let heard = &ghost.heard_at;
            ghost.running.retain(|id, start| {
                let partition = Partition::of_id(id.0, partitions);
                !(start.job.block.is_exclusive() && is_silent(heard, partition, uptime, limit))
            });
        }
        self.ghosts.retain(|ghost| !ghost.running.is_empty());
        for attempt in stopped {
            self.finish(attempt, End::Failed(fastjob_core::FailReason::ExecutorLost), now);
        }
    }
}

pub(super) fn held(start: &StartAttempt) -> Held {
    Held { attempt: start.attempt, created_at: start.created_at }
}

fn is_silent(
    heard_at: &BTreeMap<Partition, Duration>,
    partition: Partition,
    uptime: Duration,
    limit: Duration,
) -> bool {
    let heard = heard_at.get(&partition).copied().unwrap_or_default();
    uptime.saturating_sub(heard) > limit
}
