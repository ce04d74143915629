//! The client of the commands: made from the settings, and its errors as a terminal shows them.

use fastjob_client::{Client, ClientError, List, types::Page};
use fastjob_core::Trace;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    env::Env,
    error::{Error, Failure},
};
use crate::config::Config;

const TRUST: &str = "if the coordinator's certificate comes from a private CA, set its certificate \
                     with --ca-cert or FASTJOB_CA_CERT";

/// A client of the configured coordinator. A command reports each failure to its user at once, so
/// nothing is retried.
pub(super) fn connect(config: &Config, env: &Env) -> Result<Client, Error> {
    if let Some(problem) = config.client_token_problem() {
        return Err(Error::failed(format!("could not read the token: {}", problem.message)));
    }
    let config = &config.client;
    config.token_is_safe().map_err(Error::failed)?;
    let mut client = Client::builder(config.server.to_string())
        .insecure_plaintext(config.insecure_plaintext)
        .retry_for(std::time::Duration::ZERO)
        .user_agent(concat!("fastjob/", env!("CARGO_PKG_VERSION")));
    // The convention of OpenTelemetry for programs: what they start is part of the trace.
    let (parent, state) = (env.get("TRACEPARENT"), env.get("TRACESTATE"));
    if let Some(trace) = Trace::of_headers(parent.as_deref(), state.as_deref()) {
        client = client.in_trace(trace);
    }
    if let Some(token) = &config.token {
        client = client.token(token.expose());
    }
    if let Some(path) = &config.ca_cert {
        client = client.ca_cert(path);
    }
    Ok(client.build()?)
}

impl From<ClientError> for Error {
    fn from(err: ClientError) -> Self {
        Failure::from(err).into()
    }
}

/// Names flags and variables, where the client's own messages name its settings.
impl From<ClientError> for Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others name no setting")]
    fn from(err: ClientError) -> Self {
        let mut failure = Self::default();
        if let Some(problem) = err.problem() {
            failure.report(problem);
            return failure;
        }
        let is_refused = err.is_refused();
        match err {
            ClientError::Unreachable { server, .. } if is_refused => {
                failure.title = format!(
                    "no coordinator is listening at {server}: is it running? start one with \
                     `fastjob serve`, or set its URL with --server or FASTJOB_SERVER"
                );
            }
            ClientError::Unreachable { server, reason, .. } => {
                failure.title = format!("could not connect to {server}: {reason}");
                failure.hint("set the URL of the coordinator with --server or FASTJOB_SERVER");
                if reason.contains("InvalidContentType") {
                    failure.hint("the server does not seem to use TLS: use http instead of https");
                }
            }
            ClientError::Timeout { server, waited } => {
                failure.title = format!("{server} did not respond within {} s", waited.as_secs());
            }
            ClientError::Untrusted { server, reason, .. } => {
                let hint = trust_hint(&reason);
                failure.title = format!("could not verify the certificate of {server}: {reason}");
                failure.hint(hint);
            }
            ClientError::Interrupted { server, reason, .. } => {
                failure.title = format!("connection to {server} was interrupted: {reason}");
                // A TLS port answers plain text with an alert, which is not HTTP.
                if reason.contains("invalid HTTP version") {
                    failure.hint(
                        "the server does not seem to use plain HTTP: use https instead of http",
                    );
                }
            }
            ClientError::NotFastJob { source: Some(source), .. } => {
                failure.title = not_valid(&source);
            }
            ClientError::NotFastJob { server, status, answer, source: None } => {
                let status = StatusCode::from_u16(status).unwrap_or_default();
                let reason = status.canonical_reason().unwrap_or_default();
                let title =
                    format!("the coordinator answered {} {reason}: {answer}", status.as_u16());
                failure.title = title.trim_end_matches([':', ' ']).to_owned();
                if status == StatusCode::UNAUTHORIZED {
                    failure.hint(super::error::TOKEN);
                }
                if status.is_redirection() {
                    let hint = format!("{server} sent a redirect: redirects are not followed");
                    failure.hint(hint);
                }
            }
            ClientError::Tls { reason, .. } => {
                failure.title = format!("could not set up TLS: {reason}");
                failure.hint(TRUST);
            }
            ClientError::Setting { message, .. } => failure.title = message,
            other => failure.title = fastjob_core::error::chain(&other),
        }
        failure
    }
}

/// What to do about a certificate that was not accepted; `reason` is what rustls says about it.
fn trust_hint(reason: &str) -> &'static str {
    if reason.contains("CaUsedAsEndEntity") {
        "the certificate is that of an authority: create one with basicConstraints=CA:FALSE for the \
         coordinator"
    } else if reason.contains("Expired") || reason.contains("expired") {
        "renew the coordinator's certificate, or correct the clock of this machine"
    } else if reason.contains("not valid yet") || reason.contains("NotValidYet") {
        "correct the clock of this machine, or that of the one that made the certificate"
    } else if reason.contains("not valid for name") {
        "use a name of the certificate with --server, or add this one to it as subjectAltName"
    } else {
        TRUST
    }
}

/// A list as JSON, up to `limit`.
pub(super) async fn items<T: DeserializeOwned>(
    list: List<T>,
    limit: Option<usize>,
) -> Result<Items, Error> {
    Ok(Items(list.cast().first(limit).await?))
}

/// A list as the coordinator sent it, with the fields that this release does not know.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Items(Page<Value>);

impl Items {
    /// Up to which instant the list was searched, if the search stopped early.
    pub(super) fn searched_to(&self) -> Option<Timestamp> {
        self.0.searched_to
    }

    /// The addresses of coordinators that did not answer.
    pub(super) fn unanswered(&self) -> &[String] {
        &self.0.unanswered
    }

    pub(super) fn read<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let items = self.0.items.into_iter().map(serde_json::from_value);
        items.collect::<Result<_, _>>().map_err(|err| Error::failed(not_valid(&err)))
    }
}

fn not_valid(err: &serde_json::Error) -> String {
    format!("the response is not valid ({err}): is this a coordinator, and of this release?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_about_a_certificate_fits_what_is_wrong_with_it() {
        for (reason, part) in [
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "CA:FALSE"),
            ("invalid peer certificate: Expired", "renew"),
            (
                "invalid peer certificate: certificate expired: verification time 1796049600",
                "renew",
            ),
            ("invalid peer certificate: certificate not valid yet: verification time 1", "clock"),
            (r#"invalid peer certificate: certificate not valid for name "a""#, "subjectAltName"),
            ("invalid peer certificate: UnknownIssuer", "--ca-cert"),
        ] {
            assert!(trust_hint(reason).contains(part), "{reason}");
        }
    }
}
