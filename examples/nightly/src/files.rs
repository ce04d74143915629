//! The files of the pipeline. If executors run on several machines, the folders are shared.

use std::{
    collections::BTreeMap,
    env, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use fastjob_executor::{AttemptId, Fatal, jiff::civil::Date};

/// Cents by article.
pub(crate) type Totals = BTreeMap<String, i64>;

/// Where the files are, and which.
pub(crate) struct Files {
    inbox: PathBuf,
    reports: PathBuf,
    /// The shops that deliver a file each night.
    pub(crate) shops: Vec<String>,
    /// The pause after each page, so that the pipeline leaves the disk to others.
    pub(crate) pause: Duration,
}

impl Files {
    /// Reads the settings.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        let shops = env::var("NIGHTLY_SHOPS").context("set NIGHTLY_SHOPS, such as lille,paris")?;
        let pause = env::var("NIGHTLY_PAUSE_MS").unwrap_or_else(|_| "0".to_owned());
        let pause = pause.parse().context("NIGHTLY_PAUSE_MS is not a number")?;
        let folder = |name, default: &str| env::var_os(name).map_or(default.into(), PathBuf::from);
        Ok(Self {
            inbox: folder("NIGHTLY_INBOX", "fastjob-data/nightly/inbox"),
            reports: folder("NIGHTLY_REPORTS", "fastjob-data/nightly/reports"),
            shops: shops.split(',').map(|shop| shop.trim().to_owned()).collect(),
            pause: Duration::from_millis(pause),
        })
    }

    /// The file that a shop delivers for a day.
    pub(crate) fn delivery(&self, day: Date, shop: &str) -> PathBuf {
        self.inbox.join(day.to_string()).join(format!("{shop}.csv"))
    }

    /// Writes the report of a day, and returns where.
    ///
    /// It is written beside its place and then moved there: readers never see half of it, and a
    /// second attempt replaces it by the same report.
    pub(crate) async fn report(
        &self,
        day: Date,
        totals: &Totals,
        attempt: AttemptId,
    ) -> io::Result<PathBuf> {
        let lines = totals.iter().map(|(article, cents)| format!("{article},{cents}\n"));
        let text = format!("article,cents\n{}", lines.collect::<String>());
        let report = self.reports.join(format!("{day}.csv"));
        let draft = self.reports.join(format!(".{day}.csv.{attempt}"));
        tokio::fs::create_dir_all(&self.reports).await?;
        tokio::fs::write(&draft, text).await?;
        tokio::fs::rename(&draft, &report).await?;
        Ok(report)
    }
}

/// A line `article,cents`. Any other line is a permanent error: no retry can repair the file.
pub(crate) fn parse<'a>(line: &'a str, file: &Path) -> Result<(&'a str, i64), Fatal> {
    let sale = line
        .split_once(',')
        .and_then(|(article, cents)| Some((article, cents.trim().parse().ok()?)));
    sale.ok_or_else(|| Fatal::new(format!("`{line}` in {} is not a sale", file.display())))
}
