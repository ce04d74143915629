//! What all TLS clients share: the cryptography provider of the process, and machines without
//! certificates.

use std::sync::Once;

use reqwest::{Certificate, Client, ClientBuilder};

/// Installs the provider, unless the process already has one. Must be called before any TLS client
/// or server is created: an embedded coordinator may be the first to need one.
pub(crate) fn choose() {
    // It does not matter if another thread installed it first.
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// Creates a client that trusts the certificates of the machine and `roots`.
///
/// A machine may have no certificates at all, such as a minimal container. `http` works there, and
/// so do servers that `roots` vouches for. A warning says why others are rejected.
///
/// # Errors
///
/// Fails if the client cannot be created.
pub(crate) fn client(
    builder: impl Fn() -> ClientBuilder,
    roots: &[Certificate],
) -> Result<Client, reqwest::Error> {
    choose();
    match builder().tls_certs_merge(roots.iter().cloned()).build() {
        Ok(client) => Ok(client),
        Err(err) => {
            let client = builder().tls_certs_only(roots.iter().cloned()).build()?;
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    error = fastjob_core::error::chain(&err),
                    "this machine has no certificates of public authorities, so https to servers \
                     outside fails: install them, such as Debian's ca-certificates"
                );
            });
            Ok(client)
        }
    }
}
