//! The commands in the text: `fastjob` has them, and each of their options.

use std::collections::{BTreeMap, BTreeSet};

use super::{blocks::fastjob, guides, spans};

/// The subcommand that a code span names, and its options; `None` if it is another span.
fn command(span: &str) -> Option<(Vec<String>, Vec<String>)> {
    let rest = span.strip_prefix("fastjob ")?;
    // Elsewhere, `…` stands for any command. The help has no help of its own.
    if rest.starts_with('…') || rest.starts_with("help") {
        return None;
    }
    // Alternatives are in brackets; otherwise another program follows.
    let rest = if rest.contains('[') { rest } else { rest.split(" | ").next().unwrap_or(rest) };
    let words = rest.split([' ', '[', ']', '(', ')', '|']).filter(|word| !word.is_empty());
    let is_plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let named = words.clone().take_while(|word| is_plain(word) && !word.starts_with('-'));
    let named = named.map(str::to_owned).collect();
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    let options = options.map(|word| word.split('=').next().unwrap_or(word));
    Some((named, options.map(|word| word.trim_end_matches(['…', ',']).to_owned()).collect()))
}

/// The help of commands, each read once.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, Option<String>>);

impl Helps {
    /// `None` if there is no such command.
    fn of(&mut self, named: &[String]) -> Option<&str> {
        let folder = std::env::temp_dir();
        let help = self.0.entry(named.to_vec()).or_insert_with(|| {
            let output = fastjob(&folder).args(named).arg("--help").output().unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        });
        help.as_deref()
    }

    /// What is wrong with a span.
    fn problem(&mut self, span: &str) -> Option<String> {
        let (named, options) = command(span)?;
        let Some(help) = self.of(&named) else {
            return Some("there is no such command".to_owned());
        };
        let known: BTreeSet<_> = help.split([' ', ',', '\n', '[', ']']).collect();
        let unknown: Vec<_> =
            options.iter().filter(|word| !known.contains(word.as_str())).collect();
        (!unknown.is_empty()).then(|| format!("it has no {unknown:?}"))
    }
}

#[test]
fn every_command_in_the_text_exists_with_its_options() {
    let (mut helps, mut wrong) = (Helps::default(), Vec::new());
    for (document, text) in guides() {
        for span in spans(&text) {
            let problem = helps.problem(&span);
            wrong.extend(problem.map(|problem| format!("{document}: `{span}`: {problem}")));
        }
    }
    assert!(helps.0.len() > 20, "{:?}", helps.0.keys());
    assert!(wrong.is_empty(), "commands that do not exist:\n{}", wrong.join("\n"));
}

#[test]
fn mistakes_in_commands_of_the_text_are_found() {
    let mut helps = Helps::default();
    for right in [
        "fastjob start NAME [--param P] [--delay D | --at T]",
        "fastjob … --none",
        "fastjob",
        "fastjob executor drain billing-1 --wait",
        "fastjob job list --idle-since release",
    ] {
        assert_eq!(helps.problem(right), None, "{right}");
    }
    for wrong in ["fastjob nonsense", "fastjob job nonsense", "fastjob start NAME --nonsense"] {
        assert!(helps.problem(wrong).is_some(), "{wrong}");
    }
}
