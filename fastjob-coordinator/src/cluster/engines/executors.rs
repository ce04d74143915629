//! What executors report about themselves and the attempts that they hold, and which engines
//! receive it.

use std::sync::Arc;

use fastjob_core::{AttemptId, Job, job::differences};
use fastjob_engine::{ConnectAnswer, Connected, Event, SessionId};
use tokio::sync::oneshot;

use super::{Engines, State};
use crate::{
    shell::EngineHandle,
    store::{JobRow, Lease, Partition},
};

/// An executor's answer to the leases that this node sent it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    pub(crate) leases: Vec<Lease>,
    pub(crate) held: Vec<fastjob_engine::Held>,
    /// The executor is draining.
    pub(crate) leaving: bool,
    /// For each partition, the highest attempt id that its process ever received.
    pub(crate) highest: Vec<AttemptId>,
}

/// The result of processing an executor's [`Holding`].
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// The leases whose engines now know the executor.
    pub(crate) leases: Vec<Lease>,
    /// Declared jobs that have to be saved one by one.
    pub(crate) parents: Vec<Arc<Job>>,
}

/// The recipient of an executor's messages about a partition.
enum Hears {
    Engine(EngineHandle),
    /// No recipient yet: the executor is asked again when the engine has started.
    Loading,
    /// The node no longer holds the lease.
    Gone,
}

/// Logs that what code declares has no effect.
pub(crate) fn log_noted(executor: &str, row: &JobRow) {
    let Some(code) = row.code() else { return };
    let changes = differences(&row.job, code);
    let fields: Vec<_> = changes.into_iter().map(|change| change.field).collect();
    tracing::warn!(executor, job = %row.job.path(), differs = fields.join(", "),
        "an executor declares another definition of an edited job; the edited one stays in effect, \
         `fastjob job release` gives the job back to the code");
}

impl Engines {
    /// Processes what an executor holds in these partitions.
    ///
    /// # Errors
    ///
    /// Returns the reason why the session has to end.
    pub(crate) async fn connect(
        &self,
        executor: &Connected,
        Holding { leases, held, leaving, highest }: &Holding,
    ) -> Result<Accepted, String> {
        let (mut answers, mut refused) = (Vec::new(), Vec::new());
        let mut heard = Accepted::default();
        for lease in leases {
            let engine = match self.hears(*lease, executor.session) {
                Hears::Engine(engine) => engine,
                Hears::Loading => continue,
                // It waits for a Farewell, which would confirm attempts that no engine knows of.
                Hears::Gone if *leaving => {
                    return Err(format!(
                        "partition {} is no longer held by this node",
                        lease.partition.0
                    ));
                }
                Hears::Gone => continue,
            };
            let mine = |id: AttemptId| self.partition_of(id) == lease.partition;
            let in_partition = |job: &&Arc<Job>| {
                let partition = Partition::of_name(&job.service, &job.name, self.partitions());
                partition == lease.partition
            };
            let connected = Connected {
                holding: held.iter().filter(|held| mine(held.attempt)).copied().collect(),
                leaving: *leaving,
                highest: highest.iter().filter(|id| mine(**id)).max().copied(),
                jobs: executor.jobs.iter().filter(in_partition).cloned().collect(),
                ..executor.clone()
            };
            let (answer, wait) = oneshot::channel();
            engine.tell(Event::Connected(Box::new(connected), answer));
            answers.push((*lease, wait));
        }
        for (lease, wait) in answers {
            match wait.await {
                Ok(ConnectAnswer::Taken { why }) => return Err(why),
                Ok(ConnectAnswer::Welcome(declared)) => {
                    refused.extend(declared.refused);
                    heard.parents.extend(declared.parents);
                    for row in declared.noted {
                        log_noted(executor.executor.as_str(), &row);
                    }
                }
                // An engine that did not answer has ended.
                Err(_) => continue,
            }
            heard.leases.push(lease);
        }
        if let Some(first) = refused.first() {
            tracing::warn!(service = %executor.service, executor = %executor.executor,
                jobs = refused.len(), first, "declared jobs of an executor were not saved");
        }
        Ok(heard)
    }

    /// The engine of a lease. If the partition is still loading, records the session.
    fn hears(&self, lease: Lease, session: SessionId) -> Hears {
        let mut held = self.write();
        let held = held.get_mut(&lease.partition).filter(|held| held.lease == lease);
        match held.map(|held| &mut held.engine) {
            Some(State::Running(handle)) => Hears::Engine(handle.clone()),
            Some(State::Loading(loading)) => {
                loading.dropped.insert(session);
                Hears::Loading
            }
            None => Hears::Gone,
        }
    }

    /// Notifies the engines that an executor is draining and returns attempts.
    ///
    /// The future resolves once every engine has been notified and has persisted the returned
    /// attempts; the engines send the executor nothing after that. If a partition was loading, its
    /// executor has been asked again by then. The output is `false` if an engine ended or a
    /// partition moved in the meantime.
    pub(crate) fn leaving(
        &self,
        session: SessionId,
        returned: &[AttemptId],
    ) -> impl Future<Output = bool> + Send + use<> {
        let (mut answers, mut loads) = (Vec::new(), Vec::new());
        let all = self.read();
        let mut is_noted = returned.iter().all(|id| all.contains_key(&self.partition_of(*id)));
        for (partition, held) in all.iter() {
            match &held.engine {
                State::Loading(loading) => loads.push(loading.over.subscribe()),
                State::Running(engine) => {
                    let mine = returned.iter().filter(|id| self.partition_of(**id) == *partition);
                    let (answer, noted) = oneshot::channel();
                    engine.tell(Event::Leaving(session, mine.copied().collect(), answer));
                    answers.push(noted);
                }
            }
        }
        async move {
            for noted in answers {
                is_noted &= noted.await.is_ok();
            }
            for mut load in loads {
                // An error means that the load has ended: the sender was dropped.
                drop(load.wait_for(|started| *started).await);
                is_noted &= *load.borrow();
            }
            is_noted
        }
    }

    /// A session has ended.
    pub(crate) fn disconnected(&self, session: SessionId) {
        self.tell_all(|| Event::Disconnected(session));
    }
}
