//! The gRPC service that keeps pieces of logs. The guard has already found the executor whose
//! session has the ticket in a call.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use fastjob_core::{
    AttemptId, TaskId,
    wire::{
        LOG_GZIP_MAX,
        v1::{
            self,
            log_archive_server::{LogArchive, LogArchiveServer},
        },
    },
};
use fastjob_engine::{Connected, SessionId};
use tonic::{Request, Response, Status};

use crate::{
    archive::{self, Archive, LogName, NewPiece, NotKept},
    ops::{Claim, NotAllowed, Ops},
};

/// Maximum size of a call: a piece, and what it says about itself.
const MESSAGE_MAX: usize = LOG_GZIP_MAX + 1024;
/// Maximum number of logs whose executors are remembered.
const ALLOWED: usize = 20_000;

/// Keeps logs.
pub(super) struct Server {
    archive: Archive,
    ops: Ops,
    /// The logs that sessions may send: the store is asked once for each.
    allowed: Mutex<HashMap<(SessionId, Claim), LogName>>,
    failing: Failing,
}

/// Whether the archive fails, so that this is logged once.
#[derive(Default)]
struct Failing(AtomicBool);

impl Server {
    pub(super) fn new(archive: Archive, ops: &Ops) -> Self {
        let (allowed, failing) = (Mutex::default(), Failing::default());
        Self { archive, ops: ops.clone(), allowed, failing }
    }

    pub(super) fn into_service(self) -> LogArchiveServer<Self> {
        LogArchiveServer::new(self).max_decoding_message_size(MESSAGE_MAX)
    }

    /// The name of the log, if the executor may send it.
    async fn name(&self, executor: &Connected, claim: Claim) -> Result<LogName, Status> {
        let key = (executor.session, claim);
        let known = self.allowed.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(name) = known {
            return Ok(name);
        }
        let name = self.ops.log_of(executor, claim).await.map_err(|why| match why {
            NotAllowed::Unknown(why) => Status::not_found(why),
            NotAllowed::Refused(why) => Status::permission_denied(why),
            NotAllowed::NotYet(why) => Status::failed_precondition(why),
            NotAllowed::Later(why) => Status::unavailable(why),
        })?;
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if allowed.len() >= ALLOWED {
            // Rare, and asking again is cheap enough.
            allowed.clear();
        }
        allowed.insert(key, name);
        Ok(name)
    }
}

#[tonic::async_trait]
impl LogArchive for Server {
    async fn keep(&self, request: Request<v1::LogPiece>) -> Result<Response<v1::LogKept>, Status> {
        let executor = request.extensions().get::<Arc<Connected>>().cloned();
        let Some(executor) = executor else {
            return Err(Status::unauthenticated("the session of this executor has ended"));
        };
        let v1::LogPiece { task, attempt, created_at, offset, length, gzip, last } =
            request.into_inner();
        let (task, attempt) = (TaskId(task), AttemptId(attempt));
        let claim = Claim { task, attempt, created_at };
        let uploads = &self.ops.metrics.uploads;
        let name = self.name(&executor, claim).await.inspect_err(|_| uploads.refused())?;
        let compressed = gzip.len();
        let piece = NewPiece { offset, length, gzip: gzip.into(), last };
        match self.archive.keep(name, piece).await {
            Ok(kept) => {
                uploads.kept(length, compressed);
                self.failing.ends();
                let (next_offset, is_full) = (kept.next_offset, kept.is_full);
                Ok(Response::new(v1::LogKept { next_offset, is_full }))
            }
            Err(err @ NotKept::Invalid(_)) => {
                uploads.refused();
                Err(Status::invalid_argument(err.to_string()))
            }
            Err(NotKept::Failed(err)) => {
                uploads.failed();
                self.failing.begins(&err);
                // Names of buckets and folders are not for executors.
                Err(Status::unavailable("the coordinator's log store failed, see its log"))
            }
        }
    }
}

impl Failing {
    fn begins(&self, error: &archive::Error) {
        if !self.0.swap(true, Relaxed) {
            tracing::warn!(%error, "could not keep logs: executors keep them and try again");
        }
    }

    fn ends(&self) {
        if self.0.swap(false, Relaxed) {
            tracing::info!("logs are kept again");
        }
    }
}
