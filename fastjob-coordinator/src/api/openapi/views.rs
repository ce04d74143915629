//! What the types of answers become as JSON fits their schemas: with all fields that may be missing,
//! and without them.

use fastjob_client::types::{
    AlarmView, AppliedJob, AttemptState, AttemptView, Cause, ChannelView, ExecutorState,
    ExecutorView, FailReason, FieldChange, FireView, JobActivity, JobDraft, JobEndView, JobView,
    LogView, NodeView, Page, ProgressView, Saved, ScheduleView, SilenceView, Started, TaskState,
    TaskView, Tested,
};
use fastjob_core::Job;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::tests::json as document;

/// Schemas that allow no field which they do not name.
struct Strict {
    schemas: boon::Schemas,
    compiler: boon::Compiler,
}

impl Strict {
    fn new() -> Self {
        let mut document = document();
        for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
            if !schema["properties"].is_null() && schema["additionalProperties"].is_null() {
                schema["additionalProperties"] = false.into();
            }
        }
        let mut compiler = boon::Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("file:///openapi.json", document).unwrap();
        Self { schemas: boon::Schemas::new(), compiler }
    }

    #[track_caller]
    fn check(&mut self, name: &str, value: &impl Serialize) {
        let place = format!("file:///openapi.json#/components/schemas/{name}");
        let schema = self.compiler.compile(&place, &mut self.schemas).unwrap();
        let json = serde_json::to_value(value).unwrap();
        if let Err(err) = self.schemas.validate(&json, schema) {
            panic!("{name}: {err:#}\n{json:#}");
        }
    }

    #[track_caller]
    fn rejects(&mut self, name: &str, value: &Value) {
        let place = format!("file:///openapi.json#/components/schemas/{name}");
        let schema = self.compiler.compile(&place, &mut self.schemas).unwrap();
        assert!(self.schemas.validate(value, schema).is_err(), "{name} accepts {value}");
    }
}

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// A job with its defaults, and one with everything.
fn drafts() -> [JobDraft; 2] {
    let full = json!({
        "name": "full", "service": "billing", "handler": "report", "description": "Reports",
        "param": { "month": 11 }, "enabled": false, "labels": { "team": "a" },
        "schedule": { "cron": "0 8 * * mon-fri", "zone": "Asia/Shanghai" },
        "start_at": "2026-01-01T00:00:00Z", "end_at": "2036-01-01T00:00:00Z", "jitter": "1m",
        "exclude": { "days": ["12-25"], "hours": ["22-6"] },
        "misfire": { "fire_all": { "max": 3, "window": "1h" } }, "route": { "specific": "e1" },
        "shard": { "dynamic": "zone = 'a'" }, "block": { "strategy": "serial", "max_waiting": 3 },
        "timeout": "10m", "grace": "5s", "retry": 2, "no_executor": "10m",
        "children": [{ "job": "a.b", "on": "failure", "pass_result": true }],
        "alarms": ["ops"], "alarm_when": { "runs_longer": "5m", "starts_later": "30s" },
    });
    [json!({ "name": "plain" }), full].map(|draft| {
        let draft: JobDraft = serde_json::from_value(draft).unwrap();
        JobDraft::from(&Job::try_from(draft).unwrap())
    })
}

