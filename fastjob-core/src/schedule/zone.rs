//! placeholder
#![allow(missing_docs)]
use jiff::tz::TimeZone;
use std::{fmt, str::FromStr};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no time zone {0}")]
pub struct UnknownZone(String);
impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}
impl Zone {
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}
impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(t: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(t).map(Self).map_err(|_| UnknownZone(t.into()))
    }
}
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}
