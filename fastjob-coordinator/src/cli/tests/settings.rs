//! `fastjob settings`, and what is generated from the settings.

use std::{fs, path::Path};

use serde_json::Value;

use super::{fake, fastjob, fastjob_with};
use crate::{
    cli::settings::Flags,
    config::reference::{coordinator_page, example, executor_page},
};

/// The files that are generated, with their content.
fn generated() -> [(&'static str, String); 3] {
    let flags = Flags::known();
    let flag = |variable: &str| flags.described(variable);
    [
        ("docs/coordinator-settings.md", coordinator_page(flag)),
        ("docs/executor-settings.md", executor_page()),
        ("deploy/fastjob.example.toml", example(flag)),
    ]
}

#[test]
fn the_reference_and_the_example_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (file, text) in generated() {
        let path = root.join(file);
        if std::env::var_os("WRITE_SETTINGS").is_some() {
            fs::write(&path, &text).unwrap();
            continue;
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        let first = there.lines().zip(text.lines()).position(|(there, new)| there != new);
        assert!(
            there == text,
            "{file} is not what the code says (from line {}): write it again with \
             `WRITE_SETTINGS=1 cargo test -p fastjob-coordinator --all-features --lib \
             cli::tests::settings`",
            first.unwrap_or_else(|| there.lines().count().min(text.lines().count())) + 1
        );
    }
}

#[test]
fn every_variable_that_the_command_reads_is_in_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let [(_, page), ..] = generated();
    let mut read = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue }; // a folder
        // `env.get("TERM")`, and closures that call it.
        let calls = ["get(\"", "has(\""].into_iter().flat_map(|call| text.split(call).skip(1));
        read.extend(calls.filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
    }
    assert!(read.contains(&"NO_COLOR".to_owned()) && read.contains(&"FASTJOB_LOG".to_owned()));
    for name in read {
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not in docs/coordinator-settings.md"
        );
    }
}

#[test]
fn the_flags_of_settings_are_those_of_the_command_line() {
    let flags = Flags::known();
    let described = |variable| flags.described(variable);
    assert_eq!(described("FASTJOB_SERVER").unwrap(), "`--server`");
    for (variable, flag) in [
        ("FASTJOB_LISTEN", "--listen"),
        ("FASTJOB_STORE", "--store"),
        ("FASTJOB_STORE_PASSWORD_FILE", "--store-password-file"),
        ("FASTJOB_CONSOLE_DIR", "--console-dir"),
    ] {
        assert_eq!(described(variable).unwrap(), format!("`{flag}` of `fastjob serve`"));
    }
    assert_eq!(described("FASTJOB_BEAT"), None);
}

#[tokio::test]
async fn check_accepts_the_example() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    let text = fastjob(&["settings", "--example"]).await.out();
    fs::write(&path, &text).unwrap();
    let path = path.to_str().unwrap();
    let defaults = fastjob(&["check", "--json"]).await.out();
    let checked = fastjob(&["check", "--json", "--config", path]).await.out();
    let settings = |out: &str| serde_json::from_str::<Value>(out).unwrap()["settings"].clone();
    assert_eq!(settings(&checked), settings(&defaults));
    let [.., (file, committed)] = generated();
    assert_eq!(text, committed, "{file}");
    assert_eq!(
        fastjob(&["settings", "--changed", "--config", path]).await.out().lines().count(),
        1
    );
}

#[tokio::test]
async fn a_token_in_a_file_of_its_own_comes_from_where_that_file_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let [config, file] = ["fastjob.toml", "token"].map(|name| folder.path().join(name));
    let [config, file] = [&config, &file].map(|path| path.to_str().unwrap());
    crate::files::testing::write_private(Path::new(file), fake::TOKEN);
    let places = async |text: &str, var: (&str, &str)| {
        crate::files::testing::write_private(Path::new(config), text);
        let args = ["settings", "--config", config, "--json", "client.token"];
        let out = fastjob_with([var], &args).await.out();
        assert!(!out.contains(fake::TOKEN), "{out}");
        let all: Value = serde_json::from_str(&out).unwrap();
        let [token, its_file] = &all["settings"].as_array().unwrap()[..] else { panic!("{out}") };
        [token["place"].clone(), its_file["place"].clone()]
    };
    let of_file = format!("[client]\ntoken_file = '{file}'\n");
    let here = Value::from(format!("{config}:2"));
    assert_eq!(places(&of_file, ("FASTJOB_BEAT", "3s")).await, [here.clone(), here]);
    let name = "FASTJOB_TOKEN";
    assert_eq!(places(&of_file, (name, "0123456789abcdef")).await, [name.into(), Value::Null]);
    let name = "FASTJOB_TOKEN_FILE";
    let text = "[client]\ntoken = '0123456789abcdef'\n";
    assert_eq!(places(text, (name, file)).await, [Value::from(name), name.into()]);
}

#[tokio::test]
async fn settings_shows_each_value_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    let text = "[coordinator]\nbeat = '1s'\nexecutor_lost = '20s'\n[coordinator.limits]\n\
                max_jobs = 5\n[alarms.ops]\ntype = 'slack'\nurl = 'https://hooks/KEY'\n";
    crate::files::testing::write_private(&path, text);
    let path = path.to_str().unwrap();
    let vars = [("FASTJOB_EXECUTOR_LOST", "30s"), ("FASTJOB_TOKEN", "from-a-variable-x")];
    let shown = async |more: &[&str]| {
        let args = ["settings", "--config", path, "--token", fake::TOKEN];
        let out = fastjob_with(vars, &[&args[..], more].concat()).await.out();
        assert!(
            !out.contains(fake::TOKEN) && !out.contains("KEY") && !out.contains("from-a-v"),
            "{out}"
        );
        out
    };
    let out = shown(&[]).await;
    let line = |name: &str| {
        let line = out.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name}: {out}"))
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line("coordinator.listen"), "\"127.0.0.1:7070\" default");
    assert_eq!(line("coordinator.beat"), format!("\"1s\" {path}:2"));
    assert_eq!(line("coordinator.executor_lost"), "\"30s\" FASTJOB_EXECUTOR_LOST");
    assert_eq!(line("coordinator.limits.max_jobs"), format!("5 {path}:5"));
    assert_eq!(line("client.token"), "\"(set, not shown)\" --token");
    assert_eq!(line("client.ca_cert"), "- default");
    assert_eq!(line("alarms.ops.type"), format!("\"slack\" {path}:7"));

    let changed = shown(&["--changed"]).await;
    assert!(changed.contains("max_jobs") && !changed.contains("max_hello"), "{changed}");

    let described = shown(&["max_hello"]).await;
    for part in ["from      default", "size, from 16KiB to 16MiB", "FASTJOB_MAX_HELLOS", "message"]
    {
        assert!(described.contains(part), "{part}: {described}");
    }
    let failure = fastjob(&["settings", "colour"]).await.failure();
    assert_eq!(failure.title, "no setting has `colour` in its name");

    let json: Value = serde_json::from_str(&shown(&["--json", "executor_lost"]).await).unwrap();
    let setting = &json["settings"][0];
    assert_eq!(json["file"], path);
    assert_eq!((&setting["value"], &setting["default"]), (&"30s".into(), &"10s".into()));
    assert_eq!(
        (&setting["from"], &setting["place"]),
        (&"variable".into(), &"FASTJOB_EXECUTOR_LOST".into())
    );
    let json: Value = serde_json::from_str(&shown(&["--json", "client.token"]).await).unwrap();
    assert_eq!(json["settings"][0]["flag"], "--token");
}
