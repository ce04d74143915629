//! A result that is computed once for all who ask, and used for a while.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Error, fresh, too_slow};

/// How long a caller waits for a computation.
const TURN: Duration = Duration::from_secs(10);
/// How long a computation may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The last result, and the computation of the next one: one at a time, which goes on if all who
/// asked for it have left.
pub(super) struct Shared<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    last: Option<Last<T>>,
    running: Option<Running<T>>,
}

struct Last<T> {
    begun: Instant,
    /// Until when it is used.
    until: Instant,
    value: Arc<T>,
}

/// A computation that runs; `None` while it does.
type Running<T> = watch::Receiver<Option<Outcome<T>>>;

/// What was computed, or why it failed.
type Outcome<T> = Result<Arc<T>, String>;

/// What there is for a caller.
enum Found<T> {
    Fresh(Arc<T>),
    Running(Running<T>),
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { last: None, running: None })))
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// The last result if it is fresh, else a new one. `work` is dropped if it is not needed.
    pub(super) async fn get<F>(&self, work: F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut running = match self.find_or_begin(work) {
            Found::Fresh(value) => return Ok(value),
            Found::Running(running) => running,
        };
        let outcome = tokio::time::timeout(TURN, running.wait_for(Option::is_some)).await;
        let outcome = outcome.ok().and_then(Result::ok).and_then(|outcome| (*outcome).clone());
        match outcome {
            Some(Ok(value)) => Ok(value),
            Some(Err(why)) => Err(Error::Unavailable(why)),
            None => Err(too_slow()),
        }
    }

    /// The last result if it is not older than this. If it is not fresh, a new one is begun, for
    /// later callers.
    pub(super) fn recent<F>(&self, age: Duration, work: F) -> Option<Arc<T>>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if let Found::Fresh(value) = self.find_or_begin(work) {
            return Some(value);
        }
        let state = self.lock();
        let last = state.last.as_ref().filter(|last| last.begun.elapsed() <= age)?;
        Some(Arc::clone(&last.value))
    }

    fn find_or_begin<F>(&self, work: F) -> Found<T>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut state = self.lock();
        if let Some(last) = &state.last
            && Instant::now() < last.until
        {
            return Found::Fresh(Arc::clone(&last.value));
        }
        // One that has panicked has no sender any more.
        if let Some(running) = &state.running
            && running.has_changed().is_ok()
        {
            return Found::Running(running.clone());
        }
        let (sender, running) = watch::channel(None);
        state.running = Some(running.clone());
        let shared = self.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let outcome = tokio::time::timeout(LIMIT, work).await;
            let outcome = outcome.unwrap_or_else(|_| Err(too_slow())).map(Arc::new);
            let outcome = outcome.map_err(|err| {
                let source = &err as &(dyn std::error::Error + 'static);
                tracing::warn!(err = source, "could not compute what happens at the moment");
                err.to_string()
            });
            shared.end(begun, &outcome);
            // Those who have left do not read it.
            sender.send_replace(Some(outcome));
        });
        Found::Running(running)
    }

    fn end(&self, begun: Instant, outcome: &Outcome<T>) {
        let mut state = self.lock();
        state.running = None;
        if let Ok(value) = outcome {
            let until = begun + fresh(begun.elapsed());
            state.last = Some(Last { begun, until, value: Arc::clone(value) });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Takes three seconds.
    async fn work(count: Arc<AtomicU64>) -> Result<u64, Error> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(count.fetch_add(1, Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn a_computation_goes_on_without_those_who_asked_and_is_there_for_the_next() {
        let (shared, count) = (Shared::default(), Arc::new(AtomicU64::new(7)));
        let age = Duration::from_secs(600);
        let ask = || shared.get(work(Arc::clone(&count)));
        assert!(tokio::time::timeout(Duration::from_secs(1), ask()).await.is_err());
        assert!(shared.recent(age, work(Arc::clone(&count))).is_none());
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(*shared.recent(age, work(Arc::clone(&count))).unwrap(), 7);
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!((*one.unwrap(), *other.unwrap()), (7, 7));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!((*one.unwrap(), *other.unwrap()), (8, 8), "one computation for both");
    }
}
