//! Settings of whole logs.

use super::*;

const BUCKET: &str = r#"
    [coordinator.logs]
    store = "s3://my-logs/fastjob"
    max_age = "90d"
    max_size = "0B"
    max_log = "200MiB"
    [coordinator.logs.s3]
    endpoint = "https://s3.example.org"
    region = "eu-1"
    access_key = "AKIA"
    secret_key = "hidden-1"
    session_token = "hidden-2"
"#;

#[test]
fn logs_are_not_kept_by_default() {
    let logs = load("", &[]).unwrap().coordinator.logs;
    assert_eq!(logs, LogsConfig::default());
    assert_eq!(logs.store, None);
    let shown = load("", &[]).unwrap().shown();
    assert!(!shown["coordinator"]["logs"].as_table().unwrap().contains_key("store"), "{shown}");
}

#[test]
#[cfg(feature = "s3")]
fn the_settings_of_a_bucket_are_read_and_its_secrets_are_not_shown() {
    let config = load(BUCKET, &[]).unwrap();
    assert_eq!(config.check(), []);
    let shown = config.shown().to_string();
    for text in ["s3://my-logs/fastjob", "90d", "200MiB", "0B", "eu-1", "AKIA", "not shown"] {
        assert!(shown.contains(text), "{text} is not in {shown}");
    }
    assert!(!shown.contains("hidden") && !format!("{config:?}").contains("hidden"), "{shown}");
    let secrets = config.secrets();
    assert!(secrets.contains(&"coordinator.logs.s3.secret_key".to_owned()), "{secrets:?}");
    assert!(secrets.contains(&"coordinator.logs.s3.session_token".to_owned()), "{secrets:?}");

    let vars = [
        ("FASTJOB_LOGS_STORE", "s3://other"),
        ("FASTJOB_LOGS_MAX_AGE", "1d"),
        ("FASTJOB_LOGS_MAX_SIZE", "5GiB"),
        ("FASTJOB_LOGS_MAX_LOG", "3MiB"),
        ("FASTJOB_LOGS_S3_ENDPOINT", "http://minio:9000"),
        ("FASTJOB_LOGS_S3_REGION", "r"),
        ("FASTJOB_LOGS_S3_ACCESS_KEY", "a"),
        ("FASTJOB_LOGS_S3_SECRET_KEY", "b"),
        ("FASTJOB_LOGS_S3_SESSION_TOKEN", "c"),
        ("FASTJOB_LOGS_S3_ALLOW_HTTP", "true"),
    ];
    let config = load(BUCKET, &vars).unwrap();
    assert_eq!(config.check(), []);
    let LogsConfig { store, max_age, max_size, max_log, s3 } = config.coordinator.logs;
    assert_eq!(store.unwrap().to_string(), "s3://other");
    assert_eq!(max_age, Duration::from_secs(24 * 3600));
    assert_eq!((max_size, max_log), (ByteSize::mib(5 * 1024), ByteSize::mib(3)));
    assert_eq!(s3.secret_key.unwrap().expose(), "b");
    assert_eq!(s3.session_token.unwrap().expose(), "c");
    assert!(s3.allow_http);
}

#[test]
fn wrong_settings_of_logs_are_found() {
    let logs = |text: &str| format!("[coordinator.logs]\n{text}");
    refused(&logs("store = 'gs://bucket'"), "coordinator.logs.store: write it like");
    refused(&logs("folder = '/var'"), "coordinator.logs.folder: unknown key");
    refused(&logs("max_log = '1KiB'"), "coordinator.logs.max_log: it is 1KiB; at least 1MiB");
    refused(&logs("max_size = '1MiB'"), "coordinator.logs.max_size: it is less than max_log");
    refused(&logs("store = '/dev/null/logs'"), "coordinator.logs.store: /dev/null is not a folder");
    refused(
        &logs("store = 'logs'\ns3 = { region = 'r' }"),
        "coordinator.logs.s3: it applies only to logs in a bucket",
    );
    if cfg!(feature = "s3") {
        let bucket = |text: &str| logs(&format!("store = 's3://bucket'\ns3 = {{ {text} }}"));
        refused(&bucket("endpoint = 'http://minio:9000'"), "logs would be sent in plain text");
        refused(&bucket("access_key = 'a'"), "access_key and secret_key belong together");
    } else {
        refused(&logs("store = 's3://bucket'"), "build it with the feature `s3`");
    }
}
