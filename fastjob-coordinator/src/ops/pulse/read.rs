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

use super::{Marks, OfServices, Print, Reading, Shot, Source};
use crate::{
    clock::wall_now,
    metrics::{Figures, Metrics},
    ops::{Error, Ops, PAGE_MAX, TaskView, node_calls::NodeCall, pages::fit},
    store::{NodeId, Partition},
};

/// How long a reading waits for other nodes.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most attempts of a task on a page.
const ATTEMPTS: usize = 100;
/// Tasks that are read from the store at once.
const TASKS: usize = 50;

/// Reads what the engines of a node have counted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::ops) struct ReadSums {}

impl NodeCall for ReadSums {
    const NAME: &'static str = "read-sums";
    type Reply = Sum;

    async fn answer(self, ops: &Ops, _: Partition) -> Result<Sum, Error> {
        Ok(Sum::of(&ops.metrics))
    }
}

/// What a node has counted since its process started. A node of another release may count less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(in crate::ops) struct Sum {
    /// Open tasks that wait.
    queued: u64,
    /// Open tasks that run, or that are stopping.
    running: u64,
    /// Tasks that have ended.
    ended: u64,
    /// Those of them that failed.
    failed: u64,
    /// Alarms that were raised.
    alarms: u64,
    /// Attempts that have started. It is the one change of tasks that lists show before it is durable.
    started: u64,
    /// How often jobs, tasks and alarms were saved.
    saved: [u64; 3],
}

impl Sum {
    fn of(metrics: &Metrics) -> Self {
        let saved = metrics.saved.read();
        let Figures { queued, running, started, ended, failed, alarms } = metrics.engines.figures();
        Self { queued, running, ended, failed, alarms, started, saved }
    }

    /// Adds what another reading has more than the one before it. What is open is not a counter.
    fn grow(&mut self, now: &Self, last: &Self) {
        for (sum, now, last) in [
            (&mut self.ended, now.ended, last.ended),
            (&mut self.failed, now.failed, last.failed),
            (&mut self.alarms, now.alarms, last.alarms),
            (&mut self.started, now.started, last.started),
        ] {
            *sum += now.saturating_sub(last);
        }
        for ((sum, now), last) in self.saved.iter_mut().zip(now.saved).zip(last.saved) {
            *sum += now.saturating_sub(last);
        }
    }
}

/// What was counted over all nodes: of this one since its process started, of others since they were
/// first read. A node that leaves takes its counters with it, so what is added to them is summed up.
#[derive(Default)]
pub(super) struct Totals {
    nodes: BTreeMap<Option<NodeId>, Sum>,
    grown: Sum,
    /// How often nodes were first read, or left. What they saved before and after is not counted.
    members: u64,
}

impl Totals {
    fn add(&mut self, node: Option<NodeId>, now: Sum) {
        let is_here = node.is_none();
        let last = self.nodes.insert(node, now);
        if last.is_none() && !is_here {
            self.members += 1;
        }
        let new = if is_here { Sum::default() } else { now };
        self.grown.grow(&now, &last.unwrap_or(new));
    }

    /// Forgets the nodes that have left.
    fn keep(&mut self, is_kept: impl Fn(&NodeId) -> bool) {
        let before = self.nodes.len();
        self.nodes.retain(|node, _| node.as_ref().is_none_or(&is_kept));
        self.members += (before - self.nodes.len()) as u64;
    }

    /// Each changes when a list has changed: of jobs, of tasks, and of alarms.
    fn marks(&self) -> [u64; 3] {
        let [jobs, tasks, alarms] = self.grown.saved;
        [(jobs, 0), (tasks, self.grown.started), (alarms, 0)]
            .map(|(saved, shown)| hash(&(saved, shown, self.members)))
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
        before.keep(|node| others.iter().any(|other| other.id == *node));
        let here = Sum::of(&self.metrics);
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
            ended: before.grown.ended,
            failed: before.grown.failed,
            executors: connected as u64,
            alarms: before.grown.alarms,
        };
        let counted = self.map.counted();
        let nodes: Vec<_> =
            counted.iter().map(|(node, partitions, _)| (&node.id, partitions)).collect();
        let [jobs, tasks, alarms] = before.marks();
        let marks = Marks {
            jobs,
            executors: hash(&(sessions, self.losses.count(), self.engines.drained())),
            tasks,
            alarms,
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

    fn saved(jobs: u64, tasks: u64, alarms: u64) -> Sum {
        Sum { saved: [jobs, tasks, alarms], ..Sum::default() }
    }

    #[test]
    fn lists_are_outdated_when_something_is_saved_or_starts_and_not_when_it_is_decided() {
        let mut totals = Totals::default();
        totals.add(None, saved(1, 1, 1));
        let [jobs, tasks, alarms] = totals.marks();
        let decided = Sum { queued: 9, running: 9, ended: 9, failed: 9, ..saved(1, 1, 1) };
        totals.add(None, decided);
        assert_eq!(totals.marks(), [jobs, tasks, alarms]);
        totals.add(None, Sum { started: 1, ..saved(1, 1, 1) });
        let [after_jobs, started, after_alarms] = totals.marks();
        assert_eq!((after_jobs, after_alarms), (jobs, alarms));
        assert_ne!(started, tasks);
        totals.add(None, Sum { started: 1, ..saved(1, 2, 2) });
        let [after_jobs, saved_tasks, saved_alarms] = totals.marks();
        assert_eq!(after_jobs, jobs);
        assert!(saved_tasks != started && saved_alarms != alarms);
    }

    #[test]
    fn what_a_node_of_another_release_counts_is_not_left_out() {
        let other = r#"{"queued":3,"running":2,"ended":5,"failed":1,"jobs":7,"alarms":4}"#;
        let sum: Sum = serde_json::from_str(other).unwrap();
        let open = Sum { queued: 3, running: 2, ..Sum::default() };
        assert_eq!(sum, Sum { ended: 5, failed: 1, alarms: 4, ..open });
    }

    #[test]
    fn what_a_node_saves_before_it_is_first_read_and_after_its_last_reading_is_not_missed() {
        let node = || Some(NodeId("n".to_owned()));
        let mut totals = Totals::default();
        totals.add(None, saved(1, 1, 1));
        let alone = totals.marks();
        totals.add(node(), saved(7, 7, 7));
        let joined = totals.marks();
        assert!(alone.iter().zip(joined).all(|(alone, joined)| *alone != joined));
        totals.add(node(), saved(7, 7, 7));
        totals.keep(|_| true);
        assert_eq!(totals.marks(), joined, "nothing has changed");
        totals.keep(|_| false);
        assert!(totals.marks().iter().zip(joined).all(|(left, joined)| *left != joined));
    }
}
