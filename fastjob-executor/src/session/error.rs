//! Why there is no session.

use std::time::Duration;

use tonic::{Code, Status};

use super::{handshake::NotProven, peers::ClusterId};

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("the address is not used: {0}")]
    Unsafe(String),
    #[error("cannot connect")]
    Dial(#[source] tonic::transport::Error),
    #[error(transparent)]
    NotProven(NotProven),
    #[error("{}", .0.message())]
    Refused(Box<Status>),
    #[error("it belongs to another store than {0}, which this executor works for")]
    OtherCluster(ClusterId),
    #[error("no message for {0:?}")]
    Silent(Duration),
    #[error("it closed the stream")]
    Closed,
    #[error("it does not speak the protocol")]
    NoWelcome,
}

impl LinkError {
    /// Whether the error is likely to persist.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Unsafe(_) | Self::OtherCluster(_) | Self::NoWelcome => true,
            Self::NotProven(why) => why.is_lasting(),
            Self::Refused(status) => matches!(
                status.code(),
                Code::Unauthenticated
                    | Code::PermissionDenied
                    | Code::InvalidArgument
                    | Code::FailedPrecondition
                    | Code::AlreadyExists
                    | Code::Unimplemented
            ),
            Self::Dial(_) | Self::Silent(_) | Self::Closed => false,
        }
    }
}

impl From<Status> for LinkError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl From<NotProven> for LinkError {
    fn from(why: NotProven) -> Self {
        Self::NotProven(why)
    }
}
