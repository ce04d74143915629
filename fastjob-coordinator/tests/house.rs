//! Module layering: imports run downwards only. `ARCHITECTURE.md` refers to the floors here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The modules of the crate, the lowest floor first. A module may import from lower floors only, so
/// there can be no cycle.
const FLOORS: &[&[&str]] = &[
    &["bounds", "clock", "crypto", "drafts", "files", "metrics", "parts", "schema"],
    &["config", "permit"],
    &["store"],
    &["sessions"],
    &["handlers", "losses", "traces"],
    &["shell"],
    &["cluster"],
    &["alarm", "archive", "indexer", "sweep"],
    &["ops"],
    &["api", "rpc"],
    &["server"],
    &["console"],
    &["coordinator"],
    &["cli"],
    &["fuzzing", "simulation"],
];

/// The modules that use the JSON of the API, or the client.
const MAY_USE_CLIENT: [&str; 7] = ["api", "cli", "config", "coordinator", "fuzzing", "lib", "ops"];

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

/// The modules that a file imports through `crate::`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(block) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in block.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                    c if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            found.push(word);
        } else {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    let first = |word: String| word.trim().split("::").next().unwrap_or_default().to_owned();
    found.into_iter().map(first).filter(|word| !word.is_empty()).collect()
}

/// Tests may import from every floor.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| {
        let part = part.to_string_lossy();
        matches!(part.trim_end_matches(".rs"), "tests" | "testing" | "suite")
    })
}

/// A file without its `#[cfg(test)] mod tests { … }`, which is at its end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn imports_run_downwards_only() {
    let floors: BTreeMap<_, _> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(n, floor)| floor.iter().map(move |m| (*m, n)))
        .collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    files(&src, &mut all);
    for path in all {
        let relative = path.strip_prefix(&src).unwrap();
        let module = relative.iter().next().unwrap().to_string_lossy();
        let module = module.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") || is_test(relative) {
            continue;
        }
        let Some(floor) = floors.get(module) else {
            wrong.push(format!("{module} is on no floor"));
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        for other in imports(without_tests(&text)) {
            let below = floors.get(other.as_str()).is_none_or(|other| other < floor);
            if other != module && !below {
                wrong.push(format!("{}: {module} imports {other}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_edges_and_operations_use_the_json_of_the_api() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let uses = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("fastjob_client");
    for path in all.iter().filter(|path| uses(path)) {
        let relative = path.strip_prefix(&src).unwrap();
        let module = relative.iter().next().unwrap().to_string_lossy();
        let module = module.trim_end_matches(".rs");
        assert!(MAY_USE_CLIENT.contains(&module), "{} uses the client", relative.display());
    }
}

#[test]
fn the_client_depends_only_on_the_core() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fastjob-client/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let depends = |line: &&str| line.starts_with("fastjob-");
    let found: Vec<_> = manifest.lines().filter(depends).collect();
    assert_eq!(found, ["fastjob-core.workspace = true"]);
}
