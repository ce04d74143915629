//! The settings of commands that call a coordinator: `[client]`.

use std::path::PathBuf;

use super::{Problem, ServerUrls, Token, TokenFile, coordinator::readable, read::Section};

/// Which coordinator to call, and how.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Where the coordinator is; of a cluster, one or several of its nodes. Default:
    /// `http://127.0.0.1:7070`.
    pub server: ServerUrls,
    /// The token to send. Default: none.
    pub token: Option<Token>,
    /// The file that the token was read from, or could not be read from.
    pub(crate) token_file: TokenFile,
    /// Certificates to trust in addition to the machine's, in PEM. Default: none.
    pub ca_cert: Option<PathBuf>,
    /// Allows the token to be sent in plain text to another machine. Default: `false`.
    pub insecure_plaintext: bool,
}

impl ClientConfig {
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        let (given, servers) = (section.has("server"), section.texts("server"));
        if given && !section.has_problem("server") {
            match ServerUrls::of(servers) {
                Ok(servers) => self.server = servers,
                Err(err) => section.problem("server", err),
            }
        }
        section.parse_option("token", &mut self.token);
        self.token_file = section.path("token_file").map(TokenFile::at).unwrap_or_default();
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
        if let Some(message) = self.token_file.problem() {
            problem("token_file", message.to_owned());
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
        if self.token.is_none() || self.insecure_plaintext {
            return Ok(());
        }
        match self.server.iter().find(|server| server.is_open_to_others()) {
            None => Ok(()),
            Some(server) => Err(format!(
                "the token would be sent in plain text to {server}: use https, or \
                 --insecure-plaintext if the connection is protected otherwise"
            )),
        }
    }
}
