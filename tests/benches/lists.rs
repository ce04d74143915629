//! How long the lists of the API take when the store has millions of tasks.
//!
//! ```text
//! cargo bench -p fastjob-tests --bench lists -- [--store sqlite|postgres] [--tasks 1000000]
//!     [--jobs 1000] [--calls 200] [--cold 1] [--only TEXT]
//! ```
//!
//! A store is filled through SQL with N ended tasks of M jobs, which are spread over the last seven
//! days. Then each query of [`QUERIES`] is called over HTTP on this machine, one call at a time. Times
//! are from the request to the last byte of the response, as a client sees them.
//!
//! - **cold** is the first call after a start. Before that start the database server, if there is
//!   one, is restarted, and the files of the store are removed from the page cache of the operating
//!   system. `--cold 3` repeats this and shows the median; 0 leaves it out.
//! - **warm** are `--calls` further calls with changing jobs, tasks and instants, after five that
//!   are not measured; fewer calls if they take longer than 20 s.
//! - `items` is the number of items in the last response. A status other than 200 is shown, and does
//!   not end the bench.
//!
//! `--only` measures the queries whose name has this text. A line `query` per query is for programs;
//! all figures are also in `target/bench/lists.json`.

use std::time::{Duration, Instant};

use fastjob_tests::bench::{self, Args, Bench, Build, Fill, Kind, Percentiles, Summary};
use serde_json::{Value, json};

const USAGE: &str = "
lists [--store sqlite|postgres] [--tasks 1000000] [--jobs 1000] [--calls 200] [--cold 1]
      [--only TEXT]
";

/// The queries: name, and path. In a path, `{job}` is any job with its share of the tasks, `{busy}`
/// the job with a fifth of all, `{old}` one whose only tasks are the ten oldest, `{task}` any task and
/// `{old_task}` one that ended five days ago; `{after_job}` is a cursor of the list of jobs, and
/// `{hour}`, `{day}`, `{two_days}`, `{days}` and `{week}` are instants an hour, a day, two days, three days and
/// a week ago. The usual bucket of an hour is a minute, of a day a quarter of an hour, of two days half an
/// hour, and of a week two hours.
const QUERIES: &[(&str, &str)] = &[
    ("tasks", "/api/v1/tasks"),
    ("tasks, page of 500", "/api/v1/tasks?limit=500"),
    ("tasks, page in the middle", "/api/v1/tasks?cursor={task}"),
    ("tasks of a job", "/api/v1/tasks?job={job}"),
    ("tasks of a job, page in the middle", "/api/v1/tasks?job={job}&cursor={task}"),
    ("tasks of a busy job", "/api/v1/tasks?job={busy}"),
    ("tasks of a job without recent ones", "/api/v1/tasks?job={old}"),
    ("failed tasks", "/api/v1/tasks?state=failed"),
    ("failed tasks, page in the middle", "/api/v1/tasks?state=failed&cursor={task}"),
    ("skipped tasks", "/api/v1/tasks?state=skipped"),
    ("succeeded tasks", "/api/v1/tasks?state=succeeded"),
    ("running tasks", "/api/v1/tasks?state=running"),
    ("queued tasks", "/api/v1/tasks?state=queued"),
    ("failed tasks of a job", "/api/v1/tasks?job={job}&state=failed"),
    ("failed tasks of a busy job", "/api/v1/tasks?job={busy}&state=failed"),
    ("failed tasks of a job without recent ones", "/api/v1/tasks?job={old}&state=failed"),
    ("tasks of the last hour", "/api/v1/tasks?since={hour}"),
    ("failed tasks of the last day", "/api/v1/tasks?since={day}&state=failed"),
    ("tasks of a job of the last day", "/api/v1/tasks?since={day}&job={job}"),
    ("tasks of three days, page before them", "/api/v1/tasks?since={days}&cursor={old_task}"),
    ("oldest tasks", "/api/v1/tasks?order=oldest"),
    ("oldest tasks of a job", "/api/v1/tasks?order=oldest&job={job}"),
    ("oldest tasks of the last day", "/api/v1/tasks?order=oldest&since={day}"),
    ("tasks until three days ago", "/api/v1/tasks?until={days}"),
    ("failed tasks until three days ago", "/api/v1/tasks?until={days}&state=failed"),
    ("tasks of a job until three days ago", "/api/v1/tasks?until={days}&job={job}"),
    ("tasks of a service", "/api/v1/tasks?service=billing"),
    ("failed tasks of a service", "/api/v1/tasks?service=billing&state=failed"),
    ("failed and stopped tasks", "/api/v1/tasks?state=failed,stopped"),
    ("running and failed tasks", "/api/v1/tasks?state=running,failed"),
    ("tasks started over the API", "/api/v1/tasks?cause=api"),
    ("tasks of no executor", "/api/v1/tasks?executor=nobody"),
    ("failed tasks of no executor", "/api/v1/tasks?executor=nobody&state=failed"),
    ("tasks with a text in no error", "/api/v1/tasks?text=nowhere"),
    ("failed tasks with a text in no error", "/api/v1/tasks?text=nowhere&state=failed"),
    ("tasks that took an hour", "/api/v1/tasks?min_run_time=1h"),
    ("a job's longest tasks of an hour", "/api/v1/tasks?order=run_time&since={hour}&job={job}"),
    ("a job's failed tasks by run time", "/api/v1/tasks?order=run_time&state=failed&job={job}"),
    ("one task", "/api/v1/tasks/{task}"),
    ("jobs", "/api/v1/jobs"),
    ("jobs, page of 500", "/api/v1/jobs?limit=500"),
    ("jobs, page in the middle", "/api/v1/jobs?cursor={after_job}"),
    ("one job", "/api/v1/jobs/{job}"),
    ("statistics of an hour", "/api/v1/stats?since={hour}"),
    ("statistics of a day", "/api/v1/stats"),
    ("statistics of a week", "/api/v1/stats?since={week}"),
    ("statistics of a week by hour", "/api/v1/stats?since={week}&bucket=1h"),
    ("statistics of a week by day", "/api/v1/stats?since={week}&bucket=24h"),
    ("statistics of a job and a day", "/api/v1/stats?job={job}"),
    ("statistics of a job and a week", "/api/v1/stats?since={week}&job={job}"),
    ("statistics of a busy job and an hour", "/api/v1/stats?since={hour}&job={busy}"),
    ("statistics of a busy job and a day", "/api/v1/stats?job={busy}"),
    ("statistics of a busy job and a week", "/api/v1/stats?since={week}&job={busy}"),
    ("statistics of a service and an hour", "/api/v1/stats?since={hour}&service=billing"),
    ("statistics of a service and a day", "/api/v1/stats?service=billing"),
    ("statistics of a service and a week", "/api/v1/stats?since={week}&service=billing"),
    ("statistics of the last days by half an hour", "/api/v1/stats?since={two_days}"),
    ("statistics of a service by half an hour", "/api/v1/stats?since={two_days}&service=billing"),
];

