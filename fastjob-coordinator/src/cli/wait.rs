//! Waits for a coordinator, even across its restart.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    error::{Error, Failure},
    out::remark,
};

/// How long a coordinator may be unavailable during a wait.
const AWAY: Duration = Duration::from_secs(30);

/// The pauses between requests: short at first, then longer.
pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
    away: Option<Instant>,
}

impl Pauses {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest, away: None }
    }

    /// Waits before the next request.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(self.longest);
    }

    /// The answer, or `None` if the coordinator is temporarily unavailable.
    pub(super) fn answer<T>(&mut self, answer: Result<T, Error>) -> Result<Option<T>, Error> {
        let Failure { title, .. } = match &answer {
            Err(Error::Failed(failure)) if failure.passing => &**failure,
            _ => {
                self.away = None;
                return answer.map(Some);
            }
        };
        match self.away {
            Some(since) if since.elapsed() >= AWAY => return answer.map(Some),
            Some(_) => {}
            None => {
                remark(format_args!("still waiting: {title}"));
                self.away = Some(Instant::now());
            }
        }
        Ok(None)
    }
}
