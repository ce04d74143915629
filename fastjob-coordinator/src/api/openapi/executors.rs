//! Executors.

use fastjob_client::types::ExecutorView;

use super::{call::Call, examples, param::text};
use crate::api::Kind;

pub(super) fn calls() -> Vec<Call> {
    vec![list(), show(), drain(), resume()]
}

fn list() -> Call {
    Call::get("/api/v1/executors", "listExecutors", "List executors, also those that were lost")
        .query(text("service", "Only executors of this service."))
        .query(text(
            "text",
            "Only executors with this in their name, service, address, version, labels or handlers. \
             Upper and lower case are equal.",
        ))
        .paged()
        .lists::<ExecutorView>("A page of executors.", examples::page(examples::executor()))
        .leads_to(
            "name",
            "$response.body#/items/0/name",
            &["getExecutor", "drainExecutor", "resumeExecutor"],
        )
}

const WHICH: &str = "The executor: its name, or `service.name` if several services have one of it.";

fn show() -> Call {
    Call::get("/api/v1/executors/{name}", "getExecutor", "Show an executor")
        .of("name", WHICH)
        .answers::<ExecutorView>("The executor.", examples::executor())
        .fails(Kind::AmbiguousName)
}

fn drain() -> Call {
    let mut executor = examples::executor();
    (executor["state"], executor["drained"]) = ("drained".into(), true.into());
    Call::post("/api/v1/executors/{name}/drain", "drainExecutor", "Send an executor no new work")
        .about("What runs there goes on. It stays drained when it reconnects.")
        .of("name", WHICH)
        .answers::<ExecutorView>("The executor as it is now.", executor)
        .fails_if(Kind::Conflict, "Too many executors are drained, or the name is ambiguous.")
}

fn resume() -> Call {
    Call::post("/api/v1/executors/{name}/resume", "resumeExecutor", "Send an executor work again")
        .of("name", WHICH)
        .answers::<ExecutorView>("The executor as it is now.", examples::executor())
        .fails(Kind::Conflict)
        .fails(Kind::AmbiguousName)
}
