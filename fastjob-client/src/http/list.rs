//! Lists, page by page.

use std::time::Duration;

use fastjob_core::{Cause, FailReason, TaskState, duration};
use futures_util::{Stream, TryStreamExt, stream};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Call, Client};
use crate::{
    ClientError,
    types::{AlarmView, ExecutorView, HandlerView, JobView, Page, TaskOrder, TaskView},
};

/// Items per request: the maximum that a coordinator returns.
const PAGE: usize = 500;

/// A list of a coordinator, which is read page by page. Nothing is sent before it is read.
///
/// ```no_run
/// # async fn run(client: fastjob_client::Client) -> Result<(), fastjob_client::ClientError> {
/// use fastjob_client::types::TaskState;
///
/// let failed = client.tasks().job("billing.report").state(TaskState::Failed);
/// for task in failed.collect(20).await? {
///     println!("{} {:?}", task.id, task.note);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is read before `collect`, `pages` or `stream`"]
pub struct List<T> {
    client: Client,
    call: Call<Page<T>>,
    page_size: usize,
    /// After how many pages that ended early a search stops.
    search_limit: usize,
}

impl<T: DeserializeOwned> List<T> {
    pub(super) fn new(client: Client, call: Call<Page<T>>) -> Self {
        Self { client, call, page_size: PAGE, search_limit: usize::MAX }
    }

    /// The number of items per request, up to 500. Default: 500.
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = items.clamp(1, PAGE);
        self
    }

    /// Stops [`first`](Self::first), [`collect`](Self::collect) and [`all`](Self::all) after this
    /// many requests that ended early, because few items match (see [`Page::searched_to`]). Default:
    /// they search the whole list, however long that takes.
    pub fn search_limit(mut self, requests: usize) -> Self {
        self.search_limit = requests.max(1);
        self
    }

    /// One page: the first, or the one that begins at the cursor of another page.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn page(&self, cursor: Option<&str>) -> Result<Page<T>, ClientError> {
        self.client.call(self.call.page(self.page_size, cursor)).await
    }

    /// At most `limit` items, from the first on.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn collect(self, limit: usize) -> Result<Vec<T>, ClientError> {
        Ok(self.first(Some(limit)).await?.items)
    }

    /// All items.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn all(self) -> Result<Vec<T>, ClientError> {
        Ok(self.first(None).await?.items)
    }

    /// At most `limit` items as one page, with the cursor of those after it. If the search stopped
    /// early, the page says where.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn first(self, limit: Option<usize>) -> Result<Page<T>, ClientError> {
        let (searched_to, unanswered) = (None, Vec::new());
        let mut all =
            Page { items: Vec::new(), next_cursor: None, searched_to, unanswered, total: None };
        let mut ended_early = 0;
        loop {
            let left = limit.map_or(self.page_size, |limit| limit - all.items.len());
            if left == 0 {
                return Ok(all);
            }
            let (size, cursor) = (left.min(self.page_size), all.next_cursor.take());
            let page = self.client.call(self.call.page(size, cursor.as_deref())).await?;
            ended_early += usize::from(page.searched_to.is_some());
            let is_last = next(&page, cursor.as_deref()).is_none();
            all.items.extend(page.items);
            all.next_cursor = page.next_cursor;
            all.searched_to = page.searched_to;
            all.unanswered.extend(page.unanswered);
            all.total = page.total;
            all.unanswered.sort_unstable();
            all.unanswered.dedup();
            if let Some(limit) = limit {
                all.items.truncate(limit);
                if all.items.len() == limit {
                    // For a caller who asked for so many, it did not end early.
                    all.searched_to = None;
                }
            }
            if is_last || ended_early >= self.search_limit {
                return Ok(all);
            }
        }
    }

    /// The pages, one after the other.
    pub fn pages(self) -> Pages<T> {
        Pages { list: self, next: Some(None) }
    }

    /// The items. A page is requested when its first item is needed.
    pub fn stream(self) -> impl Stream<Item = Result<T, ClientError>> + Send
    where
        T: Send,
    {
        let pages = stream::try_unfold(self.pages(), |mut pages| async move {
            let items = |page: Page<T>| stream::iter(page.items.into_iter().map(Ok));
            Ok(pages.next().await?.map(|page| (items(page), pages)))
        });
        pages.try_flatten()
    }

    /// The same list with each item read as another type, such as [`serde_json::Value`].
    pub fn cast<U: DeserializeOwned>(self) -> List<U> {
        let Self { client, call, page_size, search_limit } = self;
        List { client, call: call.cast(), page_size, search_limit }
    }

    /// The filters of this list, for an action on everything that it has: see
    /// [`JobsRequest::matching`](crate::types::JobsRequest::matching) and
    /// [`TasksRequest::matching`](crate::types::TasksRequest::matching).
    pub fn filter(&self) -> Map<String, Value> {
        let mut filter = Map::new();
        let pairs = self.call.query.iter().filter(|(name, _)| !matches!(*name, "ends" | "order"));
        for (name, value) in pairs {
            let values = filter.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(values) = values {
                values.push(value.as_str().into());
            }
        }
        filter
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.call.query.retain(|(other, _)| *other != name);
        self.call = self.call.with(name, value);
        self
    }
}

