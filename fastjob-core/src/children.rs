//! Jobs that are started when a task of another job has ended.
//!
//! This module only decides which children to start. Whether they exist, and whether they form a
//! cycle, can be checked only by code that knows all jobs.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    id::{InvalidName, JobName, ServiceName},
    task::TaskState,
};

/// Maximum number of children of a job.
pub const CHILDREN_MOST: usize = 64;

/// Maximum length of a parent-child chain: for jobs when they are saved, and for the tasks that
/// follow from one start.
pub const CHAIN_MOST: usize = 100;

/// A job to start when a task of its parent has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The job.
    pub job: ChildPath,
    /// The ends that start it.
    pub on: ChildOn,
    /// Whether the parent's result becomes the child's param. If there is no result, as after most
    /// failures, the child's own param is used.
    pub pass_result: bool,
}

/// Which ends of the parent's task start a child.
///
/// A task ends once, regardless of its shards and retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChildOn {
    /// The task succeeded.
    #[default]
    Success,
    /// The task failed permanently, after its last retry.
    Failure,
    /// The task succeeded, failed or was stopped: for work that is always required, such as
    /// cleanup. A stopped task counts, because it may have left work behind, like a failed one. A
    /// skipped task does not count: it never started, often because another one is still running.
    Always,
}

impl ChildOn {
    /// Every choice with its name, the default first.
    pub const NAMES: [(&'static str, Self); 3] =
        [("success", Self::Success), ("failure", Self::Failure), ("always", Self::Always)];

    /// Whether this end starts the child. False for states that are not final.
    pub const fn follows(self, end: TaskState) -> bool {
        match (self, end) {
            (Self::Success | Self::Always, TaskState::Succeeded)
            | (Self::Failure | Self::Always, TaskState::Failed)
            | (Self::Always, TaskState::Stopped) => true,
            (Self::Success | Self::Failure | Self::Always, _) => false,
        }
    }
}

/// A reference to another job: `name`, or `service.name`.
///
/// Names may contain dots, so the reference is ambiguous without the list of all jobs: it is either
/// a job's whole name, or a job of a service.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChildPath(Arc<str>);

impl ChildPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path may refer to the job `name` of `service`.
    pub fn may_mean(&self, service: &ServiceName, name: &JobName) -> bool {
        let rest = self.0.strip_prefix(service.as_str()).and_then(|rest| rest.strip_prefix('.'));
        &*self.0 == name.as_str() || rest == Some(name.as_str())
    }
}

impl FromStr for ChildPath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let alone = text.parse::<JobName>().map(|_| ());
        let with_service = |(dot, _): (usize, &str)| {
            text[..dot].parse::<ServiceName>().is_ok() && text[dot + 1..].parse::<JobName>().is_ok()
        };
        match alone {
            Err(InvalidName::TooLong(_)) if text.match_indices('.').any(with_service) => {}
            other => other?,
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ChildPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_starts_the_children_that_wait_for_it() {
        let children = ChildOn::NAMES.map(|(name, on)| Child {
            job: name.parse().unwrap(),
            on,
            pass_result: false,
        });
        for state in TaskState::ALL {
            let expected: &[&str] = match state {
                TaskState::Succeeded => &["success", "always"],
                TaskState::Failed => &["failure", "always"],
                TaskState::Stopped => &["always"],
                TaskState::Queued
                | TaskState::Running
                | TaskState::Stopping
                | TaskState::Skipped => &[],
            };
            let started = children.iter().filter(|child| child.on.follows(state));
            let started: Vec<_> = started.map(|child| child.job.as_str()).collect();
            assert_eq!(started, expected, "{state}");
        }
    }

    #[test]
    fn a_path_is_a_name_or_a_service_and_a_name() {
        let long = "x".repeat(128);
        for good in ["mail", "billing.mail", "a.b.c", &format!("{long}.{long}")] {
            assert_eq!(good.parse::<ChildPath>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "billing/mail", &format!("{long}x.b"), &format!("{long}{long}")] {
            assert!(bad.parse::<ChildPath>().is_err(), "{bad:?} was accepted");
        }
        let (service, name) = ("a.b".parse().unwrap(), "c".parse().unwrap());
        let means = |path: &str| path.parse::<ChildPath>().unwrap().may_mean(&service, &name);
        assert!(means("c") && means("a.b.c"));
        assert!(!means("b.c") && !means("a.b") && !means("a.bc"));
    }
}
