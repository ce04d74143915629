//! Reads requests: path, query and body, as strictly as a job.
//!
//! Anything unknown is rejected. All problems of a query are reported at once; a body is bounded in
//! size and time before it is processed.

mod body;
mod filter;

use std::{borrow::Cow, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, Path, Query},
    response::{IntoResponse, IntoResponseParts, ResponseParts},
};
use fastjob_core::{Trace, duration};
use http::request::Parts;
use serde::de::DeserializeOwned;

#[cfg(any(feature = "console", feature = "fuzzing"))]
pub(crate) use self::body::json;
pub(crate) use self::body::{BODY_MAX, LARGE_BODY_MAX, collect};
pub(super) use self::{
    body::{JsonBody, LargeBody, MaybeBody},
    filter::filter,
};
use super::problem::{Field, Kind, Problem};
use crate::{
    bounds::{Bounds, Reserved},
    ops,
};

/// Maximum number of characters of a path in an answer.
const PATH_SHOWN: usize = 200;

/// The path of a job: its name, or `service.name`.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path() == super::BULK {
            return Ok(Self("bulk".to_owned()));
        }
        path(parts, state).await.map(Self)
    }
}

/// The path of a job, and a number of something that it has.
pub(super) struct NameAndNumber(pub(super) String, pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for NameAndNumber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (name, number): (String, String) = path(parts, state).await?;
        let no_number = |_| Problem::new(Kind::NotFound, format!("`{number}` is not a number"));
        Ok(Self(name, number.parse().map_err(no_number)?))
    }
}

/// The id of a task or another thing.
pub(super) struct Id(pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text: String = path(parts, state).await?;
        let no_number =
            |_| Problem::new(Kind::NotFound, format!("`{text}` is not an id: ids are numbers"));
        text.parse().map(Self).map_err(no_number)
    }
}

async fn path<T, S>(parts: &mut Parts, state: &S) -> Result<T, Problem>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    match Path::from_request_parts(parts, state).await {
        Ok(Path(read)) => Ok(read),
        Err(_) => Err(Problem::new(Kind::Unreadable, "the path is not percent-encoded UTF-8")),
    }
}

/// The trace that the caller is part of. Headers that are not valid are ignored, as W3C Trace Context
/// says.
pub(super) struct Caller(pub(super) Option<Trace>);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut parents = parts.headers.get_all("traceparent").iter();
        // Of two, none is the right one.
        let parent = parents.next().filter(|_| parents.next().is_none());
        let states = parts.headers.get_all("tracestate").iter();
        let states: Option<Vec<_>> = states.map(|state| state.to_str().ok()).collect();
        let state = states.map(|states| states.join(","));
        let parent = parent.and_then(|parent| parent.to_str().ok());
        Ok(Self(Trace::of_headers(parent, state.as_deref())))
    }
}

/// The parameters of a query, taken out one by one.
#[derive(Debug)]
pub(super) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    problems: Vec<Field>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(given)) => Ok(Self { given, known: Vec::new(), problems: Vec::new() }),
            Err(_) => Err(Problem::new(Kind::Unreadable, "the query is malformed")),
        }
    }
}

impl Params {
    /// Lets `take` read the parameters that it knows, and rejects all others.
    pub(super) fn read<T>(mut self, take: impl FnOnce(&mut Self) -> T) -> Result<T, Problem> {
        let taken = take(&mut self);
        for (name, _) in &self.given {
            let known = match self.known.as_slice() {
                [] => "there are none here".to_owned(),
                known => format!("there are {}", known.join(", ")),
            };
            let message = format_args!("is not a parameter; {known}");
            self.problems.push(Field::new(name.as_str(), message));
        }
        if self.problems.is_empty() { Ok(taken) } else { Err(Problem::invalid(self.problems)) }
    }

