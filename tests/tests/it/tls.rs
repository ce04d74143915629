//! TLS end to end: clients that trust the authority connect, all others get a clear error.
//!
//! Each test creates its own certificates, so that they never expire.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fastjob_tests::{
    eventually,
    postgres::Postgres,
    process::{Coordinator, Process},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB, coordinator};

/// The files of one test.
struct Files {
    cert: PathBuf,
    key: PathBuf,
    /// The authority that signed the certificate.
    authority: PathBuf,
    /// Another authority, which did not sign it.
    stranger: PathBuf,
    _folder: tempfile::TempDir,
}

impl Files {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
            path
        };
        let issuer = authority("the authority");
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let cert = cert.signed_by(&key, &issuer).unwrap();
        Self {
            cert: file("cert.pem", cert.pem()),
            key: file("key.pem", key.serialize_pem()),
            authority: file("authority.pem", issuer.pem()),
            stranger: file("stranger.pem", authority("a stranger").pem()),
            _folder: folder,
        }
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn guarded(files: &Files) -> Coordinator {
    let mut coordinator =
        Coordinator::prepare(FASTJOB).tls(&files.cert, &files.key, &files.authority);
    coordinator.up().await;
    coordinator
}

/// An executor that connects to `url` and also trusts `ca`.
fn executor(coordinator: &Coordinator, name: &str, url: &str, ca: Option<&PathBuf>) -> Process {
    // An empty variable counts as unset.
    let ca = ca.map(|path| path.display().to_string()).unwrap_or_default();
    let env = [("FASTJOB_CA_CERT", ca.as_str()), ("FASTJOB_COORDINATORS", url)];
    coordinator.executor_with(EXECUTOR, name, &env)
}

/// An executor that is configured by a file to trust `ca`.
fn configured(coordinator: &Coordinator, name: &str, ca: &Path) -> Process {
    let config = coordinator.folder().join(format!("{name}.toml"));
    let line = format!("[executor]\nca_cert = {:?}\n", ca.display().to_string());
    fs::write(&config, line).unwrap();
    let config = config.display().to_string();
    coordinator.executor_with(EXECUTOR, name, &[("FASTJOB_CONFIG", &config)])
}

/// Runs a command that has to fail, and returns its errors.
#[track_caller]
fn refused(coordinator: &Coordinator, url: &str, words: &[&str]) -> String {
    let done = coordinator.cli_at(url, &[&["job", "list"], words].concat());
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[tokio::test]
async fn a_job_runs_over_tls_from_the_command_line_to_the_handler() {
    let files = Files::make();
    let coordinator = guarded(&files).await;
    let url = coordinator.url();
    assert!(url.starts_with("https://"));
    let _executors = [
        executor(&coordinator, "e1", &url, Some(&files.authority)),
        configured(&coordinator, "e2", &files.authority),
    ];
    let rest = coordinator.rest();
    rest.executors(2).await;
    rest.save(json!({"name": "s", "handler": "slow", "param": "10"})).await;
    let ca = files.authority.display().to_string();
    let done = coordinator.cli(&["start", "s", "--wait", "--ca-cert", &ca]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    for name in ["e1", "e2"] {
        let task = rest.start("s", json!({"executor": name})).await;
        let ended = rest.ended(task).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        assert_eq!(ended["attempts"][0]["executor"], name);
    }
    let tasks = rest.tasks("s").await;
    assert_eq!((tasks.len(), &tasks[2]["state"]), (3, &json!("succeeded")));
}

#[tokio::test]
async fn a_coordinator_with_an_untrusted_certificate_is_rejected() {
    let files = Files::make();
    let coordinator = guarded(&files).await;
    let url = coordinator.url();
    let stranger = files.stranger.display().to_string();
    for words in [&["--ca-cert", stranger.as_str()][..], &[]] {
        let said = refused(&coordinator, &url, words);
        assert!(said.contains("could not verify the certificate of"), "{said}");
        assert!(said.contains("--ca-cert"), "the option to set is missing: {said}");
    }
    let _wrong = executor(&coordinator, "wrong", &url, Some(&files.stranger));
    let _none = executor(&coordinator, "none", &url, None);
    for name in ["wrong", "none"] {
        eventually("the executor says why", Duration::from_secs(20), || async {
            coordinator.said(name).contains("invalid peer certificate").then_some(())
        })
        .await;
    }
    let (_, page) = coordinator.rest().get("/api/v1/executors").await.unwrap();
    assert_eq!(page["items"], json!([]));
}

#[tokio::test]
async fn plain_http_to_a_tls_port_is_reported() {
    let files = Files::make();
    let coordinator = guarded(&files).await;
    let plain = coordinator.url().replace("https://", "http://");
    let said = refused(&coordinator, &plain, &[]);
    assert!(said.contains("use https instead of http"), "{said}");
    let _executor = executor(&coordinator, "plain", &plain, None);
    eventually("the executor says why", Duration::from_secs(20), || async {
        coordinator.said("plain").contains("no session with the coordinator").then_some(())
    })
    .await;
    let (_, page) = coordinator.rest().get("/api/v1/executors").await.unwrap();
    assert_eq!(page["items"], json!([]));
}

#[tokio::test]
async fn tls_to_a_plain_port_is_reported() {
    let coordinator = coordinator().await;
    let said = refused(&coordinator, &coordinator.url().replace("http://", "https://"), &[]);
    assert!(said.contains("use http instead of https"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_connection_is_encrypted_and_its_certificate_verified() {
    let files = Files::make();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let postgres = Postgres::start_tls(&read(&files.cert), &read(&files.key)).await;
    let trusting = |authority: &Path| {
        let tls = format!("sslmode=verify-full&sslrootcert={}", authority.display());
        postgres.url("postgres").replace("sslmode=disable", &tls)
    };
    let url = trusting(&files.authority);
    let mut coordinator = Coordinator::prepare(FASTJOB).store_url(&url);
    let migrate = |store: &str| {
        let done = coordinator.cli(&["migrate", "--store", store]);
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (status, said) = migrate(&trusting(&files.stranger));
    assert!(status == Some(1) && said.contains("certificate"), "{status:?} {said}");
    let (status, said) = migrate(&postgres.url("postgres"));
    assert!(status == Some(1) && said.contains("no encryption"), "{status:?} {said}");
    assert_eq!(migrate(&url), (Some(0), String::new()));
    assert_eq!(migrate(&url), (Some(0), String::new()), "once more");

    coordinator.up().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "s", "handler": "slow", "param": "10"})).await;
    let task = rest.start("s", json!({})).await;
    assert_eq!(rest.ended(task).await["state"], "succeeded");
}
