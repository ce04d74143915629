//! The blocks of shell: `fastjob` accepts its command lines, and what cargo and the shell run
//! exists. The blocks are not executed.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{
    blocks::{self, parse_only},
    read, root,
};

/// Programs of others that the documentation uses. Their arguments are not checked.
const OTHERS: [&str; 24] = [
    "apt-get",
    "cat",
    "cd",
    "chmod",
    "createdb",
    "createuser",
    "docker",
    "export",
    "find",
    "helm",
    "install",
    "kubectl",
    "openssl",
    "pg_basebackup",
    "pg_dump",
    "pg_restore",
    "psql",
    "sha256sum",
    "sqlite3",
    "systemctl",
    "tar",
    "umask",
    "update-ca-certificates",
    "zcat",
];

/// The words of the aliases of a block.
type Aliases = BTreeMap<String, Vec<String>>;

/// The commands of a block: the number of their first line, from 0, and their words.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut commands = Vec::new();
    let mut lines = text.lines().zip(0..);
    while let Some((line, number)) = lines.next() {
        let mut command = line.to_owned();
        while let Some(start) = command.strip_suffix('\\') {
            command = format!("{start} {}", lines.next().map_or("", |(line, _)| line));
        }
        let words = words(&command);
        if !words.is_empty() {
            commands.push((number, words));
        }
    }
    commands
}

/// The words of a command, without its comment. Quotes are those of the documentation: without
/// escapes, and on one line.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_none() => break,
            ' ' => words.extend(word.take()),
            '\'' | '"' => {
                let quoted = chars.by_ref().take_while(|other| *other != c);
                word.get_or_insert_default().extend(quoted);
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Fails if the command would not work as it is written.
fn check(folder: &Path, words: &[String], aliases: &mut Aliases) -> Result<(), String> {
    // Assignments may precede a command, and so may `sudo`.
    let is_before = |word: &&String| word.contains('=') || *word == "sudo";
    let words = words.iter().skip_while(is_before);
    let mut words: Vec<_> = words.map(String::as_str).collect();
    if let ["alias", definition] = words[..] {
        let (name, command) = definition.split_once('=').ok_or("it defines nothing")?;
        aliases.insert(name.to_owned(), self::words(command));
        return Ok(());
    }
    if let Some(command) = words.first().and_then(|first| aliases.get(*first)) {
        drop(words.splice(..1, command.iter().map(String::as_str)));
    }
    match &words[..] {
        [] => Ok(()),
        [program, ..] if OTHERS.contains(program) => Ok(()),
        ["curl", args @ ..] => check_curl(args),
        ["cargo", args @ ..] => check_cargo(folder, args),
        [program, args @ ..] if *program == "fastjob" || program.ends_with("/fastjob") => {
            check_fastjob(folder, args)
        }
        [script, ..] if root().join(script).is_file() => Ok(()),
        [program, ..] => Err(format!("`{program}` is not a script or a known program")),
    }
}

/// Fails unless the parser of the command line accepts all arguments.
fn check_fastjob(folder: &Path, args: &[&str]) -> Result<(), String> {
    let output = parse_only(folder, args);
    // 0 after --help, and 1 because of the missing configuration; an invalid line is 2.
    let is_accepted = matches!(output.status.code(), Some(0 | 1));
    if is_accepted { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

/// Fails unless the targets and packages exist.
fn check_cargo(folder: &Path, args: &[&str]) -> Result<(), String> {
    let separator = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
    let (own, passed) = args.split_at(separator);
    for pair in own.windows(2) {
        let exists = match pair[0] {
            "--bin" => has_target("bin", "src/bin", pair[1]),
            "--example" => has_target("example", "examples", pair[1]),
            "--bench" => has_target("bench", "benches", pair[1]),
            "--path" => root().join(pair[1]).join("Cargo.toml").is_file(),
            "--profile" => read("Cargo.toml").contains(&format!("\n[profile.{}]\n", pair[1])),
            _ => true,
        };
        if !exists {
            return Err(format!("{} {}: there is none", pair[0], pair[1]));
        }
    }
    let runs = own.first() == Some(&"run");
    match runs && own.windows(2).any(|pair| pair == ["--bin", "fastjob"]) {
        true => check_fastjob(folder, passed.get(1..).unwrap_or_default()),
        false => Ok(()),
    }
}

/// Whether a crate of the workspace has a target, found by its file or declared in the manifest.
fn has_target(kind: &str, targets: &str, name: &str) -> bool {
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    members.split('"').skip(1).step_by(2).any(|member| {
        let file = root().join(member).join(targets).join(format!("{name}.rs"));
        let declaration = format!("[[{kind}]]\nname = \"{name}\"");
        file.is_file() || read(&format!("{member}/Cargo.toml")).contains(&declaration)
    })
}

/// Fails unless the body is JSON.
fn check_curl(args: &[&str]) -> Result<(), String> {
    let Some(body) = args.iter().skip_while(|arg| **arg != "-d").nth(1) else { return Ok(()) };
    serde_json::from_str::<Value>(body).map(drop).map_err(|err| format!("`{body}`: {err}"))
}

/// The problems of a block, each with the number of its line, from 0.
fn problems(folder: &Path, text: &str) -> Vec<(usize, String)> {
    let mut aliases = Aliases::new();
    let commands = commands(text).into_iter();
    let problem = |(line, words): (usize, Vec<String>)| {
        Some((line, check(folder, &words, &mut aliases).err()?))
    };
    commands.filter_map(problem).collect()
}

#[test]
fn every_command_in_a_block_of_shell_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for block in blocks::all().into_iter().filter(|block| block.language() == "sh") {
        for (line, problem) in problems(folder.path(), &block.text) {
            wrong.push(format!("{}:{}: {problem}", block.document, block.line + line));
        }
    }
    assert!(wrong.is_empty(), "commands that are not accepted:\n{}", wrong.join("\n"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "a command did something");
}

#[test]
fn mistakes_in_commands_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = "fastjob nonsense\n\
                 fastjob start   # which job?\n\
                 fastjob start a \\\n    --nonsense\n\
                 fastjob start a --delay soon\n\
                 fastjob alarm silence --for 2h\n\
                 alias fj='target/release/fastjob --server'\n\
                 fj http://127.0.0.1:7070 nonsense\n\
                 cargo run --bin none\n\
                 cargo run --profile none --bin fastjob -- serve\n\
                 cargo run --bin fastjob -- nonsense\n\
                 cargo install --path none\n\
                 ./scripts/none\n\
                 nonsense\n\
                 curl -d '{' http://127.0.0.1:7070\n";
    let lines: Vec<_> = problems(folder.path(), wrong).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14]);
    let right = "# A comment.\n\n\
                 fastjob start a --param '{\"n\": 3}' \\\n    --wait # and a comment\n\
                 A=b fastjob alarm silence --job a --for 2h --reason \"being fixed\"\n\
                 alias fj='target/release/fastjob --server'\n\
                 fj http://127.0.0.1:7070 job list\n\
                 cargo run --profile quick --bin quickstart\n\
                 cargo run --bin fastjob -- serve --log-format json\n\
                 cargo build --profile quick --bin fastjob\n\
                 cargo bench -p fastjob-tests --bench throughput\n\
                 scripts/cluster\n\
                 curl -X POST http://127.0.0.1:7070 -d '{\"param\":{\"n\":3}}'\n";
    let problems = problems(folder.path(), right);
    assert!(problems.is_empty(), "{problems:?}");
}
