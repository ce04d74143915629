//! Actions on many jobs or tasks: on each by itself, with the operation of a single call.
//!
//! All of them are found first. Then a bounded number of operations is in progress at a time, each at
//! the owner of its partition, so that the engines handle other calls in between. What was not tried
//! before the deadline is not done, and the answer says so: a repeated call continues with it.

mod jobs;
mod tasks;

use std::time::Duration;

use futures_util::StreamExt;
use tokio::{sync::SemaphorePermit, time::Instant};

pub(crate) use self::{jobs::BulkJobs, tasks::BulkTasks};
use super::{Bulk, Error, Ops};

/// Maximum number of jobs or tasks that a request names.
const NAMED_MOST: usize = 1_000;
/// Maximum number of jobs or tasks that may match a filter.
const MATCHED_MOST: usize = 10_000;
/// Maximum number of items in an answer.
const SHOWN: usize = 1_000;
/// How many operations are in progress at the same time, at most.
const TOGETHER: usize = 32;
/// How many operations are prepared at the same time.
const SLICE: usize = 256;
/// How long a call tries, from its beginning on. Clients wait for 30 s, unless they are told otherwise.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long operations that are in progress at the deadline may take.
const GRACE: Duration = Duration::from_secs(5);
/// How long a call waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// Which jobs or tasks an action is about.
#[derive(Clone, Debug)]
pub(crate) enum Which<N, F> {
    /// Those that the caller names.
    Named(Vec<N>),
    /// Those that a list with this filter has.
    Matching(F),
}

impl Ops {
    /// Waits for the only turn to act on many jobs or tasks.
    async fn turn_to_bulk(&self) -> Result<SemaphorePermit<'_>, Error> {
        match tokio::time::timeout(TURN, self.bulk.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // It is never closed.
            Ok(Err(_)) | Err(_) => {
                let why = "another request acts on many jobs or tasks at the moment: try again \
                           later";
                Err(Error::Unavailable(why.to_owned()))
            }
        }
    }
}

/// Rejects too many names, and none.
fn named<N: Clone + PartialEq + Ord>(field: &str, names: Vec<N>) -> Result<Vec<N>, Error> {
    if names.is_empty() || names.len() > NAMED_MOST {
        let message = format!("there are {}, 1 to {NAMED_MOST} are allowed", names.len());
        return Err(Error::invalid(field, message));
    }
    let mut seen = std::collections::BTreeSet::new();
    Ok(names.into_iter().filter(|name| seen.insert(name.clone())).collect())
}

/// Rejects a filter that matches too many.
fn within(matched: usize, what: &str) -> Result<(), Error> {
    match matched > MATCHED_MOST {
        true => Err(Error::invalid(
            "filter",
            format_args!("more than {MATCHED_MOST} {what} match: narrow it"),
        )),
        false => Ok(()),
    }
}

/// Rejects a filter whose matches are not found in time.
fn in_time(deadline: Instant, what: &str) -> Result<(), Error> {
    match Instant::now() >= deadline {
        true => Err(Error::Unavailable(format!(
            "the {what} that match were not found within {} s, and nothing was done: narrow the \
             filter",
            DEADLINE.as_secs()
        ))),
        false => Ok(()),
    }
}

