use std::fs;

use super::*;

/// Writes files of these names and texts, and reads them.
fn read_files(files: &[(&str, &str)]) -> Result<Vec<Definition>, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = files.iter().map(|(name, _)| dir.path().join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(files) {
        fs::write(path, text).unwrap();
    }
    let base = format!("{}/", dir.path().display());
    read_all(&paths).map_err(|problems| {
        let told = problems.iter().map(|p| format!("{}: {}", p.field, p.message));
        told.map(|told| told.replace(&base, "")).collect()
    })
}

fn names(files: &[(&str, &str)]) -> Vec<String> {
    read_files(files).unwrap().into_iter().map(|job| job.name).collect()
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
    let schedule = super::super::list::schedule(&jobs[0].draft);
    assert_eq!(schedule, "once 2027-01-01T00:00:00Z");
}

#[test]
fn every_problem_of_every_file_is_told_with_its_place() {
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
        "a.toml:1: job `a b`: name: ",
        "a.toml:1: job `a b`: timeout: `soon` is not a duration",
        "a.toml:5: job `c`: unknown field `retrys`",
        "b.json: job `d`: block: `wait` is unknown",
        "b.json: job number 2: unknown field `nam`",
        "c.toml:2: ",
        "d.json:1: ",
        "e.toml: there is no job in it; write [[job]] above each",
        "f.toml:1: unknown field `jobs`",
    ];
    assert_eq!(problems.len(), begins.len(), "{problems:#?}");
    for (problem, begin) in problems.iter().zip(begins) {
        assert!(problem.starts_with(begin), "{problem:?} does not begin with {begin:?}");
    }
}

#[test]
fn a_job_is_defined_once() {
    let twice = "[[job]]\nname = 'a'\n[[job]]\nname = 'a'\nservice = 'default'";
    refused("jobs.toml", twice, &["jobs.toml:3: `default.a` is defined in jobs.toml:1 already"]);
}

#[test]
fn other_shapes_are_refused() {
    refused("x.json", r#"{"job": [], "more": 1}"#, &["x.json: unknown field `more` beside `job`"]);
    refused("x.json", "[]", &["x.json: there is no job in it; write [[job]] above each"]);
    assert_eq!(read_all(&["/nowhere/jobs.toml".into()]).unwrap_err().len(), 1);
}

#[test]
fn children_come_first_whichever_file_they_are_in() {
    let parents = "[[job]]\nname='a'\nchildren=[{job='b'}, {job='elsewhere'}]\n[[job]]\nname='x'";
    let children = r#"[{"name": "b", "children": [{"job": "mail.c"}]},
        {"name": "c", "service": "mail"}]"#;
    assert_eq!(
        names(&[("parents.toml", parents), ("children.json", children)]),
        ["mail.c", "default.b", "default.a", "default.x"]
    );
}

#[test]
fn children_that_lead_back_are_refused() {
    let toml = "[[job]]\nname='x'\n[[job]]\nname='a'\nchildren=[{job='b'}]\n\
                [[job]]\nname='b'\nchildren=[{job='a'}]";
    refused(
        "jobs.toml",
        toml,
        &[
            "jobs.toml:3: children lead back to their parents, so that their tasks would never end: \
          default.a -> default.b -> default.a",
        ],
    );
}
