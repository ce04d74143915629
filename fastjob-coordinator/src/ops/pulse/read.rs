//! What a feed reads: the sums of all nodes, and tasks.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use fastjob_client::types::Counts;
use fastjob_core::TaskId;
use fastjob_engine::LiveTask;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Marks, OfServices, Print, Reading, Shot, Source};
use crate::{
    clock::wall_now,
    ops::{Error, Ops, PAGE_MAX, TaskView, node_calls::NodeCall, pages::fit},
    shell::Sum,
    store::{NodeId, Partition},
};

/// How long a reading waits for other nodes.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most attempts of a task on a page.
const ATTEMPTS: usize = 100;
/// Tasks that are read from the store at once.
const TASKS: usize = 50;
/// After an alarm, lists of alarms change for so long, because it is sent. Alarms are grouped.
const SENDING: Duration = Duration::from_secs(120);
const SENT_EVERY: Duration = Duration::from_secs(5);
/// What engines count is durable, and so in lists, a moment later: after a change, a mark changes so
/// many times more, at this interval.
const REPEATS: u64 = 5;
const REPEATED_EVERY: Duration = Duration::from_secs(2);

/// Reads what the engines of a node have counted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::ops) struct ReadSums {}

impl NodeCall for ReadSums {
    const NAME: &'static str = "read-sums";
    type Reply = Sum;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Sum, Error> {
        Ok(ops.engines.figures().read())
    }
}

/// What was counted over all nodes: of this one since its process started, of others since they were
/// first read. A node that leaves takes its counters with it, so what is added to them is summed up.
#[derive(Default)]
pub(super) struct Totals {
    nodes: BTreeMap<Option<NodeId>, Sum>,
    ended: u64,
    failed: u64,
    jobs: u64,
    alarms: u64,
    /// When the last alarm was raised.
    alarm_at: Option<Instant>,
    saved: Repeated<u64>,
    /// Tasks that wait, that run, and that have ended.
    tasks: Repeated<(u64, u64, u64)>,
}

/// Numbers, and when they last changed.
#[derive(Default)]
struct Repeated<T> {
    last: Option<T>,
    at: Option<Instant>,
}

impl<T: Copy + Hash + PartialEq> Repeated<T> {
    /// Changes with the numbers, and a few times after they have changed.
    fn mark(&mut self, now: T) -> u64 {
        if self.last.replace(now).is_some_and(|last| last != now) {
            self.at = Some(Instant::now());
        }
        let repeated = |at: Instant| at.elapsed().as_secs() / REPEATED_EVERY.as_secs();
        hash(&(now, self.at.map_or(REPEATS, |at| repeated(at).min(REPEATS))))
    }
}

impl Totals {
    fn add(&mut self, node: Option<NodeId>, now: Sum) {
        let new = if node.is_none() { Sum::default() } else { now };
        let last = self.nodes.insert(node, now).unwrap_or(new);
        self.ended += now.ended.saturating_sub(last.ended);
        self.failed += now.failed.saturating_sub(last.failed);
        self.jobs += now.jobs.saturating_sub(last.jobs);
        let alarms = now.alarms.saturating_sub(last.alarms);
        self.alarms += alarms;
        if alarms > 0 {
            self.alarm_at = Some(Instant::now());
        }
    }

