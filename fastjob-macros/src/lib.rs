//! The `#[job]` attribute: turns a struct or an `async fn` into a handler with a name.
//!
//! The macro parses (`args` with the table in `known`, `item`, `value`), checks, and generates code
//! (`expand`). It detects only obvious mistakes at compile time, at the tokens that cause them; the
//! rest is checked when an executor starts. The annotated item is kept even after a mistake, so
//! that one error does not cause a dozen others.
//!
//! Use it through `fastjob_executor::job`; the generated code refers to that crate only.

mod args;
mod async_trait;
mod expand;
mod item;
mod known;
mod value;

use proc_macro::TokenStream;

/// Turns a struct or an `async fn` into a handler.
///
/// The name identifies the handler, and is also the name of its default job.
///
/// # On a struct
///
/// The struct implements `JobHandler` itself. Without fields it is discovered automatically:
///
/// ```ignore
/// use fastjob_executor::{JobContext, JobHandler, JobResult, job};
///
/// /// Says hello.
/// #[job("demoJobHandler", cron = "0/10 * * * * ?")]
/// struct Demo;
///
/// impl JobHandler for Demo {
///     async fn execute(&self, ctx: &JobContext) -> JobResult {
///         ctx.log("hello");
///         Ok("done".into())
///     }
/// }
/// ```
///
/// A struct with fields has state: pass its value to the builder, `.handler(Mailer { smtp })`. An
/// executor without that value logs a warning at start. A generic struct is not discovered.
///
/// # On an `async fn`
///
/// ```ignore
/// /// Writes the report of a month.
/// #[job("report", retry = 3, timeout = "10m")]
/// async fn report(ctx: &JobContext, month: Month) -> Result<Report, ReportError> {
///     ctx.log(format_args!("{month:?}"));
///     Report::of(month).await
/// }
/// ```
///
/// - The arguments are, in any order and all optional: the context, `ctx: &JobContext`; any number of
///   states, `db: State<Db>`, which the service passes to `Builder::state`; and one param, of any
///   type that serde deserializes. A param that does not have the type fails the task without
///   retry.
/// - It returns nothing, `JobResult`, or `Result<T, E>`: `T` is a `JobOutput` or any type that
///   serde serializes, and `E` is any type that converts into a `JobError`, as every error,
///   `anyhow::Error`, `&str` and `String` do.
/// - It is still a plain function, so tests can call it, and `.handler(report)` registers it where
///   discovery is off.
///
/// # The schema of the param
///
/// If the type of the param implements `JsonSchema` of the crate `schemars` (1.x), its schema is
/// registered with the handler. The coordinator then rejects a param that does not fit, and people
/// get a form for it. The type of an `async fn`'s param is known; a struct names it with
/// `param_type`. Without the trait nothing is checked.
///
/// # Arguments
///
/// All arguments except the name are optional. They define the handler's default job. When an
/// executor registers, the coordinator creates the job, or updates it to this definition. People may
/// enable and disable the job and set its alarms, and it still follows the code in everything else.
/// Once a person has edited any other setting, the code no longer changes the job, until
/// `fastjob job release` gives it back. A job that a person deleted stays deleted.
///
/// They have the same names as in a job file. A table there has fields here:
/// `block = { scope = "cluster" }` is written `block(scope = "cluster")`.
///
/// | Argument | Meaning |
/// |---|---|
/// | `description = "…"` | for users; the first paragraph of the doc comment if omitted |
/// | `service = "billing"` | only executors of this service host the handler; any service if omitted |
/// | `cron = "0 0 2 * * ?"` | when it fires: 5, 6 or 7 fields, or `@daily` and the like |
/// | `zone = "Europe/Paris"` | the time zone of `cron`; UTC if omitted |
/// | `fixed_rate = "30s"` | fires at this interval |
/// | `fixed_delay = "30s"` | fires this long after the end of the last task |
/// | `once = "2030-01-01T00:00:00Z"` | fires at this instant |
/// | `start_at = "2030-01-01T00:00:00Z"`, `end_at = "…"` | no fires before, and after; needs a schedule, as do the next two |
/// | `jitter = "10m"` | spreads fires over this long |
/// | `exclude(days = ["sun", "12-25"], hours = ["22-6"])` | days and hours without fires; without `cron` it may have its own `zone` |
/// | `enabled = false` | the schedule does not fire until a user enables the job |
/// | `param = "…"` | the param of tasks that are started without one |
/// | `retry = 3` | maximum number of retries |
/// | `retry(count = 3, delay = "5s", factor = 2.0, max_delay = "5m", jitter = 0.1)` | also sets the delay before the first retry, its growth factor, its maximum, and its random part |
/// | `retry_delay = "5s"` | with `retry = 3`, the same as `delay` |
/// | `timeout = "10m"` | maximum duration of an attempt |
/// | `grace = "10s"` | time between the stop token and the abort |
/// | `misfire = "fire_once"` | what happens to missed fires: `skip`, `fire_once`, `fire_all` |
/// | `misfire(fire_all(max = 10, window = "1h"))` | also sets the maximum number of tasks and the maximum age of a fire |
/// | `block = "serial"` | while another attempt runs: `serial`, `skip_new`, `replace_running`, `parallel` |
/// | `block(strategy = "parallel", scope = "cluster", max_waiting = 100, max_running = 4)` | also sets the scope, `executor` or `cluster`, and the bounds |
/// | `route = "round_robin"` | which executor gets an attempt: `random`, `consistent_hash`, `least_scheduled`, `memory_first`, `cpu_first`, `response_first`, `failover`, `first`, `last`, `least_recently_used`, `idle_first` |
/// | `route(specific = "executor-1")` | this executor only |
/// | `shard = "all"` | one shard on every executor; `one` if omitted |
/// | `shard(count = 8)`, `shard(dynamic = "region in (eu, us)")` | a fixed number of shards, or one on each executor that matches the filter |
/// | `no_executor = "60s"` | how long to wait for an executor |
/// | `children = ["mail"]` | jobs of the same service to start when a task has succeeded |
/// | `children(success = ["mail"], failure = ["page"], always = ["audit"], pass_result = true)` | also those to start when it has failed, or in both cases; whether the task's result becomes their param |
/// | `alarms = ["ops"]` | channels to notify when a task failed permanently, recovered, ran too long or started too late |
/// | `alarm_when(runs_longer = "1h", starts_later = "5m")` | after which time an attempt runs too long, and a task starts too late |
/// | `labels(team = "billing")` | for users and filters; a key may also be a string |
/// | `param_type = Month` | the type that a struct's handler parses its param into, for its JSON schema |
/// | `crate = "renamed"` | the path of `fastjob_executor`, where it has another name |
///
/// At most one of `cron`, `fixed_rate`, `fixed_delay` and `once` is allowed.
///
/// # Errors
///
/// Unknown and duplicate arguments, values of the wrong type or form, and items that cannot be
/// handlers do not compile. Values that only FastJob's rules can check (the fields of a cron
/// expression, a time zone, a filter, a bound) fail the executor's start, with an error that names
/// the handler.
#[proc_macro_attribute]
pub fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::job(args.into(), item.into()).into()
}

/// Does nothing: a handler needs no such attribute. It exists for code that is written as if
/// `JobHandler` were a trait of the crate `async-trait`.
///
/// It is accepted on implementations of `JobHandler` and `Middleware` only. For traits of your own,
/// import the attribute of the crate `async-trait`.
#[proc_macro_attribute]
pub fn async_trait(args: TokenStream, item: TokenStream) -> TokenStream {
    async_trait::check(args.into(), item.into()).into()
}
