//! The names in the documentation: variables, settings, fields, metrics and alerts that exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use fastjob_tests::process::write_private;

use super::{blocks::fastjob, guides, prose, read, root, spans};

/// Names of other programs.
const OF_OTHERS: [&str; 11] = [
    "default_token",
    "max_connections",
    "max_wal_size",
    "pg_dump",
    "proxy_set_header",
    "recovery_target_time",
    "restore_command",
    "shared_buffers",
    "synchronous_commit",
    "xxl_job_info",
    "xxl_job_log",
];

/// The words of a text that begin with `prefix`; other characters than these separate words.
fn words<'a>(text: &'a str, prefix: &str, is_part: fn(char) -> bool) -> BTreeSet<&'a str> {
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| word.len() > prefix.len() && word.starts_with(prefix)).collect()
}

/// The variables that `fastjob check` does not know.
fn unknown_variables<'a>(names: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let folder = tempfile::tempdir().unwrap();
    let mut check = fastjob(folder.path());
    // The values are wrong, too, but all problems are listed. A file must exist.
    let values = names.iter().filter(|name| **name != "FASTJOB_CONFIG");
    let output = check.arg("check").envs(values.map(|name| (name, "x"))).output().unwrap();
    let problems = String::from_utf8(output.stderr).unwrap();
    let is_unknown = |name: &&&str| problems.contains(&format!("{name}: unknown variable"));
    names.iter().filter(is_unknown).copied().collect()
}

#[test]
fn every_variable_in_the_documentation_exists() {
    let guides = guides();
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let named = guides.iter().flat_map(|(_, text)| words(text, "FASTJOB_", is_part));
    let named: BTreeSet<_> = named.collect();
    assert!(named.contains("FASTJOB_TOKEN"), "{named:?}");
    let unknown = unknown_variables(&named);
    assert!(unknown.is_empty(), "variables that do not exist: {unknown:?}");
    assert_eq!(unknown_variables(&["FASTJOB_STOER", "FASTJOB_STORE"].into()), ["FASTJOB_STOER"]);
}

/// The settings that a document names, each with its table: `coordinator.limits.max_jobs` in a code
/// span, and the first cells of a table whose head is ``in `[coordinator.limits]` ``.
fn settings(text: &str) -> BTreeSet<(String, String)> {
    const TABLES: [&str; 2] = ["coordinator", "executor"];
    let is_key =
        |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || "_.0123456789".contains(c));
    let mut found = BTreeSet::new();
    for span in spans(text).iter().filter(|span| is_key(span)) {
        if let Some((table, key)) = span.split_once('.')
            && TABLES.contains(&table)
        {
            found.insert((table.to_owned(), key.to_owned()));
        }
    }
    let mut table = None;
    for line in prose(text) {
        let Some(row) = line.strip_prefix("| ") else {
            if !line.starts_with("|-") {
                table = None;
            }
            continue;
        };
        let first = row.split(" | ").next().unwrap_or_default();
        // What follows is how the same setting is made in code.
        let in_file = first.split("; in code").next().unwrap_or_default();
        let in_code = in_file.split('`').skip(1).step_by(2);
        if let Some(name) = first.strip_prefix("in `[").and_then(|rest| rest.split(']').next()) {
            table = Some(name.to_owned());
        } else if let Some(table) = &table
            && !first.contains("above the table")
        {
            let keys = in_code.flat_map(keys_of).filter(|key| is_key(key));
            found.extend(keys.map(|key| (table.clone(), key)));
        }
    }
    found
}

/// The keys of a cell such as `tls = { cert, key }`.
fn keys_of(span: &str) -> Vec<String> {
    let Some((table, inner)) = span.split_once(" = { ") else { return vec![span.to_owned()] };
    let inner = inner.trim_end_matches(" }").split(", ");
    inner.map(|key| format!("{table}.{key}")).collect()
}

/// The settings that `fastjob check` does not know.
fn unknown_settings(settings: &BTreeSet<(String, String)>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fastjob.toml");
    let mut unknown = Vec::new();
    for (table, key) in settings {
        // The value is wrong, so a key that exists is reported as unreadable.
        write_private(&file, &format!("[{table}]\n{key} = [[1979-05-27]]\n"));
        let output = fastjob(folder.path()).arg("check").output().unwrap();
        let problems = String::from_utf8(output.stderr).unwrap();
        if output.status.success() || problems.contains("unknown key") {
            unknown.push(format!("{table}.{key}"));
        }
    }
    unknown
}

