//! Bodies: bounded in size and time before they are parsed.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use fastjob_core::misread::Misread;
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::super::problem::{Field, Kind, Problem};

/// Longest body.
pub(crate) const BODY_MAX: usize = 1024 * 1024;
/// Longest body of a request for many jobs.
pub(crate) const LARGE_BODY_MAX: usize = 8 * 1024 * 1024;
/// Largest body that is read and discarded, so that the client receives the error response.
const PAST_MAX: usize = 32 * 1024 * 1024;
/// Longest time that a body may take.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A JSON body.
#[derive(Debug)]
pub(in crate::api) struct JsonBody<T>(pub(in crate::api) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = collect(request, BODY_MAX).await?;
        json(&headers, &bytes).map(Self)
    }
}

/// A JSON body about many things, which is parsed later.
#[derive(Debug)]
pub(in crate::api) struct LargeBody(HeaderMap, Bytes);

impl LargeBody {
    pub(in crate::api) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        json(&self.0, &self.1)
    }
}

impl<S: Sync> FromRequest<S> for LargeBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = collect(request, LARGE_BODY_MAX).await?;
        Ok(Self(headers, bytes))
    }
}

/// An optional JSON body.
#[derive(Debug)]
pub(in crate::api) struct MaybeBody<T>(pub(in crate::api) T);

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = collect(request, BODY_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        json(&headers, &bytes).map(Self)
    }
}

/// Reads a body of at most `most` bytes.
pub(crate) async fn collect(request: Request, most: usize) -> Result<(HeaderMap, Bytes), Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format!("the body has more than {most} bytes"));
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok());
    if let Some(length) = announced.filter(|length: &u64| *length > most as u64) {
        if length <= PAST_MAX as u64 {
            // A client that is still sending would get a broken pipe and not the response.
            drop(tokio::time::timeout(BODY_TIME, read_past(body)).await);
        }
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, Limited::<Body>::new(body, most).collect()).await {
        Ok(Ok(whole)) => Ok((parts.headers, whole.to_bytes())),
        Ok(Err(err)) if err.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Kind::Unreadable, "the body ended too early")),
        Err(_) => Err(Problem::new(
            Kind::TooSlow,
            format!("the body did not arrive within {} s", BODY_TIME.as_secs()),
        )),
    }
}

/// Reads a body to its end, or to the limit, and discards it.
async fn read_past(body: Body) {
    let mut body = Limited::new(body, PAST_MAX);
    while let Some(Ok(_)) = body.frame().await {}
}

pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    if let Some(media) = headers.get(CONTENT_TYPE)
        && !is_json(media.as_bytes())
    {
        let given = String::from_utf8_lossy(media.as_bytes());
        let detail = format!("the content type is `{given}`; only `application/json` is supported");
        return Err(Problem::new(Kind::WrongMediaType, detail));
    }
    // serde would accept an array as the fields in order.
    if bytes.trim_ascii_start().first().is_some_and(|first| b"[\"-0123456789tfn".contains(first)) {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|err| judge("", &err))?;
        return Err(Problem::invalid(vec![Field::new("body", "is not a JSON object")]));
    }
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut from).map_err(|err| {
        let path = err.path().to_string();
        judge(&path, err.inner())
    })?;
    from.end().map_err(|err| judge("", &err))?;
    Ok(read)
}

fn judge(path: &str, err: &serde_json::Error) -> Problem {
    match err.classify() {
        serde_json::error::Category::Data => {
            let Misread { field, message } = Misread::of(path, &err.to_string(), "an object");
            let field = if field.is_empty() { "body".to_owned() } else { field };
            Problem::invalid(vec![Field::new(field, message)])
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            Problem::new(Kind::Unreadable, format!("the body is not JSON: {err}"))
        }
    }
}

/// Whether a content type is JSON or based on it.
fn is_json(media: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(media) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