    /// A text; an empty one counts as missing.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut found = self.given.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
        let (first, again) = (found.next(), found.next().is_some());
        drop(found);
        self.given.retain(|(key, _)| key != name);
        if again {
            self.problems.push(Field::new(name, "is given more than once"));
        }
        first.filter(|text| !text.is_empty())
    }

    /// Texts, given several times or separated by commas; empty ones count as missing.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let found = self.given.extract_if(.., |(key, _)| key == name);
        let texts = found.flat_map(|(_, value)| {
            value.split(',').map(|text| text.trim().to_owned()).collect::<Vec<_>>()
        });
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// Texts, given several times; empty ones count as missing.
    pub(super) fn repeated(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let found = self.given.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
        found.filter(|text| !text.is_empty()).collect()
    }

    /// A required text.
    pub(super) fn must(&mut self, name: &'static str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.problems.push(Field::new(name, "is missing"));
            String::new()
        })
    }

    /// A duration of at most `most`, such as `20s`.
    pub(super) fn duration(&mut self, name: &'static str, most: Duration) -> Option<Duration> {
        let text = self.text(name)?;
        let message = match duration::parse(&text) {
            Ok(value) if value <= most => return Some(value),
            Ok(_) => format!("{text} is more than {}", duration::to_text(most)),
            Err(err) => err.to_string(),
        };
        self.problems.push(Field::new(name, message));
        None
    }

    /// The size of a page.
    pub(super) fn limit(&mut self) -> Option<u32> {
        let text = self.text("limit")?;
        match ops::page_size(&text) {
            Ok(limit) => return Some(limit),
            Err(message) => self.problems.push(Field::new("limit", message)),
        }
        None
    }

    /// How many ends of each job to show.
    pub(super) fn ends(&mut self) -> Option<u32> {
        let text = self.text("ends")?;
        match ops::ends(&text) {
            Ok(ends) => return Some(ends),
            Err(message) => self.problems.push(Field::new("ends", message)),
        }
        None
    }

    /// A whole number.
    pub(super) fn number<T: TryFrom<i128>>(&mut self, name: &'static str) -> Option<T> {
        let text = self.text(name)?;
        let message = match text.parse::<i128>().map(T::try_from) {
            Ok(Ok(number)) => return Some(number),
            Ok(Err(_)) => format!("{text} is out of range"),
            Err(_) => format!("`{text}` is not a whole number"),
        };
        self.problems.push(Field::new(name, message));
        None
    }
}

/// Reserved memory for a response of this many MiB, which its client may read slowly.
pub(super) struct Room<const MIB: u64>(Option<Arc<Reserved>>);

/// Reserved memory for a page of a list: its items, and the JSON created from them.
pub(super) type RoomForPage = Room<{ (2 * ops::PAGE_BYTES) >> 20 }>;

impl<S: Sync, const MIB: u64> FromRequestParts<S> for Room<MIB> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Tests of single routes have no bounds.
        let Some(bounds) = parts.extensions.get::<Bounds>() else { return Ok(Self(None)) };
        match bounds.responses.reserve(MIB << 20).await {
            Ok(reserved) => Ok(Self(Some(Arc::new(reserved)))),
            Err(err) => Err(Problem::new(Kind::Unavailable, err.to_string())),
        }
    }
}

/// Attaches the reserved memory to the response until the client has read it.
impl<const MIB: u64> IntoResponseParts for Room<MIB> {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Some(reserved) = self.0 {
            parts.extensions_mut().insert(reserved);
        }
        Ok(parts)
    }
}

#[cfg(feature = "fuzzing")]
pub(super) fn fuzz_query(uri: &http::Uri) {
    let Ok(Query(given)) = Query::try_from_uri(uri) else { return };
    let params = Params { given, known: Vec::new(), problems: Vec::new() };
    let read = params.read(|query| {
        let texts = [query.text("job"), query.text("state"), query.text("cursor")];
        let numbers = (query.number::<u32>("shard"), query.number::<u64>("offset"), query.limit());
        (texts, numbers, query.must("at"))
    });
    if let Ok((_, (_, _, limit), at)) = read {
        assert!(limit.is_none_or(|limit| (1..=500).contains(&limit)), "{limit:?}");
        drop(fastjob_core::instant::parse(&at));
    }
}

/// For paths without parameters.
pub(super) struct NoParams;

impl<S: Sync> FromRequestParts<S> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Params::from_request_parts(parts, state).await?.read(|_| Self)
    }
}

/// The response for an unknown path.
pub(crate) fn unknown_path(path: &str) -> axum::response::Response {
    let path = shown_path(path);
    let detail = format!("no resource has the path {path}; there are {}", *super::PATHS);
    Problem::new(Kind::UnknownPath, detail).into_response()
}

/// A path for an answer, which shows the beginning of a long one.
pub(crate) fn shown_path(path: &str) -> Cow<'_, str> {
    match path.char_indices().nth(PATH_SHOWN) {
        Some((end, _)) => format!("{}…", &path[..end]).into(),
        None => path.into(),
    }
}

#[cfg(test)]
mod tests;
