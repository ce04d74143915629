//! The handle of an embedded coordinator: calls without HTTP.

use fastjob_client::{
    Backend, ClientError, JobHandle, LogQuery, TaskHandle,
    types::{JobView, LogView, RerunRequest, StartRequest, Started, StopAnswer, TaskView},
};
use tokio::sync::watch;

use crate::{
    api::Problem,
    ops::{self, LogChoice, Ops},
};

/// The calls of an embedded coordinator, without HTTP and without a token: [`Coordinator::handle`]
/// returns it. Cheap to clone. A [`Client`](fastjob_client::Client) has the same calls, types and
/// errors.
///
/// A call that is made before [`Coordinator::run`] waits until it runs. After its end, calls fail with
/// [`ClientError::Stopped`].
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use fastjob_coordinator::{CancellationToken, Coordinator};
///
/// let coordinator = Coordinator::builder().sqlite("jobs.db").bind().await?;
/// let handle = coordinator.handle();
/// tokio::spawn(coordinator.run(CancellationToken::new()));
///
/// let task = handle.job("report").start().key("2026-11").send().await?;
/// let task = task.wait(Duration::from_secs(60)).await?;
/// println!("{}: {:?}", task.state, task.result);
/// # Ok(())
/// # }
/// ```
///
/// [`Coordinator::handle`]: crate::Coordinator::handle
/// [`Coordinator::run`]: crate::Coordinator::run
#[derive(Clone)]
pub struct Handle(watch::Receiver<State>);

/// The pause between two looks at whether the coordinator is ready.
#[cfg(feature = "cli")]
const READY_POLL: std::time::Duration = std::time::Duration::from_millis(100);

/// Where calls go.
enum State {
    Bound,
    Runs(Ops),
    Ended,
}

/// The coordinator's side of its handles. When it is dropped, they end.
pub(super) struct Handles(watch::Sender<State>);

impl Handles {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State::Bound))
    }

    pub(super) fn handle(&self) -> Handle {
        Handle(self.0.subscribe())
    }

    /// From here on, calls are performed.
    pub(super) fn open(&self, ops: Ops) {
        self.0.send_replace(State::Runs(ops));
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        // Handles that outlive the coordinator must not keep its store.
        self.0.send_replace(State::Ended);
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// A job, by its name if only one service has a job of that name, else by `service.name`.
    pub fn job(&self, name: impl Into<String>) -> JobHandle<Self> {
        JobHandle::new(self.clone(), name)
    }

    /// A task, by its number.
    pub fn task(&self, id: i64) -> TaskHandle<Self> {
        TaskHandle::new(self.clone(), id)
    }

    /// Waits until the coordinator can do its work, for at most `patience` once it runs; then, the
    /// reason is returned why it cannot. `None` if it ended before that.
    #[cfg(feature = "cli")]
    pub(crate) async fn until_ready(
        &self,
        patience: std::time::Duration,
    ) -> Option<Result<(), String>> {
        let (mut state, mut since) = (self.0.clone(), None);
        while let Some(ops) = ops(&mut state).await {
            let since = since.get_or_insert_with(tokio::time::Instant::now);
            match ops.ready() {
                Ok(()) => return Some(Ok(())),
                Err(err) if since.elapsed() >= patience => return Some(Err(err.to_string())),
                Err(_) => {}
            }
            drop(ops);
            tokio::time::sleep(READY_POLL).await;
        }
        None
    }

    /// Performs a call, unless the coordinator ends before it has been answered.
    async fn call<T, F>(&self, call: impl FnOnce(Ops) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ops::Error>>,
    {
        let mut state = self.0.clone();
        let ops = ops(&mut state).await.ok_or(ClientError::Stopped)?;
        tokio::select! {
            biased;
            answer = call(ops) => {
                answer.map_err(|err| ClientError::of_problem(Problem::from(err).details()))
            }
            () = ended(&mut state) => Err(ClientError::Stopped),
        }
    }
}

/// The operations, once the coordinator runs; `None` once it has ended.
async fn ops(state: &mut watch::Receiver<State>) -> Option<Ops> {
    let state = state.wait_for(|state| !matches!(state, State::Bound)).await.ok()?;
    match &*state {
        State::Runs(ops) => Some(ops.clone()),
        State::Bound | State::Ended => None,
    }
}

async fn ended(state: &mut watch::Receiver<State>) {
    // An error means that the coordinator is gone.
    state.wait_for(|state| matches!(state, State::Ended)).await.map(drop).ok();
}

impl Backend for Handle {
    async fn start_job(&self, job: &str, request: &StartRequest) -> Result<Started, ClientError> {
        self.call(|ops| async move { ops.start(job, request.clone(), request.trace.clone()).await })
            .await
    }

    async fn read_job(&self, job: &str) -> Result<JobView, ClientError> {
        self.call(|ops| async move { ops.job(job, None).await }).await
    }

    async fn read_task(&self, task: i64) -> Result<TaskView, ClientError> {
        self.call(|ops| async move { ops.task(task).await }).await
    }

    async fn stop_task(&self, task: i64) -> Result<StopAnswer, ClientError> {
        self.call(|ops| async move { ops.stop_task(task, None).await }).await
    }

    async fn rerun_task(&self, task: i64, request: &RerunRequest) -> Result<Started, ClientError> {
        self.call(
            |ops| async move { ops.rerun(task, request.clone(), request.trace.clone()).await },
        )
        .await
    }

    async fn read_log(&self, task: i64, piece: &LogQuery) -> Result<LogView, ClientError> {
        let choice = LogChoice { shard: piece.shard, attempt: piece.attempt };
        let (offset, limit) = (piece.offset, piece.limit);
        let call = |ops: Ops| async move {
            match piece.wait {
                Some(wait) => ops.task_log_within(task, choice, offset, limit, wait).await,
                None => ops.task_log(task, choice, offset, limit).await,
            }
        };
        self.call(call).await
    }
}
