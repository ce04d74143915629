//! Statistics of tasks.

use fastjob_client::types::StatsView;
use serde_json::json;

use super::{
    call::Call,
    param::{instant, span, text},
};

pub(super) fn calls() -> Vec<Call> {
    vec![show()]
}

fn show() -> Call {
    let durations = json!({
        "count": 12, "mean_ms": 5230.5, "p50_ms": 4608, "p95_ms": 9216, "p99_ms": 9216,
        "max_ms": 8714,
    });
    let tasks = json!({
        "succeeded": 11, "failed": 1, "stopped": 0, "skipped": 0, "run_time": durations,
        "wait": durations, "lateness": null,
    });
    let mut bucket = tasks.clone();
    bucket["at"] = "2026-11-24T08:00:00Z".into();
    let example = json!({
        "since": "2026-11-24T08:00:00Z", "until": "2026-11-24T09:00:00Z", "bucket": "1h",
        "items": [bucket], "total": tasks,
    });
    Call::get("/api/v1/stats", "getStats", "Show how many tasks ended, and how long they took")
        .query(text("job", "Only tasks of this job."))
        .query(text("service", "Only tasks of this service; alternative to `job`."))
        .query(instant("since", "The first instant; a day before `until` if omitted."))
        .query(instant("until", "The end, exclusive; now if omitted."))
        .query(span(
            "bucket",
            "The length of a bucket: whole minutes, above an hour whole hours. At most 1,500 \
             buckets; about 100 if omitted.",
        ))
        .answers::<StatsView>("All buckets, and their sum.", example)
        .fails(crate::api::Kind::NotFound)
        .fails(crate::api::Kind::AmbiguousName)
}
