//! What all channels over HTTP share. URLs are never shown: they may contain secrets.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect};
use serde_json::Value;

use super::Error;

/// How long a channel may take for one message.
pub(super) const SEND: Duration = Duration::from_secs(15);
/// Most bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;
/// Most characters of an answer that are shown.
const SHOWN: usize = 200;

pub(super) fn client() -> Result<Client, reqwest::Error> {
    crate::crypto::client(
        || Client::builder().timeout(SEND).redirect(redirect::Policy::none()),
        &[],
    )
}

/// Sends the request, requires a 2xx status, and returns the beginning of the answer.
pub(super) async fn send(request: RequestBuilder) -> Result<Vec<u8>, Error> {
    let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER {
            break;
        }
    }
    if status.is_success() {
        return Ok(body);
    }
    Err(format!("the answer was {status}: {}", shown(&body)).into())
}

/// Requires a JSON answer with 0 under the key, which is how chat robots report success.
pub(super) fn wants_zero(body: &[u8], key: &str) -> Result<(), Error> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    match answer.as_ref().and_then(|answer| answer.get(key)).and_then(Value::as_i64) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("rejected with {key} {code}: {}", shown(body)).into()),
        None => Err(format!("the answer has no {key}: {}", shown(body)).into()),
    }
}

pub(super) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(SHOWN).collect()
}