/// Rejects another number of matches than the caller expects.
fn expected(expect: Option<u64>, matched: usize, what: &str) -> Result<(), Error> {
    match expect {
        Some(expect) if expect != matched as u64 => Err(Error::Conflict(format!(
            "{matched} {what} match, and the request expects {expect}: nothing was done"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// What came of an action on one target: `None` if it was not tried.
type Outcome<D> = Option<Result<D, Error>>;

/// Acts on each target, a bounded number at a time, until the deadline. The outcomes are in the order
/// of the targets.
async fn each<T, D, F>(
    targets: Vec<T>,
    deadline: Instant,
    act: impl Fn(T) -> F,
) -> Vec<(T, Outcome<D>)>
where
    T: Clone,
    F: Future<Output = Result<D, Error>>,
{
    let mut outcomes = Vec::with_capacity(targets.len());
    for slice in targets.chunks(SLICE) {
        let mut calls = Vec::with_capacity(slice.len());
        for (at, target) in slice.iter().enumerate() {
            let call = act(target.clone());
            calls.push(async move {
                if Instant::now() >= deadline {
                    return (at, None);
                }
                let done = tokio::time::timeout_at(deadline + GRACE, call).await;
                (at, Some(done.unwrap_or_else(|_| Err(unknown()))))
            });
        }
        let calls = futures_util::stream::iter(calls).buffer_unordered(TOGETHER);
        let mut slice_outcomes: Vec<_> = calls.collect().await;
        slice_outcomes.sort_by_key(|(at, _)| *at);
        let slice_outcomes = slice_outcomes.into_iter().map(|(_, outcome)| outcome);
        outcomes.extend(slice.iter().cloned().zip(slice_outcomes));
    }
    outcomes
}

fn unknown() -> Error {
    Error::Unavailable("there was no answer in time, so it may have been done".to_owned())
}

/// Counts outcomes, and keeps those that the answer shows.
struct Tally<T> {
    matched: usize,
    done: Vec<T>,
    failed: Vec<T>,
    not_done: Vec<T>,
}

impl<T> Tally<T> {
    fn new(matched: usize) -> Self {
        Self { matched, done: Vec::new(), failed: Vec::new(), not_done: Vec::new() }
    }

    fn answer(self, dry_run: bool, unanswered: Vec<String>) -> Bulk<T> {
        let [done, failed, not_done] =
            [&self.done, &self.failed, &self.not_done].map(|items| items.len() as u64);
        let items = self.failed.into_iter().chain(self.not_done).chain(self.done);
        Bulk {
            matched: self.matched as u64,
            // The jobs of a dry run are only shown.
            done: if dry_run { 0 } else { done },
            failed,
            not_done,
            items: items.take(SHOWN).collect(),
            dry_run,
            unanswered,
        }
    }
}

/// The error of a target that was not tried.
fn not_tried() -> String {
    format!("not done: {} s had passed; repeat the request for it", DEADLINE.as_secs())
}

/// The error of a target, for people.
fn said(err: &Error) -> String {
    if let Error::Store(cause) = err {
        tracing::error!(
            error = fastjob_core::error::chain(cause),
            "an action on many jobs or tasks failed: store error"
        );
        return "the store failed, so its result is unknown; see the coordinator's log".to_owned();
    }
    err.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_bounded_number_is_in_progress_and_the_order_stays() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let act = |target: usize| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                match target % 7 {
                    0 => Err(Error::Conflict("no".to_owned())),
                    _ => Ok(target * 2),
                }
            }
        };
        let targets: Vec<_> = (0..1_000).collect();
        let outcomes = each(targets.clone(), Instant::now() + DEADLINE, act).await;
        assert_eq!(most.load(Ordering::SeqCst), TOGETHER);
        assert_eq!(outcomes.iter().map(|(target, _)| *target).collect::<Vec<_>>(), targets);
        for (target, outcome) in outcomes {
            match outcome {
                Some(Ok(done)) => assert_eq!(done, target * 2),
                Some(Err(_)) => assert_eq!(target % 7, 0),
                None => panic!("{target} was not tried"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_tried_before_the_deadline_is_not_done() {
        let act = |_: usize| async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(())
        };
        let outcomes = each((0..200).collect(), Instant::now() + DEADLINE, act).await;
        let done = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Some(Ok(())))).count();
        let unknown =
            outcomes.iter().filter(|(_, outcome)| matches!(outcome, Some(Err(_)))).count();
        // Four rounds of 6 s; those of the last one end within the grace period.
        assert_eq!((done, unknown, outcomes.len()), (4 * TOGETHER, 0, 200));
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_at_the_deadline_may_have_been_done() {
        let act = |_: usize| std::future::pending::<Result<(), Error>>();
        let outcomes = each((0..100).collect(), Instant::now() + DEADLINE, act).await;
        let unknown = outcomes.iter().filter(|(_, outcome)| outcome.is_some()).count();
        assert_eq!(unknown, TOGETHER, "the others were not tried");
    }

    #[test]
    fn errors_come_first_and_the_answer_is_bounded() {
        let tally = Tally {
            matched: 3_000,
            done: (0..2_000).collect(),
            failed: (2_000..2_500).collect(),
            not_done: (2_500..3_000).collect(),
        };
        let answer = tally.answer(false, Vec::new());
        assert_eq!((answer.done, answer.failed, answer.not_done), (2_000, 500, 500));
        assert_eq!(answer.items, (2_000..3_000).collect::<Vec<_>>());
    }

    #[test]
    fn names_are_bounded_and_count_once() {
        assert_eq!(named("jobs", vec!["b", "a", "b"]).unwrap(), ["b", "a"]);
        assert!(named::<i64>("tasks", Vec::new()).is_err());
        assert!(named("tasks", (0..=1_000).collect::<Vec<i64>>()).is_err());
    }
}
