//! The pages of troubleshooting: a message on them is one that FastJob prints, word for word, so that
//! a search for it finds the page.

use std::{fs, path::Path};

use super::{prose, read, root};

const PAGES: [&str; 2] = ["docs/troubleshooting.md", "docs/zh/troubleshooting.md"];
/// What libraries, the database and the system say.
const OF_OTHERS: [&str; 8] = [
    "Connection refused",
    "certificate expired",
    "certificate not valid for name",
    "database is locked",
    "database or disk is full",
    "does not exist",
    "no pg_hba.conf entry",
    "password authentication failed",
];

/// The sources of all crates, in which literals that continue on the next line are joined.
fn sources() -> String {
    let members = ["client", "coordinator", "core", "engine", "executor"];
    let mut all = String::new();
    for member in members {
        add(&root().join(format!("fastjob-{member}/src")), &mut all);
    }
    all.replace("\\\"", "\"")
}

fn add(folder: &Path, all: &mut String) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            add(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let mut text = fs::read_to_string(&path).unwrap();
            while let Some(at) = text.find("\\\n") {
                let rest = text[at + 2..].trim_start().to_owned();
                text.truncate(at);
                all.push_str(&text);
                text = rest;
            }
            all.push_str(&text);
        }
    }
}

/// The messages of a page: the lines of its blocks of text, and the code spans with several words in
/// the first cells of its tables, except commands.
fn messages(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in text.split("\n```text\n").skip(1) {
        let block = block.split("\n```").next().unwrap_or_default();
        found.extend(block.lines().map(str::to_owned));
    }
    for row in prose(text).filter_map(|line| line.strip_prefix("| ")) {
        let first = row.split(" | ").next().unwrap_or_default();
        let spans = first.split('`').skip(1).step_by(2).filter(|span| span.contains(' '));
        found.extend(spans.filter(|span| !span.starts_with("fastjob ")).map(str::to_owned));
    }
    found
}

/// The part of a message that is not in the sources; names and numbers are `…` in it.
fn unknown<'a>(sources: &str, message: &'a str) -> Option<&'a str> {
    let parts = message.split('…').map(|part| part.trim_matches([' ', ':', ';', ',', '`', '"']));
    let parts = parts.filter(|part| part.len() > 3);
    parts.into_iter().find(|part| !OF_OTHERS.contains(part) && !sources.contains(part))
}

#[test]
fn every_message_of_the_troubleshooting_pages_is_one_of_fastjob() {
    let sources = sources();
    for page in PAGES {
        let messages = messages(&read(page));
        assert!(messages.len() > 50, "{page}: {messages:?}");
        let wrong = messages.iter().filter_map(|one| Some((one, unknown(&sources, one)?)));
        let wrong: Vec<_> = wrong.map(|(one, part)| format!("{one}\n    {part}")).collect();
        assert!(wrong.is_empty(), "{page} has messages that do not exist:\n{}", wrong.join("\n"));
    }
}

#[test]
fn a_message_that_fastjob_does_not_print_is_found() {
    let page = "a\n\n```text\nfirst line\nsecond …\n```\n\n| `a third` and `x` | `b c` |\n";
    assert_eq!(messages(page), ["first line", "second …", "a third"]);
    let sources = "\"no executor of `{service}` is connected\"";
    assert_eq!(unknown(sources, "no executor of `…` is connected"), None);
    assert_eq!(unknown(sources, "no executor of `…` is here"), Some("is here"));
}
