use std::fs;

use super::*;

/// Writes files with these names and texts, and reads them.
fn read_files(files: &[(&str, &str)]) -> Result<Files, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = files.iter().map(|(name, _)| dir.path().join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(files) {
        fs::write(path, text).unwrap();
    }
    let base = format!("{}/", dir.path().display());
    Files::read(&paths).map_err(|failure| {
        let texts = failure.problems.iter().map(|p| format!("{}: {}", p.field, p.message));
        texts.map(|text| text.replace(&base, "")).collect()
    })
}

fn names(files: &[(&str, &str)]) -> Vec<String> {
    read_files(files).unwrap().names()
}

#[track_caller]
fn refused(name: &str, text: &str, expected: &[&str]) {
    assert_eq!(read_files(&[(name, text)]).unwrap_err(), expected);
}

#[test]
fn toml_and_json_in_every_form_are_read() {
    let toml = "[[job]]\nname = 'a'\n[[job]]\nname = 'b'\nservice = 'mail'";
    assert_eq!(
        names(&[("jobs.toml", toml), ("x", "  [[job]]\nname='c'")]),
        ["default.a", "mail.b", "default.c"]
    );
    let one = ("one.json", r#"{"name": "a"}"#);
    let list = ("list", r#"[ {"name": "b"}, {"name": "c"} ]"#);
    let table = ("table", r#" {"job": [{"name": "d", "param": {"n": 1}}]}"#);
    assert_eq!(names(&[one, list, table]), ["default.a", "default.b", "default.c", "default.d"]);
}

#[test]
fn an_instant_needs_no_quotes() {
    let text = "[[job]]\nname = 'a'\nschedule = { once = 2027-01-01T00:00:00Z }";
    let jobs = read_files(&[("jobs.toml", text)]).unwrap();
    assert_eq!(jobs.fields()[0]["schedule"]["once"], "2027-01-01T00:00:00Z");
}

#[test]
fn every_problem_of_every_file_is_reported_with_its_place() {
    let first = "[[job]]\nname = 'a b'\ntimeout = 'soon'\n\n[[job]]\nname = 'c'\nretrys = 3\n";
    let problems = read_files(&[
        ("a.toml", first),
        ("b.json", r#"[{"name": "d", "block": "wait"}, {"nam": 1}]"#),
        ("c.toml", "[[job]]\nname = = 1"),
        ("d.json", "[1,"),
        ("e.toml", ""),
        ("f.toml", "[[jobs]]\nname = 'x'"),
    ])
    .unwrap_err();
    let begins = [
        "a.toml:2: job `a b`: name: ",
        "a.toml:3: job `a b`: timeout: `soon` is not a duration",
        "a.toml:7: job `c`: retrys: unknown field `retrys`",
        "b.json:1: job `d`: block: `wait` is unknown",
        "b.json:1: job number 2: nam: unknown field `nam`",
        "b.json:1: job number 2: name: ",
        "c.toml:2: ",
        "d.json:1: ",
        "e.toml: it has no jobs; write [[job]] above each",
        "f.toml:1: unknown field `jobs`",
    ];
    assert_eq!(problems.len(), begins.len(), "{problems:#?}");
    for (problem, begin) in problems.iter().zip(begins) {
        assert!(problem.starts_with(begin), "{problem:?} does not begin with {begin:?}");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_reported_with_line_field_and_expected_type() {
    let whole = "expected a whole number from 0 to 4294967295";
    let toml = "[[job]]\nname = 'a'\n\n[[job]]\nname = 'b'\n[job.retry]\ndelay = '5s'\n\
                count = 'many'\n[[job]]\nname = 'c'\nchildren = [\n  { job = 'b' },\n  \
                { job = 7 },\n]\n[[job]]\nshard = { count = -1 }\n[[job]]\nmisfire = {}\n";
    refused(
        "jobs.toml",
        toml,
        &[
            &format!("jobs.toml:8: job `b`: retry.count: found the text \"many\", {whole}"),
            "jobs.toml:13: job `c`: children[1].job: found 7, expected a text in quotes",
            &format!("jobs.toml:16: job number 4: shard.count: found -1, {whole}"),
            "jobs.toml:15: job number 4: name: the name is empty",
            "jobs.toml:18: job number 5: misfire.fire_all: it is missing",
            "jobs.toml:17: job number 5: name: the name is empty",
        ],
    );
    let json = r#"[{"name": "a", "retry": {"count": "many"}}, {"block": 1}, "x"]"#;
    refused(
        "jobs.json",
        json,
        &[
            &format!("jobs.json:1: job `a`: retry.count: found the text \"many\", {whole}"),
            "jobs.json:1: job number 2: block: found 1, expected a word or an object",
            "jobs.json:1: job number 2: name: the name is empty",
            "jobs.json:1: job number 3: found the text \"x\", expected an object",
        ],
    );
    refused("jobs.toml", "job = 3", &["jobs.toml:1: found 3, expected a list"]);
}

#[test]
fn a_wrong_name_is_reported_with_everything_else() {
    let text = "[[job]]\nname = 'a'\ntimeout = 'soon'\n[[job]]\nname = 'b c'";
    let found = read_files(&[("jobs.toml", text)]).unwrap_err();
    let begins = ["jobs.toml:3: job `a`: timeout: ", "jobs.toml:5: job `b c`: name: "];
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().zip(begins).all(|(found, begin)| found.starts_with(begin)), "{found:?}");
    // Other fields of an existing job may make it valid.
    assert!(read_files(&[("jobs.toml", "[[job]]\nname = 'a'\ntimeout = 'soon'")]).is_ok());
}

#[test]
fn a_job_is_defined_once() {
    let twice = "[[job]]\nname = 'a'\n[[job]]\nname = 'a'\nservice = 'default'";
    refused(
        "jobs.toml",
        twice,
        &["jobs.toml:4: job `a`: name: `default.a` is already defined in jobs.toml:1"],
    );
}

#[test]
fn other_structures_are_rejected() {
    refused("x.json", r#"{"job": [], "more": 1}"#, &["x.json: unknown field `more` next to `job`"]);
    refused("x.json", "[]", &["x.json: it has no jobs; write [[job]] above each"]);
    assert_eq!(Files::read(&["/nowhere/jobs.toml".into()]).unwrap_err().problems.len(), 1);
}

#[test]
fn deep_nesting_is_rejected_and_does_not_overflow_the_stack() {
    let deep = |open: &str| open.repeat(100_000);
    let path = vec!["a"; 100_000].join(".");
    for (name, text) in [
        ("deep.toml", format!("[[job]]\nname = 'a'\nparam = {}", deep("["))),
        ("deep.toml", format!("[[job]]\nname = 'a'\nparam = {}", deep("{a="))),
        ("deep.toml", format!("[[job]]\nname = 'a'\nparam.{path} = 1")),
        ("deep.toml", format!("[[job]]\nname = 'a'\n[[job.{path}]]")),
        ("deep.json", format!(r#"{{"name": "a", "param": {}"#, deep("["))),
        ("deep.json", format!(r#"{{"name": "a", "param": {}"#, deep(r#"{"a":"#))),
    ] {
        let said = read_files(&[(name, &text)]).unwrap_err();
        assert!(said.iter().any(|said| said.contains("recurs")), "{said:?}");
    }
}
