//! `fastjob settings`: every setting, its value, and where that comes from.

use std::collections::BTreeMap;

use clap::{Args, CommandFactory};
use serde_json::json;

use super::{
    Cli,
    env::Env,
    error::Error,
    job::places::Places,
    options::{Judged, Options},
    out::Out,
    table::{Facts, Table},
};
use crate::config::{
    Source,
    reference::{self, Entry},
};

/// Longest line of a description.
const WIDTH: usize = 80;

#[derive(Args)]
pub(super) struct Settings {
    /// Describe the settings whose name or variable contains this text
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Only the settings that are set in the file, in a variable or by a flag
    #[arg(long)]
    changed: bool,
    /// Print a configuration file with every setting at its default, commented out
    #[arg(long, conflicts_with_all = ["text", "changed"])]
    example: bool,
}

/// Where a value comes from.
#[derive(Debug, PartialEq)]
enum Origin {
    Default,
    /// The file, and the line.
    File(String),
    Variable(String),
    Flag(String),
}

impl Settings {
    pub(super) fn run(self, options: &Options, env: &Env, out: &mut Out<'_>) -> Result<(), Error> {
        let flags = Flags::known();
        if self.example {
            let example = reference::example(|variable| flags.described(variable));
            return match out.is_json() {
                true => out.json(&json!({ "example": example })),
                false => out.raw(&example),
            };
        }
        let Judged { config, source } = options.layered(env)?;
        let given = options.given();
        let own_origin = |entry: &Entry| {
            let variable = entry.variables.first();
            let flag = variable.and_then(|name| flags.of(name));
            if let Some(flag) = flag.filter(|flag| given.contains(&flag.as_str())) {
                return Origin::Flag(flag);
            }
            match variable {
                Some(name) if env.get(name).is_some_and(|text| !text.is_empty()) => {
                    Origin::Variable(name.clone())
                }
                Some(_) | None if source.has(&entry.table, entry.key) => {
                    Origin::File(place(&source, &entry.name()))
                }
                Some(_) | None => Origin::Default,
            }
        };
        let entries = reference::effective(&config);
        // A token may come from its file, and one of the two may have been replaced by the other.
        let origin = |entry: &Entry| match (entry.key, own_origin(entry)) {
            ("token" | "token_file", _) if entry.value.is_none() => Origin::Default,
            ("token", own @ (Origin::Default | Origin::File(_))) => entries
                .iter()
                .find(|it| it.table == entry.table && it.key == "token_file" && it.value.is_some())
                .map_or(own, own_origin),
            (_, own) => own,
        };
        let is_meant = |entry: &&Entry| match &self.text {
            None => true,
            Some(text) => {
                let text = text.to_lowercase();
                let mut names = entry.variables.iter().map(|name| name.to_lowercase());
                entry.name().contains(&text) || names.any(|name| name.contains(&text))
            }
        };
        let all = entries.iter().filter(is_meant);
        let all = all.map(|entry| (origin(entry), entry.clone()));
        let all: Vec<_> =
            all.filter(|(origin, _)| !self.changed || *origin != Origin::Default).collect();
        if let (Some(text), true, false) = (&self.text, all.is_empty(), self.changed) {
            return Err(Error::failed(format!("no setting has `{text}` in its name")));
        }
        if out.is_json() {
            let settings: Vec<_> =
                all.iter().map(|(origin, entry)| as_json(origin, entry, &flags)).collect();
            return out.json(&json!({ "file": source.path, "settings": settings }));
        }
        match self.text {
            None => list(&all, out),
            Some(_) => describe(&all, &flags, out),
        }
    }
}

/// The file and the line of a setting.
fn place(source: &Source, name: &str) -> String {
    let file = source.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    match Places::of_key(&source.text, name) {
        Some((line, _)) => format!("{file}:{line}"),
        None => file,
    }
}

fn shown(value: Option<&toml::Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn list(all: &[(Origin, Entry)], out: &mut Out<'_>) -> Result<(), Error> {
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    for (origin, entry) in all {
        let (from, place) = origin.parts();
        let from = if place.is_empty() { from } else { place };
        table.row([entry.name(), shown(entry.value.as_ref()), from.to_owned()]);
    }
    out.table(&table)
}

fn describe(all: &[(Origin, Entry)], flags: &Flags, out: &mut Out<'_>) -> Result<(), Error> {
    for (number, (origin, entry)) in all.iter().enumerate() {
        if number > 0 {
            out.line("")?;
        }
        let (from, place) = origin.parts();
        let mut facts = Facts::default();
        facts.add("setting", entry.name());
        facts.add("value", shown(entry.value.as_ref()));
        facts.add("from", format!("{from} {place}").trim());
        facts.add("default", shown(entry.default.as_ref()));
        facts.add("type", entry.kind_and_bounds().replace('`', ""));
        facts.add("variable", entry.variables.join(", "));
        let flag = entry.variables.first().and_then(|name| flags.described(name));
        facts.add("flag", flag.unwrap_or_default().replace('`', ""));
        let about: Vec<_> = reference::wrapped(&entry.about, WIDTH).collect();
        facts.add("meaning", about.join("\n"));
        out.facts(&facts)?;
    }
    Ok(())
}

fn as_json(origin: &Origin, entry: &Entry, flags: &Flags) -> serde_json::Value {
    let (from, place) = origin.parts();
    json!({
        "setting": entry.name(),
        "value": entry.value,
        "from": from,
        "place": (!place.is_empty()).then_some(place),
        "default": entry.default,
        "type": entry.kind.replace('`', ""),
        "bounds": entry.bounds,
        "secret": entry.is_secret,
        "variable": entry.variables.first(),
        "flag": entry.variables.first().and_then(|name| flags.of(name)),
        "about": entry.about,
    })
}

impl Origin {
    /// The kind of source, and which one it is.
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Default => ("default", ""),
            Self::File(place) => ("file", place),
            Self::Variable(name) => ("variable", name),
            Self::Flag(name) => ("flag", name),
        }
    }
}

/// The flags that set settings, with whether only `fastjob serve` has them. The name of a flag
/// follows from that of the variable: `FASTJOB_STORE` is `--store`.
pub(super) struct Flags(BTreeMap<String, bool>);

impl Flags {
    /// Those of the command line.
    pub(super) fn known() -> Self {
        let command = Cli::command();
        let longs = |command: &clap::Command| -> Vec<String> {
            command.get_arguments().filter_map(|it| it.get_long()).map(str::to_owned).collect()
        };
        let of_serve = command.find_subcommand("serve").map(longs).unwrap_or_default();
        let of_serve = of_serve.into_iter().map(|long| (long, true));
        Self(of_serve.chain(longs(&command).into_iter().map(|long| (long, false))).collect())
    }

    /// The flag of a variable.
    fn of(&self, variable: &str) -> Option<String> {
        let long = long(variable)?;
        self.0.contains_key(&long).then(|| format!("--{long}"))
    }

    /// The same, with the command that has it, for people.
    pub(super) fn described(&self, variable: &str) -> Option<String> {
        let long = long(variable)?;
        self.0.get(&long).map(|is_of_serve| match is_of_serve {
            true => format!("`--{long}` of `fastjob serve`"),
            false => format!("`--{long}`"),
        })
    }
}

fn long(variable: &str) -> Option<String> {
    Some(variable.strip_prefix("FASTJOB_")?.to_lowercase().replace('_', "-"))
}