impl List<JobView> {
    /// Only jobs of this service.
    pub fn service(self, name: impl Into<String>) -> Self {
        self.with("service", name.into())
    }

    /// Only jobs with this label: `key=value`, or a key with any value. Several are combined.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.call = self.call.with("label", label.into());
        self
    }

    /// Only jobs that have not run since this instant.
    pub fn idle_since(self, at: Timestamp) -> Self {
        self.with("idle_since", at)
    }

    /// Only jobs that have never run, as far as the history goes.
    pub fn never_run(self) -> Self {
        self.with("idle_since", "ever")
    }

    /// Only jobs that have not run since the newest executor with their handler started.
    pub fn idle_since_release(self) -> Self {
        self.with("idle_since", "release")
    }

    /// Only jobs with this text in their name, description, handler or param, in upper or lower
    /// case.
    pub fn text(self, part: impl Into<String>) -> Self {
        self.with("text", part.into())
    }

    /// Only jobs that are enabled, or only those that are not.
    pub fn enabled(self, enabled: bool) -> Self {
        self.with("enabled", enabled)
    }

    /// Only jobs whose definition is owned by `code`, or by `api`.
    pub fn origin(self, origin: impl Into<String>) -> Self {
        self.with("origin", origin.into())
    }

    /// Only jobs with this kind of schedule: `none`, `cron`, `fixed_rate`, `fixed_delay` or `once`.
    pub fn schedule(self, kind: impl Into<String>) -> Self {
        self.with("schedule", kind.into())
    }

    /// Only jobs whose newest ended task ended like this: `succeeded`, `failed`, `stopped` or
    /// `skipped`; `none` for jobs of which none has ended.
    pub fn last_state(self, state: impl Into<String>) -> Self {
        self.with("last_state", state.into())
    }

    /// Only jobs with a task that runs, or only those without.
    pub fn running(self, running: bool) -> Self {
        self.with("running", running)
    }

    /// The order: `name`, `next_fire` or `changed`. Default: by name. In the others, a job that fires
    /// or changes while pages are read may be missing, or be listed twice.
    pub fn order(self, order: impl Into<String>) -> Self {
        self.with("order", order.into())
    }

    /// Each job with its [activity](JobView::activity), and so many of its last ends, up to 20.
    pub fn ends(self, each: u32) -> Self {
        self.with("ends", each)
    }
}

impl List<ExecutorView> {
    /// Only executors of this service.
    pub fn service(self, name: impl Into<String>) -> Self {
        self.with("service", name.into())
    }

    /// Only executors with this text in their name, service, address, version, labels or handlers, in
    /// upper or lower case.
    pub fn text(self, part: impl Into<String>) -> Self {
        self.with("text", part.into())
    }
}

impl List<HandlerView> {
    /// Only handlers of this service.
    pub fn service(self, name: impl Into<String>) -> Self {
        self.with("service", name.into())
    }

    /// Only handlers whose name or description contains this text, in upper or lower case.
    pub fn text(self, part: impl Into<String>) -> Self {
        self.with("text", part.into())
    }
}

