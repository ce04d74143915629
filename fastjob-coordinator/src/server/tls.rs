//! The certificate that the port presents.
//!
//! It is loaded at the start, where errors name the file and prevent the start. It is loaded again when
//! its files have changed, so a renewed certificate needs no restart: open connections keep the old
//! one, and files that cannot be used change nothing.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use fastjob_core::{error::chain, private};
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

/// A certificate and its matching key, ready to serve with. Clones share it, and see the renewed one.
#[derive(Clone)]
pub(crate) struct Tls(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    current: RwLock<Loaded>,
}

struct Loaded {
    acceptor: TlsAcceptor,
    /// A hash of both files.
    version: u64,
}

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
        let (cert, key) = self.read()?;
        let loaded =
            Loaded { acceptor: self.acceptor(&cert, &key)?, version: version(&cert, &key) };
        Ok(Tls(Arc::new(Shared { files: self.clone(), current: RwLock::new(loaded) })))
    }

    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
        Ok((read(&self.cert)?, read(&self.key)?))
    }

    fn acceptor(&self, cert: &[u8], key: &[u8]) -> Result<TlsAcceptor, TlsError> {
        let chain = CertificateDer::pem_slice_iter(cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|err| not_pem(&self.cert, &err))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.cert.clone()));
        }
        let key = PrivateKeyDer::pem_slice_iter(key)
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
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Tls {
    /// Accepts new connections with the current certificate.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Loads the files again if they have changed, and returns whether they had. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// Fails like [`TlsFiles::load`]. The certificate stays what it was.
    pub(super) fn reload(&self) -> Result<bool, TlsError> {
        let Shared { files, current } = &*self.0;
        let (cert, key) = files.read()?;
        let version = version(&cert, &key);
        if current.read().unwrap_or_else(PoisonError::into_inner).version == version {
            return Ok(false);
        }
        let acceptor = files.acceptor(&cert, &key)?;
        if let Ok((_, Some(exposed))) = private::read(&files.key) {
            tracing::warn!(
                key = %files.key.display(),
                %exposed,
                "others can read the key of the certificate: a start with it is rejected, unless \
                 insecure_files = true"
            );
        }
        *current.write().unwrap_or_else(PoisonError::into_inner) = Loaded { acceptor, version };
        Ok(true)
    }

    /// Whether its files can change: a pipe can be read only once.
    pub(super) fn is_of_files(&self) -> bool {
        let TlsFiles { cert, key } = &self.0.files;
        [cert, key].into_iter().all(|path| std::fs::metadata(path).is_ok_and(|it| it.is_file()))
    }

    /// The version of the files at the moment, or why they cannot be read. Blocks while it reads.
    fn look(&self) -> Result<u64, String> {
        let read = self.0.files.read().map(|(cert, key)| version(&cert, &key));
        read.map_err(|err| chain(&err))
    }

    /// Looks every `interval` whether the files have changed. Never ends.
    ///
    /// Certificate and key are replaced one after the other, and may be written piece by piece: they
    /// count once two looks have found the same. What cannot be used is reported once.
    pub(super) async fn renew(self, interval: Duration) {
        let (mut last, mut settled) = (None, None);
        loop {
            tokio::time::sleep(interval).await;
            let tls = self.clone();
            // A panic there is a bug, which the next look must not end with.
            let looking = tokio::task::spawn_blocking(move || tls.look());
            let Ok(found) = looking.await else { continue };
            let is_stable = last.as_ref() == Some(&found);
            last = Some(found.clone());
            if !is_stable || settled.as_ref() == Some(&found) {
                continue;
            }
            settled = Some(found.clone());
            let tls = self.clone();
            let load = move || tls.reload().map_err(|err| chain(&err));
            let renewed = match found {
                Err(why) => Err(why),
                Ok(_) => {
                    let Ok(loaded) = tokio::task::spawn_blocking(load).await else { continue };
                    loaded
                }
            };
            let cert = self.0.files.cert.display();
            match renewed {
                Ok(false) => {}
                Ok(true) => tracing::info!(%cert, "new connections use the renewed certificate"),
                Err(error) => tracing::error!(
                    %cert,
                    error,
                    "the changed certificate cannot be used: connections still use the old one"
                ),
            }
        }
    }
}

/// Tells the contents of the files apart.
fn version(cert: &[u8], key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (cert, key).hash(&mut hasher);
    hasher.finish()
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
