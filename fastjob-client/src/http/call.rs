//! Every call of the REST API: its path, its body, and the type of its answer.
//!
//! One file, because it is one list: a call has the same parts as the next one.

mod many;

use std::marker::PhantomData;

use fastjob_core::{Trace, duration};
use jiff::Timestamp;
use reqwest::{Method, Url};
use serde::Serialize;
use serde_json::{Map, Value};

use super::ServerUrl;
use crate::{
    ClientError, LogQuery,
    types::{
        About, AlarmView, Applied, ApplyRequest, BackfillRequest, Backfilled, ChannelView,
        ExecutorView, Fires, HandlerView, Health, JobDraft, JobStatsQuery, JobStatsView, JobView,
        LogView, NodeView, Overview, Page, RerunRequest, RestoreRequest, ScheduleQuery,
        ScheduleView, ServiceView, SilenceRequest, SilenceView, StartRequest, Started, StatsQuery,
        StatsView, StopAnswer, TaskView, Tested,
    },
};

/// A call of the REST API whose answer is a `T`. [`Client::call`](super::Client::call) sends it.
///
/// The handles cover what services need. Calls are for programs that need the JSON as well, such as
/// the command line.
#[derive(Debug)]
pub struct Call<T> {
    pub(super) method: Method,
    root: &'static [&'static str],
    path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    /// Why it cannot be sent.
    pub(super) unusable: Option<ClientError>,
    pub(super) repeat: Repeat,
    /// The value of the header `If-Match`.
    pub(super) if_match: Option<String>,
    /// The trace that the caller is part of.
    pub(super) trace: Option<Trace>,
    answer: PhantomData<fn() -> T>,
}

/// Whether a call is sent again if its answer was lost, or a coordinator was unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Sending it twice may have another effect than sending it once.
    Never,
    /// To the other coordinators. The caller may repeat it later.
    Elsewhere,
    /// To the other coordinators, and then for a while.
    Later,
}

const API: &[&str] = &["api", "v1"];

impl<T> Call<T> {
    fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            root: API,
            path: path.iter().map(|&part| part.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            // A URL drops these parts and characters, so that the call would be another one.
            unusable: path
                .iter()
                .find(|part| matches!(**part, "" | "." | "..") || part.contains(char::is_control))
                .map(|part| ClientError::InvalidName { name: (*part).to_owned() }),
            repeat: Repeat::Never,
            if_match: None,
            trace: None,
            answer: PhantomData,
        }
    }

    fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path).repeatable()
    }

    /// A `POST` whose body is an empty JSON object.
    fn post(path: &[&str]) -> Self {
        Self { body: Some(b"{}".to_vec()), ..Self::new(Method::POST, path) }
    }

    /// Sending it twice has the same effect and answer as sending it once.
    fn repeatable(self) -> Self {
        Self { repeat: Repeat::Elsewhere, ..self }
    }

    fn body(mut self, what: &'static str, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body = Some(body),
            Err(source) => self.unusable = Some(ClientError::Unserializable { what, source }),
        }
        self
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(super) fn with_option(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Makes the call part of a trace: tasks that it starts belong to that trace. With the feature
    /// `opentelemetry`, that of the current span is the default.
    #[must_use]
    pub fn in_trace(self, trace: Option<Trace>) -> Self {
        Self { trace, ..self }
    }

    /// Makes a change of a job only if the job is as the view shows it. Otherwise the call fails with
    /// [`ClientError::Changed`]. A change that was made once would fail like this if it were sent
    /// again, so it is not repeated.
    #[must_use]
    pub fn only_if(self, seen: &JobView) -> Self {
        self.if_match(Some(seen.etag()))
    }

    pub(super) fn if_match(self, tag: Option<String>) -> Self {
        match tag {
            Some(tag) => Self { if_match: Some(tag), repeat: Repeat::Never, ..self },
            None => self,
        }
    }

    pub(super) fn url(&self, server: &ServerUrl) -> Url {
        let path = self.path.iter().map(String::as_str);
        server.join(&self.root.iter().copied().chain(path).collect::<Vec<_>>())
    }

    /// The same call, with its answer read as another type.
    pub(super) fn cast<U>(self) -> Call<U> {
        let Self { method, root, path, query, body, unusable, repeat, if_match, trace, answer: _ } =
            self;
        let answer = PhantomData;
        Call { method, root, path, query, body, unusable, repeat, if_match, trace, answer }
    }

    /// The same page of a list, with another cursor.
    pub(super) fn page(&self, limit: usize, cursor: Option<&str>) -> Self {
        Self {
            method: self.method.clone(),
            root: self.root,
            path: self.path.clone(),
            query: self.query.clone(),
            body: None,
            unusable: None,
            repeat: self.repeat,
            if_match: self.if_match.clone(),
            trace: self.trace.clone(),
            answer: PhantomData,
        }
        .with("limit", limit)
        .with_option("cursor", cursor)
    }
}

