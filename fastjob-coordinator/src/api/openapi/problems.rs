//! Problem details: one answer for each status, which operations refer to.

use std::collections::BTreeMap;

use fastjob_client::types::{InvalidField, ProblemDetails};
use utoipa::openapi::{
    Content, Ref, RefOr, Response, ResponseBuilder,
    example::{Example, ExampleBuilder},
};

use super::call::header;
use crate::api::Kind;

/// How every operation can fail.
pub(super) const OF_ALL: [Kind; 9] = [
    Kind::Unreadable,
    Kind::Unauthorized,
    Kind::WrongToken,
    Kind::Forbidden,
    Kind::UriTooLong,
    Kind::Invalid,
    Kind::Internal,
    Kind::StoreFailed,
    Kind::Unavailable,
];

/// The kinds that a caller of the API can get for a path that exists.
fn kinds() -> impl Iterator<Item = Kind> {
    let of_others = [Kind::NotANode, Kind::UnknownPath, Kind::WrongMethod];
    Kind::ALL.into_iter().filter(move |kind| !of_others.contains(kind))
}

/// The name of the answer with this status.
fn name(status: u16) -> String {
    // Both kinds of 503 are temporary.
    let first = match status {
        503 => Some(Kind::Unavailable),
        _ => kinds().find(|kind| kind.status() == status),
    };
    format!("{:?}", first.expect("an operation fails with a status that a kind has"))
}

/// A reference to the answer with this status, and what is special about it.
pub(super) fn reference<'k>(
    status: u16,
    kinds: impl Iterator<Item = &'k (Kind, Option<&'static str>)>,
) -> RefOr<Response> {
    let mut reasons: Vec<String> = Vec::new();
    for (kind, why) in kinds {
        let (_, _, title) = kind.words();
        let reason = why.map_or_else(|| format!("{title}."), ToOwned::to_owned);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let reference = Ref::builder().ref_location(format!("#/components/responses/{}", name(status)));
    RefOr::Ref(reference.description(Some(reasons.join(" "))).build())
}

/// The answers of all statuses.
pub(super) fn answers() -> BTreeMap<String, RefOr<Response>> {
    let statuses: std::collections::BTreeSet<u16> = kinds().map(Kind::status).collect();
    statuses.into_iter().map(|status| (name(status), answer(status).into())).collect()
}

fn answer(status: u16) -> Response {
    let kinds: Vec<_> = kinds().filter(|kind| kind.status() == status).collect();
    let titles: Vec<_> = kinds.iter().map(|kind| kind.words().2).collect();
    let mut content = Content::new(Some(Ref::from_schema_name("ProblemDetails")));
    content.examples =
        kinds.iter().map(|kind| (kind.words().1.to_owned(), example(*kind).into())).collect();
    let response = ResponseBuilder::new()
        .description(format!("{}.", titles.join(". ")))
        .content("application/problem+json", content);
    let response = match status {
        401 => response.header("www-authenticate", header("That a bearer token is needed.")),
        429 | 503 => response.header("retry-after", header("After how many seconds to try again.")),
        _ => response,
    };
    response.build()
}

fn example(kind: Kind) -> Example {
    let invalid = || InvalidField::new("limit", "0 is not between 1 and 500");
    let fields = (kind == Kind::Invalid).then(invalid).into_iter().collect();
    let detail = match kind {
        Kind::Unreadable => "the body is not JSON: EOF while parsing an object at line 1 column 1",
        Kind::Unauthorized => {
            "a token is needed: send `Authorization: Bearer …` with the coordinator's token"
        }
        Kind::WrongToken => "the token is wrong: send the coordinator's token",
        Kind::Forbidden => {
            "without a token the coordinator accepts only local host names: use `localhost`, \
             127.0.0.1 or [::1], or set a token"
        }
        Kind::NotFound => "no job is named `report`",
        Kind::TooSlow => "the body did not arrive within 30 s",
        Kind::Conflict => "job `billing.report` already exists",
        Kind::AmbiguousName => {
            "several services have a job named report: use billing.report or sales.report"
        }
        Kind::TooLarge => "the body has more than 1048576 bytes",
        Kind::UriTooLong => "the path and the query have more than 8192 bytes",
        Kind::WrongMediaType => {
            "the content type is `text/plain`; only `application/json` is supported"
        }
        Kind::Invalid => "limit: 0 is not between 1 and 500",
        Kind::OverQuota => "there are 100000 open tasks, the limit: try again later",
        Kind::Internal => "this is a bug in the coordinator; see its log",
        Kind::StoreFailed => {
            "the store failed, so the result of this request is unknown; see the coordinator's log"
        }
        Kind::Unavailable => "no node acts on partition 3 at the moment: try again",
        Kind::NotANode | Kind::UnknownPath | Kind::WrongMethod => kind.words().2,
    };
    let details = ProblemDetails::new(kind, detail, fields);
    let value = serde_json::to_value(details).expect("a problem is JSON");
    ExampleBuilder::new().summary(kind.words().2).value(Some(value)).build()
}
