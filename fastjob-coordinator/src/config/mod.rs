//! The configuration: plain data, one struct per part.
//!
//! Each setting is defined once, in its group, by a macro of `setting.rs`. It is read from a file,
//! then from `FASTJOB_…` variables; the command line applies its flags over both. A later source
//! wins. All unknown keys and unreadable values are reported together, each with its key.
//! [`Config::check`] checks whether the values are valid together, once all sources are applied.

mod alarms;
mod byte_size;
mod client;
mod console;
mod coordinator;
mod env;
#[cfg(feature = "cli")]
pub(crate) mod executor;
mod file;
mod limits;
mod listen;
mod logs;
mod metrics;
mod names;
#[cfg(not(feature = "postgres"))]
mod no_postgres;
#[cfg(feature = "postgres")]
mod postgres_url;
mod problem;
mod read;
#[cfg(feature = "cli")]
pub(crate) mod reference;
mod setting;
mod show;
mod store_url;
mod template;
mod token_file;
mod traces;
mod value;
mod visit;

use std::{collections::BTreeMap, fs::File, path::Path};

pub use fastjob_client::{
    InvalidServerUrl, InvalidServerUrls, InvalidToken, ServerUrl, ServerUrls, Token,
};
use fastjob_core::{
    ChannelName,
    private::{self, Exposed},
};

#[cfg(feature = "cli")]
pub(crate) use self::names::unknown_variables;
#[cfg(not(feature = "postgres"))]
pub use self::no_postgres::PostgresUrl;
#[cfg(feature = "postgres")]
pub use self::postgres_url::PostgresUrl;
use self::read::Section;
pub use self::{
    alarms::{
        AlarmConfig, AlarmTo, ChatConfig, ChatKind, EmailConfig, EmailTls, Secret, WebhookConfig,
    },
    byte_size::{ByteSize, InvalidByteSize},
    client::ClientConfig,
    console::ConsoleConfig,
    coordinator::{CoordinatorConfig, TlsConfig},
    limits::LimitsConfig,
    logs::{InvalidLogsUrl, LogsConfig, LogsUrl, S3Config},
    metrics::MetricsConfig,
    problem::{ConfigError, Problem},
    store_url::{InvalidStoreUrl, StoreUrl},
    traces::TracesConfig,
};
pub(crate) use self::{file::Source, listen::Listen, setting::Value, template::Template};
use self::{
    setting::{Group, settings},
    visit::secrets,
};

/// The file that is read if it exists and no other file is named.
pub const DEFAULT_FILE: &str = "fastjob.toml";

settings! {
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
    pub struct Config {
        /// Allows files with secrets to be readable by other users of the machine. For a file that
        /// others can change, only the variable allows it.
        pub insecure_files: bool = false;
    groups:
        /// The coordinator: `[coordinator]`.
        pub coordinator: CoordinatorConfig;
        /// The commands that call a coordinator: `[client]`.
        pub client: ClientConfig;
    besides:
        /// Where alarms go: `[alarms.NAME]`.
        pub alarms: BTreeMap<ChannelName, AlarmConfig> = BTreeMap::new();
    }
}

impl Config {
    /// Reads the file at `path`, else the one that `FASTJOB_CONFIG` names, else `fastjob.toml` if
    /// it exists; then the variables that `env` returns. An empty variable counts as not set.
    ///
    /// The settings may still be invalid together: call [`check`](Self::check) once all overrides
    /// are applied.
    ///
    /// # Errors
    ///
    /// Fails with [`ConfigError`] if a named file does not exist or is not TOML; and, with every
    /// problem, if it has unknown keys or unreadable values.
    pub fn load(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let source = Source::find(path, &env)?;
        let (config, problems) = Self::read(&source, env);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Like [`load`](Self::load), but returns the readable settings together with the problems.
    pub(crate) fn read(
        source: &Source,
        env: impl Fn(&str) -> Option<String>,
    ) -> (Self, Vec<Problem>) {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let Source { path, text: _, table, exposed, named } = source;
        let executor = table.get("executor");
        // Its second name is that of the specification.
        let token = ["token", "access_token"]
            .into_iter()
            .find(|key| executor.is_some_and(|table| table.get(key).is_some()));
        let executor = token.map(|key| format!("executor.{key}"));
        let (mut config, mut problems) = (Self::default(), Vec::new());
        let mut root = Section::root(table.clone(), &mut problems);
        config.settings(&mut root);
        root.tables("alarms", |name, section| {
            if let Some(alarm) = AlarmConfig::read(section) {
                config.alarms.insert(name, alarm);
            }
        });
        // The executor library reads this part; the coordinator only accepts the key.
        root.ignore("executor");
        root.finish();
        if exposed.as_ref().is_some_and(|exposed| exposed.is_changed_by_others()) {
            // A file that others can write must not allow itself; the variable can.
            config.insecure_files = false;
        }
        let secrets: Vec<_> = config.secrets().into_iter().chain(executor).collect();
        env::read(&mut config, &env, &mut problems);
        config.load_tokens();
        if let (Some(path), Some(exposed)) = (path, exposed)
            && !config.insecure_files
            && (!secrets.is_empty() || exposed.is_foreign(*named))
        {
            let (path, secrets) = (path.display().to_string(), secrets.join(", "));
            let mut message = advice(exposed, &path);
            if !secrets.is_empty() {
                message = format!("it has secrets ({secrets}), and {message}");
            } else if !exposed.is_foreign(true) {
                message.push_str("; it is enough to name it with --config or FASTJOB_CONFIG");
            }
            problems.push(Problem::new(path, message));
        }
        (config, problems)
    }

    /// Every problem of the current settings, each with its key; empty if they can be used.
    ///
    /// Reads the files that the settings name, but opens no store and no port.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = self.check_coordinator();
        self.client.check(&mut problems);
        problems.extend(self.client_token_problem());
        problems
    }

