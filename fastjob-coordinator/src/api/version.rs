//! The headers `ETag` and `If-Match` of jobs.

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue,
    header::{ETAG, IF_MATCH},
    request::Parts,
};

use super::problem::{Kind, Problem};
use crate::ops::{IfMatch, JobView, tag_of};

/// Which versions of the job a change accepts.
pub(super) struct OnlyIf(pub(super) IfMatch);

impl<S: Sync> FromRequestParts<S> for OnlyIf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

fn read(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let mut all = headers.get_all(IF_MATCH).iter().peekable();
    if all.peek().is_none() {
        return Ok(IfMatch::Unconditional);
    }
    // A header that is sent several times is one list.
    let texts: Result<Vec<_>, _> = all.map(HeaderValue::to_str).collect();
    let no_text = |_| Problem::new(Kind::Unreadable, "the header If-Match is not a text");
    Ok(IfMatch::parse(&texts.map_err(no_text)?.join(","))?)
}

/// A job with its entity tag.
pub(super) struct Tagged(pub(super) JobView);

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        ([(ETAG, tag_of(&self.0))], Json(self.0)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers).unwrap(), IfMatch::Unconditional);
        for tag in ["\"7-1\"", "\"7-2\", \"7-3\""] {
            headers.append(IF_MATCH, HeaderValue::from_static(tag));
        }
        assert_eq!(read(&headers).unwrap(), IfMatch::OneOf(vec![(7, 1), (7, 2), (7, 3)]));
        headers.append(IF_MATCH, HeaderValue::from_static("*"));
        assert_eq!(read(&headers).unwrap_err().kind(), Kind::Invalid);
    }
}