/// Calls that are not measured.
const WARM_UP: usize = 5;
/// How long the calls of one query may take.
const AT_MOST: Duration = Duration::from_secs(20);
/// How many tasks are known to choose from.
const TASKS: usize = 500;

/// What placeholders are replaced with.
struct Values {
    fill: Fill,
    tasks: Vec<i64>,
}

/// The figures of one query.
struct Figures {
    name: &'static str,
    cold: Percentiles,
    warm: Percentiles,
    status: u16,
    items: usize,
}

fn main() {
    if bench::play_role() {
        return;
    }
    let values = ["--store", "--tasks", "--jobs", "--calls", "--cold", "--only"];
    let args = Args::of_process(USAGE, &values, &[]);
    let fill = Fill {
        jobs: args.number("--jobs", 1_000, (3, 1_000_000)),
        tasks: args.number("--tasks", 1_000_000, (1_000, 10_000_000)),
    };
    let calls = args.number("--calls", 200, (1, 100_000));
    let cold = args.number("--cold", 1, (0, 100));
    let only = args.text("--only").unwrap_or_default();
    let queries: Vec<_> = QUERIES.iter().filter(|(name, _)| name.contains(only)).collect();
    if queries.is_empty() {
        bench::refuse(&format!("--only: no query has `{only}` in its name"));
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(args.kind(), fill, &queries, (cold, calls)));
}

async fn measure(
    kind: Kind,
    fill: Fill,
    queries: &[&(&'static str, &'static str)],
    (cold, calls): (usize, usize),
) {
    let mut bench = Bench::prepare("lists", kind, &Build::this()).await;
    println!("{}: {} tasks of {} jobs", kind.name(), fill.tasks, fill.jobs);
    let started = Instant::now();
    bench.fill(fill).await;
    let pool = bench.store.pool().await;
    let values = Values { fill, tasks: fill.sample_of_tasks(&pool, TASKS).await };
    let last_jobs = fill.last_jobs(&pool);
    let mib = pool.mib().await;
    pool.close().await;
    println!("filled in {:.0} s, {mib} MiB", started.elapsed().as_secs_f64());

    let mut all: Vec<_> = queries
        .iter()
        .map(|query| Figures {
            name: query.0,
            cold: Percentiles::of(Vec::new()),
            warm: Percentiles::of(Vec::new()),
            status: 0,
            items: 0,
        })
        .collect();
    let caller = Caller::of(&bench);
    for (figures, (_, path)) in all.iter_mut().zip(queries) {
        let mut times = Vec::new();
        for nth in 0..cold {
            bench.kill_coordinators().await;
            bench.store.forget_pages().await;
            bench.start_coordinators();
            bench.loaded(&last_jobs).await;
            // Makes the connection, and reads nothing from the store.
            caller.call("/healthz").await;
            times.push(caller.call(&values.path(path, nth)).await.micros);
        }
        figures.cold = Percentiles::of(times);
    }
    if cold == 0 {
        bench.start_coordinators();
        bench.loaded(&last_jobs).await;
    }
    bench.pool = Some(bench.store.pool().await);
    let before = bench.snapshot().await;
    for (figures, (_, path)) in all.iter_mut().zip(queries) {
        let (until, mut times) = (Instant::now() + AT_MOST, Vec::new());
        for nth in 0..WARM_UP + calls {
            let called = caller.call(&values.path(path, nth)).await;
            (figures.status, figures.items) = (called.status, called.items);
            if nth >= WARM_UP {
                times.push(called.micros);
            }
            if Instant::now() > until && !times.is_empty() {
                break;
            }
        }
        figures.warm = Percentiles::of(times);
        println!("{figures}");
    }
    let usage = before.until(&bench.snapshot().await);
    println!("processors during the warm calls:\n{usage}");
    report(kind, fill, mib, &all);
}

