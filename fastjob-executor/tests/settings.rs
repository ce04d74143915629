//! The settings, as `docs/settings.md` and the list in core describe them. `docs/executor-settings.md`
//! is generated from that list.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use fastjob_core::settings::{EXECUTOR, Kind};
use fastjob_executor::ExecutorConfig;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

fn load(file: &str, env: impl Fn(&str) -> Option<String>) -> ExecutorConfig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    fs::write(&path, file).unwrap();
    ExecutorConfig::load(Some(&path), env).unwrap()
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let page = page("settings.md");
    let (_, rest) = page.split_once("```toml\n[executor]\n").unwrap();
    let config = load(&format!("[executor]\n{}", rest.split_once("```").unwrap().0), |_| None);
    assert_eq!((config.check(), config.service.as_str()), (Vec::new(), "billing"));
}

#[test]
fn the_list_has_every_setting_and_every_variable() {
    let (page, asked) = (page("executor-settings.md"), RefCell::new(BTreeSet::new()));
    let config = load("", |name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    for name in asked.into_inner() {
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/executor-settings.md");
    }
    // `ExecutorConfig { coordinators: […], service: "…", … }`, the fields alone on their lines.
    let shown = format!("{config:#?}");
    let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    let fields: BTreeSet<_> =
        fields.map(|(field, _)| field).filter(|field| !field.starts_with(' ')).collect();
    let listed: BTreeSet<_> = EXECUTOR.iter().map(|setting| setting.name).collect();
    assert_eq!(fields, listed);
}

#[test]
fn the_listed_defaults_are_those_of_the_code() {
    let line = |(name, default): (&str, &str)| format!("{name} = {default}\n");
    let defaults = EXECUTOR.iter().filter_map(|setting| Some((setting.name, setting.default?)));
    let text: String = defaults.map(line).collect();
    let config = load(&format!("[executor]\n{text}"), |_| None);
    assert_eq!(config, ExecutorConfig::default(), "{text}");
    let shown = format!("{config:?}");
    for setting in EXECUTOR.iter().filter(|setting| setting.default.is_none()) {
        let none = format!("{}: None", setting.name);
        assert!(shown.contains(&none), "{} has a default: {shown}", setting.name);
    }
}

#[test]
fn a_number_beyond_a_listed_bound_is_rejected_with_its_name() {
    let mut tried = 0;
    for setting in &EXECUTOR {
        let Kind::Number { least, most } = setting.kind else { continue };
        let beyond = [least.checked_sub(1), most.checked_add(1)];
        for number in beyond.into_iter().flatten() {
            tried += 1;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("fastjob.toml");
            fs::write(&path, format!("[executor]\n{} = {number}\n", setting.name)).unwrap();
            match ExecutorConfig::load(Some(&path), |_| None) {
                Ok(config) => {
                    let found: Vec<_> = config.check().iter().map(|problem| problem.key).collect();
                    assert_eq!(found, [setting.name], "{number}");
                }
                Err(err) => assert!(err.to_string().contains("line 2"), "{err}"),
            }
        }
        for number in [least, most] {
            let config = load(&format!("[executor]\n{} = {number}\n", setting.name), |_| None);
            assert_eq!(config.check(), [], "{} = {number}", setting.name);
        }
    }
    assert!(tried >= 5, "{tried}");
}
