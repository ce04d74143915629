//! Waits for a coordinator, even across its restart.

use fastjob_client::{ClientError, Polled, Polling};

use super::{
    error::{Error, Failure},
    out::remark,
};

/// The answer, or `None` if the coordinator is temporarily unavailable, which is remarked once.
pub(super) fn answered<T>(
    polling: &mut Polling,
    answer: Result<T, ClientError>,
) -> Result<Option<T>, Error> {
    match polling.judge(answer)? {
        Polled::Answer(answer) => Ok(Some(answer)),
        Polled::Away { error, is_new } => {
            if is_new {
                remark(format_args!("still waiting: {}", Failure::from(error).title));
            }
            Ok(None)
        }
    }
}
