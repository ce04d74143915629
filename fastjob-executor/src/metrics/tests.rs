//! What a service reads of its executor.

use fastjob_core::{
    FailReason,
    attempt::End::{Failed, Stopped, Succeeded},
};

use super::*;

fn metrics() -> ExecutorMetrics {
    let metrics = ExecutorMetrics::default();
    metrics.describe("billing", "executor-1", 7, ["report", "idle"].into_iter());
    metrics
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

#[test]
fn attempts_count_by_handler_outcome_and_run_time() {
    let metrics = metrics();
    metrics.ended("report", Succeeded, at(10), at(13));
    metrics.ended("report", Succeeded, at(10), at(10));
    metrics.ended("report", Failed(FailReason::TimedOut), at(0), at(100_000_000));
    metrics.ended("report", Stopped, at(10), at(5)); // a clock was set back
    metrics.ended("unknown", Succeeded, at(0), at(1));
    metrics.not_entered();
    let now = metrics.snapshot();
    assert_eq!(now.handlers.len(), 2, "all handlers, and no other");
    let HandlerMetrics { ended, run_time } = &now.handlers["report"];
    assert_eq!(*ended, BTreeMap::from([("succeeded", 2), ("stopped", 1), ("timed_out", 1)]));
    assert_eq!((run_time.count, run_time.sum), (4, Duration::from_millis(100_000_003)));
    let filled: Vec<_> = run_time.buckets.iter().filter(|(_, count)| *count > 0).collect();
    let ms = Duration::from_millis;
    assert_eq!(filled, [&(ms(1), 2), &(ms(5), 1), &(Duration::MAX, 1)]);
    assert_eq!(
        now.handlers["idle"],
        HandlerMetrics {
            run_time: now.handlers["idle"].run_time.clone(),
            ..HandlerMetrics::default()
        }
    );
    assert_eq!((now.not_entered, now.capacity), (1, 7));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_connection_ends_when_a_session_opens() {
    const NEVER: Duration = Duration::from_secs(3600);
    let metrics = ExecutorMetrics::default();
    let connected = tokio::time::timeout(NEVER, metrics.connected());
    let opening = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        metrics.session()
    };
    let (connected, session) = tokio::join!(connected, opening);
    connected.unwrap();
    // While one is open, it ends at once.
    metrics.connected().await;
    drop(session);
    tokio::time::timeout(NEVER, metrics.connected()).await.unwrap_err();
}

#[test]
fn a_session_counts_while_it_is_open() {
    let metrics = metrics();
    let first = metrics.session();
    let second = metrics.session();
    drop(first);
    metrics.session_failed();
    let now = metrics.snapshot();
    assert_eq!((now.sessions, now.sessions_opened, now.sessions_failed), (1, 2, 1));
    drop(second);
    assert_eq!(metrics.snapshot().sessions, 0);
}

#[test]
fn what_is_held_is_read_from_the_executor_while_it_runs() {
    let metrics = metrics();
    assert_eq!(metrics.snapshot().running, 0);
    metrics.read_from(|| Some(Held { running: 3, waiting: 2, outbox: 9 }));
    let now = metrics.snapshot();
    assert_eq!((now.running, now.waiting, now.outbox), (3, 2, 9));
}

#[cfg(feature = "metrics")]
mod in_a_registry {
    use std::collections::BTreeSet;

    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    fn exposition(metrics: &ExecutorMetrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn the_metrics_are_in_the_registry_of_the_service() {
        let metrics = metrics();
        metrics.ended("report", Succeeded, at(0), at(1_500));
        let text = exposition(&metrics);
        for line in [
            "fastjob_executor_attempts_ended_total{handler=\"report\",outcome=\"succeeded\"} 1",
            "fastjob_executor_run_time_seconds_sum{handler=\"report\"} 1.5",
            "fastjob_executor_run_time_seconds_bucket{le=\"+Inf\",handler=\"report\"} 1",
            "fastjob_executor_capacity 7",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    /// `docs/metrics.md` has the same table as the tests of the coordinator compare.
    #[test]
    fn the_page_has_every_metric_of_an_executor_and_no_other() {
        let metrics = metrics();
        let exposed: BTreeSet<_> = exposition(&metrics)
            .lines()
            .filter_map(|line| {
                let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
                Some(match kind {
                    "counter" => format!("{name}_total"),
                    "info" => format!("{name}_info"),
                    _ => name.to_owned(),
                })
            })
            .collect();
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let documented = page.lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("| `")?.split_once('`')?;
            name.starts_with("fastjob_executor_").then(|| name.to_owned())
        });
        assert_eq!(documented.collect::<BTreeSet<_>>(), exposed);
    }
}
