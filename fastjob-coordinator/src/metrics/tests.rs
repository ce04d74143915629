//! What a scrape shows, read by a strict parser and by Prometheus's own tool, and whether the page,
//! the alert rules and the dashboard name only metrics that exist.

mod deploy;
mod openmetrics;

use std::{process::Stdio, time::Duration};

use fastjob_core::{ChannelName, Job, JobDraft};
use fastjob_engine::{
    Command, Condition, Config, Effects, Engine, Event, GoneWhy, Limits, Now, SaveMode,
    record::{Loaded, Origin},
};
use jiff::{SignedDuration, Timestamp};

use self::openmetrics::{Exposition, Kind};
use super::*;

/// A node that has done something of everything.
pub(super) fn busy() -> Metrics {
    let metrics = Metrics::new(1, About { node: "n\"\\\n1".to_owned(), store: "sqlite" });
    let mut engine = engine_with_jobs(&["a", "b"]);
    let _held = metrics.engines.enter(&engine.gauges());
    metrics.take(engine.tally());
    metrics.commits.written(2, 30, 4_000, Duration::from_micros(1_500));
    metrics.commits.failed();
    metrics.commits.begin();
    metrics.sessions.lost(GoneWhy::Disconnected);
    let channel: ChannelName = "ops".parse().unwrap();
    metrics.alarms.of(&channel).sent.fetch_add(3, std::sync::atomic::Ordering::Relaxed);
    metrics.uploads.kept(100, 20);
    let requests = &metrics.requests;
    requests.answered(Some("/api/v1/jobs/{name}"), "GET", 200, Duration::from_millis(2));
    requests.answered(Some("/api/v1/jobs/{name}"), "BREW", 405, Duration::from_millis(2));
    requests.answered(None, "GET", 404, Duration::ZERO);
    requests.refused(Refused("wrong_token"));
    metrics
}

/// An engine in which each of these jobs has a task that was skipped, because no task may be open.
fn engine_with_jobs(names: &[&str]) -> Engine {
    let wall = Timestamp::from_second(1_800_000_000).unwrap();
    let mut now = Now { wall, uptime: Duration::ZERO };
    let limits =
        Limits { open: fastjob_engine::OpenLimit::new(0, 1 << 30).into(), ..Limits::default() };
    let config = Config {
        executor_lost: Duration::from_secs(10),
        seed: 1,
        lease: Default::default(),
        partitions: 1,
        since: wall,
        job_quota: Default::default(),
        traces: None,
    };
    let mut engine = Engine::new(config, limits, Loaded::default(), now);
    engine.count_by_job();
    let mut effects = Effects::default();
    for name in names {
        let draft = format!(
            r#"{{"name": "{name}", "service": "s", "handler": "h", "schedule": {{"fixed_rate": "1s"}}}}"#
        );
        let draft: JobDraft = serde_json::from_str(&draft).unwrap();
        let job = Box::new(Job::try_from(draft).unwrap());
        let (answer, _wait) = tokio::sync::oneshot::channel();
        let (mode, condition) = (SaveMode::Replace, Condition::Unconditional);
        let save = Command::Save { job, mode, origin: Origin::Api, condition, answer };
        engine.handle(now, Event::Command(save), &mut effects);
    }
    for _ in 0..30 {
        now.wall += SignedDuration::from_millis(100);
        now.uptime += Duration::from_millis(100);
        engine.handle(now, Event::Tick, &mut effects);
        engine.flush(&mut effects);
        for (id, _) in std::mem::take(&mut effects.commits) {
            engine.handle(now, Event::Committed(vec![id]), &mut effects);
        }
    }
    engine
}

fn scraped(metrics: &Metrics, format: Format) -> String {
    let observed = Observed { now: 1_800_000_010_000, partitions: 1, ..Observed::default() };
    metrics.exposition(format, observed).unwrap()
}

fn exposition(metrics: &Metrics) -> Exposition {
    openmetrics::parse(&scraped(metrics, Format::OpenMetrics))
}