#[test]
fn jobs_fit_their_schema() {
    let mut strict = Strict::new();
    for job in drafts() {
        strict.check("JobDraft", &job);
        strict.check("JobEdit", &job);
        let mut view = JobView {
            id: 1,
            revision: 2,
            origin: "api".to_owned(),
            created_at: AT,
            updated_at: AT,
            next_fire_at: None,
            activity: None,
            overrides: Vec::new(),
            declared: None,
            job: job.clone(),
        };
        strict.check("JobView", &view);
        let end =
            JobEndView { task: 1, state: TaskState::Failed.into(), started_at: None, ended_at: AT };
        view.next_fire_at = Some(AT);
        view.activity = Some(JobActivity { queued: None, running: Some(1), ends: vec![end] });
        view.overrides = texts(["alarms"]);
        view.declared = Some(Box::new(job));
        strict.check("JobView", &view);
        strict.check("JobPage", &Page::new(vec![view], Some("next".to_owned())));
    }
    let change = FieldChange { field: "retry".to_owned(), from: None, to: Some(3.into()) };
    let mut applied = AppliedJob {
        job: "a.b".to_owned(),
        saved: Saved::Unchanged.into(),
        changes: Vec::new(),
        origin: "code".to_owned(),
        was_code: false,
        ignored: Vec::new(),
    };
    strict.check("AppliedJob", &applied);
    (applied.changes, applied.was_code) = (vec![change.clone()], true);
    applied.ignored = vec![FieldChange { from: change.to, to: change.from, ..change }];
    strict.check("AppliedJob", &applied);
}

#[test]
fn requests_with_an_unknown_field_or_word_do_not_fit() {
    let mut strict = Strict::new();
    strict.rejects("JobDraft", &json!({}));
    strict.rejects("JobDraft", &json!({ "name": "a", "schedul": "none" }));
    strict.rejects("JobDraft", &json!({ "name": "a", "route": "rando" }));
    strict.rejects("JobDraft", &json!({ "name": "a", "retry": -1 }));
    strict.rejects("JobDraft", &json!({ "name": "a", "schedule": { "cron": 1 } }));
    strict.rejects("StartRequest", &json!({ "params": 1 }));
    strict.rejects("BackfillRequest", &json!({}));
    strict.rejects("SilenceRequest", &json!({ "span": "1h" }));
    strict.check("JobEdit", &json!({ "timeout": null, "retry": 3, "origin": "code" }));
    strict.check("ApplyRequest", &json!({ "jobs": [{ "name": "a", "labels": { "x": null } }] }));
}

#[test]
fn tasks_and_logs_fit_their_schema() {
    let mut strict = Strict::new();
    let mut attempt = AttemptView {
        id: 1,
        number: 1,
        shard: 0,
        shards: 1,
        state: AttemptState::Planned.into(),
        reason: None,
        message: None,
        executor: None,
        progress: None,
        waits_for: None,
        due_at: AT,
        started_at: None,
        ended_at: None,
    };
    let plain = attempt.clone();
    attempt.reason = Some(FailReason::TimedOut.into());
    (attempt.message, attempt.executor) = (Some("late".to_owned()), Some("e1".to_owned()));
    attempt.progress = Some(ProgressView { done: 1, total: 2, note: "x".to_owned() });
    attempt.waits_for = Some("an executor".to_owned());
    (attempt.started_at, attempt.ended_at) = (Some(AT), Some(AT));
    let mut task = TaskView {
        id: 1,
        job: "a".to_owned(),
        service: "b".to_owned(),
        state: TaskState::Queued.into(),
        cause: Cause::Api.into(),
        fire_at: None,
        created_at: AT,
        started_at: None,
        ended_at: None,
        param: None,
        result: None,
        note: None,
        parent: None,
        reruns: None,
        trace_id: None,
        rerun_by: None,
        unanswered: None,
        attempts: Vec::new(),
    };
    strict.check("TaskView", &task);
    task.attempts = vec![plain, attempt];
    (task.fire_at, task.started_at, task.ended_at) = (Some(AT), Some(AT), Some(AT));
    let text = || Some("text".to_owned());
    (task.param, task.result, task.note, task.unanswered) = (text(), text(), text(), text());
    (task.parent, task.reruns, task.rerun_by) = (Some(1), Some(2), Some(3));
    task.trace_id = text();
    strict.check("TaskView", &task);
    let mut page = Page::new(vec![task], None);
    (page.searched_to, page.unanswered) = (Some(AT), texts(["http://n2:7070"]));
    page.total = Some(1);
    strict.check("TaskPage", &page);
    let mut log = LogView {
        attempt: 1,
        number: 1,
        shard: 0,
        shards: 0,
        offset: 0,
        next_offset: 1,
        text: "a".to_owned(),
        ended: false,
        source: "tail".to_owned(),
        note: None,
    };
    strict.check("LogView", &log);
    log.note = text();
    strict.check("LogView", &log);
    let mut started = Started { task: 1, created: true, state: None };
    strict.check("Started", &started);
    started.state = Some(TaskState::Running.into());
    strict.check("Started", &started);
}

