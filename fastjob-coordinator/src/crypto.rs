//! The provider of TLS's cryptography, of which a process has one.

/// Chooses it, unless the process has chosen one already. Before any client or server of TLS is
/// made: an embedded coordinator may be the first that needs one.
pub(crate) fn choose() {
    // That another was quicker is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
}