    /// Settings that are allowed but unsafe, each with its key.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        self.coordinator.warn(&mut warnings);
        if self.insecure_files {
            let message = "other users of this machine may be able to read files with secrets";
            warnings.push(Problem::new("insecure_files", message));
        }
        warnings
    }

    /// The store, with the password from its own file.
    ///
    /// # Errors
    ///
    /// Fails with a problem of the connection's protection, or of that file.
    pub(crate) fn store(&self) -> Result<StoreUrl, Problem> {
        if let Some(problem) = self.coordinator.store_problems().into_iter().next() {
            return Err(problem);
        }
        let (StoreUrl::Postgres(url), Some(path)) =
            (&self.coordinator.store, &self.coordinator.store_password_file)
        else {
            return Ok(self.coordinator.store.clone());
        };
        let key = "coordinator.store_password_file";
        let shown = path.display();
        let unreadable =
            |err: std::io::Error| Problem::new(key, format_args!("could not read {shown}: {err}"));
        let (text, exposed) = private::read(path).map_err(unreadable)?;
        if let Some(exposed) = exposed.filter(|_| !self.insecure_files) {
            return Err(Problem::new(key, advice(&exposed, &shown.to_string())));
        }
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(Problem::new(key, format_args!("{shown} is empty"))),
            password => Ok(StoreUrl::Postgres(url.with_password(password))),
        }
    }

    /// Whether other users can read the key of the certificate.
    fn tls_key_problem(&self) -> Option<Problem> {
        let path = &self.coordinator.tls.as_ref().filter(|_| !self.insecure_files)?.key;
        // A file that cannot be opened is reported where its content is read.
        let exposed = private::exposed(&File::open(path).ok()?).ok()??;
        let message = advice(&exposed, &path.display().to_string());
        Some(Problem::new("coordinator.tls.key", message))
    }

    /// The keys whose values are secrets.
    fn secrets(&self) -> Vec<String> {
        let Self { coordinator, client, alarms, insecure_files: _ } = self;
        let ours = secrets(coordinator, "coordinator").into_iter().chain(secrets(client, "client"));
        let of_alarms = alarms.iter().filter(|(_, alarm)| alarm.has_secrets());
        ours.chain(of_alarms.map(|(name, _)| format!("alarms.{name}"))).collect()
    }

    /// Every problem that prevents a coordinator from starting.
    pub(crate) fn check_coordinator(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.coordinator.check(&mut problems);
        problems.extend(self.coordinator_token_problem());
        if problems.is_empty() {
            problems.extend(self.store().err());
            problems.extend(self.tls_key_problem());
        }
        for (name, alarm) in &self.alarms {
            alarm.check(name, &mut problems);
        }
        problems
    }
}

/// Who else can read a file, and what to do about it.
fn advice(exposed: &Exposed, path: &str) -> String {
    let what = match exposed {
        Exposed::ToAll { .. } | Exposed::ToGroup { .. } => format!("run `chmod 600 {path}`"),
        Exposed::ToOwner { .. } => {
            format!("run `chown` so that this user owns {path}, and `chmod 600 {path}`")
        }
    };
    format!(
        "{exposed}: {what}; a file owned by root may be readable by this process's group (mode \
         0440 or 0640); {} allows all files",
        switch(exposed)
    )
}

/// The setting that allows a file that others can read.
fn switch(exposed: &Exposed) -> &'static str {
    match exposed.is_changed_by_others() {
        true => "FASTJOB_INSECURE_FILES=true",
        false => "insecure_files = true",
    }
}

#[cfg(test)]
mod tests;
