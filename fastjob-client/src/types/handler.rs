//! Handlers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A handler of a service: code that jobs run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct HandlerView {
    /// The service that it belongs to.
    pub service: String,
    /// Its name.
    pub handler: String,
    /// What it does, as its code says; may be empty.
    pub description: String,
    /// The JSON schema of its param, if an executor has registered one: that of most of the connected
    /// executors that have it, or the last one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, Value>>))]
    pub schema: Option<Value>,
    /// The first connected executors that have it, at most 20.
    pub executors: Vec<String>,
    /// How many connected executors have it.
    pub executors_total: u32,
    /// The first jobs of the service that use it, at most 20.
    pub jobs: Vec<String>,
    /// How many jobs use it.
    pub jobs_total: u32,
}
