use super::{pattern::Patterns, read::line, *};

fn patterns(args: &[&str]) -> Result<Patterns, String> {
    Patterns::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
}

#[track_caller]
fn check_args(args: &[&str], allowed: &[&[&str]], refused: &[&[&str]]) {
    let patterns = patterns(args).unwrap();
    let judge = |given: &[&str]| {
        patterns.judge(&given.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    };
    for given in allowed {
        assert_eq!(judge(given).unwrap(), *given, "{args:?}");
    }
    for given in refused {
        assert!(judge(given).is_err(), "{args:?} allows {given:?}");
    }
}

#[test]
fn a_pattern_allows_what_it_says_and_nothing_else() {
    check_args(&["{number}"], &[&["0"], &["42"]], &[&["-1"], &["1.5"], &[""], &["1 "], &["٣"]]);
    check_args(&["{number}"], &[&["123456789012345678"]], &[&["1234567890123456789"]]);
    check_args(
        &["{date}"],
        &[&["2026-11-28"]],
        &[&["2026-02-30"], &["20261128"], &["2026-11-28T00:00"], &["2026-11-28 "], &["26-1-1"]],
    );
    check_args(
        &["{word}"],
        &[&["a"], &["_a-b.c9"]],
        &[&[""], &["-a"], &[".a"], &["a/b"], &["a b"], &["é"], &["a;b"], &["a\n"]],
    );
    check_args(&["{word}"], &[&[&"x".repeat(128)]], &[&[&"x".repeat(129)]]);
    check_args(&["{eu|us}"], &[&["eu"], &["us"]], &[&["e"], &["eu|us"], &["EU"], &[""]]);
    check_args(&["{text}"], &[&["a b; $c"], &[""]], &[&["-rf"], &["a\nb"], &["\u{1b}[0m"]]);
    check_args(&["{any}"], &[&["-rf\n"], &[""]], &[&["a\0b"]]);
}

#[test]
fn a_pattern_is_a_whole_argument_or_a_part_of_one() {
    check_args(
        &["--region={eu|us}.json", "-v"],
        &[&["--region=eu.json", "-v"]],
        &[&["--region=eu", "-v"], &["--region=eu.json"], &["eu", "-v"], &["--region=eu.json", "v"]],
    );
    check_args(&["{{a}}", "{word}"], &[&["{a}", "x"]], &[&["{{a}}", "x"], &["a", "x"]]);
}

#[test]
fn a_last_pattern_may_match_many_arguments() {
    check_args(
        &["-n", "{word}..."],
        &[&["-n"], &["-n", "a"], &["-n", "a", "b", "c"]],
        &[&[], &["a"], &["-n", "a", "-b"], &["-n", "a", ""]],
    );
    check_args(&["a..."], &[&["a..."]], &[&["a"], &["a", "a"]]);
}

#[test]
fn a_job_without_arguments_runs_an_entry_without_patterns_unchanged() {
    let run = |args: &[&str]| patterns(args).unwrap().judge(&[]);
    assert_eq!(run(&["-a", "{{b}}"]).unwrap(), ["-a", "{b}"]);
    assert_eq!(run(&[]).unwrap(), [""; 0]);
    assert!(run(&["-a", "{word}"]).is_err());
    assert_eq!(run(&["{word}..."]).unwrap(), [""; 0]);
}

#[test]
fn an_invalid_pattern_is_rejected_with_the_valid_ones() {
    for (args, why) in [
        (&["{month}"][..], "there is no pattern {month}; there are {number}, "),
        (&["{}"], "there is no pattern {}"),
        (&["{word"], "not closed"),
        (&["word}"], "has no matching"),
        (&["{word}{word}"], "two patterns"),
        (&["{word}...", "b"], "only the last one"),
        (&["b}}..."], "only after a pattern"),
        (&["a\0"], "zero byte"),
    ] {
        let err = patterns(args).unwrap_err();
        assert!(err.contains(why), "{err}");
    }
}

#[track_caller]
fn check_problem(entry: CommandEntry, why: &str) {
    let entry = if entry.run_as.is_some() { entry } else { own(entry) };
    let problems = check(&[entry]).unwrap_err();
    assert!(problems.iter().any(|problem| problem.contains(why)), "{problems:?}");
}

/// Root must name the user of an entry.
fn own(entry: CommandEntry) -> CommandEntry {
    use rustix::process::{getegid, geteuid};
    entry.run_as(geteuid().as_raw(), getegid().as_raw())
}

#[test]
fn an_invalid_entry_is_rejected_at_start() {
    let entry = || CommandEntry::program("a", "/bin/a");
    check_problem(CommandEntry::program("a", "a"), "entry `a`: a program must be an absolute");
    check_problem(CommandEntry::program("a", "./a"), "absolute path");
    check_problem(CommandEntry::program("a b", "/bin/a"), "a name consists of");
    check_problem(CommandEntry::program("", "/bin/a"), "a name consists of");
    check_problem(entry().args(["{x}"]), "argument `{x}`: there is no pattern");
    check_problem(entry().dir("a"), "`a` is not an absolute path");
    check_problem(entry().job_dirs(["a"]), "`a` is not an absolute path");
    check_problem(entry().env("A=B", "c"), "cannot be named `A=B`");
    check_problem(entry().job_env(["A B"]), "`A B` is not the name of a variable");
    check_problem(entry().job_env(["LD_PRELOAD"]), "a job may not set `LD_PRELOAD`");
    check_problem(entry().env("A", "b").job_env(["A"]), "`A` is set by the entry");
    check_problem(entry().limit_open_files(0), "a limit is 0");
    check_problem(CommandEntry::scripts().args(["a"]), "`args` has no effect");
    check_problem(CommandEntry::any().job_env(["A"]), "`job_env` and `job_dirs` have no effect");
    let twice = [entry(), CommandEntry::program("a", "/bin/b"), CommandEntry::program("b", "b")];
    let problems = check(&twice).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("has the same name"), "{problems:?}");
}

