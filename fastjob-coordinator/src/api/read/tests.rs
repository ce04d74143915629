//! Accepted and rejected requests.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use fastjob_core::JobDraft;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::*;

async fn params(query: &str) -> Params {
    let request = Request::get(format!("http://localhost/x?{query}")).body(()).unwrap();
    Params::from_request_parts(&mut request.into_parts().0, &()).await.unwrap()
}

fn lists(q: &mut Params) -> (Option<String>, Option<u32>) {
    (q.text("job"), q.limit())
}

#[tokio::test]
async fn parameters_are_decoded_and_may_be_omitted() {
    let read = params("job=%E6%8A%A5%E8%A1%A8&limit=20").await.read(lists).unwrap();
    assert_eq!(read, (Some("报表".to_owned()), Some(20)));
    assert_eq!(params("job=a+b%2B&limit=").await.read(lists), Ok((Some("a b+".to_owned()), None)));
    assert_eq!(params("").await.read(lists), Ok((None, None)));
}

#[tokio::test]
async fn all_invalid_parameters_are_reported_at_once() {
    let refused = params("job=a&job=b&limit=many&stat=x").await.read(lists).unwrap_err();
    assert_eq!(
        refused,
        Problem::invalid(vec![
            Field::new("job", "is given more than once"),
            Field::new("limit", "`many` is not a whole number between 1 and 500"),
            Field::new("stat", "is not a parameter; there are job, limit"),
        ])
    );
    let refused = params("limit=-1").await.read(lists).unwrap_err();
    assert_eq!(refused, Problem::invalid(vec![Field::new("limit", "-1 is not between 1 and 500")]));
    for (limit, wrong) in [("0", "0"), ("99999", "99999"), ("99999999999", "99999999999")] {
        let refused = params(&format!("limit={limit}")).await.read(lists).unwrap_err();
        assert_eq!(refused.detail(), format!("limit: {wrong} is not between 1 and 500"));
    }
    let refused = params("").await.read(|q| q.must("cron")).unwrap_err();
    assert_eq!(refused, Problem::invalid(vec![Field::new("cron", "is missing")]));
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_all_paths() {
    let answer = unknown_path("/api/v1/nowhere");
    let body = axum::body::to_bytes(answer.into_body(), BODY_MAX).await.unwrap();
    let detail = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["detail"].to_string();
    let source = include_str!("../mod.rs");
    let paths: Vec<_> = source
        .split('"')
        .filter(|text| text.starts_with("/api/v1/"))
        .chain(crate::api::HEALTH)
        .collect();
    assert!(paths.contains(&"/api/v1/nodes") && paths.len() > 15, "{paths:?}");
    for path in paths {
        assert!(
            detail.contains(&format!("{path},")) || detail.contains(&format!("{path}\"")),
            "{path}"
        );
    }
}

#[test]
fn an_answer_shows_the_beginning_of_a_long_path() {
    assert_eq!(shown_path("/api/v1/nowhere"), "/api/v1/nowhere");
    assert_eq!(shown_path(&"/".repeat(60_000)), format!("{}…", "/".repeat(200)));
}

async fn body(media: Option<&str>, body: impl Into<Body>) -> Result<JobDraft, Problem> {
    let mut request = Request::post("/x").body(body.into()).unwrap();
    if let Some(media) = media {
        request.headers_mut().insert(CONTENT_TYPE, media.parse().unwrap());
    }
    JsonBody::from_request(request, &()).await.map(|JsonBody(draft)| draft)
}

#[tokio::test]
async fn json_is_read_with_any_charset_and_without_a_content_type() {
    for media in [None, Some("application/json; charset=utf-8"), Some("application/x+json")] {
        assert_eq!(body(media, r#"{"name":"a"}"#).await.unwrap().name, "a");
    }
    let refused = body(Some("text/plain"), r#"{"name":"a"}"#).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::WrongMediaType);
}

#[tokio::test]
async fn invalid_json_is_reported_with_its_position() {
    for (text, at) in [
        ("{\n \"name\": oops}", "line 2 column 10"),
        ("{\"name\":", "line 1 column 8"),
        ("{} {}", "line 1 column 4"),
        ("", "line 1 column 0"),
    ] {
        let refused = body(None, text).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Unreadable, "{text}");
        assert!(refused.detail().contains(at), "{text}: {}", refused.detail());
    }
}

#[tokio::test]
async fn an_invalid_field_is_reported_with_its_path() {
    #[track_caller]
    fn check(refused: Problem, field: &str, words: &str) {
        assert_eq!(refused.kind(), Kind::Invalid);
        assert!(refused.detail().starts_with(&format!("{field}: ")), "{}", refused.detail());
        assert!(refused.detail().contains(words), "{}", refused.detail());
    }
    check(body(None, r#"{"nam":"a"}"#).await.unwrap_err(), "nam", "unknown field `nam`");
    check(body(None, r#"{"name":1}"#).await.unwrap_err(), "name", "found 1 at line 1");
    check(
        body(None, r#"{"schedule":{"crom":"x"}}"#).await.unwrap_err(),
        "schedule.crom",
        "unknown field `crom`",
    );
    check(
        body(None, r#"{"retry":{"count":"x"}}"#).await.unwrap_err(),
        "retry.count",
        "column 21, expected a whole number from 0 to 4294967295",
    );
    check(
        body(None, r#"{"children":[{},{"pass_result":"yes"}]}"#).await.unwrap_err(),
        "children[1].pass_result",
        "expected true or false",
    );
    check(body(None, r#"{"misfire":{}}"#).await.unwrap_err(), "misfire.fire_all", "it is missing");
    check(body(None, " []").await.unwrap_err(), "body", "is not a JSON object");
    check(body(None, "7").await.unwrap_err(), "body", "is not a JSON object");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_rejected_with_or_without_content_length() {
    let long = vec![b' '; BODY_MAX + 1];
    let refused = body(None, long.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::TooLarge);
    let announced =
        Request::post("/x").header(CONTENT_LENGTH, "1048577").body(Body::from("{}")).unwrap();
    assert_eq!(collect(announced, BODY_MAX).await.unwrap_err().kind(), Kind::TooLarge);
    let just = body(None, long[..BODY_MAX].to_vec()).await.unwrap_err();
    assert_eq!(just.kind(), Kind::Unreadable);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_times_out() {
    let stuck = tokio_stream::pending::<Result<Bytes, std::io::Error>>();
    let refused = body(None, Body::from_stream(stuck)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::TooSlow);
}

#[tokio::test]
async fn an_optional_body_may_be_omitted() {
    let request = Request::post("/x").header(CONTENT_TYPE, "text/plain").body(Body::empty());
    let MaybeBody(draft) =
        MaybeBody::<JobDraft>::from_request(request.unwrap(), &()).await.unwrap();
    assert_eq!(draft, JobDraft::default());
}
