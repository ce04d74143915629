//! Ids and names: numbers assigned by the coordinator, and names chosen by users.
//!
//! Names are checked when they are parsed, and never again. Ids stay below 2^53, so that JSON
//! clients do not lose precision.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbers! {
    /// Identifies a job of a store permanently. It stays the same when the job is edited.
    JobId
    /// Identifies a task permanently. It is also the id of the task's first attempt.
    TaskId
    /// Identifies an attempt permanently. XXL-JOB calls it `logId`.
    AttemptId
}

impl TaskId {
    /// The first attempt of the task.
    pub const fn first_attempt(self) -> AttemptId {
        AttemptId(self.0)
    }
}

/// Longest name, in bytes.
pub const NAME_MAX: usize = 128;

/// Why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// It is empty.
    #[error("the name is empty")]
    Empty,
    /// It has more than [`NAME_MAX`] bytes.
    #[error("the name has {0} bytes, at most {NAME_MAX} are allowed")]
    TooLong(usize),
    /// It contains a character that is not allowed.
    #[error("`{0}` has the character `{1}`; letters, digits, `_`, `-`, `.` and `:` are allowed")]
    Character(String, char),
}

fn check(text: &str) -> Result<Arc<str>, InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > NAME_MAX {
        return Err(InvalidName::TooLong(text.len()));
    }
    match text.chars().find(|c| !c.is_alphanumeric() && !"_-.:".contains(*c)) {
        Some(wrong) => Err(InvalidName::Character(text.to_owned(), wrong)),
        None => Ok(text.into()),
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        ///
        /// One to [`NAME_MAX`] bytes of letters, digits, `_`, `-`, `.` and `:`.
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

words! {
    /// The name of a job, unique within its service.
    JobName
    /// The name of a service: executors that host the same handlers. XXL-JOB calls it `appname`.
    ServiceName
    /// The name of a handler within its service.
    HandlerName
    /// The name of one executor within its service, the same after a restart if it was configured.
    ExecutorName
    /// The name of a channel that alarms are sent to.
    ChannelName
    /// Identifies one start of an executor's process: a new value at each start. It is public; the
    /// executor proves that it owns it with the secret that it is derived from.
    Incarnation
}

/// A service in an index of the store: 64 bits of its name.
///
/// It is stored, so how it is made never changes. Among a hundred thousand services, two have the same
/// one with a probability of less than one in a billion.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServiceKey(pub i64);

impl ServiceName {
    /// Its key in the index of the history: the 64-bit FNV-1a hash of its bytes.
    pub fn key(&self) -> ServiceKey {
        let hash = self.0.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        ServiceKey(hash.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_digits_and_a_few_signs() {
        for good in ["a", "demoJobHandler", "billing-2.mail", "报表", "10.0.0.5:9999"] {
            assert_eq!(good.parse::<JobName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "a\nb", "{}", &"x".repeat(129)] {
            assert!(bad.parse::<JobName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_key_of_a_service_is_the_same_in_all_releases() {
        // The first two are published values of FNV-1a.
        for (name, key) in [
            ("a", 0xaf63_dc4c_8601_ec8c_u64),
            ("foobar", 0x8594_4171_f739_67e8),
            ("billing", 0x4005_5702_95af_d25c),
            ("报表", 0xc41a_4d9e_8056_c875),
        ] {
            assert_eq!(name.parse::<ServiceName>().unwrap().key(), ServiceKey(key.cast_signed()));
        }
    }
}
