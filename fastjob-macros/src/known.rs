//! The arguments of `#[job]`, and their values.
//!
//! They have the names and the structure of a job in a file: `{ scope = "cluster" }` of `block`
//! there is `block(scope = "cluster")` here. Children are listed by the end that starts them.

use proc_macro2::TokenStream;
use syn::{Expr, Result};

use crate::value::{Kind, wrong};

/// An argument, or a field of one.
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    /// The kind of value in `name = value`, if that form is allowed.
    value: Option<Kind>,
    /// The fields in `name(field = value)`.
    pub(crate) fields: &'static [Argument],
}

/// In the order in which error messages list them.
pub(crate) const ARGUMENTS: &[Argument] = &[
    value("description", Kind::Text),
    value("service", Kind::Name),
    value("cron", Kind::Cron),
    value("zone", Kind::Text),
    value("fixed_rate", Kind::Duration),
    value("fixed_delay", Kind::Duration),
    value("once", Kind::Instant),
    value("start_at", Kind::Instant),
    value("end_at", Kind::Instant),
    value("jitter", Kind::Duration),
    fields(
        "exclude",
        &[value("days", Kind::Texts), value("hours", Kind::Texts), value("zone", Kind::Text)],
    ),
    value("enabled", Kind::Flag),
    value("param", Kind::Text),
    value("retry", Kind::Count).or(&[
        value("count", Kind::Count),
        value("delay", Kind::Duration),
        value("factor", Kind::Number),
        value("max_delay", Kind::Duration),
        value("jitter", Kind::Number),
    ]),
    value("retry_delay", Kind::Duration),
    value("timeout", Kind::Duration),
    value("grace", Kind::Duration),
    value("misfire", Kind::Word(&["skip", "fire_once", "fire_all"]))
        .or(&[fields("fire_all", &[value("max", Kind::Count), value("window", Kind::Duration)])]),
    value("block", Kind::Word(BLOCKS)).or(&[
        value("strategy", Kind::Word(BLOCKS)),
        value("scope", Kind::Word(&["executor", "cluster"])),
        value("max_waiting", Kind::Count),
        value("max_running", Kind::Count),
    ]),
    value("route", Kind::Word(ROUTES)).or(&[value("specific", Kind::Name)]),
    value("shard", Kind::Word(&["one", "all"]))
        .or(&[value("dynamic", Kind::Text), value("count", Kind::Count)]),
    value("no_executor", Kind::Duration),
    value("children", Kind::Texts).or(&[
        value("success", Kind::Texts),
        value("failure", Kind::Texts),
        value("always", Kind::Texts),
        value("pass_result", Kind::Flag),
    ]),
    value("alarms", Kind::Texts),
    fields(
        "alarm_when",
        &[value("runs_longer", Kind::Duration), value("starts_later", Kind::Duration)],
    ),
];

/// Not in the table, because its keys are chosen by the user.
pub(crate) const LABELS: &str = "labels";

/// Not in the table, because it is not a setting of the job.
pub(crate) const CRATE: &str = "crate";

/// Not in the table, because its value is a type.
pub(crate) const PARAM_TYPE: &str = "param_type";

const BLOCKS: &[&str] = &["serial", "skip_new", "replace_running", "parallel"];

const ROUTES: &[&str] = &[
    "round_robin",
    "random",
    "consistent_hash",
    "least_scheduled",
    "memory_first",
    "cpu_first",
    "response_first",
    "failover",
    "first",
    "last",
    "least_recently_used",
    "idle_first",
];

/// A job can have at most one of these.
pub(crate) const SCHEDULES: [&str; 4] = ["cron", "fixed_rate", "fixed_delay", "once"];

/// The first ones need one of the second ones, which error messages call by the third.
pub(crate) const TOGETHER: [(&[&str], &[&str], &str); 5] = [
    (&["zone"], &["cron"], "`cron`"),
    (
        &["retry_delay", "retry_factor", "retry_max_delay", "retry_jitter"],
        &["retry", "retry_count"],
        "a number of retries",
    ),
    (
        &["start_at", "end_at", "jitter", "exclude_days", "exclude_hours", "exclude_zone"],
        &SCHEDULES,
        "a schedule",
    ),
    (
        &["children_pass_result"],
        &["children_success", "children_failure", "children_always"],
        "children",
    ),
    (&["alarm_when_runs_longer", "alarm_when_starts_later"], &["alarms"], "`alarms`"),
];

const fn value(name: &'static str, kind: Kind) -> Argument {
    Argument { name, value: Some(kind), fields: &[] }
}

const fn fields(name: &'static str, fields: &'static [Argument]) -> Argument {
    Argument { name, value: None, fields }
}

impl Argument {
    /// The long form, with fields, is also allowed.
    const fn or(mut self, fields: &'static [Argument]) -> Self {
        self.fields = fields;
        self
    }

    /// Parses what follows `name =`.
    pub(crate) fn read(&self, value: &Expr) -> Result<TokenStream> {
        let Some(kind) = self.value else {
            let (name, forms) = (self.name, self.forms());
            return Err(wrong(value, format_args!("`{name}` needs fields: write {forms}")));
        };
        let long = if self.fields.is_empty() { String::new() } else { self.long() };
        kind.read(self.name, value, &long)
    }

    /// The forms in which it can be written.
    pub(crate) fn forms(&self) -> String {
        match (self.value.is_some(), self.fields) {
            (true, []) => format!("{} = …", self.name),
            (true, _) => format!("{} = … or {}", self.name, self.long()),
            (false, _) => self.long(),
        }
    }

    fn long(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(Self::short).collect();
        format!("{}({})", self.name, fields.join(", "))
    }

    fn short(&self) -> String {
        if self.value.is_some() { format!("{} = …", self.name) } else { self.long() }
    }
}
