//! The settings, as the README writes them.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use fastjob_executor::ExecutorConfig;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

fn load(file: &str, env: impl Fn(&str) -> Option<String>) -> ExecutorConfig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    fs::write(&path, file).unwrap();
    ExecutorConfig::load(Some(&path), env).unwrap()
}

#[test]
fn the_file_in_the_readme_is_one() {
    let readme = readme();
    let (_, rest) = readme.split_once("```toml\n[executor]\n").unwrap();
    let config = load(&format!("[executor]\n{}", rest.split_once("```").unwrap().0), |_| None);
    assert_eq!((config.check(), config.app_name.as_str()), (Vec::new(), "billing"));
}

#[test]
fn the_readme_names_every_setting_and_every_variable() {
    let (readme, asked) = (readme(), RefCell::new(BTreeSet::new()));
    let config = load("", |name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    for name in asked.into_inner() {
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in the README");
    }
    // `ExecutorConfig { admin_addresses: […], app_name: "…", … }`, the fields alone on their lines.
    let shown = format!("{config:#?}");
    let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    let fields: Vec<_> = fields.map(|(field, _)| field).filter(|f| !f.starts_with(' ')).collect();
    assert!(fields.contains(&"capacity"), "{shown}");
    for field in fields {
        assert!(readme.contains(&format!("`{field}`")), "{field} is not in the README");
    }
}
