//! Tasks, and their logs.

use fastjob_client::types::{
    Cause, FailReason, LogView, ProblemDetails, RerunRequest, Started, StopAnswer, TaskOrder,
    TaskState, TaskView,
};
use serde_json::json;
use utoipa::openapi::{Content, Ref, ResponseBuilder, schema::Type};

use super::{
    call::{Call, with_example},
    examples,
    param::{instant, long, number, span, text, texts, typed, word, words},
};
use crate::api::Kind;

pub(super) fn calls() -> Vec<Call> {
    vec![list(), show(), stop(), rerun(), log()]
}

fn list() -> Call {
    let states = TaskState::ALL.map(TaskState::as_str);
    let causes = Cause::ALL.map(Cause::as_str);
    let reasons = FailReason::ALL.map(FailReason::as_str);
    let orders = TaskOrder::ALL.map(TaskOrder::as_str);
    Call::get("/api/v1/tasks", "listTasks", "List tasks")
        .about(
            "A task is listed if all filters match. A page may have fewer items than `limit`, or \
             none, and continue: only a page without `next_cursor` is the last one.",
        )
        .query(text("job", "Only tasks of this job."))
        .query(text("service", "Only tasks of the jobs of this service."))
        .query(texts(
            "label",
            "Only tasks of existing jobs with this label: `key=value`, or `key` with any value. \
             Several are combined.",
        ))
        .query(words("state", &states, "Only tasks in one of these states."))
        .query(words("cause", &causes, "Only tasks that were started for one of these causes."))
        .query(text("executor", "Only tasks with an attempt on the executor of this name."))
        .query(instant("since", "Only tasks that were created at or after this instant."))
        .query(instant("until", "Only tasks that were created before this instant."))
        .query(text(
            "text",
            "Only tasks with an attempt whose error message contains this. Upper and lower case of \
             A to Z are equal.",
        ))
        .query(text("key", "Only the task that was started with this key; needs `job`."))
        .query(span(
            "min_run_time",
            "Only tasks that ended and took at least this long from their start; with \
             `order=run_time` also those that run for so long.",
        ))
        .query(span(
            "late",
            "Only tasks that started, or wait, for longer than this after they were due.",
        ))
        .query(words(
            "reason",
            &reasons,
            "Only tasks with an attempt that failed for one of these reasons.",
        ))
        .query(word(
            "order",
            &orders,
            "`newest` first, which is the default, `oldest` first, or `run_time`: ended tasks, the \
             longest first; with `state=running`, those that run longest.",
        ))
        .paged()
        .lists::<TaskView>("A page of tasks.", examples::page(examples::task()))
        .leads_to(
            "id",
            "$response.body#/items/0/id",
            &["getTask", "readTaskLog", "stopTask", "rerunTask"],
        )
        .fails(Kind::NotFound)
        .fails(Kind::AmbiguousName)
}

fn show() -> Call {
    Call::get("/api/v1/tasks/{id}", "getTask", "Show a task with its attempts")
        .of("id", "The task.")
        .answers::<TaskView>("The task.", examples::task())
}

fn stop() -> Call {
    Call::post("/api/v1/tasks/{id}/stop", "stopTask", "Stop a task")
        .about("Its handler is asked to stop, and aborted after the job's `grace`.")
        .of("id", "The task.")
        .answers::<StopAnswer>(
            "Whether there was something to stop.",
            json!({ "stopped": true, "state": "stopping" }),
        )
}

fn rerun() -> Call {
    Call::post("/api/v1/tasks/{id}/rerun", "rerunTask", "Run a task again that has ended")
        .about(
            "A repeated request starts nothing twice unless `again` is set, as long as the rerun is \
             retained.",
        )
        .of("id", "The task.")
        .in_trace()
        .may_have::<RerunRequest>(json!({ "shards": "failed" }))
        .answers::<Started>(
            "The new task, or the one of an earlier request.",
            json!({ "task": 57, "created": true }),
        )
        .fails_if(
            Kind::Conflict,
            "The task has not ended, its job was deleted, it was rerun with other values, or none \
             of its shards failed.",
        )
        .fails(Kind::OverQuota)
}

fn log() -> Call {
    let piece = json!({
        "attempt": 42, "number": 1, "shard": 0, "shards": 1, "offset": 0, "next_offset": 21,
        "text": "INFO 1200 rows sent\n\n", "ended": true, "source": "executor",
    });
    let events = format!("event: log\nid: 0-1-21\ndata: {piece}\n\nevent: end\ndata: {{}}\n\n");
    let mut stream = Content::new(Some(typed(Type::String)));
    stream.description = Some(
        "Events `log` with a `LogView`, then `end`. An event `problem` with `ProblemDetails` ends \
         the stream if the log becomes unreadable. If the coordinator stops, the stream ends \
         without an event: reconnect with the id of the last event as `last-event-id`."
            .to_owned(),
    );
    stream.example = Some(events.into());
    let answer = ResponseBuilder::new()
        .description("A piece of the log, or events if the request accepts `text/event-stream`.")
        .content("application/json", with_example(Ref::from_schema_name("LogView"), piece))
        .content("text/event-stream", stream);
    Call::get("/api/v1/tasks/{id}/log", "readTaskLog", "Read or follow a log")
        .about(
            "Each shard has a log per attempt. With `accept: text/event-stream` the log of one \
             attempt is followed to its end.",
        )
        .of("id", "The task.")
        .query(number("shard", 0, u32::MAX, "The shard, from 0; the first one if omitted."))
        .query(number("attempt", 1, u32::MAX, "The attempt, from 1; the last one if omitted."))
        .query(long("offset", "Where to begin, in bytes: `next_offset` of the piece before."))
        .query(number(
            "limit",
            0,
            u32::MAX,
            "The largest piece in bytes; 65536 if omitted, and never more than 1 MiB.",
        ))
        .query(
            span("wait", "How long to wait if there is no text yet, at most `1m`.").example("20s"),
        )
        .header("last-event-id", "Of a stream that is resumed: the id of the last event.")
        .responds(answer)
        .with::<LogView>()
        .with::<ProblemDetails>()
}
