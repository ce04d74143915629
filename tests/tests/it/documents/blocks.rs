//! The code blocks of the documentation: each one is compiled, parsed or checked.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::{EXAMPLES, pages, read, root};
use crate::FASTJOB;

/// The documents outside `docs/` whose blocks are for users.
const DOCUMENTS: [&str; 3] = ["README.md", "README.zh-CN.md", "SECURITY.md"];
/// Where rustdoc finds the pages with Rust.
const DOCTESTS: [&str; 2] = ["fastjob-executor/src/lib.rs", "tests/src/lib.rs"];
/// The configuration of [`parse_only`], which does not exist.
pub(super) const MISSING: &str = "missing.toml";

/// A code block of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    pub(super) document: String,
    /// The line of the document that is the first of `text`, from 1.
    pub(super) line: usize,
    /// What follows the opening fence, such as `rust,no_run`.
    pub(super) info: String,
    pub(super) text: String,
}

impl Block {
    /// The language, without attributes.
    pub(super) fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or_default()
    }

    /// The document and the line, as compilers print them.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.document, self.line)
    }
}

/// The code blocks of one document.
fn blocks_of(document: &str, text: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for (line, number) in text.lines().zip(1..) {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(info), None) => {
                let (document, info) = (document.to_owned(), info.trim().to_owned());
                let block = Block { document, line: number + 1, info, text: String::new() };
                open = Some((indent, block));
            }
            (Some(_), Some((_, block))) => blocks.push(block),
            // The block of a list item is indented.
            (None, Some((indent, mut block))) => {
                block.text.push_str(line.get(indent..).unwrap_or_default());
                block.text.push('\n');
                open = Some((indent, block));
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{document}: the last code block is not closed");
    blocks
}

/// The blocks of all documents.
pub(super) fn all() -> Vec<Block> {
    let pages = pages().into_iter().map(|page| format!("docs/{page}"));
    let documents = DOCUMENTS.map(str::to_owned).into_iter().chain(pages);
    documents.flat_map(|document| blocks_of(&document, &read(&document))).collect()
}

/// Runs `fastjob` with a configuration that does not exist: it parses its arguments and the files
/// of jobs, and then exits with status 1 before it opens a port or a connection.
pub(super) fn parse_only(folder: &Path, words: &[&str]) -> Output {
    fastjob(folder).args(words).env("FASTJOB_CONFIG", MISSING).output().unwrap()
}

/// The command `fastjob`, to be run in `folder`.
pub(super) fn fastjob(folder: &Path) -> Command {
    let mut fastjob = Command::new(FASTJOB);
    fastjob.current_dir(folder);
    for name in ["FASTJOB_CONFIG", "FASTJOB_TOKEN", "FASTJOB_CA_CERT"] {
        fastjob.env_remove(name);
    }
    fastjob
}

#[test]
fn every_block_has_a_language_that_is_checked() {
    // Blocks of text are sketches and output.
    let languages = ["rust", "toml", "json", "sh", "text"];
    let all = all();
    let unknown = all.iter().filter(|block| !languages.contains(&block.language()));
    let unknown: Vec<_> = unknown.map(|one| format!("{}: `{}`", one.place(), one.info)).collect();
    assert!(unknown.is_empty(), "blocks in an unknown language:\n{}", unknown.join("\n"));
}

/// Whether a block in the page of an application is part of its code.
fn is_excerpt(block: &Block) -> bool {
    let page = block.document.strip_prefix("docs/").and_then(|page| page.strip_prefix(EXAMPLES));
    let Some(name) = page.and_then(|page| page.strip_suffix(".md")) else { return false };
    let files = fs::read_dir(root().join(EXAMPLES).join(name).join("src")).unwrap();
    let codes = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    codes.into_iter().any(|code| code.contains(&block.text))
}

#[test]
fn an_excerpt_is_part_of_the_code_of_its_application() {
    let block = |text: &str| Block {
        document: "docs/examples/invoices.md".to_owned(),
        line: 1,
        info: "rust".to_owned(),
        text: text.to_owned(),
    };
    assert!(is_excerpt(&block("    let task = ctx.task_id();\n")));
    assert!(!is_excerpt(&block("    let task = ctx.task_ids();\n")));
}

#[test]
fn every_block_of_rust_is_compiled() {
    let sources = DOCTESTS.map(read).concat();
    let is_compiled = |block: &Block| {
        let is_included = sources.contains(&format!("include_str!(\"../../{}\")", block.document));
        let is_tested = block.info.split(',').all(|word| ["rust", "no_run"].contains(&word));
        is_included && is_tested || is_excerpt(block)
    };
    let all = all();
    let rust = all.iter().filter(|block| block.language() == "rust");
    let wrong: Vec<_> = rust.filter(|block| !is_compiled(block)).map(Block::place).collect();
    assert!(wrong.is_empty(), "blocks that are not compiled as doctests:\n{}", wrong.join("\n"));
}

#[test]
fn blocks_have_their_lines_and_languages() {
    let text =
        "# A\n\n```rust,no_run\nfn a() {}\n\n```\n1. B\n\n   ```sh\n   b \\\n     c\n   ```\n";
    let block = |line, info: &str, text: &str| Block {
        document: "a.md".to_owned(),
        line,
        info: info.to_owned(),
        text: text.to_owned(),
    };
    let blocks = blocks_of("a.md", text);
    assert_eq!(blocks, [block(4, "rust,no_run", "fn a() {}\n\n"), block(10, "sh", "b \\\n  c\n")]);
    assert_eq!(blocks[0].language(), "rust");
    assert_eq!(blocks[1].place(), "a.md:10");
}
