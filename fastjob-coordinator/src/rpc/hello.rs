//! Parses and validates the first message of an executor.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::{
    HandlerName, Incarnation, Job, JobDraft, ServiceName,
    wire::{PROTOCOL, hex, v1},
};
use fastjob_engine::{Connected, SessionId};
use sha2::{Digest, Sha256};
use tonic::Status;

/// Maximum number of handlers of one executor.
const HANDLERS_MAX: usize = 2_000;
/// Maximum number of partitions in a message, which is the maximum of a store.
pub(super) const LEASES_MAX: usize = 1_024;
/// Maximum number of attempts that an executor may hold.
pub(super) const HOLDING_MAX: usize = 1_000_000;
/// Maximum capacity that an executor may announce.
const CAPACITY_MAX: u32 = 1_000_000;
/// Allowed lengths of the secret that each start of an executor generates.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=128;
const LABELS_MAX: usize = 64;
const TEXT_MAX: usize = 4 * 1024;

/// Limits of the first message.
#[derive(Clone, Debug)]
pub(crate) struct HelloLimits {
    /// Maximum size in bytes.
    pub(crate) bytes: u64,
    /// Maximum number of jobs that it may declare.
    pub(crate) jobs: usize,
}

/// Parses and validates a hello.
///
/// An invalid job definition is skipped with a warning, so that the executor's handlers still work.
pub(super) fn read(
    session: SessionId,
    hello: v1::Hello,
    limits: &HelloLimits,
) -> Result<Connected, Status> {
    if hello.protocol != PROTOCOL {
        return Err(Status::failed_precondition(format!(
            "the executor speaks protocol {}, this coordinator {PROTOCOL}: upgrade one of them so \
             that both use the same protocol",
            hello.protocol
        )));
    }
    let service: ServiceName = name("service", &hello.service)?;
    most("handlers", hello.metadata.len(), HANDLERS_MAX)?;
    if hello.jobs.len() > limits.jobs {
        let (count, most) = (hello.jobs.len(), limits.jobs);
        tracing::warn!(%service, executor = hello.executor, count, most,
            "executor rejected: it declares too many jobs");
        return Err(Status::resource_exhausted(format!(
            "the executor declares {count} jobs, at most {most} are allowed: declare fewer, or \
             raise coordinator.limits.max_declared_jobs on the coordinator"
        )));
    }
    most("labels", hello.labels.len(), LABELS_MAX)?;
    let long = hello.labels.iter().any(|(key, value)| key.len() + value.len() > TEXT_MAX)
        || hello.metadata.values().any(|text| text.len() > TEXT_MAX)
        || hello.address.len() + hello.version.len() > TEXT_MAX;
    if long {
        return Err(Status::invalid_argument(format!(
            "a label, description or address has more than {TEXT_MAX} bytes"
        )));
    }
    if hello.capacity == 0 {
        return Err(Status::invalid_argument("the capacity is 0, so nothing could run"));
    }
    if hello.capacity > CAPACITY_MAX {
        return Err(Status::invalid_argument(format!(
            "the capacity is {}, at most {CAPACITY_MAX} is allowed",
            hello.capacity
        )));
    }
    let mut handlers = BTreeMap::new();
    for (key, description) in hello.metadata {
        let Some(handler) = key.strip_prefix("JobHandler.") else { continue };
        handlers.insert(name::<HandlerName>("handler", handler)?, description);
    }
    let jobs = hello.jobs.iter().filter_map(|text| job(&service, text)).map(Arc::new).collect();
    Ok(Connected {
        session,
        link: hello.link,
        executor: name("executor", &hello.executor)?,
        incarnation: incarnation(&hello.secret)?,
        service,
        address: hello.address,
        version: hello.version,
        capacity: hello.capacity,
        labels: Arc::new(hello.labels.into_iter().collect()),
        handlers: Arc::new(handlers),
        jobs,
        holding: Vec::new(),
        leaving: false,
        accepts_early: hello.accepts_early,
        highest: None,
    })
}

/// The public name of one start of an executor. It does not reveal the secret.
fn incarnation(secret: &str) -> Result<Incarnation, Status> {
    if !SECRET_BYTES.contains(&secret.len()) {
        return Err(Status::invalid_argument(format!(
            "the secret of this start of the executor has {} bytes, {} to {} are needed",
            secret.len(),
            SECRET_BYTES.start(),
            SECRET_BYTES.end()
        )));
    }
    name("incarnation", &hex(&Sha256::digest(secret.as_bytes())[..16]))
}

/// Parses a declared job. An executor may declare jobs of its own service only.
fn job(service: &ServiceName, text: &str) -> Option<Job> {
    let draft = serde_json::from_str::<JobDraft>(text).map_err(|err| err.to_string());
    let job = draft.and_then(|mut draft| {
        draft.service.get_or_insert_with(|| service.to_string());
        Job::try_from(draft).map_err(|err| err.to_string())
    });
    match job {
        Ok(job) if job.service == *service => Some(job),
        Ok(job) => {
            tracing::warn!(%service, job = %job.name, of = %job.service,
                "an executor declared a job of another service; it is ignored");
            None
        }
        Err(err) => {
            tracing::warn!(%service, err, "an executor declared an invalid job; it is ignored");
            None
        }
    }
}

fn name<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Status> {
    text.parse().map_err(|err| Status::invalid_argument(format!("invalid {what} name: {err}")))
}

fn most(what: &str, count: usize, most: usize) -> Result<(), Status> {
    if count > most {
        let message = format!("there are {count} {what}, at most {most} are allowed");
        return Err(Status::invalid_argument(message));
    }
    Ok(())
}
