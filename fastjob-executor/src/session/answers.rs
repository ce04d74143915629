//! Answers to a coordinator's requests that are in progress in one session. They are bounded, and
//! end with the session.

use std::{future::Future, panic::resume_unwind};

use tokio::task::JoinSet;

/// Maximum number of concurrent answers. The coordinator does not wait long, and repeats a request.
const MOST: usize = 256;

#[derive(Default)]
pub(super) struct Answers(JoinSet<()>);

impl Answers {
    /// Runs an answer, unless too many are in progress: then the request is dropped.
    pub(super) fn add(&mut self, answer: impl Future<Output = ()> + Send + 'static) {
        if self.0.len() < MOST {
            self.0.spawn(answer);
        } else {
            tracing::warn!("a coordinator sends requests faster than this executor answers");
        }
    }

    /// Waits for the next answer to complete, and propagates its panic to the session.
    pub(super) async fn next(&mut self) {
        match self.0.join_next().await {
            None => std::future::pending().await,
            Some(Ok(())) => {}
            Some(Err(err)) => {
                if let Ok(panic) = err.try_into_panic() {
                    resume_unwind(panic);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_are_bounded_and_a_panic_of_one_is_not_lost() {
        let mut answers = Answers::default();
        for _ in 0..MOST {
            answers.add(std::future::pending());
        }
        answers.add(async { panic!("it is one too many") });
        assert_eq!(answers.0.len(), MOST);
        let panics = tokio::spawn(async {
            let mut answers = Answers::default();
            answers.add(async { panic!("oh no") });
            answers.next().await;
        });
        assert!(panics.await.unwrap_err().is_panic());
    }
}