/// Jobs.
impl Call<JobView> {
    /// Reads a job.
    pub fn job(name: &str) -> Self {
        Self::get(&["jobs", name])
    }

    /// Creates a job, or replaces the job of that name.
    pub fn save_job(name: &str, job: &JobDraft) -> Self {
        Self::new(Method::PUT, &["jobs", name]).body("job", job)
    }

    /// Creates a job that does not exist yet.
    pub fn create_job(job: &JobDraft) -> Self {
        Self::new(Method::POST, &["jobs"]).body("job", job)
    }

    /// Changes fields of an existing job: what the edit omits keeps its value, and `null` resets a
    /// field to its default.
    pub fn edit_job(name: &str, edit: &Map<String, Value>) -> Self {
        Self::new(Method::PATCH, &["jobs", name]).body("job", edit)
    }

    /// Gives the definition of a job back to the code that declares it.
    pub fn release_job(name: &str) -> Self {
        Self::post(&["jobs", name, "release"])
    }

    /// Saves an earlier version of a job again.
    pub fn restore_job(name: &str, revision: i64) -> Self {
        Self::post(&["jobs", name, "restore"]).body("revision", &RestoreRequest { revision })
    }

    /// Enables a job's schedule.
    pub fn enable_job(name: &str) -> Self {
        Self::post(&["jobs", name, "enable"]).repeatable()
    }

    /// Disables a job's schedule.
    pub fn disable_job(name: &str) -> Self {
        Self::post(&["jobs", name, "disable"]).repeatable()
    }
}

impl Call<Applied> {
    /// Saves several jobs: all of them, or none.
    pub fn apply_jobs(request: &ApplyRequest) -> Self {
        let call = Self::new(Method::PATCH, &["jobs"]).body("jobs", request);
        if request.dry_run { call.repeatable() } else { call }
    }
}

impl Call<()> {
    /// Deletes a job.
    pub fn delete_job(name: &str) -> Self {
        Self::new(Method::DELETE, &["jobs", name])
    }

    /// Deletes the job with this id, unless its name now means another one.
    pub fn delete_this_job(name: &str, id: i64) -> Self {
        Self::delete_job(name).with("id", id)
    }

    /// Ends a silence.
    pub fn unsilence(id: i64) -> Self {
        Self::new(Method::DELETE, &["alarms", "silences", &id.to_string()])
    }
}

impl Call<Fires> {
    /// The next fires of a job.
    pub fn next_fires(name: &str, count: u32) -> Self {
        Self::get(&["jobs", name, "next"]).with("count", count)
    }

    /// The fires of a cron expression after an instant, or from now on.
    pub fn preview(cron: &str, zone: Option<&str>, after: Option<Timestamp>, count: u32) -> Self {
        Self::get(&["schedule", "preview"])
            .with("cron", cron)
            .with_option("zone", zone)
            .with_option("after", after)
            .with("count", count)
    }
}

impl Call<Started> {
    /// Starts a task of a job.
    pub fn start(job: &str, request: &StartRequest) -> Self {
        let repeat = if request.key.is_some() { Repeat::Later } else { Repeat::Never };
        let call = Self::new(Method::POST, &["jobs", job, "start"]).body("start", request);
        Self { repeat, ..call }.in_trace(request.trace.clone())
    }

    /// Runs a task again that has ended.
    pub fn rerun(task: i64, request: &RerunRequest) -> Self {
        let path = ["tasks", &task.to_string(), "rerun"];
        let call = Self::new(Method::POST, &path).body("rerun", request);
        let repeat = if request.again { Repeat::Never } else { Repeat::Later };
        Self { repeat, ..call }.in_trace(request.trace.clone())
    }
}

impl Call<Backfilled> {
    /// Starts tasks for past fires of a job.
    pub fn backfill(job: &str, request: &BackfillRequest) -> Self {
        let repeat = if request.key.is_some() { Repeat::Later } else { Repeat::Never };
        let call = Self::new(Method::POST, &["jobs", job, "backfill"]).body("backfill", request);
        Self { repeat, ..call }
    }
}

/// Tasks.
impl Call<TaskView> {
    /// Reads a task.
    pub fn task(id: i64) -> Self {
        Self::get(&["tasks", &id.to_string()])
    }
}

impl Call<StopAnswer> {
    /// Stops a task.
    pub fn stop(task: i64) -> Self {
        Self::post(&["tasks", &task.to_string(), "stop"]).repeatable()
    }
}

