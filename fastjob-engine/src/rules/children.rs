//! Starts children when a task has ended, in the same commit as that end. So a child is started
//! once, whether a crash happens before or after the commit.
//!
//! A child whose job is in another partition is recorded with that end, and started by the owner of
//! the other partition: one commit creates its task and removes the record.
//!
//! Every child carries its [`Lineage`]. If the children of a task would be too deep, or exceed its
//! budget, the task starts none of them, and its note says why.

use std::sync::Arc;

use fastjob_core::{
    Cause, JobId, TaskState,
    children::{CHAIN_MOST, Child},
};

use super::plan::{Head, NewTask};
use crate::{
    engine::Engine,
    event::Now,
    record::{ChildStart, Lineage},
    state::attempts::Open,
};

impl Engine {
    /// Starts the children that follow the end of a task. If the limits do not allow it, returns
    /// the reason.
    pub(super) fn start_children(
        &mut self,
        now: Now,
        parent: &Open,
        end: TaskState,
        result: Option<&str>,
    ) -> Option<String> {
        let entry =
            self.catalog.get(parent.row.job).filter(|entry| !entry.children().is_empty())?;
        let children: Vec<_> = entry.job().children.iter().zip(entry.children()).collect();
        let children: Vec<_> = children
            .into_iter()
            .filter(|(child, id)| child.on.follows(end) && !self.is_gone(**id))
            .map(|(child, id)| (passed(child, result), *id))
            .collect();
        let lineages = match self.lineages(parent.rare().lineage, children.len()) {
            Ok(lineages) => lineages,
            Err(refused) => {
                self.journal.commit().notes.push((parent.row.task, refused.clone()));
                return Some(refused);
            }
        };
        for ((param, id), lineage) in children.into_iter().zip(lineages) {
            self.start_child(now, parent, id, param, lineage);
        }
        None
    }

    /// Whether a job of this partition has been deleted. Jobs of other partitions are checked by
    /// their owners.
    fn is_gone(&self, job: JobId) -> bool {
        self.catalog.is_mine(self.catalog.partition_of(job))
            && self.catalog.get(job).is_none_or(|entry| entry.is_deleted())
    }

    fn start_child(
        &mut self,
        now: Now,
        parent: &Open,
        job: JobId,
        param: Option<Arc<str>>,
        lineage: Lineage,
    ) {
        let (parent, trace) = (parent.row.task, self.trace_below(parent));
        let partition = self.catalog.partition_of(job);
        if !self.catalog.is_mine(partition) {
            let id = self.journal.new_id();
            let lineage = Some(lineage);
            self.journal.commit().child_starts.push(ChildStart {
                id,
                partition,
                job,
                parent,
                param,
                lineage,
                trace,
            });
            return;
        }
        let head = Head { parent: Some(parent), ..Head::default() };
        let new = NewTask::new(job, Cause::Parent, now.wall);
        self.new_task(now, NewTask { param, head, lineage: Some(lineage), trace, ..new });
    }

    /// The lineages of the children of a task, or why they are not started.
    fn lineages(&self, parent: Option<Lineage>, many: usize) -> Result<Vec<Lineage>, String> {
        let root = Lineage { depth: 0, budget: self.descendants };
        let Lineage { depth, budget } = parent.unwrap_or(root);
        let count = u32::try_from(many).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        let not_started = match count {
            1 => "1 child was not started".to_owned(),
            many => format!("{many} children were not started"),
        };
        if depth as usize + 1 >= CHAIN_MOST {
            return Err(format!(
                "{not_started}: it is the {}th task in its chain of children, and a chain has at \
                 most {CHAIN_MOST}",
                depth.saturating_add(1)
            ));
        }
        let Some(left) = budget.checked_sub(count) else {
            return Err(format!(
                "{not_started}: of the {} tasks that may follow from one start \
                 (coordinator.limits.max_descendants), {budget} were left for this one",
                self.descendants
            ));
        };
        let (each, rest) = (left / count, left % count);
        let depth = depth + 1;
        let lineage = |nth| Lineage { depth, budget: each + u32::from(nth < rest) };
        Ok((0..count).map(lineage).collect())
    }

    /// Starts a child whose parent is in another partition, at most once.
    pub(super) fn start_handed_over(&mut self, now: Now, child: ChildStart) {
        let key = (child.job, child.key());
        if self.keys.is_known(&key) {
            return; // started already, and its commit was not durable when it was read
        }
        self.journal.commit().children_started.push(child.id);
        if self.is_gone(child.job) {
            return;
        }
        let head =
            Head { parent: Some(child.parent), key: Some(Arc::clone(&key.1)), ..Head::default() };
        let new = NewTask::new(child.job, Cause::Parent, now.wall);
        let ChildStart { param, lineage, trace, .. } = child;
        let new = NewTask { param, head, lineage, trace, ..new };
        let task = self.new_task(now, new);
        self.keys.remember(key, task, self.journal.commit_id());
    }
}

/// The param that a child gets from its parent.
fn passed(child: &Child, result: Option<&str>) -> Option<Arc<str>> {
    result.filter(|_| child.pass_result).map(Arc::from)
}
