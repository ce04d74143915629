//! How the value of a setting is written: in the file, in a variable, and when it is shown.

use std::{
    collections::BTreeMap, fmt::Display, net::SocketAddr, path::PathBuf, str::FromStr,
    time::Duration,
};

use fastjob_core::{ServiceName, duration};
use toml::{Table, Value as Toml};

use super::{
    ByteSize, EmailTls, Listen, LogsUrl, Secret, ServerUrl, ServerUrls, StoreUrl, Token, Value,
};

/// What is shown in the place of a secret.
const HIDDEN: &str = "(set, not shown)";
const DAY: u64 = 24 * 3600;

/// A value as text: without quotes, if it is a text.
pub(crate) fn plain(value: &Toml) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Says the type and not the value, which may be a secret.
pub(super) fn wrong_type(found: &Toml, wanted: &str) -> String {
    format!("it is a value of type {}, not {wanted}", found.type_str())
}

fn text(value: Toml) -> Result<String, String> {
    let Toml::String(text) = value else { return Err(wrong_type(&value, "a text in quotes")) };
    Ok(text)
}

/// The elements of a list; a single value counts as a list of one.
fn list(value: Toml) -> Vec<Toml> {
    if let Toml::Array(values) = value { values } else { vec![value] }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|err: T::Err| err.to_string())
}

/// Types that are texts in a file.
macro_rules! texts {
    ($($type:ty, $name:literal;)+) => {
        $(impl Value for $type {
            const TYPE: &'static str = $name;

            fn of_file(value: Toml) -> Result<Self, String> {
                parse(&text(value)?)
            }

            fn of_variable(text: &str) -> Result<Self, String> {
                parse(text)
            }

            fn shown(&self) -> Option<Toml> {
                let text = self.to_string();
                (!text.is_empty()).then_some(Toml::String(text))
            }
        })+
    };
}

texts! {
    String, "text";
    ByteSize, "size";
    ServerUrl, "URL";
    ServiceName, "name of a service";
    LogsUrl, "`folder:PATH` or `s3://BUCKET/PREFIX`";
    EmailTls, "`starttls`, `tls` or `none`";
}

/// Types that are numbers in a file.
macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Value for $type {
            const TYPE: &'static str = "number";

            fn of_file(value: Toml) -> Result<Self, String> {
                let number = value.as_integer().ok_or_else(|| wrong_type(&value, "a number"))?;
                number.try_into().map_err(|_| format!("{number} is not in the valid range"))
            }

            fn of_variable(text: &str) -> Result<Self, String> {
                parse(text)
            }

            fn shown(&self) -> Option<Toml> {
                Some(Toml::Integer((*self).into()))
            }
        })+
    };
}

numbers!(u16, u32);

impl Value for bool {
    const TYPE: &'static str = "`true` or `false`";

    fn of_file(value: Toml) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| wrong_type(&value, "true or false"))
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(format!("`{other}` is neither true nor false")),
        }
    }

    fn shown(&self) -> Option<Toml> {
        Some(Toml::Boolean(*self))
    }
}

impl Value for f64 {
    const TYPE: &'static str = "number";

    fn of_file(value: Toml) -> Result<Self, String> {
        if let Some(whole) = value.as_integer() {
            return Ok(whole as Self);
        }
        value.as_float().ok_or_else(|| wrong_type(&value, "a number"))
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("`{text}` is not a number"))
    }

    fn shown(&self) -> Option<Toml> {
        Some(Toml::Float(*self))
    }
}

impl Value for Duration {
    const TYPE: &'static str = "duration";

    fn of_file(value: Toml) -> Result<Self, String> {
        Self::of_variable(&text(value)?)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        duration::parse(text).map_err(|err| err.to_string())
    }

    /// Whole days as days, as users think of a retention.
    fn shown(&self) -> Option<Toml> {
        let text = match (self.as_secs() / DAY, self.as_secs() % DAY, self.subsec_nanos()) {
            (days @ 1.., 0, 0) => format!("{days}d"),
            _ => duration::to_text(*self),
        };
        Some(Toml::String(text))
    }
}

impl Value for SocketAddr {
    const TYPE: &'static str = "IP address and port";

