//! `fastjob migrate`: brings the store's schema up to date with this release.

use std::path::PathBuf;

use clap::Args;

use super::{
    error::Error,
    options,
    out::{Out, remark},
    progress::Progress,
};
use crate::Config;

#[derive(Args)]
pub(super) struct Migrate {
    /// The store, as sqlite:PATH or postgres://… (FASTJOB_STORE) [default: sqlite:fastjob-data/fastjob.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Take the password for the store from this file (FASTJOB_STORE_PASSWORD_FILE)
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
}

impl Migrate {
    pub(super) async fn run(self, mut config: Config, out: &mut Out<'_>) -> Result<(), Error> {
        if let Some(store) = self.store {
            config.coordinator.store = options::store(&store)?;
            options::shows_password(&config.coordinator.store).into_iter().for_each(remark);
        }
        if let Some(path) = self.store_password_file {
            config.coordinator.store_password_file = Some(path);
        }
        let what = format!("updating the schema of {}", config.coordinator.store);
        let progress = Progress::begin(out.progress(), what);
        let migrated = crate::migrate(&config).await;
        drop(progress);
        migrated.map_err(|err| Error::from_chain(&err))?;
        let store = &config.coordinator.store;
        if out.is_json() {
            return out.json(&serde_json::json!({ "store": store.to_string() }));
        }
        out.line(format_args!("the schema of {store} is up to date"))
    }
}
