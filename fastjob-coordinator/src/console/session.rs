//! The session of a browser: a user sends the token once, and gets a cookie for it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, ORIGIN, SET_COOKIE},
};
use serde::{Deserialize, Serialize};

use super::Console;
use crate::{
    api::{Kind, Problem, Trusted, collect, json},
    server::{Guard, Secure, WrongToken, is_for_foreign_page},
};

/// Longest body: a token and a little JSON around it.
const BODY_MAX: usize = 4 * 1024;

/// The body of a request to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// Whether a token is needed, and whether the request came with it or with a cookie.
#[derive(Serialize)]
struct SessionView {
    needed: bool,
    signed_in: bool,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    trusted: Option<Extension<Trusted>>,
    headers: HeaderMap,
) -> Response {
    let view = SessionView {
        needed: matches!(console.guard, Guard::Token(_)),
        signed_in: trusted.is_some(),
    };
    let cookies = console.cookies.as_ref().filter(|_| view.signed_in);
    let renewed = cookies.and_then(|cookies| cookies.renew(&headers, console.secure_for(&headers)));
    with_cookie(Json(view).into_response(), renewed)
}

/// Signs a user in.
pub(super) async fn sign_in(State(console): State<Arc<Console>>, request: Request) -> Response {
    if is_for_foreign_page(&request) {
        // Another site must not choose as whom a user works here.
        let detail = "only the console's own page can sign in: open it at its own address";
        return Problem::new(Kind::Forbidden, detail).into_response();
    }
    let secure = console.secure_for(request.headers());
    let asked = match collect(request, BODY_MAX).await {
        Ok((headers, bytes)) => json::<SignIn>(&headers, &bytes),
        Err(problem) => Err(problem),
    };
    let token = match asked {
        Ok(SignIn { token }) => token,
        Err(problem) => return problem.into_response(),
    };
    let is_right = match &console.guard {
        Guard::Token(right) => right.is(token.trim().as_bytes()),
        Guard::Local => true, // no token is needed
    };
    if !is_right {
        let detail = "the token is wrong: it is the coordinator's FASTJOB_TOKEN";
        let mut response = Problem::new(Kind::WrongToken, detail).into_response();
        response.extensions_mut().insert(WrongToken);
        return response;
    }
    let issued = console.cookies.as_ref().and_then(|cookies| cookies.issue(secure));
    with_cookie(StatusCode::NO_CONTENT.into_response(), issued)
}

/// Makes the browser forget its cookie.
pub(super) async fn sign_out(State(console): State<Arc<Console>>, request: Request) -> Response {
    if is_for_foreign_page(&request) {
        let detail = "only the console's own page can sign out";
        return Problem::new(Kind::Forbidden, detail).into_response();
    }
    let forgotten = console.cookies.as_ref().and_then(|cookies| cookies.forget());
    with_cookie(StatusCode::NO_CONTENT.into_response(), forgotten)
}

impl Console {
    /// Whether the cookie must never be sent in plain text: the port speaks TLS, or a proxy in front
    /// of it does, as the browser's own origin says.
    fn secure_for(&self, headers: &HeaderMap) -> Secure {
        let origin = headers.get(ORIGIN);
        match origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://")) {
            true => Secure::Yes,
            false => self.secure,
        }
    }
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}