#[test]
fn what_is_seen_of_a_cluster_fits_its_schema() {
    let mut strict = Strict::new();
    let mut executor = ExecutorView {
        name: "e1".to_owned(),
        service: "a".to_owned(),
        state: ExecutorState::Connected.into(),
        connected: true,
        leaving: false,
        drained: false,
        incarnation: String::new(),
        address: "10.0.0.1:1".to_owned(),
        version: "0.1.0".to_owned(),
        since: AT,
        last_seen: None,
        lost_at: None,
        lost_attempts: 0,
        capacity: 1,
        attempts: 0,
        running: 0,
        waiting: 0,
        cpu: 0.5,
        memory_free: 1,
        memory_total: u64::MAX,
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        handlers: [("report".to_owned(), String::new())].into(),
        unanswered: Vec::new(),
    };
    strict.check("ExecutorView", &executor);
    (executor.last_seen, executor.lost_at) = (Some(AT), Some(AT));
    executor.unanswered = texts(["http://n2:7070"]);
    strict.check("ExecutorView", &executor);
    let mut node = NodeView {
        id: "n1".to_owned(),
        address: "http://n1:7070".to_owned(),
        version: "0.1.0".to_owned(),
        since: AT,
        partitions: 0,
        answers: false,
        state: "alive".to_owned(),
        lease_left_ms: None,
        clock_offset_ms: None,
    };
    strict.check("NodeView", &node);
    (node.lease_left_ms, node.clock_offset_ms) = (Some(1), Some(-1));
    strict.check("NodeView", &node);
    let mut fire =
        FireView { at: AT, job: "a".to_owned(), service: "b".to_owned(), zone: None, more: false };
    let mut schedule =
        ScheduleView { from: AT, until: AT, items: vec![fire.clone()], cut_at: None };
    strict.check("ScheduleView", &schedule);
    (fire.zone, fire.more) = (Some("UTC".to_owned()), true);
    schedule.items.push(fire);
    schedule.cut_at = Some(AT);
    strict.check("ScheduleView", &schedule);
}

#[test]
fn alarms_fit_their_schema() {
    let mut strict = Strict::new();
    let mut alarm = AlarmView {
        id: 1,
        kind: "failed".to_owned(),
        job: "a.b".to_owned(),
        task: None,
        channel: "ops".to_owned(),
        state: "waiting".to_owned(),
        tries: 0,
        last_error: None,
        reason: String::new(),
        message: String::new(),
        executor: None,
        attempts: 0,
        at: AT,
        done_at: None,
    };
    strict.check("AlarmView", &alarm);
    (alarm.task, alarm.done_at) = (Some(1), Some(AT));
    (alarm.last_error, alarm.executor) = (Some(String::new()), Some(String::new()));
    strict.check("AlarmView", &alarm);
    let channel = ChannelView {
        name: "ops".to_owned(),
        kind: "email".to_owned(),
        group_wait: "30s".to_owned(),
        group_interval: "5m".to_owned(),
        default_for: Vec::new(),
    };
    strict.check("ChannelView", &channel);
    let silence = SilenceView {
        id: 1,
        job: None,
        channel: None,
        until: AT,
        reason: String::new(),
        created_at: AT,
    };
    strict.check("SilenceView", &silence);
    strict.check("Tested", &Tested { sent: true, error: None });
}
