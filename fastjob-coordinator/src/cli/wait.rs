//! Waits for a coordinator, even across its restart.

use fastjob_client::{ClientError, Polled, Polling};

use super::{error::Failure, out::remark};

/// The answer, or `None` if no coordinator is available at the moment, which is remarked once.
///
/// # Errors
///
/// Fails with an error that will not pass, or with an outage that has lasted too long.
pub(super) fn answered<T>(
    polling: &mut Polling,
    answer: Result<T, ClientError>,
) -> Result<Option<T>, Failure> {
    match polling.judge(answer) {
        Ok(Polled::Answer(answer)) => Ok(Some(answer)),
        Ok(Polled::Away { error, is_new }) => {
            if is_new {
                remark(format_args!("still waiting: {}", Failure::from(error).title));
            }
            Ok(None)
        }
        Err(error) => {
            let is_outage = error.is_transient();
            let mut failure = Failure::from(error);
            if is_outage {
                failure.title = format!("waited for a minute without an answer: {}", failure.title);
                failure.is_outage = true;
            }
            Err(failure)
        }
    }
}
