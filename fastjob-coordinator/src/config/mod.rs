//! The configuration: plain data, one struct per part.
//!
//! It is read from a file, then from `FASTJOB_…` variables; flags are laid over it by the command
//! line. A later source wins. Unknown keys and unreadable values are refused, all at once and each
//! with its key; whether the values make sense together is asked of [`Config::check`], when every
//! source has had its say.

mod alarms;
mod byte_size;
mod client;
mod coordinator;
mod env;
mod limits;
mod listen;
mod names;
mod problem;
mod read;
mod server_url;
mod show;
mod store_url;
mod token;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fastjob_core::ChannelName;

use self::read::Section;
pub use self::{
    alarms::{
        AlarmConfig, AlarmTo, ChatConfig, ChatKind, EmailConfig, EmailTls, Secret, WebhookConfig,
    },
    byte_size::{ByteSize, InvalidByteSize},
    client::ClientConfig,
    coordinator::{CoordinatorConfig, TlsConfig},
    limits::LimitsConfig,
    problem::{ConfigError, Problem},
    server_url::{InvalidServerUrl, ServerUrl},
    store_url::{InvalidStoreUrl, PostgresUrl, StoreUrl},
    token::{InvalidToken, Token},
};
pub(crate) use self::{listen::Listen, names::unknown_variables};

/// The file that is read if it is there and no other is named.
pub const DEFAULT_FILE: &str = "fastjob.toml";

/// Everything that can be set.
///
/// ```
/// use fastjob_coordinator::Config;
///
/// let mut config = Config::default();
/// config.coordinator.listen = "127.0.0.1:7171".parse()?;
/// assert!(config.check().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The coordinator: `[coordinator]`.
    pub coordinator: CoordinatorConfig,
    /// The commands that ask a coordinator: `[client]`.
    pub client: ClientConfig,
    /// Where alarms go: `[alarms.NAME]`.
    pub alarms: BTreeMap<ChannelName, AlarmConfig>,
}

impl Config {
    /// Reads the file at `path`, else the one that `FASTJOB_CONFIG` names, else `fastjob.toml` if
    /// it is there; then the variables that `env` knows. An empty variable counts as not set.
    ///
    /// What was read may still make no sense together: that is for [`check`](Self::check), once
    /// whoever calls has laid over it what they know better.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError`] if a named file is not there, or is no TOML; and, with every
    /// problem, if it has unknown keys or a value that cannot be read.
    pub fn load(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let (config, problems) = Self::read(path, env)?;
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Like [`load`](Self::load), but what can be read is returned beside what cannot.
    pub(crate) fn read(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Problem>), ConfigError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let table = match file(path, &env) {
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
                parse(&path, &text)?
            }
            None => toml::Table::new(),
        };
        Ok(Self::of_table(table, env))
    }

    /// Like [`read`](Self::read), from the text of a file.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_text(
        text: &str,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Problem>), ConfigError> {
        Ok(Self::of_table(parse(Path::new(DEFAULT_FILE), text)?, env))
    }

    fn of_table(table: toml::Table, env: impl Fn(&str) -> Option<String>) -> (Self, Vec<Problem>) {
        let (mut config, mut problems) = (Self::default(), Vec::new());
        let mut root = Section::root(table, &mut problems);
        root.section("coordinator", |section| config.coordinator.read(section));
        root.section("client", |section| config.client.read(section));
        root.tables("alarms", |name, section| {
            if let Some(alarm) = AlarmConfig::read(section) {
                config.alarms.insert(name, alarm);
            }
        });
        // The executor library reads this part; here it is only known to belong.
        root.ignore("executor");
        root.finish();
        env::read(&mut config, &env, &mut problems);
        (config, problems)
    }

    /// Every problem of the settings as they are, each with its key; none if they can be used.
    ///
    /// Looks at the files that the settings name, but opens no store and no port.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = self.check_coordinator();
        self.client.check(&mut problems);
        problems
    }

    /// Every problem of what a coordinator needs.
    pub(crate) fn check_coordinator(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.coordinator.check(&mut problems);
        for (name, alarm) in &self.alarms {
            alarm.check(name, &mut problems);
        }
        problems
    }
}

fn file(path: Option<&Path>, env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    path.map(Path::to_owned)
        .or_else(|| env("FASTJOB_CONFIG").map(PathBuf::from))
        .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()))
}

fn parse(path: &Path, text: &str) -> Result<toml::Table, ConfigError> {
    text.parse::<toml::Table>().map_err(|err| ConfigError::NoToml {
        path: path.to_owned(),
        line: err.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        message: err.message().to_owned(),
    })
}

#[cfg(test)]
mod tests;
