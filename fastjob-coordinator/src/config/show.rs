//! The settings that apply, as `fastjob check` shows them.

use std::time::Duration;

use fastjob_core::duration::to_text;
use toml::{Table, Value};

use super::{Config, ConsoleConfig, LimitsConfig, LogsConfig, Secret, Token};

const DAY: u64 = 24 * 3600;

impl Config {
    /// The settings in the shape of the file; tokens are not shown.
    pub(crate) fn shown(&self) -> Table {
        let (coordinator, client) = (&self.coordinator, &self.client);
        let mut ours = Table::from_iter([
            text("listen", coordinator.listen),
            text("store", &coordinator.store),
            text("drain", to_text(coordinator.drain)),
            text("executor_lost", to_text(coordinator.executor_lost)),
            text("lost_executors", to_text(coordinator.lost_executors)),
            text("beat", to_text(coordinator.beat)),
            text("lease", to_text(coordinator.lease)),
            text("history", days(coordinator.history)),
            flag("insecure_plaintext", coordinator.insecure_plaintext),
            number("max_connections", coordinator.max_connections),
        ]);
        ours.insert("limits".to_owned(), Value::Table(limits(&coordinator.limits)));
        ours.extend(logs(&coordinator.logs));
        let metrics = Table::from_iter([number("jobs", coordinator.metrics.jobs)]);
        ours.insert("metrics".to_owned(), Value::Table(metrics));
        ours.insert("console".to_owned(), Value::Table(console(&coordinator.console)));
        ours.extend(coordinator.advertise.as_ref().map(|url| text("advertise", url)));
        let file = coordinator.store_password_file.as_ref();
        ours.extend(file.map(|path| text("store_password_file", path.display())));
        ours.extend(hidden(coordinator.token.as_ref()));
        let file = coordinator.token_file.path();
        ours.extend(file.map(|path| text("token_file", path.display())));
        if let Some(tls) = &coordinator.tls {
            let files = [text("cert", tls.cert.display()), text("key", tls.key.display())];
            ours.insert("tls".to_owned(), Value::Table(files.into_iter().collect()));
        }
        let mut asking = Table::from_iter([
            text("server", &client.server),
            flag("insecure_plaintext", client.insecure_plaintext),
        ]);
        asking.extend(hidden(client.token.as_ref()));
        let file = client.token_file.path();
        asking.extend(file.map(|path| text("token_file", path.display())));
        asking.extend(client.ca_cert.as_ref().map(|path| text("ca_cert", path.display())));
        let alarms = self.alarms.iter().map(|(name, alarm)| {
            let mut shown = Table::from_iter([
                text("type", alarm.to.name()),
                text("group_wait", to_text(alarm.group_wait)),
                text("group_interval", to_text(alarm.group_interval)),
            ]);
            if !alarm.default_for.is_empty() {
                let services = alarm.default_for.iter().map(|name| Value::from(name.as_str()));
                shown.insert("default_for".to_owned(), services.collect::<Vec<_>>().into());
            }
            (name.to_string(), Value::Table(shown))
        });
        let alarms = (!self.alarms.is_empty()).then(|| Value::Table(alarms.collect()));
        let mut all = Table::from_iter([
            ("coordinator".to_owned(), Value::Table(ours)),
            ("client".to_owned(), Value::Table(asking)),
        ]);
        all.extend(self.insecure_files.then(|| flag("insecure_files", true)));
        all.extend(alarms.map(|alarms| ("alarms".to_owned(), alarms)));
        all
    }
}

fn limits(limits: &LimitsConfig) -> Table {
    Table::from_iter([
        number("max_sessions", limits.max_sessions),
        number("max_sessions_per_service", limits.max_sessions_per_service),
        text("max_hello", limits.max_hello),
        text("max_hellos", limits.max_hellos),
        number("max_declared_jobs", limits.max_declared_jobs),
        number("max_jobs", limits.max_jobs),
        text("max_job_definitions", limits.max_job_definitions),
        number("max_open_tasks", limits.max_open_tasks),
        text("max_open_bytes", limits.max_open_bytes),
        number("max_descendants", limits.max_descendants),
        text("max_request_memory", limits.max_request_memory),
        text("max_response_memory", limits.max_response_memory),
        number("max_log_followers", limits.max_log_followers),
        number("max_unauthenticated", limits.max_unauthenticated),
        number("max_unauthenticated_per_address", limits.max_unauthenticated_per_address),
        text("authenticate_within", to_text(limits.authenticate_within)),
    ])
}

/// Nothing, if whole logs are not kept.
fn console(console: &ConsoleConfig) -> Table {
    let dir = console.dir.as_ref().map(|dir| text("dir", dir.display()));
    [flag("enabled", console.enabled)].into_iter().chain(dir).collect()
}

fn logs(logs: &LogsConfig) -> Option<(String, Value)> {
    let mut shown = Table::from_iter([
        text("store", logs.store.as_ref()?),
        text("max_age", days(logs.max_age)),
        text("max_size", logs.max_size),
        text("max_log", logs.max_log),
    ]);
    let s3 = &logs.s3;
    let secret = |key: &str, secret: Option<&Secret>| secret.map(|_| text(key, "(set, not shown)"));
    let mut bucket = Table::new();
    bucket.extend(s3.endpoint.as_ref().map(|url| text("endpoint", url)));
    bucket.extend(s3.region.as_ref().map(|region| text("region", region)));
    bucket.extend(s3.access_key.as_ref().map(|key| text("access_key", key)));
    bucket.extend(secret("secret_key", s3.secret_key.as_ref()));
    bucket.extend(secret("session_token", s3.session_token.as_ref()));
    bucket.extend(s3.allow_http.then(|| flag("allow_http", true)));
    if !bucket.is_empty() {
        shown.insert("s3".to_owned(), Value::Table(bucket));
    }
    Some(("logs".to_owned(), Value::Table(shown)))
}

/// Whole days, as users think of a retention.
fn days(span: Duration) -> String {
    match (span.as_secs() / DAY, span.as_secs() % DAY, span.subsec_nanos()) {
        (days @ 1.., 0, 0) => format!("{days}d"),
        _ => to_text(span),
    }
}

fn text(key: &str, value: impl ToString) -> (String, Value) {
    (key.to_owned(), Value::String(value.to_string()))
}

fn number(key: &str, value: u32) -> (String, Value) {
    (key.to_owned(), Value::Integer(value.into()))
}

fn flag(key: &str, value: bool) -> (String, Value) {
    (key.to_owned(), Value::Boolean(value))
}

fn hidden(token: Option<&Token>) -> Option<(String, Value)> {
    token.map(|_| text("token", "(set, not shown)"))
}
