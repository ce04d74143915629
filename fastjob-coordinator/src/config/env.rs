//! Environment variables: the same settings as in the file.

use std::{fmt::Display, path::PathBuf, str::FromStr, time::Duration};

use fastjob_core::duration;

use super::{Config, Listen, Problem, Secret, TlsConfig, Token, TokenFile};

/// Applies the variables over the settings of the file.
pub(super) fn read(
    config: &mut Config,
    env: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    let mut vars = Vars { env, problems };
    // Alarm channels have names chosen by the user, so they have no variables.
    let Config { coordinator, client, alarms: _, insecure_files } = config;
    vars.set("FASTJOB_SERVER", parse, &mut client.server);
    vars.set("FASTJOB_CA_CERT", path, &mut client.ca_cert);
    vars.set("FASTJOB_LISTEN", |text| parse(text).map(|Listen(at)| at), &mut coordinator.listen);
    vars.set("FASTJOB_STORE", parse, &mut coordinator.store);
    vars.set("FASTJOB_STORE_PASSWORD_FILE", path, &mut coordinator.store_password_file);
    vars.set("FASTJOB_DRAIN", span, &mut coordinator.drain);
    vars.set("FASTJOB_EXECUTOR_LOST", span, &mut coordinator.executor_lost);
    vars.set("FASTJOB_LOST_EXECUTORS", span, &mut coordinator.lost_executors);
    vars.set("FASTJOB_BEAT", span, &mut coordinator.beat);
    vars.set("FASTJOB_HISTORY", span, &mut coordinator.history);
    vars.set_option("FASTJOB_ADVERTISE", parse, &mut coordinator.advertise);
    vars.set("FASTJOB_LEASE", span, &mut coordinator.lease);
    vars.set("FASTJOB_MAX_CONNECTIONS", parse, &mut coordinator.max_connections);
    let limits = &mut coordinator.limits;
    vars.set("FASTJOB_MAX_SESSIONS", parse, &mut limits.max_sessions);
    vars.set("FASTJOB_MAX_SESSIONS_PER_SERVICE", parse, &mut limits.max_sessions_per_service);
    vars.set("FASTJOB_MAX_HELLO", parse, &mut limits.max_hello);
    vars.set("FASTJOB_MAX_HELLOS", parse, &mut limits.max_hellos);
    vars.set("FASTJOB_MAX_DECLARED_JOBS", parse, &mut limits.max_declared_jobs);
    vars.set("FASTJOB_MAX_JOBS", parse, &mut limits.max_jobs);
    vars.set("FASTJOB_MAX_JOB_DEFINITIONS", parse, &mut limits.max_job_definitions);
    vars.set("FASTJOB_MAX_OPEN_TASKS", parse, &mut limits.max_open_tasks);
    vars.set("FASTJOB_MAX_OPEN_BYTES", parse, &mut limits.max_open_bytes);
    vars.set("FASTJOB_MAX_DESCENDANTS", parse, &mut limits.max_descendants);
    vars.set("FASTJOB_MAX_REQUEST_MEMORY", parse, &mut limits.max_request_memory);
    vars.set("FASTJOB_MAX_RESPONSE_MEMORY", parse, &mut limits.max_response_memory);
    vars.set("FASTJOB_MAX_LOG_FOLLOWERS", parse, &mut limits.max_log_followers);
    vars.set("FASTJOB_MAX_UNAUTHENTICATED", parse, &mut limits.max_unauthenticated);
    vars.set(
        "FASTJOB_MAX_UNAUTHENTICATED_PER_ADDRESS",
        parse,
        &mut limits.max_unauthenticated_per_address,
    );
    vars.set("FASTJOB_AUTHENTICATE_WITHIN", span, &mut limits.authenticate_within);
    vars.set("FASTJOB_METRICS_JOBS", parse, &mut coordinator.metrics.jobs);
    let logs = &mut coordinator.logs;
    vars.set_option("FASTJOB_LOGS_STORE", parse, &mut logs.store);
    vars.set("FASTJOB_LOGS_MAX_AGE", span, &mut logs.max_age);
    vars.set("FASTJOB_LOGS_MAX_SIZE", parse, &mut logs.max_size);
    vars.set("FASTJOB_LOGS_MAX_LOG", parse, &mut logs.max_log);
    vars.set_option("FASTJOB_LOGS_S3_ENDPOINT", parse, &mut logs.s3.endpoint);
    vars.set_option("FASTJOB_LOGS_S3_REGION", parse, &mut logs.s3.region);
    vars.set_option("FASTJOB_LOGS_S3_ACCESS_KEY", parse, &mut logs.s3.access_key);
    vars.set_option("FASTJOB_LOGS_S3_SECRET_KEY", secret, &mut logs.s3.secret_key);
    vars.set_option("FASTJOB_LOGS_S3_SESSION_TOKEN", secret, &mut logs.s3.session_token);
    vars.set("FASTJOB_LOGS_S3_ALLOW_HTTP", switch, &mut logs.s3.allow_http);
    vars.set("FASTJOB_CONSOLE_ENABLED", switch, &mut coordinator.console.enabled);
    vars.set("FASTJOB_CONSOLE_DIR", path, &mut coordinator.console.dir);
    // These apply to both the coordinator and the client.
    let token = vars.get("FASTJOB_TOKEN", parse::<Token>);
    let its_file = vars.get("FASTJOB_TOKEN_FILE", |text| Ok(TokenFile::at(text.into())));
    if token.is_some() || its_file.is_some() {
        // Each of them replaces both settings of the file.
        let its_file = its_file.unwrap_or_default();
        (coordinator.token, coordinator.token_file) = (token.clone(), its_file.clone());
        (client.token, client.token_file) = (token, its_file);
    }
    if let Some(allowed) = vars.get("FASTJOB_INSECURE_PLAINTEXT", switch) {
        coordinator.insecure_plaintext = allowed;
        client.insecure_plaintext = allowed;
    }
    vars.set("FASTJOB_INSECURE_FILES", switch, insecure_files);
    let (mut cert, mut key) = (None, None);
    vars.set("FASTJOB_TLS_CERT", path, &mut cert);
    vars.set("FASTJOB_TLS_KEY", path, &mut key);
    if cert.is_some() || key.is_some() {
        let tls = coordinator.tls.get_or_insert_with(|| TlsConfig::new("", ""));
        tls.cert = cert.unwrap_or_else(|| tls.cert.clone());
        tls.key = key.unwrap_or_else(|| tls.key.clone());
    }
}

struct Vars<'a, E> {
    env: &'a E,
    problems: &'a mut Vec<Problem>,
}

impl<E: Fn(&str) -> Option<String>> Vars<'_, E> {
    fn set<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>, to: &mut T) {
        if let Some(value) = self.get(name, read) {
            *to = value;
        }
    }

    fn set_option<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
        to: &mut Option<T>,
    ) {
        if let Some(value) = self.get(name, read) {
            *to = Some(value);
        }
    }

    fn get<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = (self.env)(name)?;
        read(&text).map_err(|message| self.problems.push(Problem::new(name, message))).ok()
    }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|err: T::Err| err.to_string())
}

fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|err| err.to_string())
}

fn path(text: &str) -> Result<Option<PathBuf>, String> {
    Ok(Some(PathBuf::from(text)))
}

fn secret(text: &str) -> Result<Secret, String> {
    Ok(text.to_owned().into())
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(format!("`{other}` is neither true nor false")),
    }
}
