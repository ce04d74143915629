//! The `#[job]` attribute: what turns a struct or an `async fn` into a handler with a name.
//!
//! The macro reads (`args` by the table in `known`, `item`, `value`), checks, and writes (`expand`). It decides nothing
//! about jobs: what it can see to be wrong is a compile error at the words that are wrong, and the
//! rest is judged when an executor starts. A mistake never swallows the annotated item, so that one
//! error is reported and not a dozen.
//!
//! Use it through `fastjob_executor::job`; what it writes refers to that crate alone.

mod args;
mod expand;
mod item;
mod known;
mod value;

use proc_macro::TokenStream;

/// Makes a handler of a struct or an `async fn`.
///
/// The name is how the coordinator knows the handler, and the name of its default job.
///
/// # On a struct
///
/// The struct implements `JobHandler` itself. Without fields it is found by itself:
///
/// ```ignore
/// use fastjob_executor::{JobContext, JobHandler, JobResult, async_trait, job};
///
/// /// Says hello.
/// #[job("demoJobHandler", cron = "0/10 * * * * ?")]
/// struct Demo;
///
/// #[async_trait]
/// impl JobHandler for Demo {
///     async fn execute(&self, ctx: &JobContext) -> JobResult {
///         ctx.log("hello");
///         Ok("done".into())
///     }
/// }
/// ```
///
/// A struct with fields has state: give its value to the builder, `.handler(Mailer { smtp })`. An
/// executor that does not get one warns about it at start. A generic struct is not looked for.
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
/// - The arguments are nothing, `ctx: &JobContext`, or `ctx: &JobContext` and the param, of any
///   type that serde deserializes. A param that is not of the type fails the task without retry.
/// - It returns nothing, `JobResult`, or `Result<T, E>`: `T` is a `JobOutput` or anything that
///   serde serializes, `E` anything that converts into a `JobError`, as every error does.
/// - It remains a plain function, for its tests.
///
/// # Arguments
///
/// Apart from the name all are optional. They are the job's default definition, from which the
/// coordinator creates the job if there is none of that name; an existing one is left as it is.
///
/// They are called what they are called in a file of jobs, and what is a table there has fields here:
/// `block = { scope = "cluster" }` is written `block(scope = "cluster")`.
///
/// | Argument | Meaning |
/// |---|---|
/// | `description = "…"` | for people; the first paragraph of the doc comment if left out |
/// | `service = "billing"` | only executors of this service host the handler; any if left out |
/// | `cron = "0 0 2 * * ?"` | when it fires: 5, 6 or 7 fields, or `@daily` and the like |
/// | `zone = "Europe/Paris"` | the time zone of `cron`; UTC if left out |
/// | `fixed_rate = "30s"` | fires every so often |
/// | `fixed_delay = "30s"` | fires so long after the end of the last task |
/// | `once = "2030-01-01T00:00:00Z"` | fires at this instant |
/// | `start_at = "2030-01-01T00:00:00Z"`, `end_at = "…"` | no fires before, and after; goes with a schedule, as do the next two |
/// | `jitter = "10m"` | spreads fires over this long |
/// | `exclude(days = ["sun", "12-25"], hours = ["22-6"])` | days and hours without fires, with a `zone` of its own where there is no `cron` |
/// | `enabled = false` | the schedule does not fire until somebody enables the job |
/// | `param = "…"` | what a task gets that is started without a param of its own |
/// | `retry = 3` | how often an attempt that failed is tried again |
/// | `retry(count = 3, delay = "5s", factor = 2.0, max_delay = "5m", jitter = 0.1)` | with the delay before the first retry, what each further one is multiplied by, the longest, and the part that chance decides |
/// | `retry_delay = "5s"` | beside `retry = 3`, the same as `delay` |
/// | `timeout = "10m"` | longest run of an attempt |
/// | `grace = "10s"` | between the stop token and the abort |
/// | `misfire = "fire_once"` | about fires that were missed: `skip`, `fire_once`, `fire_all` |
/// | `misfire(fire_all(max = 10, window = "1h"))` | with the most tasks, and how old a fire may be |
/// | `block = "serial"` | while another attempt runs: `serial`, `skip_new`, `replace_running`, `parallel` |
/// | `block(strategy = "parallel", scope = "cluster", max_waiting = 100, max_running = 4)` | with its scope, `executor` or `cluster`, and its bounds |
/// | `route = "round_robin"` | which executor gets an attempt: `random`, `consistent_hash`, `least_scheduled`, `memory_first`, `cpu_first`, `response_first`, `failover`, `first`, `last`, `least_recently_used`, `idle_first` |
/// | `route(specific = "executor-1")` | this one and no other |
/// | `shard = "all"` | a part of the task on every executor; `one` if left out |
/// | `shard(count = 8)`, `shard(dynamic = "region in (eu, us)")` | so many parts, or one on each executor that the filter names |
/// | `no_executor = "60s"` | how long to wait for an executor |
/// | `labels(team = "billing")` | for people and filters; a key may also be a text |
///
/// At most one of `cron`, `fixed_rate`, `fixed_delay` and `once` is given. What only those who run
/// the service can know has no argument: which jobs are children, and whom to alarm.
///
/// # Errors
///
/// Unknown and doubled arguments, values of the wrong type or shape, and items that cannot be
/// handlers do not compile. What only the rules of FastJob can judge (the fields of a cron
/// expression, a time zone, a filter, a bound) fails the executor's start, with an error that names
/// the handler.
#[proc_macro_attribute]
pub fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::job(args.into(), item.into()).into()
}