impl Call<StatsView> {
    /// Reads statistics of tasks that ended.
    pub fn stats(query: &StatsQuery) -> Self {
        Self::get(&["stats"])
            .with_option("job", query.job.as_deref())
            .with_option("service", query.service.as_deref())
            .with_option("since", query.since)
            .with_option("until", query.until)
            .with_option("bucket", query.bucket.map(duration::to_text))
    }
}

impl Call<JobStatsView> {
    /// Reads which jobs failed most, ran longest, or ran most.
    pub fn job_stats(query: &JobStatsQuery) -> Self {
        Self::get(&["stats", "jobs"])
            .with_option("service", query.service.as_deref())
            .with_option("since", query.since)
            .with_option("until", query.until)
            .with("order", query.order)
            .with_option("limit", query.limit)
    }
}

impl Call<Overview> {
    /// Reads what happens at the moment, of all services or of one.
    pub fn overview(service: Option<&str>) -> Self {
        Self::get(&["overview"]).with_option("service", service)
    }
}

impl Call<About> {
    /// Reads how the coordinator that answers is set up.
    pub fn about() -> Self {
        Self::get(&["about"])
    }
}

impl Call<ScheduleView> {
    /// Reads when all jobs fire.
    pub fn schedule(query: &ScheduleQuery) -> Self {
        let call = Self::get(&["schedule"])
            .with_option("service", query.service.as_deref())
            .with_option("from", query.from)
            .with_option("until", query.until)
            .with_option("per_job", query.per_job)
            .with_option("limit", query.limit);
        query.labels.iter().fold(call, |call, label| call.with("label", label))
    }
}

impl Call<LogView> {
    /// Reads a piece of a task's log.
    pub fn log(task: i64, piece: &LogQuery) -> Self {
        Self::get(&["tasks", &task.to_string(), "log"])
            .with("offset", piece.offset)
            .with_option("shard", piece.shard)
            .with_option("attempt", piece.attempt)
            .with_option("limit", piece.limit)
            .with_option("wait", piece.wait.map(duration::to_text))
    }
}

impl Call<ExecutorView> {
    /// Reads an executor, by its name if only one service has an executor of that name, else by
    /// `service.name`.
    pub fn executor(name: &str) -> Self {
        Self::get(&["executors", name])
    }

    /// Drains an executor: it keeps what it holds, and gets no new attempts until it is resumed.
    pub fn drain_executor(name: &str) -> Self {
        Self { repeat: Repeat::Later, ..Self::post(&["executors", name, "drain"]) }
    }

    /// Lets a drained executor get attempts again.
    pub fn resume_executor(name: &str) -> Self {
        Self { repeat: Repeat::Later, ..Self::post(&["executors", name, "resume"]) }
    }
}

impl Call<HandlerView> {
    /// Reads a handler, by its name if only one service has a handler of that name, else by
    /// `service.handler`.
    pub fn handler(name: &str) -> Self {
        Self::get(&["handlers", name])
    }
}

/// Lists: each call reads one page.
impl<T> Call<Page<T>> {
    fn list(path: &[&str]) -> Self {
        Self::get(path)
    }
}

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident: $item:ty = [$($path:literal),*];)*) => {$(
        impl Call<Page<$item>> {
            $(#[$doc])*
            pub fn $name() -> Self {
                Self::list(&[$($path),*])
            }
        }
    )*};
}

lists! {
    /// Jobs, by name.
    jobs: JobView = ["jobs"];
    /// Tasks, newest first.
    tasks: TaskView = ["tasks"];
    /// Executors, by service and name.
    executors: ExecutorView = ["executors"];
    /// Handlers, by service and name.
    handlers: HandlerView = ["handlers"];
    /// The coordinators that share the store.
    nodes: NodeView = ["nodes"];
    /// Alarms, newest first.
    alarms: AlarmView = ["alarms"];
    /// The services, by name. All are on one page.
    services: ServiceView = ["services"];
    /// The channels of alarms. All are on one page.
    channels: ChannelView = ["alarms", "channels"];
    /// The silences in effect. All are on one page.
    silences: SilenceView = ["alarms", "silences"];
}

impl Call<Tested> {
    /// Sends a test message over a channel.
    pub fn test_channel(name: &str) -> Self {
        Self::post(&["alarms", "channels", name, "test"])
    }
}

impl Call<SilenceView> {
    /// Silences alarms for a while.
    pub fn silence(request: &SilenceRequest) -> Self {
        Self::new(Method::POST, &["alarms", "silences"]).body("silence", request)
    }
}

impl Call<Health> {
    /// Whether the process runs.
    pub fn alive() -> Self {
        Self { root: &[], ..Self::get(&["healthz"]) }
    }

    /// Whether the coordinator can do its work.
    pub fn ready() -> Self {
        Self { root: &[], ..Self::get(&["readyz"]) }
    }
}
