//! The description of the REST API in OpenAPI 3.1, from which `openapi.json` is written.
//!
//! Each noun has a file with its operations. The schemas come from the types of the API. The tests
//! compare what is described with the routes, in both directions, and with the committed file; the
//! tests in `tests/openapi.rs` compare it with a running coordinator. Nothing here is a part of the
//! coordinator: it serves the committed file.
//!
//! To describe a new call:
//!
//! 1. Derive `ToSchema` for its types in `fastjob-client/src/types`, as their siblings do. A field
//!    that is skipped if it has no value gets `nullable = false`, one with `serde(default)` that is
//!    always sent gets `required`, and one that is a `Word<T>` gets `value_type = T`.
//! 2. Add a [`Call`] to the file of its noun, or a file to [`nouns`].
//! 3. Write `openapi.json` again:
//!    `WRITE_OPENAPI=1 cargo test -p fastjob-coordinator --lib openapi`

mod alarms;
mod call;
mod description;
mod examples;
mod executors;
mod health;
mod jobs;
mod nodes;
mod param;
mod problems;
mod schedule;
mod schemas;
mod stats;
mod tasks;
mod tests;
mod views;

use utoipa::openapi::{
    ComponentsBuilder, Info, License, OpenApi, OpenApiBuilder, PathItem, Paths, Server, Tag,
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};

use self::call::Call;

/// A group of operations.
struct Noun {
    tag: &'static str,
    about: &'static str,
    calls: Vec<Call>,
}

/// All operations, by noun.
fn nouns() -> Vec<Noun> {
    vec![
        Noun {
            tag: "jobs",
            about: "Definitions: what runs, when and where.",
            calls: jobs::calls(),
        },
        Noun { tag: "tasks", about: "What was started, and its logs.", calls: tasks::calls() },
        Noun { tag: "schedule", about: "When jobs fire.", calls: schedule::calls() },
        Noun {
            tag: "stats",
            about: "How tasks ended, and how long they took.",
            calls: stats::calls(),
        },
        Noun {
            tag: "executors",
            about: "The processes that run handlers.",
            calls: executors::calls(),
        },
        Noun { tag: "alarms", about: "Messages about failures.", calls: alarms::calls() },
        Noun { tag: "nodes", about: "The coordinators of a cluster.", calls: nodes::calls() },
        Noun {
            tag: "health",
            about: "Whether this process is alive and ready.",
            calls: health::calls(),
        },
        Noun { tag: "description", about: "This description.", calls: description::calls() },
    ]
}

const ABOUT: &str = "\
Ids are numbers. Instants are RFC 3339 in UTC, durations are texts such as `30s`. Errors are RFC 9457 \
problem details, whose `type` programs may rely on. A request with an unknown parameter or field is \
rejected. Lists have `items` and `next_cursor`, the `cursor` of the next page.

A newer coordinator may add fields to answers, and words such as states: ignore what you do not know.

If a coordinator has no token, it accepts requests of its own machine only, without credentials.";

/// The whole description.
fn document() -> OpenApi {
    let mut nouns = nouns();
    let mut paths = Paths::new();
    for noun in &mut nouns {
        for call in &mut noun.calls {
            let item = PathItem::new(call.method.clone(), call.operation(noun.tag));
            match paths.paths.get_mut(call.path) {
                Some(same) => same.merge_operations(item),
                None => {
                    paths.paths.insert(call.path.to_owned(), item);
                }
            }
        }
    }
    let tags: Vec<_> = nouns
        .iter()
        .map(|noun| Tag::builder().name(noun.tag).description(Some(noun.about)).build())
        .collect();
    let calls: Vec<Call> = nouns.iter_mut().flat_map(|noun| noun.calls.drain(..)).collect();
    let mut components = ComponentsBuilder::new().build();
    components.schemas = schemas::of(&calls);
    components.schemas.values_mut().for_each(|schema| schemas::clean(schema, &without_links));
    components.responses = problems::answers();
    components.add_security_scheme("token", token());
    components.add_security_scheme("session", session());
    let mut info = Info::new("FastJob", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut licence = License::new("Apache-2.0 OR MIT");
    licence.identifier = Some("Apache-2.0 OR MIT".to_owned());
    info.license = Some(licence);
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .paths(paths)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("token", [""; 0]),
            SecurityRequirement::new("session", [""; 0]),
            SecurityRequirement::default(),
        ]))
        .tags(Some(tags))
        .build()
}

fn token() -> SecurityScheme {
    let about = "The coordinator's token.";
    let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about));
    SecurityScheme::Http(http.build())
}

fn session() -> SecurityScheme {
    let about = "The session of the console, which `POST /console/session` starts. The name of the \
                 cookie has a part of its own for each coordinator. Requests that change something \
                 need the same `Origin`.";
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("fastjob-*", about)))
}

/// A text without the links that only Rust's documentation has.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, behind)) = after.split_once("`]") else { break };
        plain.push_str(before);
        plain.push('`');
        plain.push_str(name.rsplit("::").next().unwrap_or(name));
        plain.push('`');
        rest = match behind.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    plain.push_str(rest);
    plain.replace('\n', " ")
}
