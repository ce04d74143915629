//! Examples that several operations share.

use serde_json::{Value, json};

/// A page with one item.
pub(super) fn page(item: Value) -> Value {
    json!({ "items": [item], "next_cursor": null })
}

/// A job as callers write it.
pub(super) fn draft() -> Value {
    json!({
        "name": "report",
        "service": "billing",
        "schedule": { "cron": "0 8 * * mon-fri", "zone": "Asia/Shanghai" },
        "timeout": "10m",
        "retry": { "count": 3, "delay": "30s" },
        "alarms": ["ops"],
        "labels": { "team": "billing" },
    })
}

/// The same job as it is shown.
pub(super) fn job() -> Value {
    json!({
        "id": 7,
        "revision": 2,
        "origin": "api",
        "created_at": "2026-11-23T00:00:00Z",
        "updated_at": "2026-11-24T09:30:00Z",
        "next_fire_at": "2026-11-25T00:00:00Z",
        "name": "report",
        "service": "billing",
        "handler": "report",
        "enabled": true,
        "labels": { "team": "billing" },
        "schedule": { "cron": "0 8 * * mon-fri", "zone": "Asia/Shanghai" },
        "misfire": "skip",
        "route": "round_robin",
        "shard": "one",
        "block": { "strategy": "serial", "scope": "executor", "max_waiting": 64 },
        "timeout": "10m",
        "grace": "10s",
        "retry": { "count": 3, "delay": "30s", "factor": 2.0, "max_delay": "5m", "jitter": 0.1 },
        "no_executor": "1m",
        "alarms": ["ops"],
        "alarm_when": { "starts_later": "1m" },
    })
}

/// A task that was retried.
pub(super) fn task() -> Value {
    json!({
        "id": 42,
        "job": "report",
        "service": "billing",
        "state": "succeeded",
        "cause": "schedule",
        "fire_at": "2026-11-24T00:00:00Z",
        "created_at": "2026-11-24T00:00:00.004Z",
        "started_at": "2026-11-24T00:00:00.012Z",
        "ended_at": "2026-11-24T00:01:12.5Z",
        "param": null,
        "result": "{\"rows\":1200}",
        "note": null,
        "parent": null,
        "attempts": [
            {
                "id": 42, "number": 1, "shard": 0, "shards": 1, "state": "failed",
                "reason": "error", "message": "the database did not answer",
                "executor": "billing-1", "progress": null,
                "due_at": "2026-11-24T00:00:00Z", "started_at": "2026-11-24T00:00:00.012Z",
                "ended_at": "2026-11-24T00:00:30Z",
            },
            {
                "id": 43, "number": 2, "shard": 0, "shards": 1, "state": "succeeded",
                "reason": null, "message": null, "executor": "billing-2", "progress": null,
                "due_at": "2026-11-24T00:01:00Z", "started_at": "2026-11-24T00:01:00.009Z",
                "ended_at": "2026-11-24T00:01:12.5Z",
            },
        ],
    })
}

/// An executor that is connected.
pub(super) fn executor() -> Value {
    json!({
        "name": "billing-1",
        "service": "billing",
        "state": "connected",
        "connected": true,
        "leaving": false,
        "drained": false,
        "incarnation": "0f8e6f1a-6c1c-4a39-9f0e-2f6a9f6a3c11",
        "address": "10.0.0.12:51234",
        "version": "0.1.0",
        "since": "2026-11-24T00:00:00Z",
        "last_seen": "2026-11-24T08:00:00Z",
        "lost_at": null,
        "lost_attempts": 0,
        "capacity": 64,
        "attempts": 3,
        "running": 2,
        "waiting": 1,
        "cpu": 0.25,
        "memory_free": 8_589_934_592_u64,
        "memory_total": 17_179_869_184_u64,
        "labels": { "zone": "a" },
        "handlers": { "report": "Sends the daily report" },
    })
}

/// A silence of a job.
pub(super) fn silence() -> Value {
    json!({
        "id": 3,
        "job": "billing.report",
        "channel": null,
        "until": "2026-11-24T10:00:00Z",
        "reason": "maintenance of the database",
        "created_at": "2026-11-24T08:00:00Z",
    })
}
