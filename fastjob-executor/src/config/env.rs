//! Environment variables: the same settings as in the file.
//!
//! The coordinator and the command line have their own `FASTJOB_…` variables, which an executor
//! ignores. A name that is probably a misspelled executor variable is rejected, because its setting
//! would otherwise be ignored silently.

use std::{fmt::Display, str::FromStr};

use fastjob_core::{environment::is_service_link, settings::executor_variables};

use super::{ConfigError, ExecutorConfig, Token};
use crate::builtin;

/// Variables with this prefix belong to the executor.
const PREFIX: &str = "FASTJOB_EXECUTOR_";
/// Except this one, which belongs to the coordinator.
const EXECUTOR_LOST: &str = "FASTJOB_EXECUTOR_LOST";

/// Overrides the file's settings with the variables.
pub(super) fn read(
    config: &mut ExecutorConfig,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    let coordinators = env("FASTJOB_COORDINATORS");
    let other = ("FASTJOB_ADMIN_ADDRESSES", env("FASTJOB_ADMIN_ADDRESSES"));
    if let Some(text) = one_of(("FASTJOB_COORDINATORS", coordinators), other)? {
        config.coordinators = list(&text);
    }
    let (service, other) = (env("FASTJOB_SERVICE"), env("FASTJOB_APP_NAME"));
    if let Some(text) = one_of(("FASTJOB_SERVICE", service), ("FASTJOB_APP_NAME", other))? {
        config.service = text;
    }
    // The coordinator and the command line read FASTJOB_TOKEN, too.
    let (token, other) = (env("FASTJOB_TOKEN"), env("FASTJOB_ACCESS_TOKEN"));
    let token = one_of(("FASTJOB_TOKEN", token), ("FASTJOB_ACCESS_TOKEN", other))?;
    let file = env("FASTJOB_TOKEN_FILE");
    if token.is_some() || file.is_some() {
        // A variable replaces both settings of the file.
        config.token = token.map(Token);
        config.token_file = file.map(Into::into);
    }
    if let Some(text) = env("FASTJOB_EXECUTOR_NAME") {
        config.executor_name = Some(text);
    }
    if let Some(text) = env("FASTJOB_IP") {
        config.ip = Some(text);
    }
    if let Some(text) = env("FASTJOB_PORT").filter(|text| !is_service_link("FASTJOB_PORT", text)) {
        config.port = Some(number("FASTJOB_PORT", &text)?);
    }
    if let Some(text) = env("FASTJOB_LOG_PATH") {
        config.log_path = text.into();
    }
    if let Some(text) = env("FASTJOB_LOG_RETENTION_DAYS") {
        config.log_retention_days = number("FASTJOB_LOG_RETENTION_DAYS", &text)?;
    }
    if let Some(text) = env("FASTJOB_LOG_MAX_MIB") {
        config.log_max_mib = number("FASTJOB_LOG_MAX_MIB", &text)?;
    }
    if let Some(text) = env("FASTJOB_CAPACITY") {
        config.capacity = number("FASTJOB_CAPACITY", &text)?;
    }
    if let Some(text) = env("FASTJOB_CA_CERT") {
        config.ca_cert = Some(text.into());
    }
    if let Some(text) = env("FASTJOB_ALLOW_COMMANDS") {
        let invalid = |message: String| ConfigError::Variable {
            name: "FASTJOB_ALLOW_COMMANDS".to_owned(),
            message,
        };
        let lines = list(&text);
        // `any` may be the rest of an argument that contains a comma.
        if lines.len() > 1 && lines.iter().any(|line| line == "any") {
            return Err(invalid(
                "`any` allows everything and cannot be combined with other entries".to_owned(),
            ));
        }
        let entries = lines.iter().map(|line| builtin::line(line));
        config.allow_commands = entries.collect::<Result<_, _>>().map_err(invalid)?;
    }
    if let Some(text) = env("FASTJOB_ALLOW_HTTP") {
        config.allow_http = list(&text);
    }
    Ok(())
}

/// The value of a variable with two names, which must not contradict each other.
fn one_of(
    (name, value): (&str, Option<String>),
    (other_name, other): (&str, Option<String>),
) -> Result<Option<String>, ConfigError> {
    match (value, other) {
        (Some(value), Some(other)) if value != other => Err(ConfigError::Variable {
            name: other_name.to_owned(),
            message: format!("{name} is the same setting and has another value: unset one of them"),
        }),
        (value, other) => Ok(value.or(other)),
    }
}

