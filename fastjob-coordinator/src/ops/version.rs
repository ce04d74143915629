//! The version of a job, as an entity tag of HTTP: which version a caller has read, and which
//! versions a change accepts.

use fastjob_client::types::JobView;
use fastjob_core::JobId;
use fastjob_engine::{Condition, Version};
use serde::{Deserialize, Serialize};

use super::Error;

/// Maximum number of tags that a caller may name.
const TAGS_MOST: usize = 100;

/// Which versions of a job a change accepts, as `If-Match` says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IfMatch {
    /// The caller has not said.
    #[default]
    Unconditional,
    /// Any version of a job that exists.
    Exists,
    /// One of these: ids and revisions.
    OneOf(Vec<(i64, i64)>),
}

impl IfMatch {
    /// Reads the value of the header: `*`, or a list of entity tags. Tags that no job has are valid,
    /// and match none.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.trim() == "*" {
            return Ok(Self::Exists);
        }
        let (mut versions, mut count) = (Vec::new(), 0);
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            count += 1;
            if count > TAGS_MOST {
                let message = format!("it has more than {TAGS_MOST} entity tags");
                return Err(Error::invalid("If-Match", message));
            }
            // A proxy that compresses answers makes the tags weak, and the version is the same.
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let opaque = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let Some(opaque) = opaque.filter(|tag| !tag.contains('"')) else {
                let message = format!(
                    "`{tag}` is not an entity tag: write what the header ETag of the job has, such \
                     as \"7-3\" with the quotes, or *"
                );
                return Err(Error::invalid("If-Match", message));
            };
            versions.extend(version(opaque));
        }
        match count {
            0 => Err(Error::invalid("If-Match", "it is empty: name an entity tag, or *")),
            _ => Ok(Self::OneOf(versions)),
        }
    }
}

fn version(tag: &str) -> Option<(i64, i64)> {
    let (job, revision) = tag.split_once('-')?;
    Some((job.parse().ok()?, revision.parse().ok()?))
}

impl From<IfMatch> for Condition {
    fn from(said: IfMatch) -> Self {
        match said {
            IfMatch::Unconditional => Self::Unconditional,
            IfMatch::Exists => Self::Exists,
            IfMatch::OneOf(versions) => {
                let version = |(job, revision)| Version { job: JobId(job), revision };
                Self::OneOf(versions.into_iter().map(version).collect())
            }
        }
    }
}

/// The entity tag of a version.
pub(crate) fn tag((job, revision): (i64, i64)) -> String {
    format!("\"{job}-{revision}\"")
}

/// The entity tag of a job.
pub(crate) fn tag_of(view: &JobView) -> String {
    tag((view.id, view.revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_entity_tags_is_read() {
        #[track_caller]
        fn check(text: &str, expected: IfMatch) {
            assert_eq!(IfMatch::parse(text).unwrap(), expected, "{text}");
        }
        check("*", IfMatch::Exists);
        check(" \"7-3\"", IfMatch::OneOf(vec![(7, 3)]));
        check("\"7-3\", W/\"8-1\" ,", IfMatch::OneOf(vec![(7, 3), (8, 1)]));
        for of_no_job in ["\"\"", "\"abc\"", "\"7\"", "\"7-\"", "\"-7-3\"", "\"7-3-1\""] {
            check(of_no_job, IfMatch::OneOf(Vec::new()));
        }
        assert_eq!(tag((7, 3)), "\"7-3\"");
    }

    #[test]
    fn what_is_not_an_entity_tag_is_rejected_with_an_example() {
        for wrong in ["", " ", "7-3", "\"7-3", "\"7-3\"x", "w/\"7-3\"", "*, \"7-3\"", "\"a\"b\""] {
            let err = IfMatch::parse(wrong).unwrap_err().to_string();
            assert!(err.starts_with("If-Match: "), "{wrong}: {err}");
        }
        let many = vec!["\"7-3\""; TAGS_MOST + 1].join(",");
        assert!(IfMatch::parse(&many).unwrap_err().to_string().contains("more than 100"));
    }
}
