//! Opens the archive: a folder or a bucket.

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{Error as StoreError, ObjectStore, local::LocalFileSystem, path::Path};

use super::Archive;
use crate::{
    config::{LogsConfig, LogsUrl},
    files,
};

/// How long a bucket may take for the trial at the start.
const TRIAL: Duration = Duration::from_secs(10);

/// Why the archive cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the folder cannot be created: {0}")]
    Folder(std::io::Error),
    #[error("it cannot be used: {0}")]
    Store(StoreError),
    #[error("{0}")]
    Setting(String),
}

impl Archive {
    /// Opens the archive and tries it out; `None` if whole logs are not kept.
    ///
    /// # Errors
    ///
    /// Fails if the folder is not writable, or if the bucket does not exist or rejects the key. A
    /// bucket that cannot be reached is only logged: tasks run without it.
    pub(crate) async fn open(settings: &LogsConfig) -> Result<Option<Self>, OpenError> {
        let archive = match &settings.store {
            None => return Ok(None),
            Some(LogsUrl::Folder(path)) => Self::of_folder(path, settings)?,
            Some(LogsUrl::Bucket { name, prefix }) => {
                let objects = bucket(name, settings)?;
                Self::new(objects, Path::from(prefix.as_str()), None, settings.max_log)
            }
        };
        let tried = tokio::time::timeout(TRIAL, archive.try_out()).await;
        match tried.unwrap_or_else(|_| Err(no_answer())) {
            Ok(()) => {}
            Err(err) if archive.0.folder.is_some() || is_lasting(&err) => {
                return Err(OpenError::Store(err));
            }
            Err(error) => tracing::warn!(
                %error,
                "the log store does not answer: executors keep logs until it does"
            ),
        }
        Ok(Some(archive))
    }

    pub(super) fn of_folder(
        path: &std::path::Path,
        settings: &LogsConfig,
    ) -> Result<Self, OpenError> {
        files::make_folder(path).map_err(OpenError::Folder)?;
        warn_if_open_to_others(path);
        let objects = LocalFileSystem::new_with_prefix(path).map_err(OpenError::Store)?;
        // Executors forget what is kept here.
        let objects = objects.with_fsync(true).with_automatic_cleanup(true);
        let folder = PathBuf::from(path);
        Ok(Self::new(Arc::new(objects), Path::default(), Some(folder), settings.max_log))
    }
}

fn no_answer() -> StoreError {
    let source = format!("no answer within {TRIAL:?}").into();
    StoreError::Generic { store: "log store", source }
}

/// Whether the error needs a change of the settings or of the bucket.
fn is_lasting(err: &StoreError) -> bool {
    matches!(
        err,
        StoreError::Unauthenticated { .. }
            | StoreError::PermissionDenied { .. }
            | StoreError::NotFound { .. }
            | StoreError::NotImplemented { .. }
            | StoreError::NotSupported { .. }
    )
}

#[cfg(unix)]
fn warn_if_open_to_others(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(
            path = %path.display(),
            "other users of this machine may be able to read the logs: run `chmod 700` on their \
             folder"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_: &std::path::Path) {}

#[cfg(not(feature = "s3"))]
fn bucket(_: &str, _: &LogsConfig) -> Result<Arc<dyn ObjectStore>, OpenError> {
    Err(OpenError::Setting(crate::config::InvalidLogsUrl::NoS3.to_string()))
}

#[cfg(feature = "s3")]
fn bucket(name: &str, settings: &LogsConfig) -> Result<Arc<dyn ObjectStore>, OpenError> {
    use object_store::{
        BackoffConfig, ClientOptions, RetryConfig,
        aws::{AmazonS3Builder, AmazonS3ConfigKey},
    };

    /// How long one request may take, and all attempts of it together: executors retry anyway.
    const REQUEST: Duration = Duration::from_secs(15);
    const ALL: Duration = Duration::from_secs(25);

    crate::crypto::choose();
    let s3 = &settings.s3;
    let env = AmazonS3Builder::from_env();
    let of_env = |key| env.get_config_value(&key);
    let endpoint = s3.endpoint.clone();
    let endpoint = endpoint.or_else(|| of_env(AmazonS3ConfigKey::S3Endpoint));
    let endpoint = endpoint.or_else(|| of_env(AmazonS3ConfigKey::Endpoint));
    let region = s3.region.clone().or_else(|| of_env(AmazonS3ConfigKey::Region));
    let mut builder = match (&s3.access_key, &s3.secret_key) {
        // A token of the environment belongs to the key of the environment.
        (Some(id), Some(secret)) => {
            AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.expose())
        }
        _ => env,
    };
    if let Some(token) = &s3.session_token {
        builder = builder.with_token(token.expose());
    }
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let mut is_http = false;
    if let Some(url) = endpoint {
        let judged = s3.judge(&url);
        judged.map_err(|why| OpenError::Setting(format!("the endpoint {url}: {why}")))?;
        is_http = url.starts_with("http://");
        builder = builder
            .with_config(AmazonS3ConfigKey::S3Endpoint, &url)
            .with_config(AmazonS3ConfigKey::Endpoint, url);
    }
    builder = builder.with_bucket_name(name);
    let retry =
        RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: ALL };
    let client = ClientOptions::new()
        .with_allow_http(is_http)
        .with_timeout(REQUEST)
        .with_connect_timeout(Duration::from_secs(5));
    let objects = builder.with_client_options(client).with_retry(retry).build();
    Ok(Arc::new(objects.map_err(OpenError::Store)?))
}
