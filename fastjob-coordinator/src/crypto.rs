//! The process-wide cryptography provider for TLS.

/// Installs the provider, unless the process already has one. Must be called before any TLS client
/// or server is created: an embedded coordinator may be the first to need one.
pub(crate) fn choose() {
    // It does not matter if another thread installed it first.
    rustls::crypto::ring::default_provider().install_default().ok();
}
