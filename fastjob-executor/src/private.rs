//! Support code for `#[job]`; not for other use.
//!
//! This is not a public API: the macro and this file always have the same version.

use std::{any::TypeId, sync::Arc};

pub use fastjob_core::JobHandler;
use fastjob_core::{
    JobContext, JobError, JobOutput, JobResult,
    job::{
        AlarmWhenDraft, BlockDraft, ChildDraft, FireAllDraft, JobDraft, MisfireDraft, RetryDraft,
        RouteDraft, ScheduleDraft, ShardDraft, WordOr,
    },
};
pub use inventory;
use serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    handler::{DynHandler, Running},
    registration::Registration,
    registry::{Declaration, Declared},
    signal::Stop,
    state::{FromStates, MissingState, States},
};

/// A draft under construction; each method is an argument of `#[job]`.
#[derive(Default)]
pub struct Draft {
    job: JobDraft,
    schedule: Option<ScheduleDraft>,
    retry: Option<RetryDraft>,
    fire_all: Option<FireAllDraft>,
    block: Option<BlockDraft>,
    shard: Option<ShardDraft>,
    pass_result: Option<bool>,
}

macro_rules! setters {
    ($($name:ident($self:ident, $value:ident: $type:ty) $body:expr;)*) => {$(
        #[must_use]
        pub fn $name(mut $self, $value: $type) -> Self {
            $body = Some($value.into());
            $self
        }
    )*};
}

macro_rules! words {
    ($($name:ident)*) => {$(
        #[must_use]
        pub fn $name(mut self, word: &str) -> Self {
            self.job.$name = Some(WordOr::Word(word.to_owned()));
            self
        }
    )*};
}

impl Draft {
    /// Starts the default job of the handler `name`. The job has the same name.
    pub fn new(name: &str) -> Self {
        let handler = Some(name.to_owned());
        let job = JobDraft { name: name.to_owned(), handler, ..JobDraft::default() };
        Self { job, ..Self::default() }
    }

    setters! {
        description(self, text: &str) self.job.description;
        service(self, name: &str) self.job.service;
        cron(self, text: &str) self.schedule.get_or_insert_default().cron;
        zone(self, name: &str) self.schedule.get_or_insert_default().zone;
        fixed_rate(self, period: &str) self.schedule.get_or_insert_default().fixed_rate;
        fixed_delay(self, period: &str) self.schedule.get_or_insert_default().fixed_delay;
        once(self, instant: &str) self.schedule.get_or_insert_default().once;
        start_at(self, instant: &str) self.job.start_at;
        end_at(self, instant: &str) self.job.end_at;
        jitter(self, longest: &str) self.job.jitter;
        exclude_zone(self, name: &str) self.job.exclude.get_or_insert_default().zone;
        enabled(self, enabled: bool) self.job.enabled;
        retry(self, count: u32) self.retry.get_or_insert_default().count;
        retry_count(self, count: u32) self.retry.get_or_insert_default().count;
        retry_delay(self, delay: &str) self.retry.get_or_insert_default().delay;
        retry_factor(self, factor: f64) self.retry.get_or_insert_default().factor;
        retry_max_delay(self, delay: &str) self.retry.get_or_insert_default().max_delay;
        retry_jitter(self, part: f64) self.retry.get_or_insert_default().jitter;
        timeout(self, longest: &str) self.job.timeout;
        grace(self, grace: &str) self.job.grace;
        no_executor(self, wait: &str) self.job.no_executor;
        misfire_fire_all_max(self, most: u32) self.fire_all.get_or_insert_default().max;
        misfire_fire_all_window(self, age: &str) self.fire_all.get_or_insert_default().window;
        block_strategy(self, word: &str) self.block.get_or_insert_default().strategy;
        block_scope(self, word: &str) self.block.get_or_insert_default().scope;
        block_max_waiting(self, most: u32) self.block.get_or_insert_default().max_waiting;
        block_max_running(self, most: u32) self.block.get_or_insert_default().max_running;
        shard_count(self, count: u32) self.shard.get_or_insert_default().count;
        shard_dynamic(self, filter: &str) self.shard.get_or_insert_default().dynamic;
        alarm_when_runs_longer(self, time: &str) self.alarm_when().runs_longer;
        alarm_when_starts_later(self, time: &str) self.alarm_when().starts_later;
        children_pass_result(self, passes: bool) self.pass_result;
    }

