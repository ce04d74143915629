//! The types read what newer coordinators send, and write what they read.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

#[track_caller]
fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn task() -> Value {
    json!({
        "id": 42, "job": "report", "service": "billing", "state": "failed", "cause": "api",
        "fire_at": null, "created_at": "2026-11-23T00:00:00Z",
        "started_at": "2026-11-23T00:00:01Z", "ended_at": "2026-11-23T00:00:02.25Z",
        "param": null, "result": null, "note": null, "parent": null,
        "attempts": [{
            "id": 42, "number": 1, "shard": 0, "shards": 1, "state": "failed",
            "reason": "timed out", "message": "over time", "executor": "executor-1",
            "progress": null, "due_at": "2026-11-23T00:00:00.001Z", "started_at": null,
            "ended_at": null,
        }],
    })
}

#[test]
fn a_task_is_written_as_it_was_read() {
    let view: TaskView = read(task());
    assert_eq!(serde_json::to_value(&view).unwrap(), task());
    assert_eq!(view.attempts[0].reason, Some(FailReason::TimedOut.into()));
    assert!(view.has_ended() && !view.has_succeeded());
}

#[test]
fn statistics_are_written_as_they_were_read() {
    let durations = json!({
        "count": 2, "mean_ms": 12.5, "p50_ms": 5, "p95_ms": 20, "p99_ms": 20, "max_ms": 20,
    });
    let tasks = json!({
        "succeeded": 1, "failed": 1, "stopped": 0, "skipped": 2, "run_time": durations,
        "wait": null, "lateness": null,
    });
    let mut item = tasks.clone();
    item["at"] = "2026-11-23T00:00:00Z".into();
    let stats = json!({
        "since": "2026-11-23T00:00:00Z", "until": "2026-11-23T01:00:00Z", "bucket": "1h",
        "items": [item], "total": tasks,
    });
    let view: StatsView = read(stats.clone());
    assert_eq!(serde_json::to_value(&view).unwrap(), stats);
    assert_eq!((view.total.ended(), view.items[0].tasks.ended()), (4, 4));
}

#[test]
fn fields_and_words_of_a_newer_coordinator_are_read() {
    let mut newer = task();
    newer["state"] = "abandoned".into();
    newer["cause"] = "webhook".into();
    newer["tenant"] = json!({ "id": 1 });
    newer["attempts"][0]["state"] = "parked".into();
    newer["attempts"][0]["reason"] = "out of memory".into();
    newer["attempts"][0]["node"] = "n1".into();
    let page: Page<TaskView> =
        read(json!({ "items": [newer], "next_cursor": null, "total": 1, "took_ms": 3 }));
    let task = &page.items[0];
    assert_eq!((task.state.as_str(), task.state.known()), ("abandoned", None));
    assert_eq!((task.cause.as_str(), task.attempts[0].state.as_str()), ("webhook", "parked"));
    // It has an end, so waiting for it ends.
    assert!(task.has_ended() && !task.has_succeeded());
}

#[test]
fn the_fields_that_an_older_coordinator_does_not_send_have_defaults() {
    let piece: LogView = read(json!({
        "attempt": 9, "offset": 0, "next_offset": 2, "text": "ab", "ended": true,
        "source": "executor",
    }));
    assert_eq!((piece.number, piece.shard, piece.shards), (1, 0, 1));
}

#[test]
fn a_request_with_an_unknown_field_is_rejected() {
    let unknown = json!({ "pram": 1 });
    assert!(serde_json::from_value::<StartRequest>(unknown.clone()).is_err());
    assert!(serde_json::from_value::<SilenceRequest>(unknown).is_err());
    let unknown = json!({ "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z" });
    assert!(serde_json::from_value::<BackfillRequest>(unknown).is_err());
}

#[test]
fn every_kind_of_problem_is_recognized_by_its_type() {
    for kind in ProblemKind::ALL {
        let details = ProblemDetails::new(kind, "why", Vec::new());
        let read: ProblemDetails = read(serde_json::to_value(&details).unwrap());
        assert_eq!((read.kind(), &read), (Some(kind), &details));
    }
    let newer: ProblemDetails = read(json!({
        "type": "urn:fastjob:problem:moved-house", "title": "Moved", "status": 410,
        "detail": "it moved", "problems": [], "moved_to": "there",
    }));
    assert_eq!((newer.kind(), newer.to_string().as_str()), (None, "it moved"));
    assert_eq!(newer.extensions["moved_to"], "there");
}

#[test]
fn the_json_is_the_same_to_the_byte() {
    let details = ProblemDetails::new(
        ProblemKind::Invalid,
        "key: it is empty",
        vec![InvalidField::new("key", "it is empty")],
    );
    assert_eq!(
        serde_json::to_string(&details).unwrap(),
        r#"{"type":"urn:fastjob:problem:invalid","title":"Invalid request","status":422,"#
            .to_owned()
            + r#""detail":"key: it is empty","problems":[{"field":"key","message":"it is empty"}]}"#
    );
    let view: TaskView = read(task());
    let text = serde_json::to_string(&view).unwrap();
    let start = r#"{"id":42,"job":"report","service":"billing","state":"failed","cause":"api","#;
    assert!(text.starts_with(start), "{text}");
    let attempt = r#""attempts":[{"id":42,"number":1,"shard":0,"shards":1,"state":"failed","#;
    assert!(text.contains(attempt) && text.contains(r#""reason":"timed out","message""#), "{text}");
    let answer = StopAnswer { stopped: true, state: TaskState::Stopping.into() };
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(text, r#"{"stopped":true,"state":"stopping"}"#);
}
