//! Module layering: only the sessions know how messages are encoded. `ARCHITECTURE.md` refers to
//! the rules here.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules that attempts run in. They are below the sessions.
const BELOW_SESSIONS: [&str; 2] = ["logs", "runtime"];

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// Every source file, tests included, with its module.
fn sources() -> Vec<(String, PathBuf)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let module = |path: &PathBuf| {
        let inside = path.strip_prefix(&src).expect("it is in this folder");
        let first = inside.iter().next().expect("it has a name").to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    };
    all.into_iter().map(|path| (module(&path), path)).collect()
}

/// Whether a text has a word, in a path or in a list of imports.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word)
}

#[test]
fn only_sessions_use_the_messages_of_the_protocol() {
    for (module, path) in sources().iter().filter(|(module, _)| module != "session") {
        let text = fs::read_to_string(path).unwrap();
        assert!(!has_word(&text, "v1"), "{module} uses `wire::v1`: {}", path.display());
    }
    assert!(has_word("use fastjob_core::wire::{MESSAGE_MAX, v1};", "v1"));
}

#[test]
fn the_runtime_does_not_know_the_sessions() {
    let below = |module: &String| BELOW_SESSIONS.contains(&module.as_str());
    let sources: Vec<_> = sources().into_iter().filter(|(module, _)| below(module)).collect();
    assert!(sources.len() > 20, "the modules have moved");
    for (module, path) in sources {
        let text = fs::read_to_string(&path).unwrap();
        let mut imports = text.split("crate::").skip(1).filter_map(|rest| rest.split(';').next());
        let found = imports.any(|import| has_word(import, "session"));
        assert!(!found, "{module} imports the sessions: {}", path.display());
    }
}
