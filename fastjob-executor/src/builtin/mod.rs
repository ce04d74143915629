//! The built-in handlers: a sharding example, HTTP calls, and commands.
//!
//! An executor registers them beside the service's own handlers. Everyone who may save a job could
//! use the HTTP handler to call any host that the executor reaches, and the command handler to run
//! programs on its machine. So each handler exists only if the executor's owner enables it, and
//! does only what the owner lists.

#[cfg(unix)]
mod command;
#[cfg_attr(not(unix), expect(dead_code, reason = "commands run on Unix alone"))]
mod entry;
#[cfg(feature = "http")]
mod http;
mod sharding;

use std::sync::Arc;

pub use self::entry::CommandEntry;
pub(crate) use self::entry::{entries, line};
use crate::{config::Problem, handler::DynHandler};

/// A built-in handler: name, description, handler.
pub(crate) type Builtin = (&'static str, &'static str, Arc<dyn DynHandler>);

/// The built-in handlers. Commands and HTTP calls are included only if the settings allow any.
///
/// # Errors
///
/// Fails with all problems of these settings.
pub(crate) fn handlers(
    commands: &[CommandEntry],
    hosts: &[String],
) -> Result<Vec<Builtin>, Vec<Problem>> {
    let mut handlers: Vec<Builtin> = vec![(
        "shardingJobHandler",
        "an example of sharding: processes its part of a list of items",
        Arc::new(sharding::Sharding),
    )];
    let mut problems = Vec::new();
    for added in [http(hosts), command(commands)] {
        match added {
            Ok(added) => handlers.extend(added),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(handlers) } else { Err(problems) }
}

#[cfg(feature = "http")]
fn http(hosts: &[String]) -> Result<Option<Builtin>, Vec<Problem>> {
    let problem = |message| Problem { key: "allow_http", message };
    let hosts = match hosts {
        [] => return Ok(None),
        list => http::Hosts::parse(list)
            .map_err(|problems| problems.into_iter().map(problem).collect::<Vec<_>>())?,
    };
    let handler = Arc::new(http::Http::new(hosts));
    Ok(Some(("httpJobHandler", "calls a URL; the response is the result", handler)))
}

#[cfg(not(feature = "http"))]
fn http(hosts: &[String]) -> Result<Option<Builtin>, Vec<Problem>> {
    match hosts {
        [] => Ok(None),
        _ => {
            let message = "this program was built without the feature `http`".to_owned();
            Err(vec![Problem { key: "allow_http", message }])
        }
    }
}

#[cfg(unix)]
fn command(entries: &[CommandEntry]) -> Result<Option<Builtin>, Vec<Problem>> {
    let problem = |message| Problem { key: "allow_commands", message };
    if entries.is_empty() {
        return Ok(None);
    }
    let rules = entry::check(entries)
        .map_err(|problems| problems.into_iter().map(problem).collect::<Vec<_>>())?;
    let handler = Arc::new(command::Command::new(rules));
    Ok(Some(("commandJobHandler", "runs a command; the end of its output is the result", handler)))
}

#[cfg(not(unix))]
fn command(entries: &[CommandEntry]) -> Result<Option<Builtin>, Vec<Problem>> {
    match entries {
        [] => Ok(None),
        _ => {
            let message = "commands need Unix process groups".to_owned();
            Err(vec![Problem { key: "allow_commands", message }])
        }
    }
}

/// Hides the executor from the commands that it runs.
///
/// # Errors
///
/// Fails with the reason why it cannot be hidden.
pub(crate) fn hide(commands: &[CommandEntry]) -> Result<(), Problem> {
    #[cfg(unix)]
    command::hide(commands).map_err(|message| Problem { key: "allow_commands", message })?;
    #[cfg(not(unix))]
    let _ = commands;
    Ok(())
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(commands: &[CommandEntry], hosts: &[&str], name: &str, expected: bool) {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let handlers = handlers(commands, &hosts).unwrap();
        assert_eq!(handlers.iter().any(|(has, ..)| *has == name), expected, "{name}");
    }

    #[test]
    fn commands_and_http_calls_are_excluded_unless_the_settings_allow_any() {
        check(&[], &[], "shardingJobHandler", true);
        check(&[], &[], "commandJobHandler", false);
        check(&[], &[], "httpJobHandler", false);
        check(&[CommandEntry::program("true", "/bin/true")], &[], "commandJobHandler", true);
        check(&[], &["example.org"], "httpJobHandler", cfg!(feature = "http"));
    }

    #[test]
    fn all_problems_of_the_allowlists_are_reported_at_once() {
        let commands = [CommandEntry::program("pwd", "pwd")];
        let problems = handlers(&commands, &["http://a/".to_owned()]).map(drop).unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["allow_http", "allow_commands"]);
    }

    #[test]
    fn the_examples_in_the_documentation_parse() {
        let text = include_str!("../../../docs/handlers.md");
        let examples: Vec<_> = text.split("```toml\n").skip(1).collect();
        assert_eq!(examples.len(), 2);
        for example in examples {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("fastjob.toml");
            std::fs::write(&path, example.split("```").next().unwrap()).unwrap();
            let config = crate::ExecutorConfig::load(Some(&path), |_| None).unwrap();
            // Only root may run commands as another user.
            let problems: Vec<_> = config.check().iter().map(ToString::to_string).collect();
            let others: Vec<_> =
                problems.iter().filter(|one| !one.contains("needs root")).collect();
            assert!(others.is_empty(), "{others:?}");
        }
    }
}
