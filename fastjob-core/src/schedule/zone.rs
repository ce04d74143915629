//! Time zones by IANA name: where a job's wall clock hangs.
//!
//! The time zone database decides which names there are and how they are spelled. Only names are
//! taken: an offset or a POSIX rule would not follow a government that changes its mind. Unknown
//! text is refused with [`UnknownZone`], which suggests a name that is near, if there is one.

use std::{fmt, str::FromStr};

use jiff::tz::{TimeZone, db};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Longest name that is looked at; those of the database are half as long.
const LONGEST: usize = 64;

/// A time zone with an IANA name, such as `Asia/Shanghai`; UTC by default.
///
/// It is written as its name, in the database's spelling. Cloning is cheap.
///
/// # Examples
///
/// ```
/// use fastjob_core::schedule::zone::Zone;
///
/// let zone: Zone = "asia/shanghai".parse()?;
/// assert_eq!(zone.to_string(), "Asia/Shanghai");
/// # Ok::<(), fastjob_core::schedule::zone::UnknownZone>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A text that names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone is named `{name}`; {}", self.advice())]
pub struct UnknownZone {
    name: Box<str>,
    near: Option<Box<str>>,
}

impl Zone {
    /// Returns the rules of the time zone.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// Returns the name, such as `Asia/Shanghai`.
    pub fn name(&self) -> &str {
        // Every zone was looked up by name, so that it has one.
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl UnknownZone {
    /// Returns the text that names no time zone, cut off if it is very long.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name that was probably meant, if there is one like it.
    pub fn suggestion(&self) -> Option<&str> {
        self.near.as_deref()
    }

    fn advice(&self) -> String {
        match self.suggestion() {
            Some(near) => format!("is `{near}` meant?"),
            None => "write a name like `Asia/Shanghai`, or `UTC`".to_owned(),
        }
    }

    fn new(text: &str) -> Self {
        let name = &text[..text.floor_char_boundary(LONGEST)];
        Self { name: name.into(), near: nearest(name).map(Into::into) }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        if text.len() > LONGEST {
            return Err(UnknownZone::new(text));
        }
        match TimeZone::get(text) {
            // Names without a place behind them: files of the system, and jiff's "unknown".
            Ok(zone) if !zone.is_unknown() && zone.iana_name().is_some_and(is_place) => {
                Ok(Self(zone))
            }
            _ => Err(UnknownZone::new(text)),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Tells zones from other files that a system keeps beside them.
fn is_place(name: &str) -> bool {
    !name.starts_with("posix/")
        && !name.starts_with("right/")
        && !matches!(name, "Factory" | "localtime" | "posixrules" | "Etc/Unknown")
}

/// The name that is most like `text`: the same city, or a slip of one or two keys.
fn nearest(text: &str) -> Option<String> {
    let text = simple(text);
    if text.len() < 3 || !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let far = if text.len() < 6 { 2 } else { 3 };
    let distance = |name: &str| {
        let name = simple(name);
        let city = name.rsplit('/').next().unwrap_or_default();
        if name == text || city == text { 0 } else { edits(&name, &text).min(edits(city, &text)) }
    };
    let names = db().available().filter(|name| is_place(name.as_str()));
    // Of several, the shorter: `UTC` rather than `Etc/UTC`.
    let near = names.map(|name| (distance(name.as_str()), name.as_str().len(), name));
    near.filter(|(edits, ..)| *edits < far).min().map(|(.., name)| name.as_str().to_owned())
}

fn simple(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

/// How many letters have to be changed, added or left out to make one text of the other.
fn edits(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_written_as_the_database_spells_it() {
        for (text, name) in [
            ("UTC", "UTC"),
            ("utc", "UTC"),
            ("Asia/Shanghai", "Asia/Shanghai"),
            ("america/NEW_YORK", "America/New_York"),
            ("Etc/GMT+8", "Etc/GMT+8"),
            ("PRC", "PRC"),
        ] {
            let zone: Zone = text.parse().unwrap();
            assert_eq!((zone.to_string().as_str(), zone.name()), (name, name));
            let json = serde_json::to_string(&zone).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Zone>(&json).unwrap(), zone);
        }
        assert_eq!(Zone::default().name(), "UTC");
        assert_eq!(Zone::default(), "UTC".parse().unwrap());
        assert!(serde_json::from_str::<Zone>("\"Mars\"").is_err());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "é".repeat(1000);
        for text in [
            "",
            " ",
            "UTC ",
            "+08:00",
            "+08",
            "8",
            "Z",
            "GMT+8:00",
            "EST5EDT,M3.2.0,M11.1.0",
            "<+08>-8",
            "CST-8",
            "Asia",
            "Asia/",
            "/etc/localtime",
            "localtime",
            "posixrules",
            "../UTC",
            "posix/Asia/Tokyo",
            "right/UTC",
            "Factory",
            "Etc/Unknown",
            "中国",
            "Asia/Shanghai\0",
            &long,
        ] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_near_name_is_suggested() {
        for (text, near) in [
            ("Shanghai", Some("Asia/Shanghai")),
            ("new york", Some("America/New_York")),
            ("America/New York", Some("America/New_York")),
            ("Asia/Shangai", Some("Asia/Shanghai")),
            ("Europe/Berlim", Some("Europe/Berlin")),
            ("UTC ", Some("UTC")),
            ("+08:00", None),
            ("Middle-earth/Shire", None),
            ("", None),
        ] {
            let unknown = text.parse::<Zone>().unwrap_err();
            assert_eq!(unknown.suggestion(), near, "{text}");
        }
        let message = |text: &str| text.parse::<Zone>().unwrap_err().to_string();
        assert_eq!(
            message("Shanghai"),
            "no time zone is named `Shanghai`; is `Asia/Shanghai` meant?"
        );
        assert_eq!(
            message("+08:00"),
            "no time zone is named `+08:00`; write a name like `Asia/Shanghai`, or `UTC`"
        );
    }
}
