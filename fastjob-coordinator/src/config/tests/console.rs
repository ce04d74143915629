//! The settings of the console.

use super::*;

#[test]
fn the_console_is_on_unless_it_is_switched_off() {
    assert!(load("", &[]).unwrap().coordinator.console.enabled);
    let file = "[coordinator.console]\nenabled = false";
    let config = load(file, &[]).unwrap();
    assert!(!config.coordinator.console.enabled);
    assert!(config.shown().to_string().contains("enabled = false"));
    let on = load(file, &[("FASTJOB_CONSOLE_ENABLED", "true")]).unwrap();
    assert!(on.coordinator.console.enabled);
    refused("[coordinator.console]\nenable = false", "did you mean enabled?");
}

#[cfg(feature = "console")]
#[test]
fn a_folder_for_the_console_has_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let vars = [("FASTJOB_CONSOLE_DIR", dir.as_str())];
    let found = problems("", &vars);
    assert!(found[0].starts_with("coordinator.console.dir: could not read"), "{found:?}");
    std::fs::write(folder.path().join("index.html"), "").unwrap();
    assert_eq!(problems("", &vars), [""; 0]);
    assert!(load("", &vars).unwrap().shown().to_string().contains(&dir));
}
