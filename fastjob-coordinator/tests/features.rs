//! Builds without a feature reject what needs it, with an error that names the feature.
//!
//! `cargo test -p fastjob-coordinator --no-default-features --test features`

use fastjob_coordinator::{
    Config, Coordinator,
    client::ClientError,
    config::{LogsUrl, StoreUrl},
};

#[test]
fn a_postgresql_store_needs_the_feature_postgres() {
    let store = "postgres://fastjob@localhost/fastjob".parse::<StoreUrl>();
    match cfg!(feature = "postgres") {
        true => assert!(matches!(store, Ok(StoreUrl::Postgres(_)))),
        false => {
            let said = store.unwrap_err().to_string();
            assert_eq!(said, "this build has no PostgreSQL: build it with the feature `postgres`");
        }
    }
}

#[test]
fn logs_in_a_bucket_need_the_feature_s3() {
    let logs = "s3://logs/fastjob".parse::<LogsUrl>();
    match cfg!(feature = "s3") {
        true => assert!(matches!(logs, Ok(LogsUrl::Bucket { .. }))),
        false => {
            let said = logs.unwrap_err().to_string();
            assert_eq!(said, "this build cannot use buckets: build it with the feature `s3`");
        }
    }
}

#[tokio::test]
async fn an_email_channel_needs_the_feature_email() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fastjob.toml");
    let channel = "[alarms.mail]\ntype = 'email'\nserver = 'localhost'\nfrom = 'a@b.c'\n\
                   to = 'a@b.c'\ntls = 'none'\n";
    std::fs::write(&file, channel).unwrap();
    let mut config = Config::load(Some(&file), |_| None).unwrap();
    config.coordinator.store = StoreUrl::Sqlite(folder.path().join("fastjob.db"));
    config.coordinator.listen = "127.0.0.1:0".parse().unwrap();
    let bound = Coordinator::builder().config(config).bind().await;
    match cfg!(feature = "email") {
        true => drop(bound.unwrap()),
        false => {
            let said = bound.err().unwrap().to_string();
            assert!(said.contains("build it with the feature `email`"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_program_may_name_the_file_of_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let mut config = Config::default();
    config.coordinator.store = StoreUrl::Sqlite(folder.path().join("fastjob.db"));
    config.coordinator.listen = "127.0.0.1:0".parse().unwrap();
    config.coordinator.token_file = Some(file.clone());
    // Whether others may read a file has tests of its own.
    config.insecure_files = true;
    let bound = Coordinator::builder().config(config.clone()).bind().await;
    let said = bound.err().unwrap().to_string();
    assert!(said.contains("coordinator.token_file: could not read "), "{said}");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    drop(Coordinator::builder().config(config).bind().await.unwrap());
}

#[test]
fn files_of_the_console_need_the_feature_console() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "").unwrap();
    let mut config = Config::default();
    config.coordinator.console.dir = Some(folder.path().to_owned());
    let said: Vec<_> = config.check().iter().map(ToString::to_string).collect();
    match cfg!(feature = "console") {
        true => assert_eq!(said, [""; 0]),
        false => assert!(said[0].contains("build it with the feature `console`"), "{said:?}"),
    }
}

#[tokio::test]
async fn a_coordinator_runs_without_any_optional_feature() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .sqlite(folder.path().join("fastjob.db"))
        .bind()
        .await
        .unwrap();
    let handle = coordinator.handle();
    let stop = fastjob_coordinator::CancellationToken::new();
    let running = tokio::spawn(coordinator.run(stop.clone()));
    let job = handle.job("mail").get().await;
    assert!(matches!(job, Err(ClientError::NotFound(_))), "{job:?}");
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[test]
fn a_collector_of_traces_needs_the_feature_traces() {
    let mut config = Config::default();
    config.coordinator.traces.endpoint = Some("http://localhost:4317".to_owned());
    let problems: Vec<_> = config.check().iter().map(ToString::to_string).collect();
    match cfg!(feature = "traces") {
        true => assert_eq!(problems, Vec::<String>::new()),
        false => {
            assert!(problems[0].contains("build it with the feature `traces`"), "{problems:?}");
        }
    }
}
