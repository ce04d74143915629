//! A file that contains only the token: how systemd and Kubernetes hand over a secret.
//!
//! It is read with the other settings. If that fails, there is no token, and the checks report the
//! reason: a command that needs no token must work for a user who may not read the file.

use std::path::{Path, PathBuf};

use super::{Token, advice, file::read_file};

/// The file of a token, and why it cannot be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TokenFile {
    path: Option<PathBuf>,
    problem: Option<String>,
}

impl TokenFile {
    /// A file that has not been read yet.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path: Some(path), problem: None }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Why there is no token although there is a file.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Sets the token to the content of the file, if there is a file. With `insecure`, other users
    /// may be able to read it.
    pub(super) fn load(&mut self, token: &mut Option<Token>, insecure: bool) {
        let Some(path) = &self.path else { return };
        let read = match token {
            Some(_) => Err("token is set as well: keep one of them".to_owned()),
            None => read(path, insecure),
        };
        match read {
            Ok(read) => *token = Some(read),
            Err(message) => self.problem = Some(message),
        }
    }
}

fn read(path: &Path, insecure: bool) -> Result<Token, String> {
    let shown = path.display();
    let (text, exposed) =
        read_file(path).map_err(|err| format!("could not read {shown}: {err}"))?;
    if let Some(exposed) = exposed.filter(|_| !insecure) {
        return Err(advice(&exposed, &shown.to_string()));
    }
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{shown} is empty")),
        token => token.parse().map_err(|err| format!("{shown}: {err}")),
    }
}