    fn of_file(value: Toml) -> Result<Self, String> {
        Self::of_variable(&text(value)?)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        parse(text).map(|Listen(address)| address)
    }

    fn shown(&self) -> Option<Toml> {
        Some(Toml::String(self.to_string()))
    }
}

impl Value for PathBuf {
    const TYPE: &'static str = "path";

    fn of_file(value: Toml) -> Result<Self, String> {
        text(value).map(Self::from)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn shown(&self) -> Option<Toml> {
        Some(Toml::String(self.display().to_string())).filter(|_| !self.as_os_str().is_empty())
    }
}

impl Value for StoreUrl {
    const TYPE: &'static str = "`sqlite:PATH` or `postgres://…`";

    fn of_file(value: Toml) -> Result<Self, String> {
        parse(&text(value)?)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        parse(text)
    }

    fn shown(&self) -> Option<Toml> {
        Some(Toml::String(self.to_string()))
    }

    fn has_secret(&self) -> bool {
        matches!(self, Self::Postgres(url) if url.has_password())
    }
}

impl Value for ServerUrls {
    const TYPE: &'static str = "URL, or list of URLs";

    fn of_file(value: Toml) -> Result<Self, String> {
        let texts: Vec<_> = list(value).into_iter().map(text).collect::<Result<_, _>>()?;
        Self::of(texts).map_err(|err| err.to_string())
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        parse(text)
    }

    fn shown(&self) -> Option<Toml> {
        Some(Toml::String(self.to_string()))
    }
}

impl Value for Token {
    const TYPE: &'static str = "text, at least 16 characters";
    const IS_SECRET: bool = true;

    fn of_file(value: Toml) -> Result<Self, String> {
        parse(&text(value)?)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        parse(text)
    }

    fn shown(&self) -> Option<Toml> {
        Some(HIDDEN.into())
    }
}

impl Value for Secret {
    const TYPE: &'static str = "text";
    const IS_SECRET: bool = true;

    fn of_file(value: Toml) -> Result<Self, String> {
        text(value).map(Self::from)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        Ok(text.to_owned().into())
    }

    fn shown(&self) -> Option<Toml> {
        Some(HIDDEN.into()).filter(|_| !self.expose().is_empty())
    }
}

impl<T: Value> Value for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const IS_SECRET: bool = T::IS_SECRET;

    fn of_file(value: Toml) -> Result<Self, String> {
        T::of_file(value).map(Some)
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        T::of_variable(text).map(Some)
    }

    fn shown(&self) -> Option<Toml> {
        self.as_ref()?.shown()
    }

    fn has_secret(&self) -> bool {
        self.as_ref().is_some_and(T::has_secret)
    }
}

impl<T: Value> Value for Vec<T> {
    const TYPE: &'static str = "list of texts, or one text";

    fn of_file(value: Toml) -> Result<Self, String> {
        list(value).into_iter().map(T::of_file).collect()
    }

    fn of_variable(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(T::of_variable).collect()
    }

    fn shown(&self) -> Option<Toml> {
        let values: Vec<_> = self.iter().filter_map(T::shown).collect();
        Some(Toml::Array(values)).filter(|_| !self.is_empty())
    }
}

impl Value for BTreeMap<String, Secret> {
    const TYPE: &'static str = "table of texts";
    const IS_SECRET: bool = true;

    fn of_file(value: Toml) -> Result<Self, String> {
        let Toml::Table(table) = value else { return Err(wrong_type(&value, "a table")) };
        let read = |(name, value)| {
            let Toml::String(text) = value else {
                return Err(wrong_type(&value, "a table of texts in quotes"));
            };
            Ok((name, text.into()))
        };
        table.into_iter().map(read).collect()
    }

    /// Reads `name=value`, separated by commas.
    fn of_variable(text: &str) -> Result<Self, String> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').ok_or("write it like `name=value,…`")?;
            Ok((name.trim().to_owned(), Secret::from(value.trim().to_owned())))
        };
        pairs.map(pair).collect()
    }

    fn shown(&self) -> Option<Toml> {
        let hidden = self.keys().map(|name| (name.clone(), HIDDEN.into()));
        Some(Toml::Table(hidden.collect::<Table>())).filter(|_| !self.is_empty())
    }
}
