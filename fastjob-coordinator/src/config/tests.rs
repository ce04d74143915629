mod console;
mod logs;
mod secrets;
mod traces;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::*;
use crate::files::testing::write_private;

const TOKEN: &str = "0123456789abcdef-secret";

/// Reads a file with this text and these variables.
fn load(toml: &str, vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    write_private(&path, toml);
    let vars: BTreeMap<_, _> = vars.iter().copied().collect();
    Config::load(Some(&path), |name| vars.get(name).map(ToString::to_string))
}

fn problems(toml: &str, vars: &[(&str, &str)]) -> Vec<String> {
    match load(toml, vars) {
        Ok(config) => config.check().iter().map(ToString::to_string).collect(),
        Err(ConfigError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
    }
}

#[track_caller]
fn refused(toml: &str, because: &str) {
    let found = problems(toml, &[]);
    assert!(found.iter().any(|problem| problem.contains(because)), "{found:?}");
}

#[test]
fn the_default_is_a_coordinator_on_loopback() {
    let config = load("", &[]).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.coordinator.listen, SocketAddr::from(([127, 0, 0, 1], 7070)));
    assert_eq!(config.coordinator.store.to_string(), "sqlite:fastjob-data/fastjob.db");
    assert_eq!(config.client.server.to_string(), "http://127.0.0.1:7070");
    assert_eq!(config.check(), []);
}

#[test]
fn every_setting_is_read() {
    let config = load(
        r#"
        [coordinator]
        listen = "127.0.0.1:1"
        store = "sqlite://jobs.db"
        token = "0123456789abcdef-secret"
        insecure_plaintext = true
        drain = "1s"
        executor_lost = "20s"
        lost_executors = "30min"
        beat = "5s"
        history = "0s"
        max_connections = 7
        tls = { cert = "c.pem", key = "k.pem" }
        [coordinator.limits]
        max_sessions = 1
        max_sessions_per_service = 2
        max_hello = "1MiB"
        max_hellos = "2MiB"
        max_declared_jobs = 3
        max_jobs = 4
        max_job_definitions = "17MiB"
        max_open_tasks = 8
        max_open_bytes = "9000000000"
        max_descendants = 10
        max_request_memory = "18MiB"
        max_response_memory = "19MiB"
        max_log_followers = 5
        max_unauthenticated = 30
        max_unauthenticated_per_address = 20
        authenticate_within = "3s"
        [client]
        server = "https://jobs.example.org/fastjob/"
        token = "0123456789abcdef-client"
        ca_cert = "ca.pem"
        [executor]
        whatever = { this = "is" }
        "#,
        &[],
    )
    .unwrap();
    let coordinator = &config.coordinator;
    assert_eq!(coordinator.listen, "127.0.0.1:1".parse().unwrap());
    assert_eq!(coordinator.store, StoreUrl::Sqlite("jobs.db".into()));
    assert!(coordinator.insecure_plaintext);
    assert_eq!(coordinator.executor_lost, Duration::from_secs(20));
    assert_eq!(coordinator.lost_executors, Duration::from_secs(30 * 60));
    assert_eq!(
        (coordinator.beat, coordinator.drain),
        (Duration::from_secs(5), Duration::from_secs(1))
    );
    assert_eq!((coordinator.history, coordinator.max_connections), (Duration::ZERO, 7));
    assert_eq!(
        coordinator.limits,
        LimitsConfig {
            max_sessions: 1,
            max_sessions_per_service: 2,
            max_hello: ByteSize::mib(1),
            max_hellos: ByteSize::mib(2),
            max_declared_jobs: 3,
            max_jobs: 4,
            max_job_definitions: ByteSize::mib(17),
            max_open_tasks: 8,
            max_open_bytes: ByteSize(9_000_000_000),
            max_descendants: 10,
            max_request_memory: ByteSize::mib(18),
            max_response_memory: ByteSize::mib(19),
            max_log_followers: 5,
            max_unauthenticated: 30,
            max_unauthenticated_per_address: 20,
            authenticate_within: Duration::from_secs(3),
        }
    );
    assert_eq!(coordinator.tls, Some(TlsConfig::new("c.pem", "k.pem")));
    assert_eq!(config.client.server.to_string(), "https://jobs.example.org/fastjob");
    assert_eq!(config.client.ca_cert, Some("ca.pem".into()));
    assert_eq!(config.client.token.as_ref().unwrap().expose(), "0123456789abcdef-client");
}

