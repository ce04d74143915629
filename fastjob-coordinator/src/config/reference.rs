//! Every setting with its description: what `fastjob settings` shows, and what the reference in
//! `docs/` and the example in `deploy/` consist of.
//!
//! It is collected from the definitions of the settings, so it cannot differ from what the code
//! reads.

mod render;

use fastjob_core::settings::{EXECUTOR, Kind};
use toml::Value as Toml;

#[cfg(test)]
pub(crate) use self::render::{coordinator_page, executor_page};
pub(crate) use self::render::{example, wrapped};
use super::{
    AlarmConfig, AlarmTo, ChatConfig, Config, EmailConfig, Value, WebhookConfig,
    alarms::TYPES,
    setting::{Group, Setting, Visitor, variable},
};

/// A setting and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The table that it is in, such as `["coordinator", "limits"]`.
    pub(crate) table: Vec<String>,
    pub(crate) key: &'static str,
    /// A second name of the key.
    pub(crate) other_key: Option<&'static str>,
    /// What it does.
    pub(crate) about: String,
    /// The type of its value.
    pub(crate) kind: &'static str,
    /// What its value has to be within, such as `at least 1`.
    pub(crate) bounds: Option<String>,
    /// The bounds as values.
    #[cfg(test)]
    pub(crate) limits: (Option<Toml>, Option<Toml>),
    /// The value, without what is secret; `None` if it is not set.
    pub(crate) value: Option<Toml>,
    /// The value that applies if it is not set.
    pub(crate) default: Option<Toml>,
    /// The variables that set it.
    pub(crate) variables: Vec<String>,
    pub(crate) is_secret: bool,
}

impl Entry {
    /// The dotted name.
    pub(crate) fn name(&self) -> String {
        let parts = self.table.iter().map(String::as_str).chain([self.key]);
        parts.collect::<Vec<_>>().join(".")
    }

    /// The type and the bounds.
    pub(crate) fn kind_and_bounds(&self) -> String {
        match &self.bounds {
            Some(bounds) => format!("{}, {bounds}", self.kind),
            None => self.kind.to_owned(),
        }
    }
}

/// The settings of a table.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) table: Vec<String>,
    /// The value of `type` that it is for; empty if it is for all.
    pub(crate) of_type: &'static str,
    pub(crate) about: String,
    /// Whether an empty table differs from none.
    pub(crate) is_optional: bool,
    pub(crate) entries: Vec<Entry>,
}

/// The settings of a coordinator and of the command, with their values.
pub(crate) fn effective(config: &Config) -> Vec<Entry> {
    let mut found = collected(config, &[]);
    for (name, alarm) in &config.alarms {
        let table = ["alarms", name.as_str()];
        let mut channel = collected(alarm, &table);
        if let Some(first) = channel.first_mut() {
            first.entries.insert(0, kind_of_channel(&table, Some(alarm.to.name())));
        }
        channel.extend(match &alarm.to {
            AlarmTo::Email(email) => collected(email, &table),
            AlarmTo::Webhook(webhook) => collected(webhook, &table),
            AlarmTo::Chat(chat) => collected(chat, &table),
        });
        found.extend(channel);
    }
    found.into_iter().flat_map(|table| table.entries).collect()
}

/// All settings of a coordinator and of the command, at their defaults.
pub(crate) fn all() -> Vec<Described> {
    let mut found = collected(&Config::default(), &[]);
    let table = ["alarms", "NAME"];
    let mut channel = collected(&AlarmConfig::default(), &table);
    if let Some(first) = channel.first_mut() {
        first.entries.insert(0, kind_of_channel(&table, None));
    }
    let of_type = |of_type, mut tables: Vec<Described>| {
        tables.iter_mut().for_each(|table| table.of_type = of_type);
        tables
    };
    channel.extend(of_type("email", collected(&EmailConfig::default(), &table)));
    channel.extend(of_type("webhook", collected(&WebhookConfig::default(), &table)));
    let chats = "dingtalk, feishu, lark, wecom or slack";
    channel.extend(of_type(chats, collected(&ChatConfig::default(), &table)));
    channel.iter_mut().for_each(|table| table.is_optional = true);
    found.extend(channel);
    found
}

