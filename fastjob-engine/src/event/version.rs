//! Which version of a job a change accepts, so that two callers never overwrite each other.
//!
//! The engine compares versions in the same step as it decides about the change: no other change
//! comes in between.

use std::fmt::Display;

use fastjob_core::JobId;

use crate::{answer::JobRefused, record::JobRow};

/// A version of a job. Every change has the next revision, and a job that is deleted and created
/// again has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The job.
    pub job: JobId,
    /// Its revision.
    pub revision: i64,
}

impl Version {
    /// The version of a job; `None` if the job is deleted.
    pub fn of(row: &JobRow) -> Option<Self> {
        row.deleted_at.is_none().then_some(Self { job: row.id, revision: row.revision })
    }
}

/// Which versions of a job a change accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Any, also if there is no such job.
    #[default]
    Unconditional,
    /// Any version of a job that exists.
    Exists,
    /// One of these.
    OneOf(Vec<Version>),
}

impl Condition {
    /// Rejects a job of this name that is at another version, or does not exist.
    ///
    /// # Errors
    ///
    /// Fails with [`JobRefused::Stale`], which has the current version.
    pub fn check(&self, name: impl Display, current: Option<Version>) -> Result<(), JobRefused> {
        let holds = match self {
            Self::Unconditional => true,
            Self::Exists => current.is_some(),
            Self::OneOf(versions) => current.is_some_and(|current| versions.contains(&current)),
        };
        match holds {
            true => Ok(()),
            false => Err(JobRefused::Stale { name: name.to_string(), current }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_versions_are_accepted() {
        let version = |job, revision| Version { job: JobId(job), revision };
        let check = |condition: &Condition, current| condition.check("a", current).is_ok();
        let one = Condition::OneOf(vec![version(7, 1), version(7, 3)]);
        for (current, unconditional, exists, one_of) in [
            (None, true, false, false),
            (Some(version(7, 3)), true, true, true),
            (Some(version(7, 2)), true, true, false),
            (Some(version(8, 3)), true, true, false),
        ] {
            assert_eq!(check(&Condition::Unconditional, current), unconditional);
            assert_eq!(check(&Condition::Exists, current), exists);
            assert_eq!(check(&one, current), one_of);
        }
        let none = Condition::OneOf(Vec::new());
        assert!(!check(&none, Some(version(7, 3))), "a list without a version accepts none");
    }
}
