//! The settings of commands that call a coordinator: `[client]`.

use std::path::PathBuf;

use super::{Problem, ServerUrl, Token, coordinator::readable, read::Section};

/// Which coordinator to call, and how.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Where the coordinator is. Default: `http://127.0.0.1:7070`.
    pub server: ServerUrl,
    /// The token to send. Default: none.
    pub token: Option<Token>,
    /// Certificates to trust in addition to the machine's, in PEM. Default: none.
    pub ca_cert: Option<PathBuf>,
    /// Allows the token to be sent in plain text to another machine. Default: `false`.
    pub insecure_plaintext: bool,
}

impl ClientConfig {
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        section.parse("server", &mut self.server);
        section.parse_option("token", &mut self.token);
        self.ca_cert = section.path("ca_cert");
        section.switch("insecure_plaintext", &mut self.insecure_plaintext);
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("client.{key}"), message));
        };
        if let Some(Err(err)) = self.token.as_ref().map(Token::check) {
            problem("token", err.to_string());
        }
        if let Some(Err(message)) = self.ca_cert.as_deref().map(readable) {
            problem("ca_cert", message);
        }
        if let Err(message) = self.token_is_safe() {
            problem("server", message);
        }
    }

    /// Rejects a connection on which others could read the token.
    pub(crate) fn token_is_safe(&self) -> Result<(), String> {
        if self.token.is_none() || self.insecure_plaintext || !self.server.is_open_to_others() {
            return Ok(());
        }
        Err(format!(
            "the token would be sent in plain text to {}: use https, or --insecure-plaintext if \
             the connection is protected otherwise",
            self.server
        ))
    }
}
