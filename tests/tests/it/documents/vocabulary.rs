//! The Chinese terms of the documentation are the words of the console.

use std::fs;

use super::{prose, read, root};

/// What the console does not show.
const NOT_SHOWN: [&str; 2] = ["异常处理", "检查点"];

/// The words of the console in Chinese.
fn console() -> String {
    let folder = root().join("fastjob-coordinator/console/src/i18n/zh");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The cells of one column of the tables whose heads begin with one of `heads`.
fn column<'a>(text: &'a str, heads: &[&str], column: usize) -> Vec<&'a str> {
    let (mut cells, mut is_in) = (Vec::new(), false);
    for line in prose(text) {
        if heads.iter().any(|head| line.starts_with(head)) {
            is_in = true;
        } else if !line.starts_with('|') {
            is_in = false;
        } else if is_in && line.starts_with("| ") {
            cells.extend(line.split(" | ").nth(column));
        }
    }
    cells
}

/// The Chinese terms in a cell.
fn terms(cell: &str) -> impl Iterator<Item = &str> {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c) || c.is_ascii_uppercase();
    let words = cell.split(move |c: char| !is_chinese(c));
    words.filter(|word| word.contains(|c: char| !c.is_ascii()))
}

#[test]
fn the_terms_of_the_glossary_and_of_the_strategies_are_those_of_the_console() {
    let console = console();
    let (glossary, strategies) = (read("docs/concepts.md"), read("docs/strategies.md"));
    let mut cells = column(&glossary, &["| | Console |", "| state | in the console |"], 1);
    cells.extend(column(&strategies, &["| | name | in Chinese |"], 0));
    cells.extend(column(&strategies, &["| | name | in Chinese |"], 2));
    let terms: Vec<_> = cells.into_iter().flat_map(terms).collect();
    assert!(terms.contains(&"调度记录") && terms.contains(&"路由策略"), "{terms:?}");
    let is_wrong = |term: &&&str| !console.contains(**term) && !NOT_SHOWN.contains(*term);
    let wrong: Vec<_> = terms.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "terms that the console does not have: {wrong:?}");
}