    /// Changes when an alarm is raised, and for a while after it, while it is sent.
    fn alarms_mark(&self) -> u64 {
        let since = self.alarm_at.map(|at| at.elapsed().min(SENDING)).unwrap_or_default();
        hash(&(self.alarms, since.as_secs() / SENT_EVERY.as_secs()))
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Source for Ops {
    async fn counts(&self, before: &mut Totals) -> Reading {
        let others = self.map.others();
        let asked = others.iter().map(|node| async {
            let sum = self.peers.call(node, Partition::default(), &ReadSums {});
            // One that does not answer is left out until its lease ends.
            let sum = tokio::time::timeout(PATIENCE, sum).await.ok()?.ok()?;
            Some((node.id.clone(), sum))
        });
        let replies = futures_util::future::join_all(asked).await;
        before.nodes.retain(|node, _| {
            node.as_ref().is_none_or(|node| others.iter().any(|other| other.id == *node))
        });
        let here = self.engines.figures().read();
        before.add(None, here);
        let (mut queued, mut running) = (here.queued, here.running);
        for (node, sum) in replies.into_iter().flatten() {
            queued = queued.saturating_add(sum.queued);
            running = running.saturating_add(sum.running);
            before.add(Some(node), sum);
        }
        let (connected, sessions) = self.sessions.reading();
        let counts = Counts {
            at: wall_now(),
            queued: Some(queued),
            running: Some(running),
            ended: before.ended,
            failed: before.failed,
            executors: connected as u64,
            alarms: before.alarms,
        };
        let counted = self.map.counted();
        let nodes: Vec<_> =
            counted.iter().map(|(node, partitions, _)| (&node.id, partitions)).collect();
        let marks = Marks {
            jobs: before.saved.mark(before.jobs),
            executors: hash(&(sessions, self.losses.count(), self.engines.drained())),
            tasks: before.tasks.mark((queued, running, before.ended)),
            alarms: before.alarms_mark(),
            nodes: hash(&nodes),
        };
        Reading { counts, marks }
    }

    async fn prints(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, Print>, Error> {
        let mut prints = HashMap::with_capacity(tasks.len());
        for tasks in tasks.chunks(PAGE_MAX as usize) {
            let live = self.live(tasks.to_vec()).await?;
            prints.extend(tasks.iter().map(|task| {
                let print = match live.tasks.get(task) {
                    Some(open) => Print::Open(print(open)),
                    None if live.unanswered.contains_key(task) => Print::Unknown,
                    None => Print::NotOpen,
                };
                (*task, print)
            }));
        }
        Ok(prints)
    }

    async fn shots(&self, tasks: &[TaskId]) -> Result<Vec<Shot>, Error> {
        let mut shots = Vec::with_capacity(tasks.len());
        let bytes = self.store.task_bytes(tasks).await?;
        let mut rest = tasks;
        while !rest.is_empty() {
            let bytes = rest.iter().map(|task| bytes.get(task).copied().unwrap_or_default());
            let (these, later) = rest.split_at(fit(bytes, TASKS).max(1).min(rest.len()));
            rest = later;
            let rows = self.store.tasks_by_id(these).await?;
            shots.extend(self.with_live(rows).await?.into_iter().filter_map(shot));
        }
        Ok(shots)
    }

    async fn services(&self) -> Result<OfServices, Error> {
        let whole = self.whole().await?;
        Ok(whole.open_by_service())
    }
}

/// Changes with what a page shows of an open task.
fn print(open: &LiveTask) -> u64 {
    let attempts: Vec<_> = open
        .attempts
        .iter()
        .map(|at| {
            let progress = at.progress.as_ref();
            let progress = progress.map(|of| (of.done, of.total, &of.note));
            (at.attempt, at.state.as_str(), at.started_at, progress, &at.waits_for, &at.executor)
        })
        .collect();
    hash(&(open.state.as_str(), attempts))
}

/// A task without its texts, and with the attempts that are open or ended last.
fn shot(view: TaskView) -> Option<Shot> {
    let (task, has_ended) = (TaskId(view.id), view.has_ended());
    let mut attempts = view.attempts;
    if attempts.len() > ATTEMPTS {
        let mut order: Vec<_> = (0..attempts.len()).collect();
        order.sort_by_key(|at| {
            let ended_at = attempts[*at].ended_at;
            (ended_at.is_some(), std::cmp::Reverse(ended_at), *at)
        });
        order.truncate(ATTEMPTS);
        let mut place = 0..;
        attempts.retain(|_| place.next().is_some_and(|at| order.contains(&at)));
    }
    let view = TaskView { param: None, result: None, attempts, ..view };
    let json = serde_json::to_string(&view).ok()?;
    Some(Shot { task, has_ended, json: Arc::from(json) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_is_repeated_a_few_times_and_then_it_is_quiet() {
        let mut repeated = Repeated::default();
        let (mut last, mut changes) = (repeated.mark(1), 0);
        for second in 0..60 {
            let mark = repeated.mark(if second < 10 { 1 } else { 2 });
            changes += u64::from(mark != last);
            last = mark;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(changes, 1 + REPEATS);
    }
}
