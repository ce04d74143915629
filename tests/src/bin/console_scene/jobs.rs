//! Jobs that people saved over the API, beside those that the handlers declare.

use fastjob_client::types::{ApplyRequest, SilenceRequest};
use serde_json::{Map, Value, json};

use crate::stage::Stage;

/// Jobs of one call, at most.
const AT_ONCE: usize = 5_000;

/// Saves the jobs and the silences.
pub(crate) async fn save(stage: &Stage) {
    let jobs = [
        json!({"name": "charge-cards-retry-queue", "service": "billing", "handler": "charge-cards",
            "description": "Charges again what failed during the day",
            "schedule": {"cron": "0 0 22 * * ?", "zone": "America/New_York"},
            "jitter": "10m", "misfire": "fire_once", "labels": {"team": "billing", "env": "prod"},
            "retry": {"count": 5, "delay": "30s", "factor": 2.0, "max_delay": "10m", "jitter": 0.2},
            "block": {"strategy": "serial", "scope": "cluster", "max_waiting": 10},
            "alarms": ["ops-chat"], "alarm_when": {"runs_longer": "10m", "starts_later": "2m"}}),
        json!({"name": "invoice-preview", "service": "billing", "handler": "invoice-run",
            "description": "<b>Preview</b> of the invoices & totals",
            "param": {"month": "2026-12", "customers": 400, "dry_run": true, "pause_ms": 250},
            "labels": {"team": "billing"}}),
        json!({"name": "orders-to-lake", "service": "reports", "handler": "export-csv",
            "description": "订单导出到数据湖", "param": {"table": "orders", "rows": 8_000_000, "seconds": 600},
            "schedule": {"cron": "0 15 3 ? * MON-FRI", "zone": "Asia/Shanghai"},
            "exclude": {"days": ["sat", "sun", "10-01..10-07"], "hours": ["12-13:30"]},
            "route": "least_scheduled", "timeout": "2h", "labels": {"team": "analytics", "env": "prod"}}),
        json!({"name": "cube-of-all-sales", "service": "reports", "handler": "rebuild-cube",
            "description": "Writes a log of 100,000 lines", "param": 100_000, "timeout": "10m"}),
        json!({"name": "black-friday", "service": "reports", "handler": "daily-sales",
            "schedule": {"once": "2029-11-23T06:00:00Z"}, "param": {"currency": "USD", "regions": ["us"]}}),
        json!({"name": "sales-of-last-year", "service": "reports", "handler": "daily-sales",
            "enabled": false, "schedule": {"cron": "0 0 7 1 1 ?"},
            "description": "Disabled since the new reports"}),
        json!({"name": "stock-by-region", "service": "sync", "handler": "sync-inventory",
            "shard": {"dynamic": "region in (eu, us)"}, "schedule": {"fixed_rate": "45s"},
            "labels": {"team": "logistics"}}),
        json!({"name": "one-push-at-a-time", "service": "sync", "handler": "push-orders",
            "block": {"strategy": "skip_new", "scope": "cluster"}, "grace": "2s", "labels": {"team": "logistics"}}),
        json!({"name": "a-name-that-is-as-long-as-names-of-jobs-become-where-each-carries-its-department",
            "service": "sync", "handler": "sync-customers", "enabled": false,
            "description": "A description that is so long that no table has the room for it, so that it \
                            has to be cut somewhere without hiding what comes after it in the row"}),
        json!({"name": "nightly-ledger", "service": "ledger", "handler": "close-ledger",
            "description": "Its service has no executor", "schedule": {"fixed_rate": "30s"},
            "no_executor": "10m", "labels": {"team": "finance"}}),
        json!({"name": "ledger-archive", "service": "ledger", "handler": "archive-ledger",
            "no_executor": "1s", "alarms": ["oncall-pager"], "labels": {"team": "finance"}}),
        json!({"name": "renamed-handler", "service": "search", "handler": "reindex-v1",
            "description": "No executor has its handler any more", "no_executor": "1s"}),
    ];
    apply(stage, jobs.to_vec()).await;
    let silences = [
        json!({"job": "billing.dunning-mail", "for": "2h", "reason": "the mail server is being moved"}),
        json!({"job": "search.learn-words", "channel": "ops-chat", "for": "7d", "reason": "known"}),
    ];
    for silence in silences {
        let silence: SilenceRequest = serde_json::from_value(silence).expect("a silence");
        stage.rest.client().silence(&silence).await.expect("it is silenced");
    }
}

/// Runs as many tasks per second, of as many jobs of a service of their own.
pub(crate) async fn storm(stage: &mut Stage, tasks: usize) {
    stage.start("storm", "storm-1", "eu", 500_000);
    let numbers: Vec<usize> = (1..=tasks).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let jobs = numbers.iter().map(|number| {
            json!({"name": format!("drop-{number:05}"), "service": "storm", "handler": "drop",
                "schedule": {"fixed_rate": "1s"}, "block": "parallel"})
        });
        apply(stage, jobs.collect()).await;
    }
}

async fn apply(stage: &Stage, jobs: Vec<Value>) {
    let object = |job: Value| {
        let Value::Object(job) = job else { panic!("not a job: {job}") };
        job
    };
    let jobs: Vec<Map<String, Value>> = jobs.into_iter().map(object).collect();
    let request = ApplyRequest { jobs, replace: true, dry_run: false };
    stage.rest.client().apply_jobs(&request).await.expect("the jobs are saved");
}
