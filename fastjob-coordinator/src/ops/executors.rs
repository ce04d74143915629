//! Executors: who is connected and how they are.

use super::{Error, ExecutorView, Ops, Page, jobs::page};
use crate::engine::{Command, ExecutorFigures};

impl Ops {
    /// Executors by service and name.
    pub(crate) async fn list_executors(
        &self,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<ExecutorView>, Error> {
        let limit = page(limit)? as usize;
        let all = self.engine.query(|answer| Command::Executors { answer }).await?;
        let key = |other: &ExecutorFigures| format!("{}/{}", other.service, other.executor);
        let from = cursor.map_or(0, |cursor| all.partition_point(|other| key(other) <= cursor));
        let next_cursor = (all.len() > from + limit).then(|| key(&all[from + limit - 1]));
        let items = all.into_iter().skip(from).take(limit).map(view).collect();
        Ok(Page { items, next_cursor })
    }
}

fn view(figures: ExecutorFigures) -> ExecutorView {
    ExecutorView {
        name: figures.executor.to_string(),
        service: figures.service.to_string(),
        connected: figures.session.is_some(),
        leaving: figures.leaving,
        incarnation: figures.incarnation.to_string(),
        address: figures.address,
        version: figures.version,
        since: figures.since,
        capacity: figures.capacity,
        attempts: figures.attempts,
        running: figures.beat.running,
        waiting: figures.beat.waiting,
        cpu: figures.beat.cpu,
        memory_free: figures.beat.memory_free,
        memory_total: figures.beat.memory_total,
        labels: figures.labels,
        handlers: figures
            .handlers
            .into_iter()
            .map(|(name, description)| (name.to_string(), description))
            .collect(),
    }
}
