//! The reference as pages of the documentation, and as an example of a configuration file.

#[cfg(test)]
use super::Described;
use super::{Entry, all, executor};
#[cfg(test)]
use crate::config::names::ASIDE;

/// Longest line of a comment in the example.
const WIDTH: usize = 98;
/// At the end of a line of the example that has no default.
const NOT_SET: &str = "  # not set";

/// Variables that other programs read, too.
#[cfg(test)]
const SHARED: [(&str, &str); 6] = [
    ("NO_COLOR", "Switches the colours of the command off, if it is not empty. Flag `--color`."),
    (
        "NOTIFY_SOCKET",
        "The socket of systemd, which sets it for a service with `Type=notify`: `fastjob serve` says there that \
         it is ready, and that it stops.",
    ),
    ("TERM", "With `dumb`, the command shows neither colours nor progress bars."),
    (
        "TRACEPARENT",
        "The trace that the tasks are part of which a command starts, as in W3C Trace Context.",
    ),
    ("TRACESTATE", "What goes with `TRACEPARENT`, as in W3C Trace Context."),
    (
        "TZ",
        "The time zone in which the command reads and shows instants, such as `Asia/Shanghai`. Flag \
         `--tz`. If it is not set, the time zone of the system.",
    ),
];

/// The page about the coordinator and the command. `flag` knows the flag of a variable.
#[cfg(test)]
pub(crate) fn coordinator_page(flag: impl Fn(&str) -> Option<String>) -> String {
    let mut page = "# Settings of the coordinator and the command\n\n\
        Every setting of the file, with its type, default, variable and flag. [Settings](settings.md) \
        explains where they are read from, and [executor settings](executor-settings.md) has those of \
        `[executor]`. `fastjob settings` shows the values that apply and where each comes from, and \
        [`deploy/fastjob.example.toml`](../deploy/fastjob.example.toml) has all of them as a file. \
        This page is generated from the code.\n"
        .to_owned();
    for table in all() {
        page += &section(&table, &flag);
    }
    page += "\n## Variables without a key in the file\n";
    for (name, about) in ASIDE.into_iter().chain(SHARED) {
        page += &format!("\n### `{name}`\n\n{about}\n");
    }
    page
}

/// The page about an executor.
#[cfg(test)]
pub(crate) fn executor_page() -> String {
    let intro = "# Settings of an executor\n\n\
        Every setting of the table `[executor]`, with its type, default and variable. \
        [Settings](settings.md#the-settings-of-an-executor) explains where they are read from. The fields \
        of `ExecutorConfig` in code have the same names. This page is generated from the code.\n";
    let above = all().into_iter().filter(|table| table.table.is_empty());
    let above: String = above.map(|table| section(&table, &|_| None)).collect();
    format!("{intro}{}{above}", section(&executor(), &|_| None))
}

/// A configuration file with every setting at its default, commented out.
pub(crate) fn example(flag: impl Fn(&str) -> Option<String>) -> String {
    let mut text = "\
        # The configuration of FastJob: fastjob.toml.\n\
        #\n\
        # Every setting is here with its default, commented out. Variables override this file, and flags\n\
        # override both. `fastjob check` finds mistakes, and `fastjob settings` shows the values that\n\
        # apply. A file with secrets must not be readable by other users. This file is generated from the\n\
        # code.\n"
        .to_owned();
    let executor = executor();
    for table in all().iter().chain([&executor]) {
        // The flags are those of the command.
        let is_executor = table.table == executor.table;
        let flag = |variable: &str| flag(variable).filter(|_| !is_executor);
        if !table.of_type.is_empty() {
            text += &format!("\n{}", comment(&format!("For `type` = {}.", table.of_type)));
        } else if !table.table.is_empty() {
            let mark = if table.is_optional { "#" } else { "" };
            text += &format!("\n{}{mark}[{}]\n", comment(&table.about), table.table.join("."));
        }
        for entry in &table.entries {
            let facts = format!("{}. {}", capital(&entry.kind_and_bounds()), facts(entry, &flag));
            text += &format!("\n{}{}", comment(&entry.about), comment(&facts));
            text += &match &entry.default {
                Some(default) => format!("#{} = {default}\n", entry.key),
                None => format!("#{} = {}{NOT_SET}\n", entry.key, placeholder(entry)),
            };
        }
    }
    text
}

#[cfg(test)]
fn section(table: &Described, flag: &impl Fn(&str) -> Option<String>) -> String {
    let name = table.table.join(".");
    let mut text = match (name.as_str(), table.of_type) {
        ("", _) => "\n## Above the tables\n".to_owned(),
        (name, "") => format!("\n## `[{name}]`\n\n{}\n", table.about),
        (name, of_type) => format!("\n## `[{name}]` of type {of_type}\n\n{}\n", table.about),
    };
    for entry in &table.entries {
        let (name, about) = (entry.name(), &entry.about);
        let default = match &entry.default {
            Some(default) => format!(" Default: `{default}`."),
            None => " Not set by default.".to_owned(),
        };
        let kind = capital(&entry.kind_and_bounds());
        let facts = facts(entry, flag);
        let gap = if facts.is_empty() { "" } else { " " };
        text += &format!("\n### `{name}`\n\n{about}\n\n{kind}.{default}{gap}{facts}\n");
    }
    text
}

/// The other names of a setting, and whether it is a secret.
fn facts(entry: &Entry, flag: &impl Fn(&str) -> Option<String>) -> String {
    let mut facts = Vec::new();
    let quoted = |names: &[String]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
    };
    if !entry.variables.is_empty() {
        facts.push(format!("Variable: {}.", quoted(&entry.variables)));
    }
    if let Some(flag) = entry.variables.first().and_then(|name| flag(name)) {
        facts.push(format!("Flag: {flag}."));
    }
    if let Some(other) = entry.other_key {
        facts.push(format!("Second name: `{other}`."));
    }
    if entry.is_secret {
        facts.push("Secret: it is never shown.".to_owned());
    }
    facts.join(" ")
}

/// What stands in the place of a value that is not set.
fn placeholder(entry: &Entry) -> &'static str {
    match entry.kind {
        "number" => "0",
        kind if kind.starts_with("list") => "[]",
        kind if kind.starts_with("table") => "{}",
        _ => "\"\"",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>())
}

fn comment(text: &str) -> String {
    wrapped(text, WIDTH).map(|line| format!("# {line}\n")).collect()
}

/// A text in lines of at most `width` characters.
pub(crate) fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}
