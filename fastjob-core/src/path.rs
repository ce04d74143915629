//! References to jobs by name.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{InvalidName, JobName, ServiceName};

/// A reference to a job: `name`, or `service.name`.
///
/// Names may contain dots, so only a list of all jobs says which job a path means: `a.b.c` may be
/// the job `b.c` of the service `a`, the job `c` of `a.b`, or a job named `a.b.c`.
/// [`find`](Self::find) has the rule.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobPath(Arc<str>);

impl JobPath {
    /// The path of a job with its service, which means no other job of that service.
    pub fn of(service: &ServiceName, name: &JobName) -> Self {
        Self(format!("{service}.{name}").into())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each way to read the path as a service and a job of it.
    pub fn with_service(&self) -> impl Iterator<Item = (ServiceName, JobName)> {
        splits(&self.0)
    }

    /// The path read as the name of a job of any service; `None` if it is too long for a name.
    pub fn bare(&self) -> Option<JobName> {
        self.0.parse().ok()
    }

    /// The jobs that the path means: those of a service that it names, and without such a job those
    /// of any service whose whole name it is. More than one means that it is ambiguous.
    pub fn find<T>(
        &self,
        mut of_service: impl FnMut(&ServiceName, &JobName) -> Option<T>,
        of_any: impl FnOnce(&JobName) -> Vec<T>,
    ) -> Vec<T> {
        let found: Vec<T> =
            self.with_service().filter_map(|(service, name)| of_service(&service, &name)).collect();
        match found.as_slice() {
            [] => self.bare().map_or_else(Vec::new, |name| of_any(&name)),
            [_, ..] => found,
        }
    }

    /// Whether the path may refer to the job `name` of `service`.
    pub fn may_mean(&self, service: &ServiceName, name: &JobName) -> bool {
        let rest = self.0.strip_prefix(service.as_str()).and_then(|rest| rest.strip_prefix('.'));
        &*self.0 == name.as_str() || rest == Some(name.as_str())
    }
}

fn splits(path: &str) -> impl Iterator<Item = (ServiceName, JobName)> {
    path.match_indices('.')
        .filter_map(|(dot, _)| Some((path[..dot].parse().ok()?, path[dot + 1..].parse().ok()?)))
}

impl FromStr for JobPath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.parse::<JobName>() {
            Err(InvalidName::TooLong(_)) if splits(text).next().is_some() => {}
            Ok(_) => {}
            Err(err) => return Err(err),
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for JobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for JobPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for JobPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name_or_a_service_and_a_name() {
        let long = "x".repeat(128);
        for good in ["mail", "billing.mail", "a.b.c", &format!("{long}.{long}")] {
            assert_eq!(good.parse::<JobPath>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "billing/mail", &format!("{long}x.b"), &format!("{long}{long}")] {
            assert!(bad.parse::<JobPath>().is_err(), "{bad:?} was accepted");
        }
        let (service, name) = ("a.b".parse().unwrap(), "c".parse().unwrap());
        assert_eq!(JobPath::of(&service, &name).as_str(), "a.b.c");
        let means = |path: &str| path.parse::<JobPath>().unwrap().may_mean(&service, &name);
        assert!(means("c") && means("a.b.c"));
        assert!(!means("b.c") && !means("a.b") && !means("a.bc"));
    }

    #[test]
    fn a_path_means_a_job_of_a_named_service_before_a_job_with_the_whole_name() {
        let find = |path: &str, jobs: &[(&str, &str)]| {
            let is = |(s, n): &(&str, &str), service: &ServiceName, name: &JobName| {
                *s == service.as_str() && *n == name.as_str()
            };
            let at = |service: &ServiceName, name: &JobName| {
                jobs.iter().position(|job| is(job, service, name))
            };
            let bare = |name: &JobName| {
                let places = (0..).zip(jobs).filter(|(_, (_, n))| *n == name.as_str());
                places.map(|(at, _)| at).collect()
            };
            path.parse::<JobPath>().unwrap().find(at, bare)
        };
        assert_eq!(find("a.b", &[("x", "a.b"), ("a", "b")]), [1]);
        assert_eq!(find("a.b", &[("x", "a.b")]), [0]);
        assert_eq!(find("a.b.c", &[("a", "b.c"), ("a.b", "c")]), [0, 1]);
        assert_eq!(find("b", &[("x", "b"), ("y", "b"), ("y", "c")]), [0, 1]);
        assert_eq!(find("b", &[("x", "c")]), [0; 0]);
        let (service, name) = ("s".repeat(100), "n".repeat(100));
        assert_eq!(find(&format!("{service}.{name}"), &[(&service, &name)]), [0]);
    }
}
