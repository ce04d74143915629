//! The settings of commands that call a coordinator: `[client]`.

use std::path::PathBuf;

use super::{Problem, ServerUrls, Token, coordinator::readable, setting::settings};

settings! {
    /// Which coordinator the `fastjob` command calls, and how.
    pub struct ClientConfig {
        /// The URL of the coordinator. Of a cluster, one or several of its nodes, up to 16: the
        /// first one that answers is used. Several URLs are a list, or one text with commas.
        pub server: ServerUrls = ServerUrls::default();
        /// The token to send. In a file or a variable, it is not visible in the process list.
        pub token: Option<Token> = None;
        /// A file that contains only the token, as systemd (`LoadCredential`) and Kubernetes provide
        /// it. A variable replaces both `token` and `token_file` of the file.
        pub token_file: Option<PathBuf> = None;
        /// A PEM file with certificates to trust in addition to those of the machine.
        pub ca_cert: Option<PathBuf> = None;
        /// Allows the token to be sent in plain text to another machine, if something else protects
        /// the connection.
        pub insecure_plaintext: bool = false;
    }
}

impl ClientConfig {
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