#[test]
fn a_variable_wins_over_the_file_and_an_empty_one_is_not_set() {
    let file = "[coordinator]\nlisten = '127.0.0.1:1'\nstore = 'sqlite:a.db'\nbeat = '1s'";
    let vars = [
        ("FASTJOB_LISTEN", "127.0.0.1:2"),
        ("FASTJOB_STORE", ""),
        ("FASTJOB_TOKEN", TOKEN),
        ("FASTJOB_SERVER", "http://localhost:2"),
        ("FASTJOB_TLS_CERT", "c.pem"),
    ];
    let config = load(file, &vars).unwrap();
    assert_eq!(config.coordinator.listen, "127.0.0.1:2".parse().unwrap());
    assert_eq!(config.coordinator.store.to_string(), "sqlite:a.db");
    assert_eq!(config.coordinator.token, Some(TOKEN.parse().unwrap()));
    assert_eq!(config.client.token, config.coordinator.token);
    assert_eq!(config.client.server.to_string(), "http://localhost:2");
    assert_eq!(config.coordinator.beat, Duration::from_secs(1));
    assert_eq!(config.coordinator.tls, Some(TlsConfig::new("c.pem", "")));
}

#[test]
fn the_file_may_be_named_by_a_variable_and_has_to_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.toml");
    let env = |name: &str| (name == "FASTJOB_CONFIG").then(|| path.to_str().unwrap().to_owned());
    let err = Config::load(None, env).unwrap_err();
    assert!(matches!(err, ConfigError::Unreadable { .. }), "{err}");
    std::fs::write(&path, "[client]\nserver = 'http://h:1'").unwrap();
    assert_eq!(Config::load(None, env).unwrap().client.server.to_string(), "http://h:1");
}

#[test]
fn all_unreadable_values_are_reported_at_once() {
    let found = problems(
        r#"
        coordinater = 1
        [coordinator]
        listen = "here"
        store = 7
        beat = "soon"
        max_connections = -1
        colour = "red"
        tls = { cert = "c", certt = "d" }
        [client]
        token = "short"
        "#,
        &[("FASTJOB_HISTORY", "long"), ("FASTJOB_INSECURE_PLAINTEXT", "yes")],
    );
    let begins = [
        "coordinator.listen: ",
        "coordinator.store: it is a value of type integer, not a text in quotes",
        "coordinator.beat: `soon` is not a duration",
        "coordinator.max_connections: -1 is not",
        "coordinator.tls.certt: unknown key; did you mean cert?",
        "coordinator.colour: unknown key; there are listen, store, ",
        "client.token: the token has 5 characters, at least 16 are needed",
        "coordinater: unknown key; did you mean coordinator?",
        "FASTJOB_HISTORY: ",
        "FASTJOB_INSECURE_PLAINTEXT: ",
    ];
    for begin in begins {
        assert!(found.iter().any(|problem| problem.starts_with(begin)), "{begin}: {found:#?}");
    }
    assert_eq!(found.len(), begins.len(), "{found:#?}");
}

