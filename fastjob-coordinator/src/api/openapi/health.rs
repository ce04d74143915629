//! Whether a coordinator is alive and ready.

use fastjob_client::types::Health;
use serde_json::json;

use super::call::Call;
use crate::api::Kind;

pub(super) fn calls() -> Vec<Call> {
    vec![alive(), ready()]
}

fn alive() -> Call {
    Call::get("/healthz", "isAlive", "Whether the process is alive")
        .open()
        .answers::<Health>("It is alive.", json!({ "status": "alive" }))
}

fn ready() -> Call {
    Call::get("/readyz", "isReady", "Whether the coordinator can do its work")
        .about("The reason why it cannot is shown only to callers with the token.")
        .open()
        .answers::<Health>("It is ready.", json!({ "status": "ready" }))
        .fails_if(Kind::Unavailable, "It is not ready.")
}
