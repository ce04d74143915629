//! placeholder
#![allow(missing_docs, clippy::all)]
use jiff::{Timestamp, tz::TimeZone};
use std::{fmt, str::FromStr, sync::Arc};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(Arc<str>);
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad cron {0}")]
pub struct InvalidCron(String);
impl InvalidCron {
    pub fn pointer(&self) -> String {
        String::new()
    }
}
impl FromStr for Cron {
    type Err = InvalidCron;
    fn from_str(t: &str) -> Result<Self, InvalidCron> {
        if t.split_whitespace().count() < 5 {
            return Err(InvalidCron(t.into()));
        }
        Ok(Self(t.into()))
    }
}
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Cron {
    pub fn next_after(&self, after: Timestamp, _zone: &TimeZone) -> Option<Timestamp> {
        Timestamp::from_second(after.as_second() + 1).ok()
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