#[test]
fn a_client_has_one_or_several_servers() {
    for file in ["server = 'http://a:1,http://b:2'", "server = ['http://a:1', 'http://b:2']"] {
        let config = load(&format!("[client]\n{file}"), &[]).unwrap();
        assert_eq!(config.client.server.to_string(), "http://a:1,http://b:2");
    }
    refused("[client]\nserver = []", "client.server: there is no address");
    refused("[client]\nserver = ['http://a:1', 'b']", "client.server: address 2: ");
    let far = format!("[client]\ntoken = '{TOKEN}'\nserver = ['http://[::1]:1', 'http://h']");
    refused(&far, "client.server: the token would be sent in plain text to http://h");
}

#[test]
fn invalid_toml_is_reported_with_its_line() {
    refused("[coordinator]\nlisten = = 1", "fastjob.toml:2: ");
}

#[test]
fn an_address_that_others_reach_needs_a_token_and_tls() {
    let found = problems("[coordinator]\nlisten = '0.0.0.0:7070'", &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("coordinator.token: ") && found[0].contains("FASTJOB_TOKEN"));
    assert!(found[1].starts_with("coordinator.tls: "));
    let plain = [("FASTJOB_TOKEN", TOKEN), ("FASTJOB_INSECURE_PLAINTEXT", "true")];
    assert_eq!(problems("[coordinator]\nlisten = '[::]:7070'", &plain), [""; 0]);
    assert_eq!(problems("[coordinator]\nlisten = '[::1]:7070'", &[]), [""; 0]);
}

#[test]
fn contradicting_settings_are_reported_at_once() {
    refused("[coordinator]\nexecutor_lost = '6s'", "coordinator.executor_lost: ");
    let shared = "[coordinator]\nstore = 'postgres://localhost/fastjob'\n";
    refused(&format!("{shared}lease = '6s'"), "coordinator.executor_lost: ");
    assert_eq!(problems(&format!("{shared}lease = '5s'"), &[]), [""; 0]);
    refused("[coordinator]\nbeat = '0s'", "coordinator.beat: ");
    refused("[coordinator]\nmax_connections = 0", "coordinator.max_connections: ");
    let limits = |text: &str| format!("[coordinator.limits]\n{text}");
    refused(&limits("max_jobs = 0"), "coordinator.limits.max_jobs: it is 0");
    refused(&limits("max_hello = '1B'"), "coordinator.limits.max_hello: it is 1B; from 16KiB");
    refused(&limits("max_hellos = '1MiB'"), "coordinator.limits.max_hellos: it is less than");
    refused(&limits("max_hello = 'big'"), "coordinator.limits.max_hello: `big` is not a size");
    refused(
        &limits("max_response_memory = '1MiB'"),
        "max_response_memory: it is 1MiB; at least 16MiB",
    );
    refused(&limits("max_open_tasks = 0"), "coordinator.limits.max_open_tasks: it is 0");
    refused(&limits("max_open_bytes = '262143'"), "max_open_bytes: it is 262143B; at least 256KiB");
    refused(&limits("max_unauthenticated = 0"), "max_unauthenticated: it is 0");
    refused(&limits("authenticate_within = '1ms'"), "within: it is 1ms; from 100ms to 5m");
    refused(&limits("max_descendants = 0"), "coordinator.limits.max_descendants: ");
    refused(&limits("max_descendants = 1000000001"), "coordinator.limits.max_descendants: ");
    refused("[coordinator.tls]\ncert = '/nowhere/c.pem'", "coordinator.tls.key: it is missing");
    refused("[coordinator.tls]\ncert = '/nowhere/c.pem'", "coordinator.tls.cert: could not read");
    refused("[client]\nca_cert = '/nowhere/ca.pem'", "client.ca_cert: could not read");
    refused(
        &format!("[client]\nserver = 'http://jobs.example.org'\ntoken = '{TOKEN}'"),
        "client.server: the token would be sent in plain text",
    );
    let mut config = Config::default();
    config.coordinator.token = Some(Token::from("short".to_owned()));
    assert!(config.check()[0].message.contains("at least 16"));
}

