//! What happens at the moment.

use fastjob_client::types::{About, Changed, Counts, Overview, ServiceView, TaskView};
use serde_json::json;
use utoipa::openapi::{Content, ResponseBuilder, schema::Type};

use super::{
    call::Call,
    examples,
    param::{text, texts, typed},
};

pub(super) fn calls() -> Vec<Call> {
    vec![overview(), events(), services(), about()]
}

fn overview() -> Call {
    let example = json!({
        "at": "2026-11-24T08:00:00Z",
        "tasks": { "queued": 3, "running": 12 },
        "jobs": { "total": 120, "enabled": 118, "failing": 1 },
        "executors": {
            "connected": 4, "draining": 0, "drained": 0, "disconnected": 0, "lost": 1,
            "capacity": 256, "attempts": 12, "running": 12,
        },
        "attention": [{
            "kind": "failing", "job": "billing.report", "service": "billing", "task": 42,
            "executor": null, "since": "2026-11-24T00:01:12.5Z", "count": 1,
            "message": "the last task failed: the database did not answer",
        }],
        "attention_more": false,
    });
    Call::get("/api/v1/overview", "getOverview", "Show what happens, and what needs attention")
        .query(text("service", "Only this service."))
        .answers::<Overview>("The overview.", example)
}

fn events() -> Call {
    let counts = json!({
        "at": "2026-11-24T08:00:00Z", "queued": 3, "running": 12, "ended": 1900, "failed": 7,
        "executors": 4, "alarms": 2,
    });
    let mut stream = Content::new(Some(typed(Type::String)));
    stream.description = Some(
        "Events, each with JSON. `counts` with `Counts`: first, and when they change, at most twice a \
         second. `changed` with `Changed`: which lists are outdated, after the store has the change, \
         at most once a second. `task` with a `TaskView` without its param and result, and with at \
         most 100 attempts: for each task that the request names, at once, and when its state, its \
         progress or what it waits for changes, at most once a second. `bye` with `{}`, as the last \
         one: when the coordinator stops, when the session of a browser ends, and when nothing more \
         can be read. A stream that ends without it was cut off. Comments in between keep the \
         connection alive."
            .to_owned(),
    );
    let example = format!(
        "retry: 2000\nevent: counts\ndata: {counts}\n\nevent: changed\ndata: {{\"tasks\":true}}\n\n"
    );
    stream.example = Some(example.into());
    let answer = ResponseBuilder::new()
        .description("Events, until `bye`. Then connect again: the first events say everything.")
        .content("text/event-stream", stream);
    Call::get("/api/v1/events", "followEvents", "Follow what happens")
        .about("For a page that stays open: 500 streams at most per coordinator.")
        .query(texts("tasks", "Also the changes of these tasks, at most 100."))
        .query(text("service", "Counts only the tasks of this service."))
        .responds(answer)
        .with::<Counts>()
        .with::<Changed>()
        .with::<TaskView>()
}

fn services() -> Call {
    let service = json!({
        "service": "billing", "jobs": 12, "enabled": 11, "executors": 2, "queued": 0, "running": 3,
    });
    Call::get("/api/v1/services", "listServices", "List services")
        .paged()
        .lists::<ServiceView>("All services, on one page.", examples::page(service))
}

fn about() -> Call {
    let example = json!({
        "version": "0.1.0",
        "store": "postgres",
        "started_at": "2026-11-24T00:00:00Z",
        "now": "2026-11-24T08:00:00Z",
        "node": "6d1f2a70-4f0a-4f5e-9c9a-0b1c2d3e4f50",
        "cluster": true,
        "token": true,
        "logs": false,
        "problems": [],
    });
    Call::get("/api/v1/about", "getAbout", "Show how the coordinator that answers is set up")
        .answers::<About>("The coordinator.", example)
}
