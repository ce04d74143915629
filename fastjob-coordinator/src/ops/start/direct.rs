//! Starts without a look into the store: a path that names a service says which partition its job is
//! in, whatever jobs there are.

use fastjob_core::JobPath;
use fastjob_engine::Target;
use serde::{Deserialize, Serialize};

use super::{
    super::{Error, Ops, StartRequest, Started, node_calls::NodeCall},
    StartJob, read_trace,
};
use crate::store::Partition;

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
    /// Starts a task of the job of a service that the path names. `None` if the store has to be asked
    /// which job the path means: it names no service, there is no such job, or the owner of its
    /// partition cannot answer at the moment. Nothing was done then.
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
        let Some(job) = path.parse::<JobPath>().ok().filter(|_| partitions > 1) else {
            return Ok(None);
        };
        let Some(partition) = Partition::of_path(&job, partitions) else { return Ok(None) };
        let (request, trace) = (request.clone(), trace.map(str::to_owned));
        let call = StartWithService(StartJob { job, request, trace });
        match self.try_owner(partition, call).await {
            Err(Error::NotFound(_)) => Ok(None),
            started => started,
        }
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
}
