//! `fastjob serve`: runs a coordinator until it is stopped.
//!
//! The first SIGINT or SIGTERM shuts it down gracefully; the second one immediately. A service manager
//! is notified when the coordinator can do its work, and when it shuts down.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, IsTerminal},
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;
use tracing::field::Field;
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    fmt::{
        FormatFields,
        format::{Writer, debug_fn},
    },
};

use super::{
    env::Env,
    error::Error,
    notify::Notify,
    options::{self, Options},
    text::{JsonLines, one_line},
};
use crate::{Config, Coordinator, config::Listen};

/// The exit status of an interrupted process.
const INTERRUPTED: i32 = 130;

/// How long the service manager waits for a coordinator that runs and cannot do all of its work, for
/// example because the clock was set back or a part of the store cannot be read.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the status that the service manager shows is compared with what `/readyz` says.
const STATUS_EVERY: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(super) struct Serve {
    /// Listen on this address (FASTJOB_LISTEN) [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    listen: Option<Listen>,
    /// Use this store, as sqlite:PATH or postgres://… (FASTJOB_STORE) [default:
    /// sqlite:fastjob-data/fastjob.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Take the password for the store from this file (FASTJOB_STORE_PASSWORD_FILE)
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// Serve the console's files from this folder, for work on the console (FASTJOB_CONSOLE_DIR)
    #[arg(long, value_name = "DIR")]
    console_dir: Option<PathBuf>,
    /// The format of the log; FASTJOB_LOG sets its level, such as debug
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One object per line
    Json,
}

impl Serve {
    pub(super) async fn run(self, options: &Options, env: &Env) -> Result<(), Error> {
        let mut shows_password = None;
        let over = |config: &mut Config| -> Result<(), Error> {
            if let Some(Listen(listen)) = self.listen {
                config.coordinator.listen = listen;
            }
            if let Some(store) = &self.store {
                // Not parsed by clap, which would print a rejected value: it may contain a
                // password.
                config.coordinator.store = options::store(store)?;
                shows_password = options::shows_password(&config.coordinator.store);
            }
            if let Some(path) = &self.store_password_file {
                config.coordinator.store_password_file = Some(path.clone());
            }
            if let Some(dir) = &self.console_dir {
                config.coordinator.console.dir = Some(dir.clone());
            }
            Ok(())
        };
        let options::Judged { config, .. } = options.judged(env, over, |_| Vec::new())?;
        let level =
            env.get("FASTJOB_LOG").or_else(|| env.get("RUST_LOG")).filter(|text| !text.is_empty());
        self.log_format.start(level.as_deref().unwrap_or(LOG))?;
        if let Some(warning) = shows_password {
            tracing::warn!("{warning}");
        }
        for warning in config.warnings() {
            tracing::warn!(setting = warning.key, "{}", warning.message);
        }
        serve(config, &Notify::of(env)).await.map_err(|err| Error::from_chain(&*err))
    }
}

/// What is logged without FASTJOB_LOG. PostgreSQL notifies that tables exist already, at each start.
const LOG: &str = "info,sqlx::postgres::notice=warn";

/// Signals within this time of the first one count as the same: programs such as GNU `timeout` send
/// one to the process and one to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

async fn serve(config: Config, notify: &Notify) -> Result<(), Box<dyn StdError>> {
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let mut signalled: Option<Instant> = None;
    let work = async {
        let scheme = if config.coordinator.tls.is_some() { "https" } else { "http" };
        let store = config.coordinator.store.clone();
        let coordinator = Coordinator::builder().config(config).bind().await?;
        let address = coordinator.local_addr();
        tracing::info!("listening on {scheme}://{address}, store {store}");
        let handle = coordinator.handle();
        let announced = async {
            if notify.is_wanted() {
                let mut patience = PATIENCE;
                let mut shown: Option<Result<(), String>> = None;
                while let Some(state) = handle.until_ready(patience).await {
                    // While it drains, that is the status.
                    if stop.is_cancelled() {
                        break;
                    }
                    if shown.as_ref() != Some(&state) {
                        match &state {
                            Ok(()) => notify.ready(),
                            Err(why) => notify.not_ready(why),
                        }
                        shown = Some(state);
                    }
                    patience = Duration::ZERO;
                    tokio::time::sleep(STATUS_EVERY).await;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = coordinator.run(stop.clone()) => Ok(ended?),
            () = announced => Ok(()),
        }
    };
    tokio::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => return ended,
            () = signals.next() => {
                match signalled {
                    Some(first) if first.elapsed() < ONE_SIGNAL => continue,
                    Some(_) => {
                        tracing::warn!("second stop signal received, terminating immediately");
                        std::process::exit(INTERRUPTED);
                    }
                    None => signalled = Some(Instant::now()),
                }
                tracing::info!("stop signal received, shutting down");
                notify.stopping();
                stop.cancel();
            }
        }
    }
}

impl LogFormat {
    /// Writes the log of the process to the standard error.
    fn start(self, filter: &str) -> Result<(), Error> {
        let filter = EnvFilter::try_new(filter)
            .map_err(|err| Error::Misuse(format!("FASTJOB_LOG: `{filter}`: {err}")))?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        let started = match self {
            Self::Text => log.with_ansi(io::stderr().is_terminal()).fmt_fields(fields()).try_init(),
            Self::Json => log.json().with_writer(|| JsonLines(io::stderr())).try_init(),
        };
        started.map_err(|err| Error::from_chain(&*err))
    }
}

/// Fields of an event on one line, whatever external text they contain.
fn fields() -> impl for<'writer> FormatFields<'writer> + 'static {
    let field = |writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let value = one_line(&format!("{value:?}"));
        match (field.name(), writer.has_ansi_escapes()) {
            ("message", _) => write!(writer, "{value}"),
            (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
            (name, false) => write!(writer, "{name}={value}"),
        }
    };
    debug_fn(field).delimited(" ")
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_text_it_contains() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Mutex::new(file.reopen().unwrap());
        let log = tracing_subscriber::fmt().with_ansi(false).fmt_fields(fields());
        tracing::subscriber::with_default(log.with_writer(writer).finish(), || {
            let why = "refused\n2026-11-28T00:00:00Z  INFO forged\u{1b}[2J\u{202e}";
            tracing::warn!(%why, quoted = why, count = 3, "a client said {why}");
        });
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("a client said refused 2026") && text.contains("count=3"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
