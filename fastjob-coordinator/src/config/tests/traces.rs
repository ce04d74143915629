//! Settings of traces.

use super::*;

const TRACES: &str = r#"
    [coordinator.traces]
    endpoint = "https://collector.example.org:4317"
    sample = 0.25
    timeout = "3s"
    service = "jobs"
    [coordinator.traces.headers]
    api-key = "hidden-1"
"#;

#[test]
fn traces_are_not_sent_by_default() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.coordinator.traces, TracesConfig::default());
    assert_eq!(config.coordinator.traces.endpoint, None);
    assert!(!config.shown()["coordinator"]["traces"].to_string().contains("endpoint"));
}

#[test]
#[cfg(feature = "traces")]
fn the_settings_of_traces_are_read_and_headers_are_not_shown() {
    let config = load(TRACES, &[]).unwrap();
    assert_eq!(config.check(), []);
    let shown = config.shown().to_string();
    for text in ["https://collector.example.org:4317", "0.25", "3s", "jobs", "api-key"] {
        assert!(shown.contains(text), "{text} is not in {shown}");
    }
    assert!(!shown.contains("hidden") && !format!("{config:?}").contains("hidden"), "{shown}");
    assert!(config.secrets().contains(&"coordinator.traces.headers".to_owned()));
    let vars = [
        ("FASTJOB_TRACES_ENDPOINT", "http://collector:4317"),
        ("FASTJOB_TRACES_SAMPLE", "1"),
        ("FASTJOB_TRACES_TIMEOUT", "1s"),
        ("FASTJOB_TRACES_HEADERS", "a=1, b = x=y"),
        ("FASTJOB_TRACES_SERVICE", "other"),
        ("FASTJOB_TRACES_ALLOW_HTTP", "true"),
    ];
    let config = load(TRACES, &vars).unwrap();
    assert_eq!(config.check(), []);
    let TracesConfig { endpoint, sample, timeout, headers, service, allow_http } =
        config.coordinator.traces;
    assert_eq!(endpoint.as_deref(), Some("http://collector:4317"));
    assert_eq!((sample, timeout), (1.0, Duration::from_secs(1)));
    assert_eq!((service.as_str(), allow_http), ("other", true));
    let headers: Vec<_> = headers.iter().map(|(name, text)| (&**name, text.expose())).collect();
    assert_eq!(headers, [("a", "1"), ("b", "x=y")]);
}

#[test]
#[cfg(feature = "traces")]
fn traces_that_cannot_be_sent_or_are_not_safe_are_refused() {
    let with = |line: &str| format!("[coordinator.traces]\n{line}");
    refused(&with(r#"endpoint = "collector:4317""#), "write it like");
    refused(&with(r#"endpoint = "ftp://collector""#), "write it like");
    refused(&with(r#"endpoint = "https://user:pass@collector""#), "use headers");
    refused(&with(r#"endpoint = "http://collector:4317""#), "allow_http");
    for local in ["http://localhost:4317", "http://127.0.0.1:4317", "http://[::1]:4317"] {
        let url = with(&format!("endpoint = \"{local}\""));
        assert_eq!(problems(&url, &[]), Vec::<String>::new(), "{local}");
    }
    refused(&with("sample = 1.5"), "is not between 0 and 1");
    refused(&with("sample = -1"), "is not between 0 and 1");
    refused(&with("sample = nan"), "is not between 0 and 1");
    refused(&with(r#"sample = "all""#), "a number");
    refused(&with(r#"timeout = "0s""#), "timeout");
    refused(&with(r#"timeout = "2m""#), "timeout");
    refused(&with(r#"service = " ""#), "service");
    refused(&with(r#"headers = { "a b" = "x" }"#), "`a b` is not a valid header");
    refused(&with(r#"endpiont = "x""#), "did you mean endpoint?");
    let wrong = problems("", &[("FASTJOB_TRACES_HEADERS", "a")]);
    assert!(wrong[0].contains("name=value"), "{wrong:?}");
}
