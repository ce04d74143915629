//! How the port and the connections to other nodes are protected, as the settings say.

use std::sync::Arc;

use fastjob_core::error::chain;

use super::StartError;
use crate::{
    config::CoordinatorConfig,
    ops::{Credential, Peers, Transport},
    server::{self, Guard, Plaintext, Tls, TlsFiles, TlsMode},
};

/// The guard and TLS of the port; fails if the settings would expose the port to others.
pub(super) fn safety(config: &CoordinatorConfig) -> Result<(Guard, Option<Tls>), StartError> {
    let token = config
        .token
        .as_ref()
        .map(|token| server::Token::new(token.expose()))
        .transpose()
        .map_err(|err| StartError::Config(err.to_string()))?;
    let mode = if config.tls.is_some() { TlsMode::On } else { TlsMode::Off };
    let plaintext = if config.insecure_plaintext { Plaintext::Allowed } else { Plaintext::Refused };
    server::check_exposure(config.listen, token.as_ref(), mode, plaintext)
        .map_err(|err| StartError::Exposed(err.to_string()))?;
    let tls = load_tls(config).map_err(StartError::Config)?;
    Ok((token.into(), tls))
}

/// Loads the certificate and its key, if configured. The error says why they cannot be used.
pub(crate) fn load_tls(config: &CoordinatorConfig) -> Result<Option<Tls>, String> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let files = TlsFiles { cert: tls.cert.clone(), key: tls.key.clone() };
    files.load().map(Some).map_err(|err| {
        let cause = std::error::Error::source(&err).map(|cause| format!(": {cause}"));
        format!("{err}{}", cause.unwrap_or_default())
    })
}

/// The client for other nodes. They authenticate with the cluster's credential, and use this node's
/// certificate or one that the system trusts.
pub(super) fn peers(
    config: &CoordinatorConfig,
    credential: Credential,
) -> Result<Peers, StartError> {
    let roots = match &config.tls {
        Some(tls) => std::fs::read(&tls.cert).map_err(|err| StartError::Config(err.to_string()))?,
        None => Vec::new(),
    };
    let transport = if config.insecure_plaintext { Transport::Any } else { Transport::Safe };
    Peers::new(Arc::new(credential), &roots, transport)
        .map_err(|err| StartError::Config(chain(&err)))
}
