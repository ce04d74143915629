//! The client: sends calls, and repeats those that are safe to repeat.
//!
//! One file, because it is one list: a method for each call.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastjob_core::Trace;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{Answer, Call, ClientBuilder, List, ServerUrl, Token, call::Repeat};
use crate::{
    Backend, ClientError, JobHandle, LogQuery, TaskHandle,
    job::whole_millis,
    polling::Polling,
    types::{
        About, AlarmView, Applied, ApplyRequest, Bulk, BulkJob, BulkTask, ChannelView,
        ExecutorView, Fires, HandlerView, JobDraft, JobStatsQuery, JobStatsView, JobView,
        JobsRequest, LogView, NodeView, Overview, RerunRequest, ServiceView, SilenceRequest,
        SilenceView, StartRequest, Started, StopAnswer, TaskView, TasksRequest, Tested,
    },
};

/// A client of a coordinator or a cluster of coordinators. Cheap to clone; the clones share their
/// connections.
///
/// ```no_run
/// # fn run(token: String) -> Result<(), fastjob_client::ClientError> {
/// use fastjob_client::Client;
///
/// let client = Client::builder("https://jobs.example.org")
///     .token(token)
///     .ca_cert("/etc/ssl/our-ca.pem")
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Shared>);

pub(super) struct Shared {
    /// At least one.
    pub(super) servers: Vec<Server>,
    /// The position of the one that answered last. A call begins with it.
    pub(super) current: AtomicUsize,
    pub(super) token: Option<Token>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) retry_for: Duration,
    /// The trace of calls that are part of no other.
    pub(super) trace: Option<Trace>,
}

/// A coordinator, and the connections to it.
pub(super) struct Server {
    pub(super) url: ServerUrl,
    pub(super) http: reqwest::Client,
}

impl Shared {
    /// The position of the coordinator that answered last, at first that of the first one.
    pub(super) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// Remembers the coordinator at this position, which has answered.
    pub(super) fn remember(&self, at: usize) {
        self.current.store(at, Ordering::Relaxed);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", self.server()).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn of(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// The settings of a client of the coordinator at this address, such as
    /// `http://127.0.0.1:7070` or `https://jobs.example.org`. The addresses of several coordinators of
    /// a cluster are separated by commas, or added with [`ClientBuilder::server`].
    pub fn builder(server: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(server)
    }

    /// A client with the settings of the environment: see [`ClientBuilder::from_env`].
    ///
    /// # Errors
    ///
    /// Fails like [`ClientBuilder::from_env`] and [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, ClientError> {
        ClientBuilder::from_env()?.build()
    }

    /// The address of the coordinator that answered last; at first, the first address.
    pub fn server(&self) -> &ServerUrl {
        &self.0.servers[self.0.current()].url
    }

    /// A job, by its name if only one service has a job of that name, else by `service.name`.
    pub fn job(&self, name: impl Into<String>) -> JobHandle<Self> {
        JobHandle::new(self.clone(), name)
    }

    /// A task, by its number.
    pub fn task(&self, id: i64) -> TaskHandle<Self> {
        TaskHandle::new(self.clone(), id)
    }

    /// Jobs, by name.
    pub fn jobs(&self) -> List<JobView> {
        List::new(self.clone(), Call::jobs())
    }

    /// Tasks, newest first.
    pub fn tasks(&self) -> List<TaskView> {
        List::new(self.clone(), Call::tasks())
    }

    /// The handlers of connected executors, and those that jobs use.
    pub fn handlers(&self) -> List<HandlerView> {
        List::new(self.clone(), Call::handlers())
    }

    /// Reads a handler, by its name if only one service has a handler of that name, else by
    /// `service.handler`.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or knows no such handler.
    pub async fn handler(&self, name: &str) -> Result<HandlerView, ClientError> {
        self.call(Call::handler(name)).await
    }

    /// Executors, by service and name.
    pub fn executors(&self) -> List<ExecutorView> {
        List::new(self.clone(), Call::executors())
    }

