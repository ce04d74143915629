//! The settings of an executor: their names, types, bounds and defaults, and their variables.
//!
//! The executor library reads them. The coordinator accepts them in the same file and environment,
//! `fastjob check` reports mistakes in them, and `docs/executor-settings.md` is generated from them.
//! So both sides know them, and neither has its own list.

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
    /// A number.
    Number {
        /// The least one that is allowed.
        least: u32,
        /// The largest one that is allowed.
        most: u32,
    },
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
    /// The value in a file that has the same effect as none; `None` if no value has.
    pub default: Option<&'static str>,
    /// What it does, for users.
    pub about: &'static str,
}

/// The largest number of attempts that an executor may run at the same time.
pub const CAPACITY_MAX: u32 = 1_000_000;
/// The largest log of an attempt that an executor may be set to keep, in MiB.
pub const LOG_MAX_MIB: u32 = 65_536;
/// Most labels of an executor.
pub const LABELS_MAX: usize = 64;

const fn setting(
    name: &'static str,
    kind: Kind,
    variables: &'static [&'static str],
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { name, other_name: None, variables, kind, default, about }
}

const fn number(least: u32, most: u32) -> Kind {
    Kind::Number { least, most }
}

const fn known_as(setting: Setting, other_name: &'static str) -> Setting {
    Setting { other_name: Some(other_name), ..setting }
}

/// All settings of an executor.
pub const EXECUTOR: [Setting; 17] = [
    known_as(
        setting(
            "coordinators",
            Kind::List,
            &["FASTJOB_COORDINATORS", "FASTJOB_ADMIN_ADDRESSES"],
            Some(r#"["http://127.0.0.1:7070"]"#),
            "The URLs of the coordinators: one or several nodes of a cluster. The executor learns \
             the other nodes.",
        ),
        "admin_addresses",
    ),
    known_as(
        setting(
            "service",
            Kind::Text,
            &["FASTJOB_SERVICE", "FASTJOB_APP_NAME"],
            Some(r#""default""#),
            "The service that the handlers belong to. In code, the argument of `builder`.",
        ),
        "app_name",
    ),
    setting(
        "executor_name",
        Kind::Text,
        &["FASTJOB_EXECUTOR_NAME"],
        None,
        "The name within the service, which should stay the same after a restart. If it is not \
         set, `ip:port` if there is a port, else the host name and the process id.",
    ),
    setting(
        "ip",
        Kind::Text,
        &["FASTJOB_IP"],
        None,
        "The address of the process, shown in the list of executors. FastJob does not listen there.",
    ),
    setting(
        "port",
        number(0, u16::MAX as u32),
        &["FASTJOB_PORT"],
        None,
        "The port of the process, shown in the list of executors and part of its name. FastJob does \
         not listen there.",
    ),
    known_as(
        setting(
            "token",
            Kind::Text,
            &["FASTJOB_TOKEN", "FASTJOB_ACCESS_TOKEN"],
            None,
            "The token that the coordinators require. The coordinator and the command line read \
             `FASTJOB_TOKEN`, too.",
        ),
        "access_token",
    ),
    setting(
        "token_file",
        Kind::Text,
        &["FASTJOB_TOKEN_FILE"],
        None,
        "A file that contains only the token, as systemd and Kubernetes provide secrets. It is read \
         at the start, and rejected if other users can read it. A variable replaces both `token` and \
         `token_file` of the file. The coordinator and the command line read `FASTJOB_TOKEN_FILE`, too.",
    ),
    setting(
        "log_path",
        Kind::Text,
        &["FASTJOB_LOG_PATH"],
        Some(r#""fastjob-logs""#),
        "The folder for the logs of attempts.",
    ),
    setting(
        "log_max_mib",
        number(1, LOG_MAX_MIB),
        &["FASTJOB_LOG_MAX_MIB"],
        Some("64"),
        "Maximum size of the log of one attempt, in MiB. What follows is dropped, and the log says \
         so.",
    ),
    setting(
        "log_retention_days",
        number(0, u32::MAX),
        &["FASTJOB_LOG_RETENTION_DAYS"],
        Some("30"),
        "How many days the logs of attempts are kept; 0 keeps them forever.",
    ),
    setting(
        "labels",
        Kind::Texts,
        &[],
        Some("{}"),
        "Labels that the filters of shards select, such as `{ region = \"eu\" }`. At most 64. In \
         code, one `label` call per label.",
    ),
    setting(
        "capacity",
        number(1, CAPACITY_MAX),
        &["FASTJOB_CAPACITY"],
        Some("10000"),
        "Maximum number of attempts that run at the same time. A coordinator sends at most this \
         many, including attempts that wait in the lane of their job.",
    ),
    setting(
        "allow_commands",
        Kind::Entries,
        &["FASTJOB_ALLOW_COMMANDS"],
        Some("[]"),
        "The programs that `commandJobHandler` may run. Without an entry, this handler is not \
         available. In the variable, entries are separated by commas.",
    ),
    setting(
        "allow_http",
        Kind::ListOrText,
        &["FASTJOB_ALLOW_HTTP"],
        Some("[]"),
        "The hosts that `httpJobHandler` may call: `api.example.org`, `api.example.org:8443`, \
         `*.example.org`, an address or a network (`10.0.0.0/8`), or `any` for every public host. \
         Addresses that are not public must be listed explicitly. Without a host, this handler is \
         not available. In the variable, hosts are separated by commas.",
    ),
    setting(
        "stop_grace",
        Kind::Duration,
        &[],
        Some(r#""30s""#),
        "How long a process that stops waits for running attempts to end and for outcomes to be \
         delivered. Outcomes get at least 5 s after the last attempt has ended.",
    ),
    setting(
        "insecure_transport",
        Kind::Switch,
        &[],
        Some("false"),
        "Allows an executor that has a token to use plain text beyond loopback, also to nodes of \
         the cluster that it learns of. Without a token, plain text is always allowed.",
    ),
    setting(
        "ca_cert",
        Kind::Text,
        &["FASTJOB_CA_CERT"],
        None,
        "A PEM file with a certificate to trust in addition to those of the machine. In code, a \
         field of `config`.",
    ),
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
    fn every_setting_is_described_and_the_bounds_in_words_are_those_of_the_code() {
        for setting in EXECUTOR {
            assert!(setting.about.ends_with('.') && setting.about.len() > 15, "{}", setting.name);
        }
        let labels = EXECUTOR.iter().find(|setting| setting.name == "labels").unwrap();
        assert!(labels.about.contains(&format!("At most {LABELS_MAX}.")), "{}", labels.about);
    }

    #[test]
    fn each_name_and_variable_is_there_once() {
        let names = EXECUTOR.iter().flat_map(|it| [Some(it.name), it.other_name]).flatten();
        let mut all: Vec<_> = names.chain(executor_variables()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(executor_variables().len(), 18);
    }
}
