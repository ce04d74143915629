//! One call over the coordinators of a client: the one that answered last, then the others.
//!
//! A call moves on to the next coordinator if nothing was sent to this one. If its answer was lost, or
//! the coordinator is unavailable, the call may have had an effect: then only a call that is safe to
//! repeat moves on. Any other answer is the result, including a rejection.

use reqwest::header::{self, HeaderValue};
use serde::de::DeserializeOwned;

use super::{Answer, Call, Client, call::Repeat, client::Server, failure};
use crate::ClientError;

/// Why a coordinator did not carry out a call.
struct Failed {
    error: ClientError,
    /// Whether the coordinator may have received the call.
    was_sent: bool,
}

impl Failed {
    fn after_sending(error: ClientError) -> Self {
        Self { error, was_sent: true }
    }

    /// Whether another coordinator may be able to carry out the call, and may be sent it.
    fn moves_on(&self, repeat: Repeat) -> bool {
        if !self.was_sent {
            return true;
        }
        // A limit applies to the whole cluster.
        let is_of_the_node =
            self.error.is_transient() && !matches!(self.error, ClientError::OverQuota(_));
        is_of_the_node && repeat != Repeat::Never
    }

    fn may_have_effect(&self) -> bool {
        self.was_sent && self.error.may_have_had_effect()
    }

    /// Whether there was an answer. The first of several errors that has the highest rank is
    /// reported: what may have had an effect before what was certainly not done.
    fn rank(&self) -> u8 {
        let is_unknown =
            matches!(self.error, ClientError::Timeout { .. } | ClientError::Interrupted { .. });
        match (self.was_sent, is_unknown) {
            (true, true) => 2,
            (true, false) => 1,
            (false, _) => 0,
        }
    }
}

impl Client {
    /// Sends a call to one coordinator after the other, until one answers.
    pub(super) async fn round<T: DeserializeOwned>(
        &self,
        call: &Call<T>,
    ) -> Result<Answer<T>, ClientError> {
        let shared = self.shared();
        let (all, first) = (shared.servers.len(), shared.current());
        let mut failures: Vec<Failed> = Vec::new();
        for at in (first..all).chain(0..first) {
            match self.send(call, &shared.servers[at]).await {
                Ok(answer) => {
                    shared.remember(at);
                    return Ok(answer.after_sending(failures.iter().any(Failed::may_have_effect)));
                }
                Err(failed) if failed.moves_on(call.repeat) => failures.push(failed),
                Err(failed) => {
                    if failed.error.problem().is_some() {
                        shared.remember(at);
                    }
                    return Err(failed.error);
                }
            }
        }
        Err(combined(failures))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        call: &Call<T>,
        server: &Server,
    ) -> Result<Answer<T>, Failed> {
        let (client, url) = (self.shared(), &server.url);
        let mut request = server
            .http
            .request(call.method.clone(), call.url(url))
            .query(&call.query)
            .header(header::ACCEPT, "application/json");
        if let Some(token) = &client.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(tag) = &call.if_match {
            request = request.header(header::IF_MATCH, tag);
        }
        let trace = call.trace.clone().or_else(crate::trace::current);
        if let Some(trace) = trace.as_ref().or(client.trace.as_ref()) {
            request = request.header("traceparent", trace.context.to_string());
            // Whatever a tracing system has written there, the call must not fail because of it.
            let state = trace.state.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(state)) = state {
                request = request.header("tracestate", state);
            }
        }
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|err| {
            let was_sent = !err.is_connect();
            Failed { error: failure::unanswered(err, url, client), was_sent }
        })?;
        let status = response.status();
        let saved = response.headers().get("fastjob-saved");
        let saved = saved.and_then(|word| word.to_str().ok()).map(str::to_owned);
        let text = response.text().await;
        let text =
            text.map_err(|err| Failed::after_sending(failure::unanswered(err, url, client)))?;
        if !status.is_success() {
            return Err(Failed::after_sending(failure::refused(status, &text, url)));
        }
        Ok(Answer::new(url.clone(), status, text, saved))
    }
}

/// The error of a call that no coordinator has carried out.
fn combined(failures: Vec<Failed>) -> ClientError {
    let rank = failures.iter().map(Failed::rank).max().unwrap_or_default();
    let mut worst: Vec<_> = failures.into_iter().filter(|failed| failed.rank() == rank).collect();
    let is_transient = |failed: &Failed| failed.error.is_transient();
    if rank > 0 || worst.len() == 1 || !worst.iter().any(is_transient) {
        return worst.swap_remove(0).error;
    }
    let (mut servers, mut reasons) = (Vec::new(), Vec::new());
    for failed in &worst {
        let (server, reason) = unreached(&failed.error);
        servers.push(server);
        reasons.push(reason);
    }
    let reason = match reasons.iter().all(|reason| *reason == reasons[0]) {
        true => reasons[0].clone(),
        false => {
            let each = servers.iter().zip(&reasons);
            let each: Vec<_> = each.map(|(server, reason)| format!("{server}: {reason}")).collect();
            each.join(", ")
        }
    };
    // That no process listens is the reason only if it is that of all.
    let at = worst.iter().position(|failed| !failed.error.is_refused()).unwrap_or(0);
    let source = Box::new(worst.swap_remove(at).error);
    ClientError::Unreachable { server: servers.join(" or "), reason, source }
}

/// The address of a coordinator that was not reached, and why.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about a connection")]
fn unreached(error: &ClientError) -> (String, String) {
    match error {
        ClientError::Unreachable { server, reason, .. }
        | ClientError::Untrusted { server, reason, .. } => (server.clone(), reason.clone()),
        ClientError::Timeout { server, waited } => {
            (server.clone(), format!("no connection within {waited:?}"))
        }
        other => ("another coordinator".to_owned(), other.to_string()),
    }
}
