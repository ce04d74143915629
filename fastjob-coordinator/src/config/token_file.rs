//! A file that contains only the token: how systemd and Kubernetes hand over a secret.
//!
//! It is read with the other settings. If that fails, there is no token, and the checks report the
//! reason: a command that needs no token must work for a user who may not read the file.

use std::path::Path;

use fastjob_core::private;

use super::{Config, Problem, Token, advice};

impl Config {
    /// Reads the tokens that are in files of their own, unless that is done.
    pub(crate) fn load_tokens(&mut self) {
        let Self { coordinator, client, alarms: _, insecure_files } = self;
        for (token, file) in [
            (&mut coordinator.token, &coordinator.token_file),
            (&mut client.token, &client.token_file),
        ] {
            if let (None, Some(path)) = (&token, file) {
                *token = read(path, *insecure_files).ok();
            }
        }
    }

    /// Why a command has no token although there is a file.
    pub(crate) fn client_token_problem(&self) -> Option<Problem> {
        let message =
            self.problem(self.client.token.as_ref(), self.client.token_file.as_deref())?;
        Some(Problem::new("client.token_file", message))
    }

    /// Why the coordinator has no token although there is a file.
    pub(super) fn coordinator_token_problem(&self) -> Option<Problem> {
        let (token, file) = (&self.coordinator.token, &self.coordinator.token_file);
        let message = self.problem(token.as_ref(), file.as_deref())?;
        Some(Problem::new("coordinator.token_file", message))
    }

    fn problem(&self, token: Option<&Token>, file: Option<&Path>) -> Option<String> {
        match (read(file?, self.insecure_files), token) {
            (Ok(read), Some(token)) if read == *token => None,
            (Ok(_), Some(_)) => Some("token is set as well: keep one of them".to_owned()),
            (Ok(_), None) => Some("it was changed after the start".to_owned()),
            (Err(message), _) => Some(message),
        }
    }
}

fn read(path: &Path, insecure: bool) -> Result<Token, String> {
    let shown = path.display();
    let (text, exposed) =
        private::read(path).map_err(|err| format!("could not read {shown}: {err}"))?;
    if let Some(exposed) = exposed.filter(|_| !insecure) {
        return Err(advice(&exposed, &shown.to_string()));
    }
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{shown} is empty")),
        token => {
            let token: Token = token.parse().map_err(|err| format!("{shown}: {err}"))?;
            token.check().map_err(|err| format!("{shown}: {err}"))?;
            Ok(token)
        }
    }
}