    fn alarm_when(&mut self) -> &mut AlarmWhenDraft {
        self.job.alarm_when.get_or_insert_default()
    }

    fn add_children(mut self, jobs: &[&str], on: Option<&str>) -> Self {
        let on = on.map(str::to_owned);
        let children = owned(jobs).into_iter();
        let children = children.map(|job| ChildDraft { job, on: on.clone(), pass_result: None });
        self.job.children.extend(children);
        self
    }

    #[must_use]
    pub fn children(self, jobs: &[&str]) -> Self {
        self.add_children(jobs, None)
    }

    #[must_use]
    pub fn children_success(self, jobs: &[&str]) -> Self {
        self.add_children(jobs, Some("success"))
    }

    #[must_use]
    pub fn children_failure(self, jobs: &[&str]) -> Self {
        self.add_children(jobs, Some("failure"))
    }

    #[must_use]
    pub fn children_always(self, jobs: &[&str]) -> Self {
        self.add_children(jobs, Some("always"))
    }

    #[must_use]
    pub fn alarms(mut self, channels: &[&str]) -> Self {
        self.job.alarms = owned(channels);
        self
    }

    #[must_use]
    pub fn param(mut self, text: &str) -> Self {
        self.job.param = text.into();
        self
    }

    words! { misfire block route shard }

    #[must_use]
    pub fn route_specific(mut self, executor: &str) -> Self {
        self.job.route = Some(WordOr::Table(RouteDraft { specific: executor.to_owned() }));
        self
    }

    #[must_use]
    pub fn exclude_days(mut self, days: &[&str]) -> Self {
        self.job.exclude.get_or_insert_default().days = owned(days);
        self
    }

    #[must_use]
    pub fn exclude_hours(mut self, hours: &[&str]) -> Self {
        self.job.exclude.get_or_insert_default().hours = owned(hours);
        self
    }

    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.job.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Returns the draft.
    pub fn done(self) -> JobDraft {
        let Self { mut job, schedule, retry, fire_all, block, shard, pass_result } = self;
        for child in &mut job.children {
            child.pass_result = pass_result;
        }
        let misfire = fire_all.map(|fire_all| WordOr::Table(MisfireDraft { fire_all }));
        job.misfire = misfire.or(job.misfire);
        job.block = block.map(WordOr::Table).or(job.block);
        job.shard = shard.map(WordOr::Table).or(job.shard);
        JobDraft { schedule: schedule.map(WordOr::Table), retry, ..job }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// How a handler is created.
pub type Make = fn(&States) -> Result<Arc<dyn DynHandler>, MissingState>;

/// A stateful handler cannot be created here, but its type must be a handler.
pub const fn stateful<T: JobHandler>() -> Option<Make> {
    None
}

/// The handler of a struct without state.
pub fn from_struct<T: JobHandler>(handler: T) -> Result<Arc<dyn DynHandler>, MissingState> {
    Ok(Arc::new(handler))
}

struct FnHandler<F>(F);

impl<F> DynHandler for FnHandler<F>
where
    F: for<'a> Fn(&'a JobContext) -> Running<'a> + Send + Sync + 'static,
{
    fn call<'a>(&'a self, ctx: &'a JobContext) -> Running<'a> {
        (self.0)(ctx)
    }
}

/// The handler of an `async fn`.
pub fn from_fn<F>(call: F) -> Arc<dyn DynHandler>
where
    F: for<'a> Fn(&'a JobContext) -> Running<'a> + Send + Sync + 'static,
{
    Arc::new(FnHandler(call))
}

/// Names a function, whose type has no name.
pub fn type_of<F: 'static>(_: &F) -> TypeId {
    TypeId::of::<F>()
}