#[derive(serde::Deserialize)]
struct File {
    #[serde(deserialize_with = "entries")]
    allow: Vec<CommandEntry>,
}

fn read(text: &str) -> Result<Vec<CommandEntry>, String> {
    toml::from_str::<File>(text).map(|file| file.allow).map_err(|err| err.to_string())
}

#[test]
fn a_file_has_entries_as_tables_and_as_lines() {
    assert_eq!(read("allow = 'any'").unwrap(), [CommandEntry::any()]);
    assert_eq!(read("allow = []").unwrap(), []);
    let text = r#"
        allow = [
            "/usr/bin/uname -srm",
            { program = "/bin/date" },
            { name = "report", program = "/usr/local/bin/report", args = ["--month", "{date}"],
              dir = "/srv", job_dirs = ["/srv/data"], env = { LANG = "C" }, job_env = ["MONTH"],
              job_stdin = true, user = 1001, group = 1002,
              limits = { cpu = "60s", memory = 1024, open_files = 1, processes = 2,
                         file_size = 3 } },
            { scripts = true, user = 1001, group = 1001 },
        ]"#;
    let expected = [
        CommandEntry::program("uname", "/usr/bin/uname").args(["-srm"]),
        CommandEntry::program("date", "/bin/date"),
        CommandEntry::program("report", "/usr/local/bin/report")
            .args(["--month", "{date}"])
            .dir("/srv")
            .job_dirs(["/srv/data"])
            .env("LANG", "C")
            .job_env(["MONTH"])
            .job_stdin()
            .run_as(1001, 1002)
            .limit_cpu(Duration::from_secs(60))
            .limit_memory(1024)
            .limit_open_files(1)
            .limit_processes(2)
            .limit_file_size(3),
        CommandEntry::scripts().run_as(1001, 1001),
    ];
    assert_eq!(read(text).unwrap(), expected);
}

#[test]
fn an_invalid_file_is_rejected_with_the_reason() {
    for (text, why) in [
        ("allow = 1", "a list of commands, or \"any\""),
        ("allow = [1]", "a table, or a line such as"),
        ("allow = '*'", "write \"any\""),
        ("allow = ['']", "names no program"),
        ("allow = [\"'\"]", "not closed"),
        ("allow = [{ name = 'a' }]", "a command with a `name` needs a `program`"),
        ("allow = [{ args = ['a'] }]", "a command needs exactly one of `program`"),
        ("allow = [{ program = '/a', any = true }]", "a command needs exactly one of `program`"),
        ("allow = [{ program = '/a', user = 1 }]", "`user` and `group` must be set together"),
        ("allow = [{ program = '/a', users = 1 }]", "unknown field `users`"),
        ("allow = [{ program = '/a', limits = { ram = 1 } }]", "unknown field `ram`"),
        ("allow = [{ program = '/a', limits = { cpu = 'x' } }]", "x"),
    ] {
        let err = read(text).unwrap_err();
        assert!(err.contains(why), "{text}: {err}");
    }
}

#[test]
fn the_values_of_an_entrys_variables_are_not_shown() {
    let shown = format!("{:?}", line("/bin/a").unwrap().env("KEY", "secret"));
    assert!(shown.contains("KEY") && !shown.contains("secret"), "{shown}");
}