/// The settings of an executor, at their defaults.
pub(crate) fn executor() -> Described {
    let entries = EXECUTOR.iter().map(|setting| {
        let (kind, bounds) = match setting.kind {
            Kind::Text => ("text", None),
            Kind::List => ("list of texts", None),
            Kind::ListOrText => ("list of texts, or one text", None),
            Kind::Entries => ("list of texts and tables, or one text", None),
            Kind::Number { least: 0, most: u32::MAX } => ("number", None),
            Kind::Number { least, most: u32::MAX } => ("number", Some(format!("at least {least}"))),
            Kind::Number { least, most } => ("number", Some(format!("from {least} to {most}"))),
            Kind::Switch => (bool::TYPE, None),
            Kind::Duration => ("duration", None),
            Kind::Texts => ("table of texts", None),
        };
        let default = setting.default.and_then(|text| text.parse::<Toml>().ok());
        Entry {
            table: vec!["executor".to_owned()],
            key: setting.name,
            other_key: setting.other_name,
            about: setting.about.to_owned(),
            kind,
            bounds,
            #[cfg(test)]
            limits: (None, None),
            value: default.clone(),
            default,
            variables: setting.variables.iter().map(|name| (*name).to_owned()).collect(),
            is_secret: setting.name == "token",
        }
    });
    Described {
        table: vec!["executor".to_owned()],
        of_type: "",
        about: "What an executor of `Executor::configured()` reads.".to_owned(),
        is_optional: false,
        entries: entries.collect(),
    }
}

/// Which of the types a channel has is not a setting like others: it decides what the others are.
fn kind_of_channel(table: &[&str], value: Option<&str>) -> Entry {
    Entry {
        table: table.iter().map(|part| (*part).to_owned()).collect(),
        key: "type",
        other_key: None,
        about: format!(
            "What the channel is: {TYPES}. It decides which of the settings below apply. Required."
        ),
        kind: String::TYPE,
        bounds: None,
        #[cfg(test)]
        limits: (None, None),
        value: value.map(Toml::from),
        default: None,
        variables: Vec::new(),
        is_secret: false,
    }
}

/// The tables of a group: its own, and those within.
fn collected<G: Group>(group: &G, table: &[&str]) -> Vec<Described> {
    let mut found = Collector::of(group, table).found;
    let defaults = Collector::of(&G::default(), table).found;
    let entries = found.iter_mut().flat_map(|table| &mut table.entries);
    for (entry, default) in entries.zip(defaults.into_iter().flat_map(|table| table.entries)) {
        entry.default = default.value;
    }
    found
}

struct Collector {
    found: Vec<Described>,
    /// The table whose settings are shown at the moment.
    at: usize,
}

impl Collector {
    fn of<G: Group>(group: &G, table: &[&str]) -> Self {
        let table = table.iter().map(|part| (*part).to_owned()).collect();
        let mut all = Self { found: vec![described::<G>(table)], at: 0 };
        group.clone().settings(&mut all);
        all
    }
}

fn described<G: Group>(table: Vec<String>) -> Described {
    let (about, is_optional) = (one_line(G::ABOUT), G::IS_OPTIONAL);
    Described { table, of_type: "", about, is_optional, entries: Vec::new() }
}

impl Visitor for Collector {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T) {
        let Some(at) = self.found.get_mut(self.at) else { return };
        let table: Vec<_> = at.table.iter().map(String::as_str).collect();
        let variables = variable(&table, setting.key).into_iter().collect();
        #[cfg(test)]
        let limit = |bound: &Option<T>| bound.as_ref().and_then(T::shown);
        at.entries.push(Entry {
            table: at.table.clone(),
            key: setting.key,
            other_key: None,
            about: one_line(setting.about),
            kind: T::TYPE,
            bounds: setting.bounds.text(),
            #[cfg(test)]
            limits: (limit(&setting.bounds.least), limit(&setting.bounds.most)),
            value: value.shown(),
            default: None,
            variables,
            is_secret: T::IS_SECRET,
        });
    }

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G) {
        let above = self.at;
        let mut table = self.found.get(above).map(|it| it.table.clone()).unwrap_or_default();
        table.push(key.to_owned());
        self.at = self.found.len();
        self.found.push(described::<G>(table));
        group.settings(self);
        self.at = above;
    }
}

/// The lines of a doc comment as one. What follows an empty line is for programmers.
fn one_line(lines: &str) -> String {
    let lines = lines.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
