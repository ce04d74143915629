//! Opens the store.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::StartError;
#[cfg(feature = "postgres")]
use crate::store::postgres::Postgres;
use crate::{
    config::{Config, StoreUrl},
    store::{self, ClusterStore, Store, sqlite::Sqlite},
};

/// An open store.
pub(super) struct Opened {
    pub(super) whole: Arc<dyn Store>,
    /// The view for several nodes; `None` if one coordinator owns the store alone.
    pub(super) cluster: Option<Arc<dyn ClusterStore>>,
}

impl Opened {
    pub(super) async fn open(config: &Config) -> Result<Self, StartError> {
        let store = config.store().map_err(|err| StartError::Config(err.to_string()))?;
        Ok(match &store {
            StoreUrl::Sqlite(path) => {
                let store = Arc::new(Sqlite::open(path).await.map_err(store_error)?);
                Self { whole: store, cluster: None }
            }
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(url) => match *url {},
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => {
                let store = Arc::new(Postgres::open(url).await.map_err(store_error)?);
                Self { whole: Arc::clone(&store) as _, cluster: Some(store) }
            }
        })
    }
}

pub(super) fn store_error(err: store::Error) -> StartError {
    let message = err.to_string();
    let source = std::error::Error::source(&err).is_some().then(|| Box::new(err) as _);
    StartError::Store { message, source }
}

/// Migrates the store's schema to this release.
///
/// # Errors
///
/// Fails with [`StartError::Store`] if the store is in use, unreadable or newer.
pub async fn migrate(config: &Config) -> Result<(), StartError> {
    migrated(config).await
}

/// Not `async`, so that the future is compiled in this crate.
fn migrated(config: &Config) -> BoxFuture<'_, Result<(), StartError>> {
    Box::pin(async { Opened::open(config).await?.whole.close().await.map_err(store_error) })
}