fn number<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, ConfigError> {
    text.trim().parse().map_err(|err: T::Err| ConfigError::Variable {
        name: name.to_owned(),
        message: err.to_string(),
    })
}

/// Parses a boolean, as the coordinator does.
pub(super) fn switch(name: &str, text: &str) -> Result<bool, ConfigError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(ConfigError::Variable {
            name: name.to_owned(),
            message: format!("`{other}` is neither true nor false"),
        }),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Rejects a name that is probably a misspelled executor variable.
pub(super) fn check_name(name: &str, value: &str) -> Result<(), ConfigError> {
    let names = executor_variables();
    if !name.starts_with("FASTJOB_") || name == EXECUTOR_LOST || names.contains(&name) {
        return Ok(());
    }
    if is_service_link(name, value) {
        return Ok(());
    }
    let by_distance = names.iter().map(|known| (distance(name, known), *known));
    let Some((distance, closest)) = by_distance.min() else { return Ok(()) };
    // Short names are similar to many others.
    let is_close = distance <= (closest.len() - "FASTJOB_".len()).div_ceil(4).min(2);
    let message = match (is_close, name.starts_with(PREFIX)) {
        (true, _) => format!("unknown variable; did you mean {closest}?"),
        (false, true) => format!("unknown variable; an executor has {}", names.join(", ")),
        (false, false) => return Ok(()),
    };
    Err(ConfigError::Variable { name: name.to_owned(), message })
}

/// The edit distance: how many letters must be inserted, deleted or replaced.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let said = check_name(name, "a").map_err(|err| err.to_string());
        match expected {
            None => assert_eq!(said, Ok(())),
            Some(expected) => assert_eq!(said, Err(format!("{name}: {expected}"))),
        }
    }

    #[test]
    fn a_misspelled_variable_is_rejected_with_the_correct_name() {
        let meant = |name: &str| format!("unknown variable; did you mean {name}?");
        check("FASTJOB_EXECUTOR_NAMES", Some(&meant("FASTJOB_EXECUTOR_NAME")));
        check("FASTJOB_ADMIN_ADRESSES", Some(&meant("FASTJOB_ADMIN_ADDRESSES")));
        check("FASTJOB_APPNAME", Some(&meant("FASTJOB_APP_NAME")));
        check("FASTJOB_POTR", None);
        let all = format!("unknown variable; an executor has {}", executor_variables().join(", "));
        check("FASTJOB_EXECUTOR_TOKEN", Some(&all));
    }

    #[test]
    fn variables_of_other_programs_are_ignored() {
        executor_variables().iter().for_each(|name| check(name, None));
        for other in [
            "ADVERTISE",
            "BEAT",
            "CONFIG",
            "DRAIN",
            "EXECUTOR_LOST",
            "HISTORY",
            "INSECURE_PLAINTEXT",
            "LEASE",
            "LISTEN",
            "LOG",
            "MAX_CONNECTIONS",
            "SEED",
            "SERVER",
            "SOAK",
            "STORE",
            "TASK",
            "TLS_CERT",
            "TLS_KEY",
            "TOKEN",
            "TOKEN_FILE",
        ] {
            check(&format!("FASTJOB_{other}"), None);
        }
        check("PATH", None);
    }

    #[test]
    fn variables_that_kubernetes_sets_for_services_are_ignored() {
        for link in ["SERVICE_HOST", "SERVICE_PORT", "PORT_7070_TCP_ADDR"] {
            check(&format!("FASTJOB_EXECUTOR_{link}"), None);
        }
        assert!(check_name("FASTJOB_EXECUTOR_PORT", "tcp://10.0.0.1:80").is_ok());
        assert!(check_name("FASTJOB_EXECUTOR_PORT", "9999").is_err());
        let mut config = ExecutorConfig::default();
        let link = |name: &str| (name == "FASTJOB_PORT").then(|| "tcp://10.0.0.1:80".to_owned());
        read(&mut config, link).unwrap();
        assert_eq!(config.port, None);
    }
}
