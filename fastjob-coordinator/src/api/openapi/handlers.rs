//! Handlers.

use fastjob_client::types::HandlerView;
use serde_json::{Value, json};

use super::{call::Call, examples, param::text};
use crate::api::Kind;

pub(super) fn calls() -> Vec<Call> {
    vec![list(), show()]
}

fn handler() -> Value {
    json!({
        "service": "billing",
        "handler": "report",
        "description": "Sends the daily report",
        "schema": {
            "type": "object",
            "properties": { "month": { "type": "string" } },
            "required": ["month"],
        },
        "executors": ["billing-1", "billing-2"],
        "executors_total": 2,
        "jobs": ["report"],
        "jobs_total": 1,
    })
}

fn list() -> Call {
    Call::get("/api/v1/handlers", "listHandlers", "List handlers")
        .about("Those of connected executors, and those that jobs use.")
        .query(text("service", "Only handlers of this service."))
        .query(text("text", "Only handlers whose name or description contains this."))
        .paged()
        .lists::<HandlerView>("A page of handlers.", examples::page(handler()))
}

fn show() -> Call {
    Call::get("/api/v1/handlers/{name}", "getHandler", "Show a handler")
        .of("name", "The handler: `service.handler`, or its name if that is unique.")
        .answers::<HandlerView>("The handler.", handler())
        .fails(Kind::AmbiguousName)
}
