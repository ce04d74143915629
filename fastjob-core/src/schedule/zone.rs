//! Time zones by IANA name.
//!
//! The time zone database decides which names exist and how they are spelled. Only names are
//! accepted: a fixed offset or a POSIX rule would not follow later changes of the law. Unknown text
//! is rejected with [`UnknownZone`], which suggests a similar name if there is one.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use jiff::tz::{TimeZone, db};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Maximum length of a name; the database's longest names are half as long.
const LONGEST: usize = 64;

/// A time zone with an IANA name, such as `Asia/Shanghai`; UTC by default.
///
/// It is formatted as its name, in the database's spelling. Cloning is cheap.
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

/// A text that is not the name of a time zone.
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
        // Every zone was looked up by name, so it has one.
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl UnknownZone {
    /// Returns the unknown text, truncated if it is very long.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name that was probably meant, if a similar one exists.
    pub fn suggestion(&self) -> Option<&str> {
        self.near.as_deref()
    }

    fn advice(&self) -> String {
        match self.suggestion() {
            Some(near) => format!("did you mean `{near}`?"),
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
            // Excludes system files and jiff's "unknown" zone.
            Ok(zone) if !zone.is_unknown() && zone.iana_name().is_some_and(is_place) => {
                Ok(Self(zone))
            }
            _ => Err(UnknownZone::new(text)),
        }
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
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

/// Distinguishes zones from other files in the system's zone directory.
fn is_place(name: &str) -> bool {
    !name.starts_with("posix/")
        && !name.starts_with("right/")
        && !matches!(name, "Factory" | "localtime" | "posixrules" | "Etc/Unknown")
}

/// The name that is most similar to `text`: the same city, or a typo of one or two letters.
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
    // Among equals, prefer the shorter name: `UTC` over `Etc/UTC`.
    let near = names.map(|name| (distance(name.as_str()), name.as_str().len(), name));
    near.filter(|(edits, ..)| *edits < far).min().map(|(.., name)| name.as_str().to_owned())
}

fn simple(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

/// The edit distance: how many letters must be changed, inserted or deleted.
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
    fn a_zone_has_the_databases_spelling() {
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
    fn an_invalid_name_is_rejected() {
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
    fn a_similar_name_is_suggested() {
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
            "no time zone is named `Shanghai`; did you mean `Asia/Shanghai`?"
        );
        assert_eq!(
            message("+08:00"),
            "no time zone is named `+08:00`; write a name like `Asia/Shanghai`, or `UTC`"
        );
    }
}