#[test]
fn localhost_is_an_address_to_listen_on_and_invalid_ones_are_explained() {
    let listen = |text: &str| text.parse::<Listen>().map(|Listen(at)| at.to_string());
    assert_eq!(listen("localhost:7401"), Ok("127.0.0.1:7401".to_owned()));
    assert_eq!(listen("LOCALHOST:0"), Ok("127.0.0.1:0".to_owned()));
    assert_eq!(listen("[::1]:7070"), Ok("[::1]:7070".to_owned()));
    for wrong in ["here", "7070", ":7070", "127.0.0.1", "localhost", "localhost:99999", "h:1"] {
        let err = listen(wrong).unwrap_err().to_string();
        assert!(err.starts_with(&format!("`{wrong}` is not an address to listen on")), "{err}");
        assert!(err.contains("such as 127.0.0.1:7070"), "{err}");
    }
    refused("[coordinator]\nlisten = 'h:1'", "coordinator.listen: `h:1` is not an address");
    let vars = [("FASTJOB_LISTEN", "localhost:2")];
    assert_eq!(load("", &vars).unwrap().coordinator.listen.to_string(), "127.0.0.1:2");
}

#[test]
fn a_store_is_a_file_or_a_database() {
    for (text, path) in [
        ("sqlite:a/b.db", "a/b.db"),
        ("sqlite://a/b.db", "a/b.db"),
        ("sqlite:///var/lib/f.db", "/var/lib/f.db"),
        ("sqlite:/var/lib/f.db", "/var/lib/f.db"),
    ] {
        assert_eq!(text.parse(), Ok(StoreUrl::Sqlite(path.into())), "{text}");
    }
    for (text, why) in [
        ("postgres://u:s3cret@h:port/db", InvalidStoreUrl::Postgres),
        ("postgres://u:s3cret@h/db?sslmode=maybe", InvalidStoreUrl::Postgres),
        ("postgres://u:s3cret@h/db?sslmood=require", InvalidStoreUrl::PostgresOptions),
        ("postgres://h/db?password=s3cret", InvalidStoreUrl::PostgresOptions),
        ("postgres:///db", InvalidStoreUrl::NoHost),
        ("postgres:db", InvalidStoreUrl::NoHost),
        ("postgres://u:s3cret@h", InvalidStoreUrl::NoDatabase),
        ("postgresql://h/", InvalidStoreUrl::NoDatabase),
        ("sqlite:", InvalidStoreUrl::NoPath),
        ("sqlite://", InvalidStoreUrl::NoPath),
        ("sqlite::memory:", InvalidStoreUrl::Memory),
        ("sqlite:a.db?mode=ro", InvalidStoreUrl::Options),
        ("mysql://u:s3cret@h/db", InvalidStoreUrl::Unknown),
        ("a.db", InvalidStoreUrl::Unknown),
    ] {
        assert_eq!(text.parse::<StoreUrl>(), Err(why), "{text}");
        assert!(why.to_string().contains("sqlite:") && !why.to_string().contains("s3cret"));
    }
}

#[test]
fn a_database_is_an_address_whose_password_is_not_shown() {
    for (text, shown) in [
        ("postgres://u:s3cret@h/db", "postgres://h:5432/db"),
        ("postgresql://h:99/db?sslmode=verify-full&sslrootcert=/ca", "postgres://h:99/db"),
        ("postgres://u:s3%40cret@[::1]:1/db", "postgres://[::1]:1/db"),
        ("postgres:///db?host=/var/run", "postgres:///db?host=/var/run"),
        ("postgres://%2Fvar%2Frun/db", "postgres:///db?host=/var/run"),
        ("postgres:///db?host=h&port=1&user=u", "postgres://h:1/db"),
    ] {
        let url: StoreUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), shown, "{text}");
        let debug = format!("{url:?}");
        assert!(!debug.contains("s3") && !debug.contains("cret"), "{debug}");
        assert_eq!(text.parse(), Ok(url), "{text}");
    }
}

