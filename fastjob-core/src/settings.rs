//! The settings of an executor: their names and types in a file, and their variables.
//!
//! The executor library reads them. The coordinator accepts them in the same file and environment,
//! and `fastjob check` reports mistakes in them. So both sides know them, and neither has its own
//! list.

/// The type of a setting in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A list of texts.
    List,
    /// A list of texts, or one text.
    ListOrText,
    /// A list of texts and tables, or one text.
    Entries,
    /// A number from 0 to this one.
    Number(u32),
    /// `true` or `false`.
    Switch,
    /// A text such as `30s`.
    Duration,
    /// A table of texts.
    Texts,
}

/// A setting of an executor, in the table `[executor]` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub name: &'static str,
    /// The name in FastJob's specification, which is accepted too.
    pub other_name: Option<&'static str>,
    /// The variables that set it.
    pub variables: &'static [&'static str],
    /// The type.
    pub kind: Kind,
}

/// The largest number of attempts that an executor may run at the same time.
pub const CAPACITY_MAX: u32 = 1_000_000;
/// The largest log of an attempt that an executor may be told to keep, in MiB.
pub const LOG_MAX_MIB: u32 = 65_536;
/// Most labels of an executor.
pub const LABELS_MAX: usize = 64;

const fn setting(name: &'static str, kind: Kind, variables: &'static [&'static str]) -> Setting {
    Setting { name, other_name: None, variables, kind }
}

const fn known_as(setting: Setting, other_name: &'static str) -> Setting {
    Setting { other_name: Some(other_name), ..setting }
}

/// All settings of an executor.
pub const EXECUTOR: [Setting; 16] = [
    known_as(
        setting("coordinators", Kind::List, &["FASTJOB_COORDINATORS", "FASTJOB_ADMIN_ADDRESSES"]),
        "admin_addresses",
    ),
    known_as(setting("service", Kind::Text, &["FASTJOB_SERVICE", "FASTJOB_APP_NAME"]), "app_name"),
    setting("executor_name", Kind::Text, &["FASTJOB_EXECUTOR_NAME"]),
    setting("ip", Kind::Text, &["FASTJOB_IP"]),
    setting("port", Kind::Number(u16::MAX as u32), &["FASTJOB_PORT"]),
    known_as(
        setting("token", Kind::Text, &["FASTJOB_TOKEN", "FASTJOB_ACCESS_TOKEN"]),
        "access_token",
    ),
    setting("log_path", Kind::Text, &["FASTJOB_LOG_PATH"]),
    setting("log_max_mib", Kind::Number(LOG_MAX_MIB), &["FASTJOB_LOG_MAX_MIB"]),
    setting("log_retention_days", Kind::Number(u32::MAX), &["FASTJOB_LOG_RETENTION_DAYS"]),
    setting("labels", Kind::Texts, &[]),
    setting("capacity", Kind::Number(u32::MAX), &["FASTJOB_CAPACITY"]),
    setting("allow_commands", Kind::Entries, &["FASTJOB_ALLOW_COMMANDS"]),
    setting("allow_http", Kind::ListOrText, &["FASTJOB_ALLOW_HTTP"]),
    setting("stop_grace", Kind::Duration, &[]),
    setting("insecure_transport", Kind::Switch, &[]),
    setting("ca_cert", Kind::Text, &["FASTJOB_CA_CERT"]),
];

/// A setting above the tables of a file, which an executor reads, too.
const INSECURE_FILES: &str = "FASTJOB_INSECURE_FILES";

/// The variables of an executor, in alphabetical order.
pub fn executor_variables() -> Vec<&'static str> {
    let of_the_table = EXECUTOR.iter().flat_map(|setting| setting.variables).copied();
    let mut names: Vec<_> = of_the_table.chain([INSECURE_FILES]).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_and_variable_is_there_once() {
        let names = EXECUTOR.iter().flat_map(|it| [Some(it.name), it.other_name]).flatten();
        let mut all: Vec<_> = names.chain(executor_variables()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(executor_variables().len(), 17);
    }
}
