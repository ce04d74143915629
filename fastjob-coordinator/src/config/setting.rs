//! What a setting is: the one description from which everything about it follows.
//!
//! [`settings!`] defines a group of settings, one field each: its name is the key in the file, its
//! doc comment is what users read, and its default and bounds are data. The file, the variables,
//! `fastjob check`, `fastjob settings`, the reference in `docs/` and the example in `deploy/` are
//! [visitors](Visitor) of the groups. None of them has a list of its own, so a new setting is a new
//! field, and a new group is a new `settings!` and a field of the group above it.

use toml::Value as Toml;

use super::value::plain;

/// A setting, apart from its value.
pub(crate) struct Setting<T> {
    /// The key in its table.
    pub(crate) key: &'static str,
    /// The lines of its doc comment.
    pub(crate) about: &'static str,
    /// What its value has to be within.
    pub(crate) bounds: Bounds<T>,
}

/// The value of a setting.
pub(crate) trait Value: Clone + PartialEq + Sized {
    /// Its type, as the reference calls it.
    const TYPE: &'static str;
    /// Whether it is a secret, if it is set.
    const IS_SECRET: bool = false;

    /// Reads it from a file. The error never contains a secret.
    fn of_file(value: Toml) -> Result<Self, String>;

    /// Reads it from a variable. The error never contains a secret.
    fn of_variable(text: &str) -> Result<Self, String>;

    /// As in a file, without what is secret; `None` if it is not set.
    fn shown(&self) -> Option<Toml>;

    /// Whether this value contains a secret.
    fn has_secret(&self) -> bool {
        Self::IS_SECRET && self.shown().is_some()
    }
}

/// The least and the largest value of a setting.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<T> {
    pub(crate) least: Option<T>,
    pub(crate) most: Option<T>,
    is_less: fn(&T, &T) -> bool,
}

/// Any value is allowed.
pub(super) fn any<T>() -> Bounds<T> {
    Bounds { least: None, most: None, is_less: |_, _| false }
}

pub(super) fn at_least<T: PartialOrd>(least: T) -> Bounds<T> {
    Bounds { least: Some(least), most: None, is_less: T::lt }
}

pub(super) fn at_most<T: PartialOrd>(most: T) -> Bounds<T> {
    Bounds { least: None, most: Some(most), is_less: T::lt }
}

pub(super) fn between<T: PartialOrd>(least: T, most: T) -> Bounds<T> {
    Bounds { least: Some(least), most: Some(most), is_less: T::lt }
}

impl<T: Value> Bounds<T> {
    /// Whether a value is within them.
    pub(super) fn hold(&self, value: &T) -> bool {
        let is_less = |one: &T, other: &T| (self.is_less)(one, other);
        !self.least.as_ref().is_some_and(|least| is_less(value, least))
            && !self.most.as_ref().is_some_and(|most| is_less(most, value))
    }

    /// In words, such as `from 1s to 5m`; `None` if any value is allowed.
    pub(super) fn text(&self) -> Option<String> {
        let text = |bound: &Option<T>| Some(plain(&bound.as_ref()?.shown()?));
        match (text(&self.least), text(&self.most)) {
            (Some(least), Some(most)) => Some(format!("from {least} to {most}")),
            (Some(least), None) => Some(format!("at least {least}")),
            (None, Some(most)) => Some(format!("at most {most}")),
            (None, None) => None,
        }
    }
}

/// Settings that belong together: a table of the file.
pub(crate) trait Group: Clone + Default {
    /// The lines of its doc comment.
    const ABOUT: &'static str;
    /// Whether an empty table differs from none.
    const IS_OPTIONAL: bool = false;

    /// Shows every setting to a visitor, in the order of the reference, and then every group within.
    fn settings<V: Visitor>(&mut self, visitor: &mut V);

    /// The file has its table.
    fn given(&mut self) {}
}

/// Does something with every setting.
pub(crate) trait Visitor {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T);

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G);
}

/// The variable of a setting: `FASTJOB_`, the tables within `[coordinator]` or `[client]`, and the
/// key. The keys of `limits` say what they limit without the name of their table. Alarm channels
/// have names chosen by the user, so they have no variables.
pub(crate) fn variable(table: &[&str], key: &str) -> Option<String> {
    let within = match table {
        ["alarms", ..] => return None,
        [_, within @ ..] => within,
        [] => &[],
    };
    let parts = within.iter().copied().filter(|part| *part != "limits").chain([key]);
    let name = parts.collect::<Vec<_>>().join("_");
    Some(format!("FASTJOB_{}", name.to_uppercase()))
}

/// Defines a group: a struct whose fields are settings (`key: Type = default, bounds;`), then
/// `groups:`, tables within its table, and `besides:`, fields that are neither.
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $text:literal])+
                pub $key:ident: $type:ty = $default:expr $(, $bounds:expr)?;
            )*
            $(groups: $(
                $(#[doc = $group_text:literal])+
                pub $group:ident: $group_type:ty;
            )+)?
            $(besides: $(
                $(#[doc = $other_text:literal])+
                pub $other:ident: $other_type:ty = $other_default:expr;
            )+)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[doc = $text])+
                #[doc = ""]
                #[doc = concat!(" Default: `", stringify!($default), "`.")]
                pub $key: $type,
            )*
            $($(
                $(#[doc = $group_text])+
                pub $group: $group_type,
            )+)?
            $($(
                $(#[doc = $other_text])+
                pub $other: $other_type,
            )+)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)*
                    $($($group: Default::default(),)+)?
                    $($($other: $other_default,)+)?
                }
            }
        }

        impl $crate::config::setting::Group for $name {
            const ABOUT: &'static str = concat!($($about, "\n"),+);

            fn settings<V: $crate::config::setting::Visitor>(&mut self, visitor: &mut V) {
                $(
                    let setting = $crate::config::setting::Setting {
                        key: stringify!($key),
                        about: concat!($($text, "\n"),+),
                        bounds: $crate::config::setting::settings!(@bounds $($bounds)?),
                    };
                    visitor.setting(&setting, &mut self.$key);
                )*
                $($(visitor.group(stringify!($group), &mut self.$group);)+)?
            }
        }
    };
    (@bounds) => { $crate::config::setting::any() };
    (@bounds $bounds:expr) => { $bounds };
}
pub(crate) use settings;
