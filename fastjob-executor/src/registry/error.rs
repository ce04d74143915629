//! Why an executor does not start: what is wrong with its handlers.

use fastjob_core::{InvalidJob, InvalidName, ServiceName};

/// Why the handlers of a program cannot be hosted together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two handlers have the same name.
    #[error("two handlers are named `{name}`, at {first} and at {second}: rename one of them")]
    Duplicate {
        /// Their name.
        name: String,
        /// `file:line:column`, or `fastjob (built in)`.
        first: String,
        /// The place of the second one, in the same form.
        second: String,
    },
    /// The name that a handler was registered with is invalid.
    #[error("a handler cannot be named `{name}`")]
    InvalidName {
        /// The invalid name.
        name: String,
        /// The cause.
        source: InvalidName,
    },
    /// The default job of a handler is invalid.
    #[error("the default job of handler `{handler}` ({place}) cannot be registered")]
    InvalidJob {
        /// The handler.
        handler: String,
        /// Its annotation, `file:line:column`.
        place: String,
        /// All problems of the job.
        source: InvalidJob,
    },
    /// A function was registered that does not have the attribute.
    #[error("`{path}`, registered at {place}, has no #[job(\"name\")]: annotate the `async fn`")]
    NotAJob {
        /// The function.
        path: &'static str,
        /// Where it was registered, `file:line:column`.
        place: String,
    },
    /// A handler takes a state that the service did not provide.
    #[error(
        "handler `{handler}` takes `State<{state}>`, which this executor does not have: pass it to \
         `state` of the builder{}", listed(.given)
    )]
    MissingState {
        /// The handler.
        handler: String,
        /// The type of the state.
        state: &'static str,
        /// The types that the service provided.
        given: Vec<&'static str>,
    },
    /// Two states of one type were provided.
    #[error("two states have the type `{state}`: wrap them in types of their own")]
    DuplicateState {
        /// The type.
        state: &'static str,
    },
    /// A handler that belongs to another service was registered by value.
    #[error("handler `{name}` belongs to service `{wanted}`, this executor to `{service}`")]
    OtherService {
        /// The handler.
        name: String,
        /// The service that its annotation names.
        wanted: &'static str,
        /// The executor's.
        service: ServiceName,
    },
}

fn listed(states: &[&'static str]) -> String {
    match states {
        [] => String::new(),
        _ => format!("; it has `{}`", states.join("`, `")),
    }
}
