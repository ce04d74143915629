//! A certificate that is renewed while the port is served.

use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;
use crate::server::tls::TlsFiles;

/// A certificate for loopback and its key, as PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self { cert: cert.pem(), key: signing_key.serialize_pem() }
    }
}

/// The files of a certificate in a folder of their own.
struct Files {
    files: TlsFiles,
    _folder: TempDir,
}

impl Files {
    fn of(pair: &Pair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = TlsFiles { cert: path("cert.pem"), key: path("key.pem") };
        let files = Self { files, _folder: folder };
        files.write(&pair.cert, &pair.key);
        files
    }

    fn write(&self, cert: &str, key: &str) {
        fs::write(&self.files.cert, cert).unwrap();
        fs::write(&self.files.key, key).unwrap();
    }
}

/// Whether a new connection to the port gets this certificate.
async fn presents(port: &Served, pair: &Pair) -> bool {
    crate::crypto::choose();
    let root = reqwest::Certificate::from_pem(pair.cert.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    client.get(format!("https://{}/", port.addr)).send().await.is_ok()
}

#[tokio::test]
async fn new_connections_get_a_renewed_certificate_without_a_restart() {
    let (old, new) = (Pair::new(), Pair::new());
    let files = Files::of(&old);
    let tls = files.files.load().unwrap();
    let port = serve(Guard::Local, Some(tls.clone()), Limits::default(), LONG);
    assert!(presents(&port, &old).await);
    assert!(!tls.reload().unwrap(), "nothing has changed");
    let looking = tokio::spawn(tls.renew(Duration::from_millis(5)));
    files.write(&new.cert, &new.key);
    let renewed = async {
        while !presents(&port, &new).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, renewed).await.expect("the certificate was not renewed");
    assert!(!presents(&port, &old).await);
    looking.abort();
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_certificate_as_it_is() {
    let (old, new) = (Pair::new(), Pair::new());
    let files = Files::of(&old);
    let tls = files.files.load().unwrap();
    let port = serve(Guard::Local, Some(tls.clone()), Limits::default(), LONG);
    // Half replaced, empty, and gone.
    files.write(&new.cert, &old.key);
    let said = tls.reload().unwrap_err().to_string();
    assert!(said.contains("does not belong to the certificate"), "{said}");
    files.write("", "");
    assert!(tls.reload().is_err());
    fs::remove_file(&files.files.key).unwrap();
    assert!(tls.reload().is_err());
    assert!(presents(&port, &old).await);
    files.write(&new.cert, &new.key);
    assert!(tls.reload().unwrap());
    assert!(presents(&port, &new).await && !presents(&port, &old).await);
}
