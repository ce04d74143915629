//! Lists, page by page.

use fastjob_core::TaskState;
use futures_util::{Stream, TryStreamExt, stream};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{Call, Client};
use crate::{
    ClientError,
    types::{AlarmView, JobView, Page, TaskView},
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
}

impl<T: DeserializeOwned> List<T> {
    pub(super) fn new(client: Client, call: Call<Page<T>>) -> Self {
        Self { client, call, page_size: PAGE }
    }

    /// The number of items per request, up to 500. Default: 500.
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = items.clamp(1, PAGE);
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

    /// At most `limit` items as one page, with the cursor of those after it.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn first(self, limit: Option<usize>) -> Result<Page<T>, ClientError> {
        let mut all = Page { items: Vec::new(), next_cursor: None };
        loop {
            let left = limit.map_or(self.page_size, |limit| limit - all.items.len());
            if left == 0 {
                return Ok(all);
            }
            let (size, cursor) = (left.min(self.page_size), all.next_cursor.take());
            let page = self.client.call(self.call.page(size, cursor.as_deref())).await?;
            let is_last = page.next_cursor.is_none() || page.items.is_empty();
            all.items.extend(page.items);
            all.next_cursor = page.next_cursor;
            if let Some(limit) = limit {
                all.items.truncate(limit);
            }
            if is_last {
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
        List { client: self.client, call: self.call.cast(), page_size: self.page_size }
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.call.query.retain(|(other, _)| *other != name);
        self.call = self.call.with(name, value);
        self
    }
}

impl List<JobView> {
    /// Each job with its [activity](JobView::activity), and so many of its last ends, up to 20.
    pub fn ends(self, each: u32) -> Self {
        self.with("ends", each)
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

    /// Only tasks that were created at or after this instant.
    pub fn since(self, at: Timestamp) -> Self {
        self.with("since", at)
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
        self.next = page.next_cursor.clone().filter(|_| !page.items.is_empty()).map(Some);
        Ok(Some(page))
    }
}