impl List<TaskView> {
    /// Only tasks of this job.
    pub fn job(self, name: impl Into<String>) -> Self {
        self.with("job", name.into())
    }

    /// Only tasks in this state.
    pub fn state(self, state: TaskState) -> Self {
        self.with("state", state)
    }

    /// Only tasks in one of these states.
    pub fn states(self, states: impl IntoIterator<Item = TaskState>) -> Self {
        self.with("state", joined(states))
    }

    /// Only tasks of the jobs of this service.
    pub fn service(self, name: impl Into<String>) -> Self {
        self.with("service", name.into())
    }

    /// Only tasks of the jobs with this label: `key=value`, or a key with any value. Several are
    /// combined.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.call = self.call.with("label", label.into());
        self
    }

    /// Only tasks with an attempt on this executor.
    pub fn executor(self, name: impl Into<String>) -> Self {
        self.with("executor", name.into())
    }

    /// Only tasks that were started for one of these causes.
    pub fn causes(self, causes: impl IntoIterator<Item = Cause>) -> Self {
        self.with("cause", joined(causes))
    }

    /// Only tasks that were created at or after this instant.
    pub fn since(self, at: Timestamp) -> Self {
        self.with("since", at)
    }

    /// Only tasks that were created before this instant.
    pub fn until(self, at: Timestamp) -> Self {
        self.with("until", at)
    }

    /// Only tasks with an attempt whose error message contains this text, in upper or lower case.
    pub fn text(self, part: impl Into<String>) -> Self {
        self.with("text", part.into())
    }

    /// Only the task that was started with this key. Needs a [`job`](Self::job).
    pub fn key(self, key: impl Into<String>) -> Self {
        self.with("key", key.into())
    }

    /// Only tasks that have ended, and took at least this long from their start.
    pub fn min_run_time(self, least: Duration) -> Self {
        self.with("min_run_time", duration::to_text(least))
    }

    /// Only tasks with an attempt that started, or waits, at least so long after it was due.
    pub fn late(self, least: Duration) -> Self {
        self.with("late", duration::to_text(least))
    }

    /// Only tasks with an attempt that failed for one of these reasons.
    pub fn reasons(self, reasons: impl IntoIterator<Item = FailReason>) -> Self {
        self.with("reason", joined(reasons.into_iter().map(FailReason::as_str)))
    }

    /// The order of the list. Default: the newest first.
    pub fn order(self, order: TaskOrder) -> Self {
        self.with("order", order)
    }
}

impl List<AlarmView> {
    /// Only alarms of this job.
    pub fn job(self, name: impl Into<String>) -> Self {
        self.with("job", name.into())
    }

    /// Only alarms on this channel.
    pub fn channel(self, name: impl Into<String>) -> Self {
        self.with("channel", name.into())
    }

    /// Only alarms with this text in the name of their job, their reason, message or executor, or in the
    /// last error of sending them, in upper or lower case.
    pub fn text(self, part: impl Into<String>) -> Self {
        self.with("text", part.into())
    }
}

fn joined(words: impl IntoIterator<Item = impl ToString>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| word.to_string()).collect();
    words.join(",")
}

/// The cursor of the page after this one, which began at `cursor`. A page without items is not
/// always the last one: its search may have ended early.
fn next<'a, T>(page: &'a Page<T>, cursor: Option<&str>) -> Option<&'a str> {
    page.next_cursor.as_deref().filter(|next| Some(*next) != cursor)
}

/// The pages of a [`List`].
#[derive(Debug)]
pub struct Pages<T> {
    list: List<T>,
    /// The cursor of the next page; `None` after the last page.
    next: Option<Option<String>>,
}

impl<T: DeserializeOwned> Pages<T> {
    /// The next page; `None` after the last one.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call. A later
    /// call requests the same page.
    pub async fn next(&mut self) -> Result<Option<Page<T>>, ClientError> {
        let Some(cursor) = &self.next else { return Ok(None) };
        let page = self.list.page(cursor.as_deref()).await?;
        self.next = next(&page, cursor.as_deref()).map(|next| Some(next.to_owned()));
        Ok(Some(page))
    }
}
