//! The documentation: its links lead somewhere, its code blocks work, its examples exist, and its
//! tables are complete.

mod blocks;
mod data;
mod shell;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use fastjob_coordinator::Config;

/// The documents outside `docs/`.
const DOCUMENTS: [&str; 5] =
    ["README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(document: &str) -> String {
    let path = root().join(document);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The names of the pages in `docs/`.
fn pages() -> BTreeSet<String> {
    let paths = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    pages.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The lines of a document outside its code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The targets of a document's links, except links in code.
fn links(text: &str) -> Vec<String> {
    let prose: Vec<_> = prose(text).collect();
    let mut found = Vec::new();
    // A code span can break over lines, but not over paragraphs.
    for paragraph in prose.join("\n").split("\n\n") {
        let outside_code: String = paragraph.split('`').step_by(2).collect();
        let targets = outside_code.split("](").skip(1);
        found.extend(targets.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
    }
    found
}

/// The anchor that GitHub generates for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The anchors of a document. GitHub appends a number to the anchor of a repeated heading.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let titles = headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let mut numbered = |anchor: String| {
        let before = seen.entry(anchor.clone()).or_insert(0_u32);
        *before += 1;
        if *before == 1 { anchor } else { format!("{anchor}-{}", *before - 1) }
    };
    titles.map(|title| numbered(anchor(title.trim()))).collect()
}

/// Whether a link in a document in `folder` leads to an existing file and heading.
fn leads_somewhere(folder: &Path, document: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true; // not ours to check
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = folder.join(path);
    if !path.is_empty() && !target.exists() {
        return false;
    }
    if anchor.is_empty() {
        return true;
    }
    let other = if path.is_empty() { None } else { fs::read_to_string(target).ok() };
    anchors(other.as_deref().unwrap_or(document)).contains(anchor)
}

/// The links of a document that lead nowhere.
fn broken(folder: &Path, document: &str) -> Vec<String> {
    let links = links(document).into_iter();
    links.filter(|link| !leads_somewhere(folder, document, link)).collect()
}

#[test]
fn every_link_in_the_documentation_leads_to_a_file_and_a_heading() {
    let mut documents: Vec<_> = DOCUMENTS.map(str::to_owned).into();
    documents.extend(pages().iter().map(|page| format!("docs/{page}")));
    let mut wrong = Vec::new();
    for document in documents {
        let path = root().join(&document);
        let broken = broken(path.parent().unwrap(), &read(&document));
        wrong.extend(broken.into_iter().map(|link| format!("{document}: {link}")));
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let document = "# A B\n\
                    [a](#a-b) [b](docs/none.md) `[c](none)` [`d`](README.md#none)\n\
                    ```\n[e](none)\n```\n\
                    [f](https://example.org/none) [g](README.md#try-it)";
    assert_eq!(broken(&root(), document), ["docs/none.md", "README.md#none"]);
}

#[test]
fn anchors_follow_the_rule_of_github() {
    #[track_caller]
    fn check(heading: &str, expected: &str) {
        assert_eq!(anchor(heading), expected);
    }
    check("Set it up", "set-it-up");
    check("REST, and `fastjob job apply`", "rest-and-fastjob-job-apply");
    check("max_connections: 10", "max_connections-10");
    check("0.1.0 (unreleased)", "010-unreleased");
    check("快速体验", "快速体验");
    let repeated = anchors("# A\n## A\n```sh\n# B\n```\n");
    assert_eq!(repeated, ["a", "a-1"].map(str::to_owned).into());
}

#[test]
fn the_summary_lists_every_page() {
    let mut pages = pages();
    assert!(pages.remove("SUMMARY.md"), "{pages:?}");
    let listed = links(&read("docs/SUMMARY.md"));
    assert_eq!(listed.len(), pages.len(), "a page is listed twice: {listed:?}");
    assert_eq!(BTreeSet::from_iter(listed), pages);
}

#[test]
fn the_handler_on_the_front_page_is_one_of_the_examples() {
    let example = read("examples/src/bin/code_and_file.rs");
    for document in ["README.md", "README.zh-CN.md"] {
        let text = read(document);
        let (_, block) = text.split_once("```rust\n").unwrap();
        let (block, _) = block.split_once("```").unwrap();
        let handler = &block[block.find("#[job").unwrap()..];
        assert!(example.contains(handler), "{document}: {handler}");
    }
}

#[test]
fn the_documentation_lists_every_variable_of_the_coordinator() {
    let asked = RefCell::new(BTreeSet::new());
    let file = tempfile::NamedTempFile::new().unwrap();
    let env = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    Config::load(Some(file.path()), env).unwrap();
    let (page, asked) = (read("docs/settings.md"), asked.into_inner());
    assert!(asked.contains("FASTJOB_LISTEN"), "{asked:?}");
    for name in asked {
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/settings.md");
    }
}