struct Called {
    micros: i64,
    status: u16,
    items: usize,
}

/// Calls the first coordinator, over a connection that is kept.
struct Caller {
    client: reqwest::Client,
    url: String,
}

impl Caller {
    fn of(bench: &Bench) -> Self {
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        Self { client: client.build().expect("a client can be created"), url: bench.url() }
    }

    async fn call(&self, path: &str) -> Called {
        let started = Instant::now();
        let answer = self.client.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a whole answer");
        let micros = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let items = body["items"].as_array().map_or(usize::from(status == 200), Vec::len);
        Called { micros, status, items }
    }
}

impl Values {
    /// The path of the call with this number.
    fn path(&self, path: &str, nth: usize) -> String {
        // A step without a common divisor reaches everything, in an order that caches do not expect.
        let any = |count: usize| nth * 7_919 % count.max(1);
        let task = |n: usize| self.tasks.get(n).copied().unwrap_or(1).to_string();
        let ago = |hours: i64| {
            (fastjob_tests::now() - jiff::SignedDuration::from_hours(hours)).to_string()
        };
        let job = 2 + any(self.fill.jobs.saturating_sub(2));
        path.replace("{job}", &self.fill.path_of_job(job))
            .replace("{after_job}", &self.fill.cursor_of_job(job))
            .replace("{busy}", &self.fill.path_of_job(1))
            .replace("{old}", &self.fill.path_of_job(0))
            .replace("{old_task}", &task(self.tasks.len() / 4))
            .replace("{task}", &task(any(self.tasks.len())))
            .replace("{hour}", &ago(1))
            .replace("{day}", &ago(24))
            .replace("{two_days}", &ago(48))
            .replace("{days}", &ago(72))
            .replace("{week}", &ago(7 * 24))
    }
}

impl Figures {
    fn summary(&self) -> Summary {
        let cold = (self.cold.count() > 0).then(|| self.cold.at(0.5));
        Summary::new("query")
            .with("name", self.name)
            .with("status", self.status)
            .with("items", self.items)
            .with_some("cold_ms", cold)
            .with("calls", self.warm.count())
            .with("p50_ms", self.warm.at(0.5))
            .with("p99_ms", self.warm.at(0.99))
            .with("max_ms", self.warm.at(1.0))
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<42} {:>3} items  ", self.name, self.items)?;
        if self.cold.count() > 0 {
            write!(f, "cold {:>8.1} ms  ", self.cold.at(0.5))?;
        }
        let [p50, p99] = [0.5, 0.99].map(|part| self.warm.at(part));
        write!(f, "warm p50 {p50:>7.1} ms, p99 {p99:>7.1} ms")?;
        if self.status != 200 {
            write!(f, "  STATUS {}", self.status)?;
        }
        Ok(())
    }
}

fn report(kind: Kind, fill: Fill, mib: i64, all: &[Figures]) {
    let queries: Value = all.iter().map(|figures| figures.summary().to_json()).collect();
    bench::keep(
        "lists.json",
        &json!({
            "store": kind.name(), "tasks": fill.tasks, "jobs": fill.jobs, "store_mib": mib,
            "queries": queries, "machine": bench::machine(),
        }),
    );
    all.iter().for_each(|figures| println!("{}", figures.summary()));
    let slowest = all.iter().map(|figures| figures.warm.at(0.99)).fold(0.0, f64::max);
    let failed = all.iter().filter(|figures| figures.status != 200).count();
    let summary = Summary::new("summary")
        .with("bench", "lists")
        .with("store", kind.word())
        .with("tasks", fill.tasks)
        .with("jobs", fill.jobs)
        .with("slowest_p99_ms", slowest)
        .with("failed_queries", failed);
    println!("{summary}");
}
