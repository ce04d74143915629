//! What the reference says is what the configuration does.

use std::{collections::BTreeSet, time::Duration};

use fastjob_core::duration;

use super::*;
use crate::{
    config::{ByteSize, Source, Template},
    files::testing::write_private,
};

/// The problems of a configuration file with this text.
fn problems(text: &str, vars: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    write_private(&path, text);
    let source = Source::find(Some(&path), |_| None).unwrap();
    let (config, mut problems) = Config::read(&source, vars);
    problems.extend(config.check());
    problems.iter().map(ToString::to_string).collect()
}

/// The values that are just outside the bounds of a setting.
fn beyond(entry: &Entry) -> Vec<Toml> {
    let step = |bound: &Toml, by: i64| -> Toml {
        if let Some(number) = bound.as_integer() {
            return Toml::Integer(number + by);
        }
        let text = bound.as_str().unwrap();
        if let Ok(ByteSize(bytes)) = text.parse() {
            return ByteSize(bytes.checked_add_signed(by).unwrap()).to_string().into();
        }
        let millis = duration::parse(text).unwrap().as_millis();
        let millis = u64::try_from(millis).unwrap().checked_add_signed(by).unwrap();
        duration::to_text(Duration::from_millis(millis)).into()
    };
    let (least, most) = &entry.limits;
    let below = least.as_ref().map(|least| step(least, -1));
    below.into_iter().chain(most.as_ref().map(|most| step(most, 1))).collect()
}

#[test]
fn a_value_beyond_a_bound_is_rejected_with_the_name_of_its_setting() {
    let mut tried = 0;
    for entry in all().iter().flat_map(|table| &table.entries) {
        let is_channel = entry.table.first().is_some_and(|table| table == "alarms");
        let needed = if is_channel { "type = 'slack'\nurl = 'https://h/x'\n" } else { "" };
        let with = |value: &Toml| {
            let line = format!("{} = {value}", entry.key);
            problems(&format!("[{}]\n{needed}{line}", entry.table.join(".")), |_| None)
        };
        let says = format!("{}: it is ", entry.name());
        for value in beyond(entry) {
            tried += 1;
            let found = with(&value);
            let bounds = entry.bounds.as_deref().unwrap();
            assert!(
                found.iter().any(|it| it.starts_with(&says) && it.contains(bounds)),
                "{says}{value}: {found:?}"
            );
            let Some(variable) = entry.variables.first() else { continue };
            let text = crate::config::value::plain(&value);
            let found = problems("", |name| (name == variable).then(|| text.clone()));
            assert!(found.iter().any(|it| it.starts_with(&says)), "{variable}: {found:?}");
        }
        let (least, most) = &entry.limits;
        for value in least.iter().chain(most) {
            let found = with(value);
            assert!(!found.iter().any(|it| it.contains("is allowed")), "{says}{value}: {found:?}");
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn every_setting_is_described_and_has_a_variable_of_its_own_except_in_channels() {
    let mut names = BTreeSet::new();
    for table in all().iter().chain([&executor()]) {
        for entry in &table.entries {
            let name = entry.name();
            assert!(entry.about.ends_with('.') && entry.about.len() > 15, "{name}");
            assert!(!entry.about.contains("Default:"), "{name}: the default is generated");
            assert!(names.insert((name.clone(), table.of_type)), "{name} is there twice");
            let is_of_coordinator =
                !["alarms", "executor"].contains(&name.split('.').next().unwrap());
            if is_of_coordinator {
                assert_eq!(entry.variables.len(), 1, "{name}");
            }
        }
    }
    assert!(names.contains(&("coordinator.logs.s3.secret_key".to_owned(), "")));
    // The coordinator and the client share three; the rest are the variables of one setting.
    let mut variables: Vec<_> =
        all().into_iter().flat_map(|table| table.entries).flat_map(|it| it.variables).collect();
    let count = variables.len();
    variables.sort_unstable();
    variables.dedup();
    let shared = "FASTJOB_TOKEN, FASTJOB_TOKEN_FILE and FASTJOB_INSECURE_PLAINTEXT";
    assert_eq!(count - variables.len(), 3, "{shared}");
}

#[test]
fn every_placeholder_of_a_webhook_is_described() {
    let all = all();
    let body = all.iter().flat_map(|table| &table.entries).find(|it| it.key == "body").unwrap();
    for place in Template::PLACES {
        assert!(body.about.contains(&format!("`{{{{{place}}}}}`")), "{place}: {}", body.about);
    }
}

#[test]
fn the_example_with_every_default_set_is_the_default() {
    let example = example(|_| None);
    let is_setting = |line: &&str| {
        line.starts_with('#') && !line.starts_with("# ") && !line.starts_with("#[") && *line != "#"
    };
    // Up to the channels, which have no default names.
    let (own, channels) = example.split_once("\n#[alarms.NAME]").unwrap();
    let (_, executor) = channels.split_once("\n[executor]").unwrap();
    let mut count = 0;
    let mut set = |text: &str| {
        let lines = text.lines().map(|line| match is_setting(&line) {
            true if !line.ends_with("# not set") => {
                count += 1;
                &line[1..]
            }
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let text = format!("{}\n[executor]{}", set(own), set(executor));
    assert!(count > 40, "{count}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    write_private(&path, &text);
    let source = Source::find(Some(&path), |_| None).unwrap();
    let (config, problems) = Config::read(&source, |_| None);
    assert_eq!((config, problems), (Config::default(), Vec::new()), "{text}");
    assert_eq!(crate::config::executor::check(&source), []);
}

#[test]
fn values_and_defaults_are_those_of_the_configuration() {
    let mut config = Config::default();
    config.coordinator.beat = Duration::from_secs(5);
    config.coordinator.token = Some("0123456789abcdef-secret".parse().unwrap());
    let entries = effective(&config);
    let find = |name: &str| entries.iter().find(|it| it.name() == name).unwrap();
    let beat = find("coordinator.beat");
    assert_eq!((beat.value.clone(), beat.default.clone()), (Some("5s".into()), Some("3s".into())));
    assert_eq!(beat.kind_and_bounds(), "duration, from 100ms to 1h");
    assert_eq!(find("coordinator.token").value, Some("(set, not shown)".into()));
    assert_eq!(find("coordinator.tls.cert").value, None);
    assert_eq!(find("coordinator.metrics.jobs").variables, ["FASTJOB_METRICS_JOBS"]);
}
