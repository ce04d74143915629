//! `fastjob migrate`: the store's schema, brought up to this release.

use clap::Args;

use super::{error::Error, options, out::Out};
use crate::Config;

#[derive(Args)]
pub(super) struct Migrate {
    /// The store, as sqlite:PATH or postgres://… (FASTJOB_STORE) [default: sqlite:fastjob-data/fastjob.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

impl Migrate {
    pub(super) async fn run(self, mut config: Config, out: &mut Out<'_>) -> Result<(), Error> {
        if let Some(store) = self.store {
            config.coordinator.store = options::store(&store)?;
        }
        crate::migrate(&config).await.map_err(|err| Error::from_chain(&err))?;
        let store = &config.coordinator.store;
        if out.is_json() {
            return out.json(&serde_json::json!({ "store": store.to_string() }));
        }
        out.line(format_args!("the schema of {store} is that of this release"))
    }
}
