//! Executors: which are connected, and their state.

use std::collections::{BTreeMap, btree_map::Entry};

use fastjob_core::{ExecutorName, ServiceName};
use fastjob_engine::{Command, ExecutorFigures};

use super::{Error, ExecutorView, Ops, Page, jobs::page, pages::fit};
use crate::shell::AskError;

impl Ops {
    /// Executors by service and name.
    pub(crate) async fn list_executors(
        &self,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<ExecutorView>, Error> {
        let limit = page(limit)? as usize;
        let after = cursor.map(|cursor| parse_cursor(&cursor)).transpose()?;
        let all = self.executors().await?;
        let from = after.map_or(0, |(service, name)| {
            all.partition_point(|other| (&other.service, &other.executor) <= (&service, &name))
        });
        let rest = &all[from..];
        let fit = fit(rest.iter().map(bytes), limit);
        let last = rest[..fit].last().filter(|_| rest.len() > fit);
        let next_cursor = last.map(|last| format!("{}/{}", last.service, last.executor));
        let items = all.into_iter().skip(from).take(fit).map(view).collect();
        Ok(Page::new(items, next_cursor))
    }
}

impl Ops {
    /// The executors as this node's engines know them. Executors have a session with every node.
    pub(super) async fn executors(&self) -> Result<Vec<ExecutorFigures>, Error> {
        let mut all: BTreeMap<_, ExecutorFigures> = BTreeMap::new();
        for engine in self.engines.all() {
            let known = match engine.query(|answer| Command::Executors { answer }).await {
                Ok(known) => known,
                Err(AskError::Moved) => continue,
                Err(err) => return Err(err.into()),
            };
            for other in known {
                match all.entry((other.service.clone(), other.executor.clone())) {
                    Entry::Vacant(entry) => drop(entry.insert(other)),
                    Entry::Occupied(mut entry) => {
                        let (sum, first) = (other.attempts + entry.get().attempts, entry.get_mut());
                        if first.session.is_none() && other.session.is_some() {
                            *first = other;
                        }
                        first.attempts = sum;
                    }
                }
            }
        }
        Ok(all.into_values().collect())
    }
}

/// Approximate size of an executor in a list, in bytes.
fn bytes(figures: &ExecutorFigures) -> u64 {
    let labels = figures.labels.iter().map(|(key, value)| key.len() + value.len());
    let handlers = figures.handlers.iter().map(|(name, text)| name.as_str().len() + text.len());
    labels.chain(handlers).map(|len| len as u64 + 8).sum::<u64>() + 600
}

fn parse_cursor(cursor: &str) -> Result<(ServiceName, ExecutorName), Error> {
    cursor
        .split_once('/')
        .and_then(|(service, name)| Some((service.parse().ok()?, name.parse().ok()?)))
        .ok_or_else(|| Error::invalid("cursor", "it did not come from a list of executors"))
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
        labels: figures.labels.as_ref().clone(),
        handlers: figures
            .handlers
            .iter()
            .map(|(name, description)| (name.to_string(), description.clone()))
            .collect(),
    }
}
