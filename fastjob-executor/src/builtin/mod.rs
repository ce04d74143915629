//! The handlers that every executor has: a sharded example, HTTP calls, and commands.
//!
//! An executor registers them beside the service's own. The command handler runs programs for
//! whoever may edit a job; so it is there only where the executor's owner allows it, and runs only
//! what the owner lists.

#[cfg(unix)]
mod command;
#[cfg(feature = "http")]
mod http;
mod sharding;

use std::sync::Arc;

use fastjob_core::JobHandler;

/// What `commandJobHandler` may run. Without a policy there is no such handler.
///
/// A job names its program in one of the ways listed here, letter by letter: with `ls` allowed,
/// `/bin/ls` is refused. `"*"` allows everything. Scripts (`"shell": true`) need `sh`.
///
/// An allowed program is run with any arguments: to allow `sh`, `env` or `find` is to allow
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandPolicy {
    /// Program names, looked for in the executor's `PATH`, or absolute paths.
    pub allowed: Vec<String>,
}

/// The built-in handlers: name, description, handler. Commands only under a policy.
pub(crate) fn handlers(
    policy: Option<CommandPolicy>,
) -> Vec<(&'static str, &'static str, Arc<dyn JobHandler>)> {
    let mut handlers: Vec<(_, _, Arc<dyn JobHandler>)> = vec![(
        "shardingJobHandler",
        "an example of sharding: works on its part of a list of items",
        Arc::new(sharding::Sharding),
    )];
    #[cfg(feature = "http")]
    handlers.push((
        "httpJobHandler",
        "calls a URL; the answer is the result",
        Arc::new(http::Http::default()),
    ));
    #[cfg(unix)]
    if let Some(policy) = policy {
        handlers.push((
            "commandJobHandler",
            "runs a command; what it prints last is the result",
            Arc::new(command::Command::new(policy)),
        ));
    }
    #[cfg(not(unix))]
    if policy.is_some() {
        tracing::warn!("commandJobHandler is left out: it needs process groups, as Unix has them");
    }
    handlers
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_left_out_unless_allowed() {
        let names = |policy| handlers(policy).iter().map(|(name, ..)| *name).collect::<Vec<_>>();
        assert!(names(None).contains(&"shardingJobHandler"));
        assert!(!names(None).contains(&"commandJobHandler"));
        #[cfg(unix)]
        assert!(names(Some(CommandPolicy::default())).contains(&"commandJobHandler"));
    }
}
