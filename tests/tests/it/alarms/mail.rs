//! Mail over a real SMTP server: in plain text, with STARTTLS, with TLS from the first byte, and
//! with a login.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use fastjob_tests::{
    eventually,
    process::{Process, free_port},
};
use serde_json::{Value, json};

use super::{EXECUTOR, coordinator, fails};

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_with_text_and_html() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    let mut server = Command::new("/usr/bin/python3");
    server.args(["-u", "-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")]);
    server.stdout(Stdio::from(std::fs::File::create(&inbox).unwrap())).stderr(Stdio::null());
    let _server = Process::start(&mut server);
    eventually("the mail server listens", Duration::from_secs(20), || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    let mut channels = String::from("[alarms.mail]\ntype = \"email\"\ntls = \"none\"\n");
    writeln!(channels, "server = \"127.0.0.1\"\nport = {port}\ngroup_wait = \"1s\"").unwrap();
    writeln!(channels, "from = \"fastjob@example.org\"\nto = [\"ops@example.org\"]").unwrap();
    let coordinator = coordinator(&channels).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "bad", "handler": "fatal", "alarms": ["mail"]})).await;
    let task = rest.start("bad", json!({})).await;
    rest.ended(task).await;
    let mail = eventually("the mail has arrived", Duration::from_secs(20), || async {
        std::fs::read_to_string(&inbox).ok().filter(|mail| mail.contains("END MESSAGE"))
    })
    .await;
    for part in [
        "Subject: ",
        "default.bad",
        "To: ops@example.org",
        "text/plain",
        "text/html",
        "no use",
        &task.to_string(),
    ] {
        assert!(mail.contains(part), "{part} is missing in {mail}");
    }
}

/// Files with the certificate of an authority, and a certificate for 127.0.0.1 with its key.
fn certificates(folder: &Path) -> [std::path::PathBuf; 3] {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap());
    let authority = authority.unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let cert = cert.signed_by(&key, &authority).unwrap();
    let files = ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name));
    let texts = [authority.pem(), cert.pem(), key.serialize_pem()];
    for (file, text) in files.iter().zip(texts) {
        std::fs::write(file, text).unwrap();
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_only_over_verified_tls_and_with_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let (inbox, ports) = (folder.path().join("inbox"), [free_port(), free_port()]);
    let [ca, cert, key] = certificates(folder.path());
    let mut server = Command::new("/usr/bin/python3");
    server.args(["-c", include_str!("mail_server.py")]).args(ports.map(|port| port.to_string()));
    server.args([&cert, &key, &inbox]).stdout(Stdio::null());
    let _server = Process::start(&mut server);
    for port in ports {
        eventually("the mail server listens", Duration::from_secs(20), || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
    }
    let mut channels = String::new();
    let mut channel = |name: &str, port: u16, how: &str| {
        let from = "from = \"FastJob <fastjob@example.org>\"\nto = [\"ops@example.org\"]";
        let server = "type = \"email\"\nserver = \"127.0.0.1\"\nuser = \"fastjob\"";
        writeln!(channels, "[alarms.{name}]\n{server}\nport = {port}\n{from}\n{how}").unwrap();
    };
    let trusted = format!("ca_cert = \"{}\"\ngroup_wait = \"100ms\"", ca.display());
    let [starttls, tls] = ports;
    channel("starttls", starttls, &format!("password = \"s3cret\"\n{trusted}"));
    channel("tls", tls, &format!("tls = \"tls\"\npassword = \"s3cret\"\n{trusted}"));
    channel("stranger", starttls, "password = \"s3cret\"");
    channel("wrong", starttls, &format!("password = \"guess\"\n{trusted}"));
    let coordinator = coordinator(&channels).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for job in ["starttls", "tls"] {
        rest.save(json!({"name": job, "handler": "fatal", "alarms": [job]})).await;
        fails(&rest, job, "sent").await;
    }
    for (channel, why) in [("stranger", "certificate"), ("wrong", "535")] {
        let tested = coordinator.cli(&["alarm", "test", channel]);
        let said = String::from_utf8_lossy(&tested.stderr).to_lowercase();
        assert!(!tested.status.success() && said.contains(why), "{said}");
        assert!(!said.contains("guess"), "{said}");
    }
    let mails = std::fs::read_to_string(&inbox).unwrap();
    let mails: Vec<Value> = mails.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ways: Vec<_> = mails.iter().map(|mail| mail["port"].as_u64().unwrap()).collect();
    assert_eq!(ways, ports.map(u64::from));
    for (mail, job) in mails.iter().zip(["default.starttls", "default.tls"]) {
        assert_eq!((&mail["tls"], &mail["login"]), (&json!(true), &json!("fastjob")), "{mail}");
        assert_eq!(mail["from"], "fastjob@example.org");
        assert_eq!(mail["to"], json!(["ops@example.org"]));
        let data = mail["data"].as_str().unwrap();
        assert!(data.contains("no use") && data.contains(job), "{data}");
    }
}