/// A state that an `async fn` takes as an argument, and how it is cloned for an attempt. So that only
/// [`state`] needs to know that the type is a state, and a wrong type is one error of the compiler.
pub struct Fetched<S> {
    state: S,
    clone: fn(&S) -> S,
}

impl<S> Fetched<S> {
    /// A clone for one attempt.
    pub fn again(&self) -> S {
        (self.clone)(&self.state)
    }
}

/// Finds a state.
pub fn state<S: FromStates>(states: &States) -> Result<Fetched<S>, MissingState> {
    Ok(Fetched { state: S::from_states(states)?, clone: S::clone })
}

/// Parses the param of an `async fn`. An invalid param is a permanent error: a retry would not
/// help.
pub fn param<T: DeserializeOwned>(ctx: &JobContext, handler: &str) -> Result<T, JobError> {
    ctx.param().map_err(|err| {
        JobError::fatal(format!("handler `{handler}`: {}", JobError::from(err).message()))
    })
}

/// The result of an `async fn` that returns nothing.
pub fn nothing() -> JobResult {
    Ok(JobOutput::default())
}

/// A `Result`; a trait only to customize the compiler's error for other types.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "not a `Result`",
    note = "a job returns nothing, `JobResult`, or `Result<T, E>` where `T` is `JobOutput` or \
            serializes, and `E` converts into `JobError`"
)]
pub trait Returned<T, E> {
    fn result(self) -> Result<T, E>;
}

impl<T, E> Returned<T, E> for Result<T, E> {
    fn result(self) -> Self {
        self
    }
}

/// Converts the value that an `async fn` returned.
pub fn returned<T, E: Into<JobError>>(returned: impl Returned<T, E>) -> Result<T, JobError> {
    returned.result().map_err(Into::into)
}

/// Finds out whether the type of a param has a JSON schema. Method resolution picks the specific method
/// first, if the type has one; the method on the reference accepts every type.
pub mod schema {
    use std::marker::PhantomData;

    /// A type of which only the traits matter.
    pub struct Probe<T>(PhantomData<fn() -> T>);

    impl<T> Probe<T> {
        #[expect(clippy::new_without_default, reason = "only the macro makes one")]
        pub const fn new() -> Self {
            Self(PhantomData)
        }
    }

    pub trait HasSchema {
        fn __fastjob_schema(&self) -> Option<String>;
    }

    #[cfg(feature = "schema")]
    impl<T: schemars::JsonSchema> HasSchema for Probe<T> {
        fn __fastjob_schema(&self) -> Option<String> {
            let settings = schemars::generate::SchemaSettings::draft2020_12().for_deserialize();
            let schema = settings.into_generator().into_root_schema_for::<T>();
            match serde_json::to_string(&schema) {
                Ok(json) => Some(json),
                Err(err) => {
                    let ty = std::any::type_name::<T>();
                    tracing::warn!(ty, %err, "the JSON schema of a param is not registered");
                    None
                }
            }
        }
    }

    pub trait NoSchema {
        fn __fastjob_schema(&self) -> Option<String> {
            None
        }
    }

    impl<T> NoSchema for &Probe<T> {}
}

/// Distinguishes a `JobOutput` from a value that is converted into one. Method resolution picks the
/// specific method first; the method on the reference accepts every type.
pub mod kind {
    use super::{JobOutput, JobResult, Serialize};

    pub struct Output;
    pub struct Json;

    pub trait OutputKind {
        fn __fastjob_kind(&self) -> Output {
            Output
        }
    }

    impl OutputKind for JobOutput {}

    pub trait JsonKind {
        fn __fastjob_kind(&self) -> Json {
            Json
        }
    }

    impl<T> JsonKind for &T {}

    impl Output {
        pub fn output(self, output: JobOutput) -> JobResult {
            Ok(output)
        }
    }

    impl Json {
        pub fn output<T: Serialize>(self, value: T) -> JobResult {
            JobOutput::json(&value)
        }
    }
}
