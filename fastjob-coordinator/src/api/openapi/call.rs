//! One operation: a method of a path, with everything that it takes and answers.

use std::collections::BTreeSet;

use fastjob_client::types::Page;
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{
        Content, HttpMethod, Ref, RefOr, Required, ResponseBuilder, Schema,
        header::HeaderBuilder,
        link::Link,
        path::{Operation, OperationBuilder},
        request_body::RequestBodyBuilder,
        response::Response,
        schema::Type,
        security::SecurityRequirement,
    },
};

use super::{
    param::{self, Param, number, text, typed},
    problems,
};
use crate::{
    api::Kind,
    ops::{PAGE_DEFAULT, PAGE_MAX},
};

/// A component of the description, by name.
type Part = (String, RefOr<Schema>);

/// An operation, and the schemas that it refers to.
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) method: HttpMethod,
    pub(super) id: &'static str,
    summary: &'static str,
    about: Option<&'static str>,
    operation: OperationBuilder,
    /// The statuses of its problems, with what is special about them here.
    problems: Vec<(Kind, Option<&'static str>)>,
    /// Operations that an answer leads to: the name, a parameter, and where its value is.
    links: Vec<(&'static str, &'static str, &'static str)>,
    /// Anyone may call it.
    is_open: bool,
    /// The schemas of its answers.
    pub(super) answers: Vec<Part>,
    /// The schemas of its requests.
    pub(super) requests: Vec<Part>,
}

impl Call {
    fn new(
        method: HttpMethod,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let (operation, about) = (OperationBuilder::new(), None);
        let (answers, requests) = (Vec::new(), Vec::new());
        let problems = problems::OF_ALL.map(|kind| (kind, None)).to_vec();
        let (links, is_open) = (Vec::new(), false);
        Self {
            path,
            method,
            id,
            summary,
            about,
            operation,
            problems,
            links,
            is_open,
            answers,
            requests,
        }
    }

    pub(super) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Get, path, id, summary)
    }

    pub(super) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Post, path, id, summary)
    }

    pub(super) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Put, path, id, summary)
    }

    pub(super) fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Patch, path, id, summary)
    }

    pub(super) fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Delete, path, id, summary)
    }

    /// More than the summary says.
    pub(super) fn about(self, about: &'static str) -> Self {
        Self { about: Some(about), ..self }
    }

    /// Anyone may call it, without a token; nothing of the request is read.
    pub(super) fn open(self) -> Self {
        let problems = vec![(Kind::UriTooLong, None), (Kind::Internal, None)];
        Self { is_open: true, problems, ..self }
    }

    /// What the parameter in the path names. The call answers 404 if there is no such thing.
    pub(super) fn of(mut self, name: &str, about: &str) -> Self {
        self.operation = self.operation.parameter(param::of_path(name, about));
        self.fails(Kind::NotFound)
    }

    /// The path names a job, by a name that may be ambiguous.
    pub(super) fn of_job(self) -> Self {
        let about = "The job: its name if that is unique, else `service.name`.";
        self.of("name", about).fails(Kind::AmbiguousName)
    }

    /// It changes a job only at versions that the request names.
    pub(super) fn if_match(self) -> Self {
        let about = "The versions at which the job is changed: entity tags, or `*`.";
        let failed = "The job has another version: `revision` is the current one.";
        self.header("if-match", about).fails_if(Kind::PreconditionFailed, failed)
    }

    /// A parameter of the query.
    pub(super) fn query(mut self, param: Param) -> Self {
        self.operation = self.operation.parameter(param.of_query());
        self
    }

    /// A header of the request.
    pub(super) fn header(mut self, name: &str, about: &str) -> Self {
        self.operation = self.operation.parameter(param::of_header(name, about));
        self
    }

    /// What it starts is part of the trace of the caller.
    pub(super) fn in_trace(self) -> Self {
        self.header("traceparent", "The trace that the tasks are part of, as in W3C Trace Context.")
            .header("tracestate", "What goes with `traceparent`, as in W3C Trace Context.")
    }

    /// It takes the parameters of a list.
    pub(super) fn paged(self) -> Self {
        let limit = format!("The size of the page; {PAGE_DEFAULT} if omitted.");
        self.query(text("cursor", "`next_cursor` of the page before."))
            .query(number("limit", 1, PAGE_MAX, &limit))
    }

    /// It needs a body.
    pub(super) fn body<T: ToSchema>(self, example: Value) -> Self {
        self.takes::<T>(Required::True, example)
    }

    /// It may have a body.
    pub(super) fn may_have<T: ToSchema>(self, example: Value) -> Self {
        self.takes::<T>(Required::False, example)
    }

    fn takes<T: ToSchema>(mut self, required: Required, example: Value) -> Self {
        collect::<T>(&mut self.requests);
        self.takes_named(&T::name(), required, example)
    }

    /// It needs a body with the schema of this name, which is derived from another one.
    pub(super) fn body_named(self, name: &str, example: Value) -> Self {
        self.takes_named(name, Required::True, example)
    }

    fn takes_named(mut self, name: &str, required: Required, example: Value) -> Self {
        let content = with_example(Ref::from_schema_name(name), example);
        let body = RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(required))
            .build();
        self.operation = self.operation.request_body(Some(body));
        self.fails(Kind::TooSlow).fails(Kind::TooLarge).fails(Kind::WrongMediaType)
    }

    /// It answers 200 with this.
    pub(super) fn answers<T: ToSchema>(self, about: &str, example: Value) -> Self {
        self.answers_with::<T>("200", ResponseBuilder::new().description(about), example)
    }

    /// It answers with this status, and these headers.
    pub(super) fn answers_with<T: ToSchema>(
        mut self,
        status: &str,
        response: ResponseBuilder,
        example: Value,
    ) -> Self {
        collect::<T>(&mut self.answers);
        let content = with_example(Ref::from_schema_name(T::name()), example);
        self.operation =
            self.operation.response(status, response.content("application/json", content));
        self
    }

    /// It answers 200 with a page of these.
    pub(super) fn lists<T: ToSchema>(self, about: &str, example: Value) -> Self
    where
        Page<T>: ToSchema,
    {
        let item = T::name();
        let name = format!("{}Page", item.strip_suffix("View").unwrap_or(&item));
        self.answers_as::<Page<T>, T>(&name, about, example)
    }

    /// It answers 200 with a `W` of several `T`, whose schema has this name.
    pub(super) fn answers_as<W: ToSchema, T: ToSchema>(
        mut self,
        name: &str,
        about: &str,
        example: Value,
    ) -> Self {
        W::schemas(&mut self.answers);
        self.answers.push((name.to_owned(), W::schema()));
        collect::<T>(&mut self.answers);
        let content = with_example(Ref::from_schema_name(name), example);
        let response = ResponseBuilder::new().description(about);
        self.operation =
            self.operation.response("200", response.content("application/json", content));
        self
    }

    /// It answers with this status and no body.
    pub(super) fn empty(mut self, status: &str, about: &str) -> Self {
        self.operation = self.operation.response(status, Response::new(about));
        self
    }

    /// It answers 200 with this response.
    pub(super) fn responds(mut self, response: ResponseBuilder) -> Self {
        self.operation = self.operation.response("200", response);
        self
    }

    /// A schema of an answer that is named by a text, such as the data of an event.
    pub(super) fn with<T: ToSchema>(mut self) -> Self {
        collect::<T>(&mut self.answers);
        self
    }

    /// Its answer leads to these operations: their parameter has a value at this place of the answer.
    pub(super) fn leads_to(
        mut self,
        parameter: &'static str,
        place: &'static str,
        operations: &[&'static str],
    ) -> Self {
        self.links.extend(operations.iter().map(|id| (*id, parameter, place)));
        self
    }

    /// The operations that its answer leads to.
    pub(super) fn leads(&self) -> impl Iterator<Item = &'static str> {
        self.links.iter().map(|(id, _, _)| *id)
    }

    /// It can fail so.
    pub(super) fn fails(mut self, kind: Kind) -> Self {
        self.problems.push((kind, None));
        self
    }

    /// It can fail so, because of this.
    pub(super) fn fails_if(mut self, kind: Kind, why: &'static str) -> Self {
        self.problems.push((kind, Some(why)));
        self
    }

    /// Takes the operation out, as it is described.
    pub(super) fn operation(&mut self, tag: &str) -> Operation {
        let mut operation = std::mem::replace(&mut self.operation, OperationBuilder::new())
            .tag(tag)
            .operation_id(Some(self.id))
            .summary(Some(self.summary))
            .description(self.about);
        let statuses: BTreeSet<u16> = self.problems.iter().map(|(kind, _)| kind.status()).collect();
        for status in statuses {
            let of_it = self.problems.iter().filter(|(kind, _)| kind.status() == status);
            operation = operation.response(status.to_string(), problems::reference(status, of_it));
        }
        if self.is_open {
            operation = operation.securities(Some(Vec::<SecurityRequirement>::new()));
        }
        let mut operation = operation.build();
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response
                && ["200", "201"].contains(&status.as_str())
            {
                response.links.extend(self.links.iter().map(|(id, parameter, place)| {
                    let link = Link::builder().operation_id(*id).parameter(*parameter, *place);
                    ((*id).to_owned(), link.build().into())
                }));
            }
        }
        operation
    }
}

/// A type, and those that it refers to.
fn collect<T: ToSchema>(into: &mut Vec<Part>) {
    into.push((T::name().into_owned(), T::schema()));
    T::schemas(into);
}

/// JSON with an example.
pub(super) fn with_example(schema: Ref, example: Value) -> Content {
    let mut content = Content::new(Some(schema));
    content.example = Some(example);
    content
}

/// A header of an answer.
pub(super) fn header(about: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(typed(Type::String))).description(Some(about)).build()
}
