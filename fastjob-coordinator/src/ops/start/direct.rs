//! Starts without a lookup in the store: the partition of a job follows from its full name, and a path
//! that was such a name a moment ago usually still is.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use fastjob_core::JobPath;
use fastjob_engine::Target;
use serde::{Deserialize, Serialize};

use super::{
    super::{Error, Ops, StartRequest, Started, node_calls::NodeCall},
    StartJob, read_trace,
};
use crate::store::Partition;

/// Most paths that are remembered.
const KNOWN_MOST: usize = 65_536;

/// Paths that were the full name of a job when the store was last asked.
///
/// Only their hashes are kept. A path that is taken for a known one costs a call that finds no job.
#[derive(Debug, Default)]
pub(crate) struct FullNames {
    hashing: RandomState,
    known: Mutex<HashSet<u64>>,
}

impl FullNames {
    fn has(&self, path: &str) -> bool {
        let hash = self.hashing.hash_one(path);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&hash)
    }

    /// Remembers whether the path is the full name of a job. If there are too many, all others are
    /// forgotten.
    pub(super) fn note(&self, path: &str, is_full: bool) {
        let hash = self.hashing.hash_one(path);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_full {
            known.remove(&hash);
            return;
        }
        if known.len() >= KNOWN_MOST && !known.contains(&hash) {
            known.clear();
        }
        known.insert(hash);
    }
}

/// Starts a task of the job of a service that the path names, and never of a job whose whole name
/// the path is: the owner of this partition does not know all of those.
///
/// A call with a name of its own, because an earlier release would ignore a field that it does not
/// know, and start that other job. It rejects a call that it does not know.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(in crate::ops) struct StartWithService(StartJob);

impl NodeCall for StartWithService {
    const NAME: &'static str = "start-job-with-service";
    type Reply = Started;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Started, Error> {
        let Self(StartJob { job, request, trace }) = self;
        let trace = read_trace(trace.as_deref());
        ops.start_here(partition, Target::WithService(job), request, trace).await
    }
}

impl Ops {
    /// Starts a task of the job whose full name the path was when the store was last asked. `None` if
    /// the store has to be asked: the path was not a full name, there is no such job any more, or its
    /// partition has no reachable owner, or one that does not know this call. Nothing was done then.
    ///
    /// # Errors
    ///
    /// With any other error, the start may have been made: it must not be tried in another way.
    pub(super) async fn start_with_service(
        &self,
        path: &str,
        request: &StartRequest,
        trace: Option<&str>,
    ) -> Result<Option<Started>, Error> {
        let partitions = self.engines.partitions();
        // With one partition, its engine knows all jobs, whatever the path means.
        if partitions == 1 || !self.full_names.has(path) {
            return Ok(None);
        }
        let Ok(job) = path.parse::<JobPath>() else { return Ok(None) };
        let Some(partition) = Partition::of_path(&job, partitions) else { return Ok(None) };
        let (request, trace) = (request.clone(), trace.map(str::to_owned));
        let call = StartWithService(StartJob { job, request, trace });
        let started = match self.try_owner(partition, call).await {
            Err(Error::NotFound(_)) => None,
            started => started?,
        };
        if started.is_none() {
            self.full_names.note(path, false);
        }
        Ok(started)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_send_a_start_with_a_service_as_a_call_of_its_own() {
        assert_ne!(StartWithService::NAME, StartJob::NAME, "an earlier release has to reject it");
        let request = StartRequest { key: Some("k".to_owned()), ..StartRequest::default() };
        let job = "a.b".parse().unwrap();
        let call = StartWithService(StartJob { job, request, trace: None });
        let sent = serde_json::to_value(&call).unwrap();
        assert_eq!(sent, json!({"job": "a.b", "request": {"key": "k"}}));
        let StartWithService(read) = serde_json::from_value(sent).unwrap();
        assert_eq!((read.job.as_str(), read.request.key.as_deref()), ("a.b", Some("k")));
    }

    #[test]
    fn a_path_is_remembered_until_it_is_no_full_name_any_more() {
        let names = FullNames::default();
        assert!(!names.has("a.b"));
        names.note("a.b", true);
        names.note("a.c", true);
        names.note("a.c", false);
        assert!(names.has("a.b") && !names.has("a.c"));
        for n in 0..2 * KNOWN_MOST {
            names.note(&format!("many.{n}"), true);
            names.note("a.b", true);
            assert!(names.known.lock().unwrap().len() <= KNOWN_MOST);
        }
        assert!(names.has("a.b"));
    }
}