#[test]
fn every_setting_in_the_documentation_exists() {
    let named: BTreeSet<_> = guides().iter().flat_map(|(_, text)| settings(text)).collect();
    assert!(!named.is_empty());
    let unknown = unknown_settings(&named);
    assert!(unknown.is_empty(), "settings that do not exist: {unknown:?}");
    let text = "`executor.none`, `a.b`\n\n| in `[coordinator.limits]` | |\n|---|---|\n| `max_jobs` | |\n\
                | `maxjobs`, `max_open.x` | |\n\n| `other` | |\n";
    let unknown = unknown_settings(&settings(text));
    assert_eq!(
        unknown,
        ["coordinator.limits.max_open.x", "coordinator.limits.maxjobs", "executor.none"]
    );
}

/// The text in which a name must occur: sources, migrations, the description of REST, the
/// measurements of the console, and the examples with their names.
fn sources() -> String {
    let mut all = String::new();
    let mut folders: Vec<_> = ["client", "coordinator", "core", "engine", "executor", "macros"]
        .map(|member| root().join(format!("fastjob-{member}")))
        .into();
    folders.extend(
        ["examples", "fastjob-coordinator/console/tests/figures"].map(|it| root().join(it)),
    );
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if path.is_dir() && !path.ends_with("console") && !path.ends_with("target") {
                folders.push(path);
            } else if ["rs", "sql", "json", "toml", "ts"].contains(&ending) {
                all.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    for path in entries(&root().join("examples/src/bin")) {
        all.extend([" ", &path.file_stem().unwrap().to_string_lossy()]);
    }
    all
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The names with an underscore among the code spans of a text, such as `executor_lost`. Metrics are
/// compared with their page.
fn identifiers(text: &str) -> BTreeSet<String> {
    let is_identifier = |span: &String| {
        let is_metric = ["fastjob_", "process_"].iter().any(|prefix| span.starts_with(prefix));
        !is_metric
            && span.contains('_')
            && span.starts_with(|c: char| c.is_ascii_lowercase())
            && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    spans(text).into_iter().filter(is_identifier).collect()
}

#[test]
fn every_field_in_the_documentation_exists() {
    let sources = sources();
    let known: BTreeSet<_> =
        sources.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let mut wrong = Vec::new();
    for (document, text) in guides() {
        let names = identifiers(&text).into_iter();
        let unknown =
            names.filter(|name| !known.contains(&**name) && !OF_OTHERS.contains(&&**name));
        wrong.extend(unknown.map(|name| format!("{document}: {name}")));
    }
    assert!(wrong.is_empty(), "names that do not exist:\n{}", wrong.join("\n"));
    assert!(known.contains("executor_lost") && !known.contains("executor_loost"));
    assert_eq!(identifiers("`a_b` `a_b()` `A_B` `ab` c_d"), ["a_b".to_owned()].into());
}

#[test]
fn every_metric_and_every_alert_in_the_documentation_exists() {
    let metrics = read("docs/metrics.md");
    let rules = read("deploy/prometheus/fastjob.rules.yml");
    let crates = ["fastjob_client", "fastjob_coordinator", "fastjob_core", "fastjob_executor"];
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_alert = |c: char| c.is_ascii_alphabetic();
    let mut wrong = Vec::new();
    for (document, text) in guides() {
        let spans = spans(&text).join(" ");
        let named = words(&spans, "fastjob_", is_part).into_iter();
        let named = named.filter(|name| !crates.contains(name) && !name.contains("restored"));
        wrong.extend(
            named.filter(|name| !metrics.contains(name)).map(|name| format!("{document}: {name}")),
        );
        let alerts = words(&spans, "FastJob", is_alert).into_iter();
        let unknown = alerts.filter(|name| !rules.contains(&format!("alert: {name}\n")));
        wrong.extend(unknown.map(|name| format!("{document}: {name}")));
    }
    assert!(wrong.is_empty(), "metrics and alerts that do not exist:\n{}", wrong.join("\n"));
}
