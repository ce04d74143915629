//! The settings that apply, as `fastjob check` shows them.

use toml::{Table, Value as Toml};

use super::{
    Config, Value,
    setting::{Group, Setting, Visitor},
};

impl Config {
    /// The settings in the shape of the file; secrets are not shown.
    pub(crate) fn shown(&self) -> Table {
        let mut all = shown(self);
        let alarms: Table = self
            .alarms
            .iter()
            .map(|(name, alarm)| (name.to_string(), Toml::Table(alarm.shown())))
            .collect();
        all.extend((!alarms.is_empty()).then(|| ("alarms".to_owned(), Toml::Table(alarms))));
        all
    }
}

/// The table of a group.
pub(super) fn shown<G: Group>(group: &G) -> Table {
    let mut shown = Shown(Table::new());
    group.clone().settings(&mut shown);
    shown.0
}

struct Shown(Table);

impl Visitor for Shown {
    fn setting<T: Value>(&mut self, setting: &Setting<T>, value: &mut T) {
        self.0.extend(value.shown().map(|value| (setting.key.to_owned(), value)));
    }

    fn group<G: Group>(&mut self, key: &'static str, group: &mut G) {
        let within = shown(group);
        self.0.extend((!within.is_empty()).then(|| (key.to_owned(), Toml::Table(within))));
    }
}