#[test]
fn tokens_are_never_shown() {
    let file = format!("[coordinator]\ntoken = '{TOKEN}'\n[client]\ntoken = '{TOKEN}'");
    let config = load(&file, &[]).unwrap();
    assert!(!format!("{config:?}").contains(TOKEN));
    let shown = config.shown().to_string();
    assert!(!shown.contains("secret") && shown.contains("not shown"), "{shown}");
    let err = load("[client]\ntoken = 'x'", &[]).unwrap_err().to_string();
    assert!(err.contains("the token has 1 character, at least 16 are needed"), "{err}");
    let err = load("[client]\ntoken = 'a secret with spaces in'", &[]).unwrap_err();
    assert!(!format!("{err} {err:?}").contains("secret with"), "{err}");
}

#[test]
fn an_unknown_variable_is_rejected_with_a_suggestion() {
    #[track_caller]
    fn check(name: &str, because: &str) {
        let found = unknown_variables([(name, "x")]);
        assert_eq!(found.len(), 1, "{name} was accepted");
        assert_eq!(found[0].key, name);
        assert!(found[0].message.contains(because), "{}", found[0]);
    }
    check("FASTJOB_STOER", "did you mean FASTJOB_STORE?");
    check("FASTJOB_LISTEN_ADDR", "there are FASTJOB_ADVERTISE, ");
    check("FASTJOB_EXECUTOR_LOOST", "did you mean FASTJOB_EXECUTOR_LOST?");
    check("FASTJOB_EXECUTOR_NAMES", "did you mean FASTJOB_EXECUTOR_NAME?");
    check("FASTJOB_INSECURE_PLAIN_TEXT", "did you mean FASTJOB_INSECURE_PLAINTEXT?");
    check("FASTJOB_COLOUR", "FASTJOB_CONFIG, FASTJOB_LOG");
    check("FASTJOB_LISTEN_PORT", "there are ");
}

#[test]
fn variables_of_other_programs_are_accepted() {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = Vec::new();
    for file in ["config.rs", "config/env.rs", "builtin/command/start.rs"] {
        let text = std::fs::read_to_string(manifest.join("../fastjob-executor/src").join(file));
        // Every place in the code that reads a variable, or sets one for a command.
        for call in text.unwrap_or_default().split("env(\"FASTJOB_").skip(1) {
            read.push(format!("FASTJOB_{}", call.split('"').next().unwrap()));
        }
    }
    assert!(read.contains(&"FASTJOB_APP_NAME".to_owned()), "{read:?}");
    assert!(read.contains(&"FASTJOB_TASK".to_owned()), "{read:?}");
    read.extend(["FASTJOB_SOAK", "FASTJOB_SEED", "FASTJOB_CONFIG", "PATH"].map(str::to_owned));
    assert_eq!(unknown_variables(read.iter().map(|name| (name.as_str(), "x"))), []);
    // Kubernetes sets these variables for the services of a namespace.
    let links = [
        ("FASTJOB_SERVICE_HOST", "10.0.0.1"),
        ("FASTJOB_SERVICE_PORT_HTTP", "7070"),
        ("FASTJOB_COORDINATOR_PORT", "tcp://10.0.0.1:7070"),
        ("FASTJOB_COORDINATOR_PORT_7070_TCP_ADDR", "10.0.0.1"),
        ("FASTJOB_STOER", ""),
    ];
    assert_eq!(unknown_variables(links), []);
}

#[test]
fn deep_nesting_is_rejected_and_does_not_overflow_the_stack() {
    let path = vec!["a"; 100_000].join(".");
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("{path} = 1"),
        format!("[{path}]"),
        format!("[[{path}]]"),
    ] {
        let found = problems(&text, &[]);
        assert!(found.iter().any(|problem| problem.contains("recurs")), "{found:?}");
    }
}
