//! The coordinators of a cluster.

use fastjob_client::types::NodeView;
use serde_json::json;

use super::{call::Call, examples};

pub(super) fn calls() -> Vec<Call> {
    let node = json!({
        "id": "6d1f2a70-4f0a-4f5e-9c9a-0b1c2d3e4f50",
        "address": "http://10.0.0.2:7070",
        "version": "0.1.0",
        "since": "2026-11-24T00:00:00Z",
        "partitions": 32,
        "answers": true,
    });
    vec![
        Call::get("/api/v1/nodes", "listNodes", "List the coordinators of a cluster")
            .paged()
            .lists::<NodeView>("A page of nodes.", examples::page(node)),
    ]
}