#[test]
fn an_exposition_is_strict_openmetrics() {
    let shown = exposition(&busy());
    assert_eq!(shown.value("fastjob_http_requests_total", &[("status", "4xx")]), 2.0);
    assert_eq!(shown.value("fastjob_http_requests_total", &[("method", "other")]), 1.0);
    assert_eq!(shown.value("fastjob_requests_refused_total", &[("reason", "wrong_token")]), 1.0);
    assert_eq!(shown.value("fastjob_store_written_bytes_total", &[]), 4_000.0);
    assert_eq!(shown.value("fastjob_store_transaction_seconds_count", &[]), 1.0);
    assert_eq!(shown.value("fastjob_alarms_sent_total", &[("channel", "ops")]), 3.0);
    assert_eq!(shown.value("fastjob_build_info", &[("node", "n\"\\\n1")]), 1.0);
    assert_eq!(shown.kind("fastjob_lateness_seconds"), Some(Kind::Histogram));
    // A node that has done nothing has the same families.
    let quiet = exposition(&Metrics::new(1, About::default()));
    assert_eq!(quiet.families(), shown.families());
}

#[test]
fn the_same_names_are_in_the_older_text_format() {
    let text = scraped(&busy(), Format::Text);
    for line in [
        "fastjob_requests_refused_total{reason=\"wrong_token\"} 1",
        "fastjob_store_written_bytes_total 4000",
        "# TYPE fastjob_lateness_seconds histogram",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn jobs_beyond_the_limit_count_together() {
    let shown = exposition(&busy());
    let skipped = |job| {
        shown.value("fastjob_job_tasks_ended_total", &[("job_name", job), ("state", "skipped")])
    };
    let all = shown.value("fastjob_tasks_ended_total", &[("state", "skipped")]);
    assert!(skipped("other") > 0.0 && skipped("other") < all, "{all}");
    let named = ["s.a", "s.b"]
        .map(|job| shown.series("fastjob_job_tasks_ended_total", &[("job_name", job)]));
    assert_eq!(named.iter().sum::<usize>(), 4, "one job has its own series");
    assert_eq!(shown.value("fastjob_tasks_over_limit_total", &[]), all);
    assert!(shown.value("fastjob_fires_total", &[("result", "planned")]) >= all);

    let metrics = Metrics::default();
    metrics.take(engine_with_jobs(&["a"]).tally());
    assert_eq!(exposition(&metrics).kind("fastjob_job_tasks_ended"), None, "0 counts none by job");
}

#[test]
fn what_an_engine_holds_no_longer_counts_once_it_has_ended() {
    let metrics = Metrics::default();
    let engine = engine_with_jobs(&[]);
    let gauges = fastjob_engine::Gauges { running: 7, unwritten: 5, ..engine.gauges() };
    let running = |metrics: &Metrics| {
        exposition(metrics).value("fastjob_attempts_open", &[("state", "running")])
    };
    let (first, second) = (metrics.engines.enter(&gauges), metrics.engines.enter(&gauges));
    assert_eq!(running(&metrics), 14.0);
    drop(first);
    assert_eq!(running(&metrics), 7.0);
    assert_eq!(exposition(&metrics).value("fastjob_journal_rows_waiting", &[]), 5.0);
    drop(second);
    assert_eq!(running(&metrics), 0.0);
}

#[test]
fn two_nodes_of_one_process_share_nothing() {
    let (busy, other) = (busy(), Metrics::default());
    assert!(exposition(&busy).value("fastjob_store_commits_total", &[]) > 0.0);
    assert_eq!(exposition(&other).value("fastjob_store_commits_total", &[]), 0.0);
}

/// Runs Prometheus's tool, where there is one. `scripts/test` unpacks it where it can.
fn promtool(arguments: &[&str], input: &str) {
    use std::io::Write as _;
    let mut tool = std::process::Command::new("promtool");
    tool.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut tool) = tool.spawn() else {
        // Also shown for a test that passes, unlike what `println` writes.
        let mut err = std::io::stderr();
        writeln!(err, "promtool is not installed: {arguments:?} was not run").unwrap();
        return;
    };
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = tool.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(done.status.success(), "{arguments:?}: {}", said.join("\n"));
}

#[test]
fn the_tool_of_prometheus_finds_no_fault_in_the_exposition() {
    promtool(&["check", "metrics"], &scraped(&busy(), Format::Text));
}
