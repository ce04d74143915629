//! Polling a coordinator, also across its restart.

use std::time::Duration;

use tokio::time::Instant;

use crate::ClientError;

/// How long a coordinator may be unavailable while a caller waits.
const OUTAGE: Duration = Duration::from_secs(60);

/// The pauses of a loop that polls a coordinator: short at first, then longer. An outage of up to 60
/// seconds, such as the restart of a coordinator, does not end the loop.
#[derive(Debug)]
pub struct Polling {
    next: Duration,
    longest: Duration,
    away: Option<Instant>,
}

/// An answer, or an outage.
#[derive(Debug)]
pub enum Polled<T> {
    /// The answer.
    Answer(T),
    /// The coordinator is temporarily unavailable.
    Away {
        /// Why.
        error: ClientError,
        /// Whether the outage has just begun.
        is_new: bool,
    },
}

impl Polling {
    /// Pauses that grow from `first` to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest, away: None }
    }

    /// Pauses for the end of a task.
    pub(crate) fn of_tasks() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(1))
    }

    /// Waits before the next request.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(self.longest);
    }

    /// Tells an answer from an outage.
    ///
    /// # Errors
    ///
    /// Fails with an error that will not pass, or that has lasted for 60 seconds.
    pub fn judge<T>(&mut self, result: Result<T, ClientError>) -> Result<Polled<T>, ClientError> {
        let error = match result {
            Ok(answer) => {
                self.away = None;
                return Ok(Polled::Answer(answer));
            }
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        match self.away {
            Some(since) if since.elapsed() >= OUTAGE => Err(error),
            Some(_) => Ok(Polled::Away { error, is_new: false }),
            None => {
                self.away = Some(Instant::now());
                Ok(Polled::Away { error, is_new: true })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ProblemDetails, ProblemKind};

    fn away() -> Result<(), ClientError> {
        let problem = ProblemDetails::new(ProblemKind::Unavailable, "away", Vec::new());
        Err(ClientError::of_problem(problem))
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_reported_once_and_ends_a_loop_after_a_minute() {
        let mut polling = Polling::of_tasks();
        assert!(matches!(polling.judge(away()), Ok(Polled::Away { is_new: true, .. })));
        tokio::time::advance(OUTAGE / 2).await;
        assert!(matches!(polling.judge(away()), Ok(Polled::Away { is_new: false, .. })));
        // An answer ends the outage.
        assert!(matches!(polling.judge(Ok(())), Ok(Polled::Answer(()))));
        assert!(matches!(polling.judge(away()), Ok(Polled::Away { is_new: true, .. })));
        tokio::time::advance(OUTAGE).await;
        assert!(matches!(polling.judge(away()), Err(ClientError::Unavailable(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_a_bound() {
        let mut polling = Polling::of_tasks();
        let begun = Instant::now();
        for _ in 0..100 {
            polling.pause().await;
        }
        let waited = begun.elapsed();
        assert!(
            waited > Duration::from_secs(90) && waited < Duration::from_secs(100),
            "{waited:?}"
        );
    }

    #[test]
    fn a_permanent_error_ends_a_loop_at_once() {
        let mut polling = Polling::of_tasks();
        let ended = polling.judge::<()>(Err(ClientError::Stopped));
        assert!(matches!(ended, Err(ClientError::Stopped)));
    }
}
