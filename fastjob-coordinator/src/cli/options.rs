//! Options of all commands.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use fastjob_core::{JobPath, duration};
use jiff::tz::TimeZone;

use super::{
    env::Env,
    error::{Error, Failure, Place, Spot},
    job::places::Places,
    style::When,
    times::{Times, zone},
};
use crate::config::{Config, Problem, ServerUrls, Source, StoreUrl, Token};

/// Flags of every command.
#[derive(Args)]
pub(super) struct Options {
    /// Read this file; else FASTJOB_CONFIG, else fastjob.toml if it exists
    #[arg(long, global = true, value_name = "FILE", help_heading = "Every command")]
    pub(super) config: Option<PathBuf>,
    /// Connect to the coordinator at this URL, or to the first of several that answers
    /// (FASTJOB_SERVER) [default: http://127.0.0.1:7070]
    #[arg(long, global = true, value_name = "URL,…", help_heading = "Every command")]
    server: Option<ServerUrls>,
    /// Send this token; FASTJOB_TOKEN keeps it out of the process list
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Every command")]
    token: Option<String>,
    /// Also trust the certificates in this file (FASTJOB_CA_CERT)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Every command")]
    ca_cert: Option<PathBuf>,
    /// Allow a token to be sent in plain text to other machines (FASTJOB_INSECURE_PLAINTEXT)
    #[arg(long, global = true, help_heading = "Every command")]
    insecure_plaintext: bool,
    /// Read and show instants in this time zone, such as Asia/Shanghai [default: the terminal's];
    /// JSON has UTC
    #[arg(long, global = true, value_name = "ZONE", value_parser = zone,
          help_heading = "Every command")]
    tz: Option<TimeZone>,
    /// Print JSON as REST returns it, and errors as problem details
    #[arg(long, global = true, help_heading = "Every command")]
    pub(super) json: bool,
    /// Colour states: auto is on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        help_heading = "Every command"
    )]
    pub(super) color: When,
}

/// The settings, and the file that they come from.
pub(super) struct Judged {
    pub(super) config: Config,
    pub(super) source: Source,
}

impl Options {
    /// How instants are read and shown.
    pub(super) fn times(&self, env: &Env) -> Times {
        Times::new(self.tz.clone().unwrap_or_else(|| env.zone()))
    }

    /// The settings of the file, then the variables, then the flags.
    pub(super) fn settings(&self, env: &Env) -> Result<Config, Error> {
        self.layered(env).map(|judged| judged.config)
    }

    /// Like [`settings`](Self::settings), with the file.
    pub(super) fn layered(&self, env: &Env) -> Result<Judged, Error> {
        let (judged, problems) = self.read(env)?;
        settled(problems, &judged.source).map(|()| judged)
    }

    /// The flags that override a setting.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let flags = [
            ("--server", self.server.is_some()),
            ("--token", self.token.is_some()),
            ("--ca-cert", self.ca_cert.is_some()),
            ("--insecure-plaintext", self.insecure_plaintext),
        ];
        flags.into_iter().filter_map(|(flag, is_given)| is_given.then_some(flag)).collect()
    }

    /// The settings with the overrides of `over`, if they are valid for a coordinator and a client.
    /// `fastjob check` and `fastjob serve` report the same problems; `fastjob check` reports those
    /// `of_others` too, who read the same file.
    pub(super) fn judged(
        &self,
        env: &Env,
        over: impl FnOnce(&mut Config) -> Result<(), Error>,
        of_others: impl FnOnce(&Source) -> Vec<Problem>,
    ) -> Result<Judged, Error> {
        let (mut judged, mut problems) = self.read(env)?;
        problems.extend(of_others(&judged.source));
        // What is wrong in the file has a place in it; what is wrong with all settings has none.
        let placed = problems.len();
        over(&mut judged.config)?;
        problems.extend(judged.config.check());
        if problems.is_empty()
            && let Err(message) = crate::coordinator::load_tls(&judged.config.coordinator)
        {
            problems.push(Problem::new("coordinator.tls", message));
        }
        settled_but(problems, placed, &judged.source).map(|()| judged)
    }

    /// Like [`settings`](Self::settings), but returns the readable settings together with the
    /// problems.
    fn read(&self, env: &Env) -> Result<(Judged, Vec<Problem>), Error> {
        let source = Source::find(self.config.as_deref(), |name| env.get(name))?;
        let (mut config, mut problems) = Config::read(&source, |name| env.get(name));
        problems.extend(env.unknown());
        self.lay_over(&mut config)?;
        Ok((Judged { config, source }, problems))
    }

    fn lay_over(&self, config: &mut Config) -> Result<(), Error> {
        if let Some(server) = &self.server {
            config.client.server = server.clone();
        }
        if let Some(token) = &self.token {
            // Not parsed by clap, which would print a rejected value.
            let token: Token =
                token.parse().map_err(|err| Error::Misuse(format!("--token: {err}")))?;
            config.coordinator.token = Some(token.clone());
            config.client.token = Some(token);
            config.coordinator.token_file = None;
            config.client.token_file = None;
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

fn settled(problems: Vec<Problem>, source: &Source) -> Result<(), Error> {
    let all = problems.len();
    settled_but(problems, all, source)
}

/// Fails with the problems, of which the first `placed` may have a place in the file.
fn settled_but(problems: Vec<Problem>, placed: usize, source: &Source) -> Result<(), Error> {
    if problems.is_empty() {
        return Ok(());
    }
    let found = problems.iter().take(placed).map(|problem| {
        let file = source.path.as_ref()?.display().to_string();
        let (line, excerpt) = Places::of_key(&source.text, &problem.key)?;
        Some((Place { file, line }, excerpt))
    });
    let spots = found.map(Option::unzip).map(|(place, excerpt)| Spot { excerpt, place });
    let spots = spots.collect();
    let failure = Failure { spots, ..Failure::from(problems) };
    Err(Failure { hints: vec![source.described()], ..failure }.into())
}

/// The problem of a store on the command line that contains a password, if it does.
pub(super) fn shows_password(store: &StoreUrl) -> Option<&'static str> {
    let shows = matches!(store, StoreUrl::Postgres(url) if url.has_password());
    shows.then_some(
        "the password in --store is visible in the process list: use FASTJOB_STORE, or \
         --store-password-file with the password alone in a file",
    )
}

/// Parses the address of a store.
pub(super) fn store(text: &str) -> Result<StoreUrl, Error> {
    text.parse().map_err(|err| Error::Misuse(format!("--store: {err}")))
}

/// Parses the name of a job, with or without its service.
pub(super) fn job_name(text: &str) -> Result<String, String> {
    match text.parse::<JobPath>() {
        // Paths of URLs cannot contain them.
        Ok(_) if matches!(text, "." | "..") => Err("this is not a valid job name".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(err) => Err(err.to_string()),
    }
}

/// Parses a duration, such as `5m`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|err| err.to_string())
}

/// Most items of a list; REST returns more, page by page.
const LIST_MAX: u32 = 10_000;

/// Parses the number of items to list.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    crate::ops::how_many(text, LIST_MAX).map(|limit| limit as usize)
}

/// Parses the number of a task.
pub(super) fn task_id(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(id @ 1..) => Ok(id),
        _ => Err("a task is identified by its number, as shown by `fastjob task list`".to_owned()),
    }
}
