//! The description itself.

use serde_json::json;
use utoipa::openapi::{Content, ResponseBuilder, schema::Type};

use super::{
    call::{Call, header},
    param::typed,
};

pub(super) fn calls() -> Vec<Call> {
    let mut document = Content::new(Some(typed(Type::Object)));
    document.example = Some(json!({ "openapi": "3.1.0" }));
    let answer = ResponseBuilder::new()
        .description("The description, in OpenAPI 3.1.")
        .header("etag", header("Changes with each other description."))
        .content("application/json", document);
    vec![
        Call::get("/api/v1/openapi.json", "getOpenApi", "Describe this API")
            .header("if-none-match", "The `etag` of a description that the caller has.")
            .responds(answer)
            .empty("304", "The caller has this description."),
    ]
}