    /// Reads an executor, by its name if only one service has an executor of that name, else by
    /// `service.name`.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if no executor of that name is known.
    pub async fn executor(&self, name: &str) -> Result<ExecutorView, ClientError> {
        self.call(Call::executor(name)).await
    }

    /// Drains an executor: it keeps what it holds, and gets no new attempts until
    /// [`resume_executor`](Self::resume_executor), also after a restart.
    /// [`ExecutorView::unanswered`] names the coordinators that have not confirmed it.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if no executor of that name is known.
    pub async fn drain_executor(&self, name: &str) -> Result<ExecutorView, ClientError> {
        self.call(Call::drain_executor(name)).await
    }

    /// Lets a drained executor get attempts again.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if no executor of that name is known.
    pub async fn resume_executor(&self, name: &str) -> Result<ExecutorView, ClientError> {
        self.call(Call::resume_executor(name)).await
    }

    /// The coordinators that share the store.
    pub fn nodes(&self) -> List<NodeView> {
        List::new(self.clone(), Call::nodes())
    }

    /// The services, by name: what has jobs, executors or open tasks.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn services(&self) -> Result<Vec<ServiceView>, ClientError> {
        Ok(self.call(Call::services()).await?.items)
    }

    /// What happens at the moment, of all services or of one, and what needs attention.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn overview(&self, service: Option<&str>) -> Result<Overview, ClientError> {
        self.call(Call::overview(service)).await
    }

    /// Which jobs failed most, ran longest, or ran most.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`] if the range is not valid.
    pub async fn job_stats(&self, query: &JobStatsQuery) -> Result<JobStatsView, ClientError> {
        self.call(Call::job_stats(query)).await
    }

    /// How the coordinator that answers is set up.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer.
    pub async fn about(&self) -> Result<About, ClientError> {
        self.call(Call::about()).await
    }

    /// Alarms, newest first.
    pub fn alarms(&self) -> List<AlarmView> {
        List::new(self.clone(), Call::alarms())
    }

    /// Creates a job that does not exist yet. [`JobHandle::save`] also replaces one.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Conflict`] if it exists, and with [`ClientError::Invalid`] if a
    /// setting is not valid.
    pub async fn create_job(&self, job: &JobDraft) -> Result<JobView, ClientError> {
        self.call(Call::create_job(job)).await
    }

    /// Saves several jobs: all of them, or none. [`Applied`] says what changed; with
    /// [`ApplyRequest::dry_run`], what would change.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`], which lists every problem of every job.
    pub async fn apply_jobs(&self, request: &ApplyRequest) -> Result<Applied, ClientError> {
        self.call(Call::apply_jobs(request)).await
    }

    /// Acts on many jobs, on each by itself: [`Bulk`] says what became of each.
    ///
    /// ```no_run
    /// # async fn run(client: fastjob_client::Client) -> Result<(), fastjob_client::ClientError> {
    /// use fastjob_client::types::{JobAction, JobsRequest};
    ///
    /// let filter = client.jobs().service("billing").label("team=reports").filter();
    /// let mut request = JobsRequest::matching(JobAction::Disable, filter);
    /// request.dry_run = true;
    /// let found = client.bulk_jobs(&request).await?;
    /// (request.dry_run, request.expect) = (false, Some(found.matched));
    /// let done = client.bulk_jobs(&request).await?;
    /// println!("{} disabled, {} failed, {} not done", done.done, done.failed, done.not_done);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Conflict`] if another number of jobs matches than the request
    /// expects, and with [`ClientError::Invalid`] if it is not valid. That an action fails for some
    /// of the jobs is not an error.
    pub async fn bulk_jobs(&self, request: &JobsRequest) -> Result<Bulk<BulkJob>, ClientError> {
        self.call(Call::bulk_jobs(request)).await
    }

    /// Acts on many tasks, on each by itself: [`Bulk`] says what became of each.
    ///
    /// # Errors
    ///
    /// Fails like [`bulk_jobs`](Self::bulk_jobs).
    pub async fn bulk_tasks(&self, request: &TasksRequest) -> Result<Bulk<BulkTask>, ClientError> {
        self.call(Call::bulk_tasks(request)).await
    }

    /// The fires of a cron expression after an instant, or from now on, in a time zone, or in UTC.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`] if the expression or the zone is not valid.
    pub async fn preview(
        &self,
        cron: &str,
        zone: Option<&str>,
        after: Option<Timestamp>,
        count: u32,
    ) -> Result<Vec<Timestamp>, ClientError> {
        let Fires { fires } = self.call(Call::preview(cron, zone, after, count)).await?;
        Ok(fires)
    }

    /// The channels of alarms, by name.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn channels(&self) -> Result<Vec<ChannelView>, ClientError> {
        Ok(self.call(Call::channels()).await?.items)
    }

    /// Sends a test message over a channel.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such channel. A message that was not
    /// accepted is not an error: see [`Tested::sent`].
    pub async fn test_channel(&self, name: &str) -> Result<Tested, ClientError> {
        self.call(Call::test_channel(name)).await
    }

    /// The silences in effect, oldest first.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if the coordinator does not answer, or rejects the call.
    pub async fn silences(&self) -> Result<Vec<SilenceView>, ClientError> {
        Ok(self.call(Call::silences()).await?.items)
    }

    /// Silences the alarms of a job, of a channel, or of both for a while.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`] if the request is not valid.
    pub async fn silence(&self, request: &SilenceRequest) -> Result<SilenceView, ClientError> {
        self.call(Call::silence(request)).await
    }

    /// Ends a silence.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such silence, or no longer.
    pub async fn unsilence(&self, id: i64) -> Result<(), ClientError> {
        self.call(Call::unsilence(id)).await
    }

    /// Whether the coordinator can do its work.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Unavailable`], with the reason, if it cannot.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.call(Call::ready()).await.map(drop)
    }

    /// Sends a call and reads its answer.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if there is no answer, or if it does not have the expected type.
    pub async fn call<T: DeserializeOwned>(&self, call: Call<T>) -> Result<T, ClientError> {
        self.answer(call).await?.read()
    }

    /// Sends a call, and returns its answer with the JSON.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError`] if there is no answer, or the call was rejected.
    pub async fn answer<T: DeserializeOwned>(
        &self,
        mut call: Call<T>,
    ) -> Result<Answer<T>, ClientError> {
        if let Some(error) = call.unusable.take() {
            return Err(error);
        }
        let begun = Instant::now();
        let (mut pauses, mut was_sent) = (Polling::of_tasks(), false);
        loop {
            let error = match self.round(&call).await {
                Ok(answer) => return Ok(answer.after_sending(was_sent)),
                Err(error) => error,
            };
            was_sent |= error.may_have_had_effect();
            let may_repeat = call.repeat == Repeat::Later && error.is_transient();
            if !may_repeat || begun.elapsed() >= self.0.retry_for {
                return Err(error);
            }
            pauses.pause().await;
        }
    }
}

impl Backend for Client {
    async fn start_job(&self, job: &str, request: &StartRequest) -> Result<Started, ClientError> {
        self.call(Call::start(job, request)).await
    }

    async fn read_job(&self, job: &str) -> Result<JobView, ClientError> {
        self.call(Call::job(job)).await
    }

    async fn read_task(&self, task: i64) -> Result<TaskView, ClientError> {
        self.call(Call::task(task)).await
    }

    async fn stop_task(&self, task: i64) -> Result<StopAnswer, ClientError> {
        self.call(Call::stop(task)).await
    }

    async fn rerun_task(&self, task: i64, request: &RerunRequest) -> Result<Started, ClientError> {
        self.call(Call::rerun(task, request)).await
    }

    async fn read_log(&self, task: i64, piece: &LogQuery) -> Result<LogView, ClientError> {
        // The answer has to arrive before the timeout of the call.
        let longest = self.0.timeout / 3 * 2;
        let wait = piece
            .wait
            .map(|wait| whole_millis(wait.min(longest)))
            .filter(|wait| wait.as_millis() > 0);
        self.call(Call::log(task, &LogQuery { wait, ..piece.clone() })).await
    }
}
