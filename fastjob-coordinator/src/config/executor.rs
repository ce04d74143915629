//! The table `[executor]`, which executors read.
//!
//! The coordinator accepts it without reading it. `fastjob check` reports what an executor would
//! reject: unknown keys, values of another type, and values that are not valid. What commands and
//! hosts its handlers may use is checked by the executor alone.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::{
    ExecutorName, ServiceName,
    settings::{EXECUTOR, Kind, LABELS_MAX, Setting},
};
use toml::Value;

use super::{Problem, Secret, ServerUrl, Source, read::Section};

/// Every problem of the table, each with its key.
pub(crate) fn check(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(value) = source.table.get("executor") else { return problems };
    let Value::Table(table) = value else {
        let message = format!("it is a value of type {}, not a table", value.type_str());
        return vec![Problem::new("executor", message)];
    };
    let mut section = Section::named("executor", table.clone(), &mut problems);
    let has_token = ["token", "access_token"].iter().any(|key| table.contains_key(*key));
    let is_allowed = table.get("insecure_transport").and_then(Value::as_bool) == Some(true);
    let guards = has_token && !is_allowed;
    for setting in &EXECUTOR {
        let names = [Some(setting.name), setting.other_name].into_iter().flatten();
        let given = names.clone().filter(|name| table.contains_key(*name)).count();
        for name in names {
            judge(setting, name, guards, &mut section);
        }
        if let (2, Some(other)) = (given, setting.other_name) {
            let message =
                format!("executor.{} is the same setting: keep one of them", setting.name);
            section.problem(other, message);
        }
    }
    section.finish();
    problems
}

/// Checks the value of a setting, if it is there under this name.
fn judge(setting: &Setting, name: &'static str, guards: bool, section: &mut Section<'_>) {
    match setting.kind {
        Kind::Text => {
            let Some(text) = section.value::<String>(name) else { return };
            let wrong = match setting.name {
                "service" => text.parse::<ServiceName>().err().map(|err| err.to_string()),
                "executor_name" => text.parse::<ExecutorName>().err().map(|err| err.to_string()),
                _ => None,
            };
            if let Some(message) = wrong {
                section.problem(name, message);
            }
        }
        Kind::List if setting.name == "coordinators" => {
            let given = section.list(name, false);
            if given.as_ref().is_some_and(Vec::is_empty) {
                section.problem(name, "no address is set");
            }
            for text in given.unwrap_or_default() {
                match text.parse::<ServerUrl>() {
                    Err(err) => section.problem(name, err),
                    Ok(url) if guards && url.is_open_to_others() => section.problem(
                        name,
                        format_args!(
                            "the session with {url} would be in plain text, which others can read and \
                             change: use https, or set insecure_transport if something else protects \
                             the connection"
                        ),
                    ),
                    Ok(_) => {}
                }
            }
        }
        Kind::List => drop(section.list(name, false)),
        Kind::ListOrText => drop(section.list(name, true)),
        Kind::Entries => section.entries(name),
        Kind::Number { least, most } => {
            let number = section.value::<u32>(name);
            if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
                let message = format_args!("it is {number}; from {least} to {most} is allowed");
                section.problem(name, message);
            }
        }
        Kind::Switch => {
            section.value::<bool>(name);
        }
        Kind::Duration => {
            section.value::<Duration>(name);
        }
        Kind::Texts => {
            // Not shown, as secrets are not.
            let texts = section.value::<BTreeMap<String, Secret>>(name).unwrap_or_default();
            if texts.len() > LABELS_MAX {
                let count = texts.len();
                let most = format_args!("there are {count}; at most {LABELS_MAX} are allowed");
                section.problem(name, most);
            }
        }
    }
}
