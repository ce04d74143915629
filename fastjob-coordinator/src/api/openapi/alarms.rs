//! Alarms, channels and silences.

use fastjob_client::types::{AlarmView, ChannelView, SilenceRequest, SilenceView, Tested};
use serde_json::json;
use utoipa::openapi::ResponseBuilder;

use super::{call::Call, examples, param::text};
use crate::api::Kind;

pub(super) fn calls() -> Vec<Call> {
    vec![list(), silences(), silence(), unsilence(), channels(), test()]
}

fn list() -> Call {
    let alarm = json!({
        "id": 12,
        "kind": "failed",
        "job": "billing.report",
        "task": 42,
        "channel": "ops",
        "state": "sent",
        "tries": 1,
        "last_error": null,
        "reason": "timed out",
        "message": "the attempt ran longer than 10m",
        "executor": "billing-1",
        "attempts": 4,
        "at": "2026-11-24T00:42:00Z",
        "done_at": "2026-11-24T00:42:01Z",
    });
    Call::get("/api/v1/alarms", "listAlarms", "List past alarms, the newest first")
        .query(text("job", "Only alarms of this job."))
        .query(text("channel", "Only alarms on this channel."))
        .query(text(
            "text",
            "Only alarms with this in the name of their job, their reason, message or executor, or in \
             the last error of sending them. Upper and lower case are equal. A page looks at 20,000 \
             alarms at most: then it has `searched_to`.",
        ))
        .paged()
        .lists::<AlarmView>("A page of alarms.", examples::page(alarm))
        .fails(Kind::NotFound)
        .fails(Kind::AmbiguousName)
}

fn silences() -> Call {
    Call::get("/api/v1/alarms/silences", "listSilences", "List the silences that have not ended")
        .lists::<SilenceView>("All silences, oldest first.", examples::page(examples::silence()))
}

fn silence() -> Call {
    let request =
        json!({ "job": "billing.report", "for": "2h", "reason": "maintenance of the database" });
    let created = ResponseBuilder::new().description("The silence.");
    Call::post("/api/v1/alarms/silences", "createSilence", "Silence a job, a channel, or both")
        .about("Needs a `job`, a `channel` or both, and `for` or `until`.")
        .body::<SilenceRequest>(request)
        .answers_with::<SilenceView>("201", created, examples::silence())
        .leads_to("id", "$response.body#/id", &["endSilence"])
        .fails(Kind::NotFound)
        .fails_if(Kind::Conflict, "There are too many silences, or the name is ambiguous.")
}

fn unsilence() -> Call {
    Call::delete("/api/v1/alarms/silences/{id}", "endSilence", "End a silence")
        .of("id", "The silence.")
        .empty("204", "It has ended.")
}

fn channels() -> Call {
    let channel = json!({
        "name": "ops", "kind": "webhook", "group_wait": "30s", "group_interval": "5m",
        "default_for": ["billing"],
    });
    Call::get("/api/v1/alarms/channels", "listChannels", "List the channels of alarms")
        .lists::<ChannelView>("All channels.", examples::page(channel))
        .leads_to("name", "$response.body#/items/0/name", &["testChannel"])
}

fn test() -> Call {
    Call::post("/api/v1/alarms/channels/{name}/test", "testChannel", "Send a test message")
        .of("name", "The channel.")
        .answers::<Tested>(
            "Whether it was accepted.",
            json!({ "sent": false, "error": "connection refused" }),
        )
}
