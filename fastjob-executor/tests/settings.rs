//! The settings, as `docs/settings.md` describes them.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use fastjob_executor::ExecutorConfig;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md")).unwrap()
}

fn load(file: &str, env: impl Fn(&str) -> Option<String>) -> ExecutorConfig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    fs::write(&path, file).unwrap();
    ExecutorConfig::load(Some(&path), env).unwrap()
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let page = page();
    let (_, rest) = page.split_once("```toml\n[executor]\n").unwrap();
    let config = load(&format!("[executor]\n{}", rest.split_once("```").unwrap().0), |_| None);
    assert_eq!((config.check(), config.service.as_str()), (Vec::new(), "billing"));
}

#[test]
fn the_documentation_lists_every_setting_and_every_variable() {
    let (page, asked) = (page(), RefCell::new(BTreeSet::new()));
    let config = load("", |name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    for name in asked.into_inner() {
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/settings.md");
    }
    // `ExecutorConfig { coordinators: […], service: "…", … }`, the fields alone on their lines.
    let shown = format!("{config:#?}");
    let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    let fields: Vec<_> = fields.map(|(field, _)| field).filter(|f| !f.starts_with(' ')).collect();
    assert!(fields.contains(&"capacity"), "{shown}");
    for field in fields {
        assert!(page.contains(&format!("`{field}`")), "{field} is not in docs/settings.md");
    }
}
