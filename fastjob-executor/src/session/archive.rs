//! Sends pieces of logs to the coordinator of a session: on the session's connection, but apart from
//! its stream, so that a large log delays neither outcomes nor heartbeats.

use std::{sync::Arc, time::Duration};

use fastjob_core::wire::v1::{self, log_archive_client::LogArchiveClient};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{Link, LinkError};
use crate::logs::{Answer, Kept, NotKept, Piece, Registered, Shelf};

/// How long a coordinator may take to keep a piece.
const KEEP: Duration = Duration::from_secs(60);
/// Maximum length of an answer.
const ANSWER_MAX: usize = 1024;

/// Logs are sent to the coordinator of a session, if it keeps them, until the answer is dropped.
///
/// # Errors
///
/// Fails if the ticket cannot be sent.
pub(super) fn register(
    link: &Link,
    channel: Channel,
    ticket: Option<&str>,
) -> Result<Option<Registered>, LinkError> {
    let Some(ticket) = ticket else {
        link.uploads.not_kept();
        return Ok(None);
    };
    let shelf = Remote::new(channel, ticket)?;
    Ok(Some(link.uploads.register(link.id.0, Arc::new(shelf))))
}

/// A coordinator that keeps logs.
struct Remote {
    client: LogArchiveClient<Channel>,
    ticket: Arc<MetadataValue<Ascii>>,
}

impl Remote {
    fn new(channel: Channel, ticket: &str) -> Result<Self, LinkError> {
        let mut ticket: MetadataValue<_> = ticket.parse().map_err(|_| LinkError::NoWelcome)?;
        ticket.set_sensitive(true);
        let client = LogArchiveClient::new(channel).max_decoding_message_size(ANSWER_MAX);
        Ok(Self { client, ticket: Arc::new(ticket) })
    }
}

impl Shelf for Remote {
    fn keep(&self, piece: Piece) -> Answer {
        let Piece { attempt, origin, offset, length, gzip, last } = piece;
        let mut request = Request::new(v1::LogPiece {
            task: origin.task.0,
            attempt: attempt.0,
            created_at: origin.created_at,
            offset,
            length,
            gzip,
            last,
        });
        request.metadata_mut().insert("authorization", (*self.ticket).clone());
        let mut client = self.client.clone();
        Box::pin(async move {
            match tokio::time::timeout(KEEP, client.keep(request)).await {
                Ok(Ok(kept)) => {
                    let v1::LogKept { next_offset, is_full } = kept.into_inner();
                    Ok(Kept { next_offset, is_full })
                }
                Ok(Err(status)) => Err(not_kept(&status)),
                Err(_) => Err(NotKept::Later(format!("no answer within {KEEP:?}"))),
            }
        })
    }
}

fn not_kept(status: &Status) -> NotKept {
    let why = status.message().to_owned();
    match status.code() {
        Code::NotFound => NotKept::Unknown(why),
        Code::PermissionDenied | Code::InvalidArgument => NotKept::Refused(why),
        Code::ResourceExhausted => NotKept::Busy,
        Code::FailedPrecondition => NotKept::NotYet(why),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => NotKept::Later(why),
    }
}
