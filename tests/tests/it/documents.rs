//! The documentation: its links lead somewhere, its code blocks work, its examples exist, its tables
//! are complete, and what it names exists.

mod blocks;
mod commands;
mod data;
mod messages;
mod names;
mod pictures;
mod shell;
mod vocabulary;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use fastjob_coordinator::Config;

/// The documents outside `docs/`.
const DOCUMENTS: [&str; 11] = [
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "fastjob-client/README.md",
    "fastjob-coordinator/README.md",
    "fastjob-core/README.md",
    "fastjob-engine/README.md",
    "fastjob-executor/README.md",
    "fastjob-macros/README.md",
];
/// The front pages, in both languages.
const FRONT_PAGES: [&str; 2] = ["README.md", "README.zh-CN.md"];

/// The folder of the pages about the applications in `examples/`.
const EXAMPLES: &str = "examples/";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(document: &str) -> String {
    let path = root().join(document);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The pages in `docs/` and its folders, such as `zh/faq.md`.
fn pages() -> BTreeSet<String> {
    let docs = root().join("docs");
    let (mut pages, mut folders) = (BTreeSet::new(), vec![docs.clone()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                let page = path.strip_prefix(&docs).unwrap().to_str().unwrap();
                pages.insert(page.replace('\\', "/"));
            }
        }
    }
    pages
}

/// What users read: the front pages and `docs/`, each with its text.
fn guides() -> Vec<(String, String)> {
    let pages = pages().into_iter().map(|page| format!("docs/{page}"));
    let names = FRONT_PAGES.map(str::to_owned).into_iter().chain(pages);
    names.map(|name| (name.clone(), read(&name))).collect()
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

/// The paragraphs of a document outside its code blocks, split at the code spans: every second part
/// is code. A code span can break over lines, but not over paragraphs.
fn paragraphs(text: &str) -> Vec<Vec<String>> {
    let prose: Vec<_> = prose(text).collect();
    let split = |paragraph: &str| paragraph.split('`').map(str::to_owned).collect();
    prose.join("\n").split("\n\n").map(split).collect()
}

/// The code spans of a document, without line breaks.
fn spans(text: &str) -> Vec<String> {
    let paragraphs = paragraphs(text).into_iter();
    let spans = paragraphs.flat_map(|parts| parts.into_iter().skip(1).step_by(2));
    spans.map(|span| span.replace('\n', " ").replace("\\|", "|")).collect()
}

/// The targets of a document's links and images, in Markdown and in HTML, except those in code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for parts in paragraphs(text) {
        let outside_code: String = parts.into_iter().step_by(2).collect();
        for (before, after) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')]
        {
            let targets = outside_code.split(before).skip(1);
            found.extend(targets.filter_map(|rest| Some(rest.split_once(after)?.0.to_owned())));
        }
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
    if link.contains("://") {
        // Whether others answer is not ours to check.
        return is_address(link);
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

/// Whether this is the address of a page, which others cannot change on its way.
fn is_address(link: &str) -> bool {
    let plain = ["http://127.0.0.1:7070", "http://localhost"];
    let host = link.strip_prefix("https://").and_then(|rest| rest.split('/').next());
    plain.iter().any(|local| link.starts_with(local))
        || host.is_some_and(|host| host.contains('.') && !link.contains(char::is_whitespace))
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
                    [f](https://example.org/none) [g](README.md#try-it)\n\
                    [h](http://example.org) [i](https://none) <img src=\"none.png\">";
    let expected =
        ["docs/none.md", "README.md#none", "http://example.org", "https://none", "none.png"];
    assert_eq!(broken(&root(), document), expected);
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
    let mut listed = links(&read("docs/SUMMARY.md"));
    listed.retain(|link| !link.starts_with('#'));
    assert_eq!(listed.len(), pages.len(), "a page is listed twice: {listed:?}");
    assert_eq!(BTreeSet::from_iter(listed), pages);
}

/// How many headings of each level a document has, and its code blocks.
fn shape(text: &str) -> (Vec<usize>, Vec<String>) {
    let levels = prose(text).filter(|line| line.starts_with('#'));
    let levels = levels.map(|line| line.len() - line.trim_start_matches('#').len()).collect();
    let blocks = text.split("\n```").skip(1).step_by(2).map(str::to_owned).collect();
    (levels, blocks)
}

#[test]
fn the_front_pages_have_the_same_sections_and_code_in_both_languages() {
    let [english, chinese] = FRONT_PAGES.map(|page| shape(&read(page)));
    assert_eq!(english, chinese);
}

#[test]
fn every_page_in_chinese_leads_to_the_english_one() {
    let pages = pages();
    let chinese: Vec<_> = pages.iter().filter_map(|page| page.strip_prefix("zh/")).collect();
    assert!(chinese.contains(&"concepts.md"), "{chinese:?}");
    for page in chinese {
        let links = links(&read(&format!("docs/zh/{page}")));
        // One page has all comparisons.
        let english = ["../", "../compare/"].map(|folder| format!("{folder}{page}"));
        let leads = links.iter().any(|link| english.contains(link))
            || (page == "comparison.md"
                && links.iter().any(|link| link.starts_with("../compare/")));
        assert!(leads, "docs/zh/{page}: {links:?}");
    }
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
    let (page, asked) = (read("docs/coordinator-settings.md"), asked.into_inner());
    assert!(asked.contains("FASTJOB_LISTEN"), "{asked:?}");
    for name in asked {
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not in docs/coordinator-settings.md"
        );
    }
}
