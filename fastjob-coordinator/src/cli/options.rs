//! What every command takes.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use fastjob_core::{JobName, duration};
use jiff::Timestamp;

use super::{
    env::Env,
    error::{Error, Failure},
};
use crate::config::{Config, Problem, ServerUrl, StoreUrl, Token};

/// Flags of every command.
#[derive(Args)]
pub(super) struct Options {
    /// Read this file; else FASTJOB_CONFIG, else fastjob.toml if it is there
    #[arg(long, global = true, value_name = "FILE", help_heading = "Every command")]
    pub(super) config: Option<PathBuf>,
    /// Ask the coordinator there (FASTJOB_SERVER) [default: http://127.0.0.1:7070]
    #[arg(long, global = true, value_name = "URL", help_heading = "Every command")]
    server: Option<ServerUrl>,
    /// Carry this token; FASTJOB_TOKEN keeps it out of the list of processes
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Every command")]
    token: Option<String>,
    /// Trust the certificates in this file too (FASTJOB_CA_CERT)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Every command")]
    ca_cert: Option<PathBuf>,
    /// Let a token travel in plain text to other machines (FASTJOB_INSECURE_PLAINTEXT)
    #[arg(long, global = true, help_heading = "Every command")]
    insecure_plaintext: bool,
    /// Print JSON as REST answers it, and errors as problem details
    #[arg(long, global = true, help_heading = "Every command")]
    pub(super) json: bool,
}

impl Options {
    /// The file, the variables, and over them the flags.
    pub(super) fn settings(&self, env: &Env) -> Result<Config, Error> {
        let (config, problems) = self.read(env)?;
        if problems.is_empty() { Ok(config) } else { Err(Failure::from(problems).into()) }
    }

    /// The settings with what `over` lays over them, if a coordinator can be started with them and
    /// asked: what `fastjob check` says is what `fastjob serve` says.
    pub(super) fn judged(
        &self,
        env: &Env,
        over: impl FnOnce(&mut Config) -> Result<(), Error>,
    ) -> Result<Config, Error> {
        let (mut config, mut problems) = self.read(env)?;
        over(&mut config)?;
        problems.extend(config.check());
        if problems.is_empty()
            && let Err(message) = crate::coordinator::load_tls(&config.coordinator)
        {
            problems.push(Problem::new("coordinator.tls", message));
        }
        if problems.is_empty() { Ok(config) } else { Err(Failure::from(problems).into()) }
    }

    /// Like [`settings`](Self::settings), but what can be read is returned beside what cannot.
    fn read(&self, env: &Env) -> Result<(Config, Vec<Problem>), Error> {
        let (mut config, mut problems) =
            Config::read(self.config.as_deref(), |name| env.get(name))?;
        problems.extend(env.unknown());
        self.lay_over(&mut config)?;
        Ok((config, problems))
    }

    fn lay_over(&self, config: &mut Config) -> Result<(), Error> {
        if let Some(server) = &self.server {
            config.client.server = server.clone();
        }
        if let Some(token) = &self.token {
            // Not by clap, which would print what it refuses.
            let token: Token =
                token.parse().map_err(|err| Error::Misuse(format!("--token: {err}")))?;
            config.coordinator.token = Some(token.clone());
            config.client.token = Some(token);
        }
        if let Some(path) = &self.ca_cert {
            config.client.ca_cert = Some(path.clone());
        }
        if self.insecure_plaintext {
            config.coordinator.insecure_plaintext = true;
            config.client.insecure_plaintext = true;
        }
        Ok(())
    }
}

/// What is wrong with a store that is named on the command line, if something is.
pub(super) fn shows_password(store: &StoreUrl) -> Option<&'static str> {
    let shows = matches!(store, StoreUrl::Postgres(url) if url.has_password());
    shows.then_some(
        "the password in --store is shown in the list of processes: use FASTJOB_STORE, or \
         --store-password-file with the password alone in a file",
    )
}

/// Reads the address of a store.
pub(super) fn store(text: &str) -> Result<StoreUrl, Error> {
    text.parse().map_err(|err| Error::Misuse(format!("--store: {err}")))
}

/// Reads the name of a job, alone or behind its service's.
pub(super) fn job_name(text: &str) -> Result<String, String> {
    let whole = text.parse::<JobName>();
    let split = |(dot, _)| {
        text[..dot].parse::<JobName>().is_ok() && text[dot + 1..].parse::<JobName>().is_ok()
    };
    match whole {
        _ if matches!(text, "." | "..") => Err("no job has this name".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text.match_indices('.').any(split) => Ok(text.to_owned()),
        Err(err) => Err(err.to_string()),
    }
}

/// Reads how long something takes, such as `5m`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|err| err.to_string())
}

/// Most items that a list shows; whoever wants more asks for pages.
const LIST_MAX: u32 = 10_000;

/// Reads how many items of a list to show.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    crate::ops::how_many(text, LIST_MAX).map(|limit| limit as usize)
}

/// Reads an instant, such as `2026-12-01T08:00:00Z`.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    fastjob_core::instant::parse(text).map_err(|err| err.to_string())
}

/// Reads the number of a task.
pub(super) fn task_id(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(id @ 1..) => Ok(id),
        _ => Err("a task is named by its number, as `fastjob task list` shows it".to_owned()),
    }
}
