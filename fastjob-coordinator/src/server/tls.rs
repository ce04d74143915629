//! The certificate that the port presents, loaded once at start.
//!
//! Errors name the file, and are reported before the port is served.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// The paths of the certificate and its key, in PEM format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate, followed by its intermediate certificates.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// A certificate and its matching key, ready to serve with.
#[derive(Clone)]
pub(crate) struct Tls(pub(super) TlsAcceptor);

/// Why these files cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("could not read {path}")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not complete PEM: {why}")]
    NotPem { path: PathBuf, why: String },
    #[error("there is no certificate in {0}: a `BEGIN CERTIFICATE` section is needed")]
    NoCertificate(PathBuf),
    #[error(
        "there is no private key in {0}: a section `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` \
         or `BEGIN EC PRIVATE KEY` is needed, without a password"
    )]
    NoKey(PathBuf),
    #[error("the key in {key} does not belong to the certificate in {cert}")]
    Strangers { cert: PathBuf, key: PathBuf },
    #[error("cannot serve with the certificate in {cert} and the key in {key}")]
    Refused {
        cert: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

impl TlsFiles {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or lacks its section, or if the two do not match.
    pub(crate) fn load(&self) -> Result<Tls, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.cert)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|err| not_pem(&self.cert, &err))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.cert.clone()));
        }
        let key = PrivateKeyDer::pem_slice_iter(&read(&self.key)?)
            .next()
            .ok_or_else(|| TlsError::NoKey(self.key.clone()))?
            .map_err(|err| not_pem(&self.key, &err))?;
        let (cert_path, key_path) = (self.cert.clone(), self.key.clone());
        let refused = |source: rustls::Error| {
            if let rustls::Error::InconsistentKeys(_) = source {
                TlsError::Strangers { cert: cert_path.clone(), key: key_path.clone() }
            } else {
                TlsError::Refused { cert: cert_path.clone(), key: key_path.clone(), source }
            }
        };
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(&refused)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(&refused)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn not_pem(path: &Path, err: &pem::Error) -> TlsError {
    TlsError::NotPem { path: path.to_owned(), why: err.to_string() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const CERT: &[u8] = include_bytes!("testdata/test-only.cert.pem");
    const KEY: &[u8] = include_bytes!("testdata/test-only.key.pem");
    /// A key that matches no certificate.
    const OTHER: &[u8] = include_bytes!("testdata/test-only-other.key.pem");

    fn load(cert: &[u8], key: &[u8]) -> Result<Tls, TlsError> {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files.load()
    }

    /// The certificate and key that the tests of the port use.
    pub(in super::super) fn test_only() -> Tls {
        load(CERT, KEY).unwrap_or_else(|err| panic!("{err}"))
    }

    #[test]
    fn a_certificate_and_its_key_are_accepted() {
        assert!(load(CERT, KEY).is_ok());
        assert!(load(&[CERT, KEY].concat(), &[CERT, KEY].concat()).is_ok());
    }

    #[test]
    fn errors_name_the_file() {
        #[track_caller]
        fn check(cert: &[u8], key: &[u8], words: &[&str]) {
            let said = load(cert, key).err().map(|err| err.to_string()).unwrap_or_default();
            for word in words {
                assert!(said.contains(word), "{said}");
            }
        }
        check(KEY, KEY, &["no certificate in", "cert.pem"]);
        check(CERT, b"", &["no private key in", "key.pem"]);
        check(CERT, CERT, &["no private key in", "key.pem"]);
        check(&CERT[..300], KEY, &["cert.pem", "not complete PEM"]);
        check(CERT, OTHER, &["key.pem does not belong to", "cert.pem"]);
        let sham = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(sham, KEY, &["cannot serve with", "cert.pem"]);
        let nowhere = TlsFiles { cert: "no/such.pem".into(), key: "no/such.pem".into() };
        let said = nowhere.load().err().map(|err| err.to_string());
        assert_eq!(said.as_deref(), Some("could not read no/such.pem"));
    }
}
