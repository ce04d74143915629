//! Draining executors and resuming them.
//!
//! The store decides, and survives everything. Then every node is asked to read it, so that a drain
//! is in effect when the call returns, on the nodes that answer. The others read it within seconds.

use std::collections::BTreeSet;

use fastjob_core::{ExecutorName, ServiceName};

use super::{
    Error, ExecutorView, Ops,
    executors::{ByName, ListExecutors},
};
use crate::{
    clock::wall_now,
    store::{AddedDrain, DrainRow},
};

/// Maximum number of drained executors.
const MOST: u32 = 1_000;
/// Maximum number of names that an error lists.
const CHOICES: usize = 5;

impl Ops {
    /// The executor of this name.
    pub(crate) async fn executor(&self, name: &str) -> Result<ExecutorView, Error> {
        let ask = ListExecutors { reads_drains: false };
        let (all, unanswered) = self.all_executors(ask).await?;
        let key = find(&all, name)?;
        Ok(taken(all, &key, unanswered))
    }

    /// Drains an executor: no node sends it new attempts, until it is resumed.
    pub(crate) async fn drain_executor(&self, name: &str) -> Result<ExecutorView, Error> {
        let (key, all, unanswered) = self.find_executor(name).await?;
        let (service, executor) = key.clone();
        let row = DrainRow { service, executor, since: wall_now() };
        let mut added = self.store.add_drain(&row, MOST).await?;
        // An executor that is unknown here may be connected to a node that has not answered.
        let is_complete = unanswered.is_empty();
        if added == AddedDrain::Full && is_complete && self.end_oldest_unknown(&all).await? {
            added = self.store.add_drain(&row, MOST).await?;
        }
        match added {
            AddedDrain::Added => {
                tracing::info!(service = %row.service, executor = %row.executor,
                    "executor drained by a user: it gets no new attempts");
            }
            AddedDrain::Existed => {}
            AddedDrain::Full => {
                let silent = match is_complete {
                    true => String::new(),
                    false => format!(
                        "; those that are gone are forgotten once these nodes answer: {}",
                        unanswered.join(", ")
                    ),
                };
                return Err(Error::Conflict(format!(
                    "{MOST} executors are already drained: resume some of them first{silent}"
                )));
            }
        }
        self.take_effect(key).await
    }

    /// Lets an executor get attempts again.
    pub(crate) async fn resume_executor(&self, name: &str) -> Result<ExecutorView, Error> {
        let (key, ..) = self.find_executor(name).await?;
        if self.store.remove_drain(&key.0, &key.1).await? {
            tracing::info!(service = %key.0, executor = %key.1,
                "executor resumed by a user: it gets attempts again");
        }
        self.take_effect(key).await
    }

    /// The executor that a name means, all executors, and the nodes that have not answered. Which are
    /// drained is read first: another node may have drained one that nothing else knows.
    async fn find_executor(
        &self,
        name: &str,
    ) -> Result<((ServiceName, ExecutorName), ByName, Vec<String>), Error> {
        self.drains.refresh().await?;
        let ask = ListExecutors { reads_drains: false };
        let (all, unanswered) = self.all_executors(ask).await?;
        Ok((find(&all, name)?, all, unanswered))
    }

    /// Has every node read which executors are drained, and says how the executor is then.
    async fn take_effect(&self, key: (ServiceName, ExecutorName)) -> Result<ExecutorView, Error> {
        self.drains.refresh().await?;
        let (mut all, unanswered) =
            self.all_executors(ListExecutors { reads_drains: true }).await?;
        // It may have left in the meantime.
        all.entry(key.clone()).or_insert_with(|| super::executors::unknown(&key, wall_now()));
        Ok(taken(all, &key, unanswered))
    }

    /// Removes the oldest drain of an executor that is neither connected nor was lost recently, such
    /// as that of a container that will not return. Returns whether there was one.
    async fn end_oldest_unknown(&self, all: &ByName) -> Result<bool, Error> {
        let is_unknown = |row: &DrainRow| {
            let view = all.get(&(row.service.clone(), row.executor.clone()));
            view.is_none_or(|view| view.last_seen.is_none() && view.incarnation.is_empty())
        };
        let Some(oldest) = self.store.drains().await?.into_iter().find(is_unknown) else {
            return Ok(false);
        };
        tracing::info!(service = %oldest.service, executor = %oldest.executor,
            "the drain of an executor that is gone is forgotten: {MOST} are drained");
        Ok(self.store.remove_drain(&oldest.service, &oldest.executor).await?)
    }
}

/// The executor that `name` or `service.name` means.
fn find(all: &ByName, name: &str) -> Result<(ServiceName, ExecutorName), Error> {
    let is_full = |(service, executor): &&(ServiceName, ExecutorName)| {
        let rest = name.strip_prefix(service.as_str()).and_then(|rest| rest.strip_prefix('.'));
        rest == Some(executor.as_str())
    };
    let mut found: Vec<_> = all.keys().filter(is_full).collect();
    if found.is_empty() {
        found = all.keys().filter(|(_, executor)| executor.as_str() == name).collect();
    }
    match found[..] {
        [one] => Ok(one.clone()),
        [] => Err(Error::NotFound(format!(
            "no executor named {name} is connected, was lost recently or is drained"
        ))),
        _ => {
            let choices: BTreeSet<_> =
                found.iter().map(|(service, executor)| format!("{service}.{executor}")).collect();
            let choices: Vec<_> = choices.into_iter().take(CHOICES).collect();
            Err(Error::Conflict(format!(
                "several executors are named {name}: use {}",
                choices.join(" or ")
            )))
        }
    }
}

fn taken(
    mut all: ByName,
    key: &(ServiceName, ExecutorName),
    unanswered: Vec<String>,
) -> ExecutorView {
    let view = all.remove(key).unwrap_or_else(|| super::executors::unknown(key, wall_now()));
    ExecutorView { unanswered, ..view }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_is_found_by_its_name_or_with_its_service() {
        let key = |service: &str, executor: &str| -> (ServiceName, ExecutorName) {
            (service.parse().unwrap(), executor.parse().unwrap())
        };
        let keys = [key("a", "x"), key("b", "x"), key("a", "10.0.0.5:9999"), key("c", "a.x")];
        let all: ByName = keys
            .into_iter()
            .map(|key| (key.clone(), crate::ops::executors::unknown(&key, wall_now())))
            .collect();
        assert_eq!(find(&all, "b.x").unwrap(), key("b", "x"));
        assert_eq!(find(&all, "10.0.0.5:9999").unwrap(), key("a", "10.0.0.5:9999"));
        assert_eq!(find(&all, "a.x").unwrap(), key("a", "x"), "the service comes first");
        assert_eq!(find(&all, "c.a.x").unwrap(), key("c", "a.x"));
        let err = find(&all, "x").unwrap_err().to_string();
        assert_eq!(err, "several executors are named x: use a.x or b.x");
        assert!(find(&all, "y").unwrap_err().to_string().starts_with("no executor named y"));
    }
}
