//! Parses entries from the settings file and the environment variable.
//!
//! The setting is `"any"`, or a list of tables and of lines such as `"/usr/bin/uname -srm"`. The
//! entry of a line is named after its program's file name.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use fastjob_core::duration;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{CommandEntry, words::words};

const ANY: &str = "any";

/// Deserializes the setting from a file.
pub(crate) fn entries<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CommandEntry>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<CommandEntry>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of commands, or \"any\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            line(text).map(|entry| vec![entry]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = list.next_element()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    from.deserialize_any(Entries)
}

/// Parses a line: a program with its arguments, or `any`.
pub(crate) fn line(text: &str) -> Result<CommandEntry, String> {
    match text.trim() {
        ANY => return Ok(CommandEntry::any()),
        "*" => return Err(format!("to allow every command, write \"{ANY}\"")),
        _ => {}
    }
    let mut words = words(text)?.into_iter();
    let program = words.next().filter(|program| !program.is_empty());
    let program = PathBuf::from(program.ok_or("a command names no program")?);
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(CommandEntry::program(name.unwrap_or_default(), program).args(words))
}

impl<'de> Deserialize<'de> for CommandEntry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = CommandEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, or a line such as \"/usr/bin/uname -srm\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CommandEntry, E> {
                line(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CommandEntry, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                CommandEntry::try_from(table).map_err(A::Error::custom)
            }
        }

        from.deserialize_any(Entry)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<String>,
    program: Option<PathBuf>,
    #[serde(default)]
    scripts: bool,
    #[serde(default)]
    any: bool,
    #[serde(default)]
    args: Vec<String>,
    dir: Option<PathBuf>,
    #[serde(default)]
    job_dirs: Vec<PathBuf>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    job_env: Vec<String>,
    #[serde(default)]
    job_stdin: bool,
    user: Option<u32>,
    group: Option<u32>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    #[serde(deserialize_with = "time")]
    cpu: Option<Duration>,
    memory: Option<u64>,
    open_files: Option<u64>,
    processes: Option<u64>,
    file_size: Option<u64>,
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration::parse(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}

impl TryFrom<Table> for CommandEntry {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let mut entry = match (table.program, table.scripts, table.any) {
            (Some(path), false, false) => {
                let of_file = || path.file_name().map(|name| name.to_string_lossy().into_owned());
                let name = table.name.or_else(of_file).unwrap_or_default();
                Self::program(name, path)
            }
            (None, true, false) if table.name.is_none() => Self::scripts(),
            (None, false, true) if table.name.is_none() => Self::any(),
            (None, ..) if table.name.is_some() => {
                return Err("a command with a `name` needs a `program`".to_owned());
            }
            _ => {
                let kinds = "`program`, `scripts = true` and `any = true`";
                return Err(format!("a command needs exactly one of {kinds}"));
            }
        };
        entry.run_as = match (table.user, table.group) {
            (Some(user), Some(group)) => Some(super::Account { user, group }),
            (None, None) => None,
            _ => return Err("`user` and `group` must be set together".to_owned()),
        };
        entry.args = table.args;
        entry.dir = table.dir;
        entry.job_dirs = table.job_dirs;
        entry.env = super::Variables(table.env);
        entry.job_env = table.job_env;
        entry.job_stdin |= table.job_stdin;
        let Limits { cpu, memory, open_files, processes, file_size } = table.limits;
        entry.limits = super::Limits { cpu, memory, open_files, processes, file_size };
        Ok(entry)
    }
}
