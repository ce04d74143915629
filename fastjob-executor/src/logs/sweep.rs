//! Removes logs that are older than the retention days.
//!
//! A log's age is taken from its folder's name, not from file dates, which a copy or a restore
//! changes. Only folders named like a day are swept, and only files that an attempt created are
//! removed; other files stay, and so does their folder. Notes of uploads go with the logs that they
//! are about. A failure is logged once and retried every hour.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use fastjob_core::AttemptId;
use jiff::{ToSpan, civil::Date};
use tokio_util::sync::CancellationToken;

use super::{
    Inner, Logs,
    disk::NoteOrder,
    lock,
    upload::{NOTES_MAX, day_of_note},
    utc_day,
};
use crate::clock;

const INTERVAL: Duration = Duration::from_secs(3600);

/// Number of files after which the disk is yielded to others.
const PIECE: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

impl Logs {
    /// Removes old logs now and every hour, until `stop` fires.
    pub(crate) async fn sweep_loop(&self, stop: CancellationToken) {
        let mut logged = HashSet::new();
        while !stop.is_cancelled() {
            let failures = tokio::select! {
                failures = self.sweep(utc_day(clock::now()), &stop) => failures,
                // A hanging disk must not delay the shutdown.
                () = stop.cancelled() => break,
            };
            for (path, error) in failures {
                if logged.insert(path.clone()) {
                    tracing::warn!(path = %path.display(), %error,
                        "could not remove old attempt logs, retrying");
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Removes the logs that are too old `today`. Returns what could not be removed.
    pub(super) async fn sweep(
        &self,
        today: Date,
        stop: &CancellationToken,
    ) -> Vec<(PathBuf, io::Error)> {
        let (inner, stop) = (Arc::clone(&self.0), stop.clone());
        let swept = tokio::task::spawn_blocking(move || inner.sweep(today, &stop)).await;
        swept.unwrap_or_else(|err| vec![(self.0.root.clone(), io::Error::other(err))])
    }
}

impl Inner {
    fn sweep(&self, today: Date, stop: &CancellationToken) -> Vec<(PathBuf, io::Error)> {
        if self.retention_days == 0 {
            return Vec::new();
        }
        let days = match self.days() {
            Ok(days) => days,
            Err(err) => return vec![(self.root.clone(), err)],
        };
        let oldest_kept = today.saturating_sub(i64::from(self.retention_days).days());
        let mut failures = Vec::new();
        for day in days.into_iter().filter(|day| *day < oldest_kept) {
            let folder = self.root.join(day.to_string());
            if let Err(err) = self.sweep_folder(&folder, stop) {
                failures.push((folder, err));
            }
        }
        if let Err(err) = self.sweep_notes(oldest_kept, stop) {
            failures.push((self.root.clone(), err));
        }
        failures
    }

    /// Removes the notes of logs that are too old to be here. The oldest come first, so that those
    /// beyond the limit are later.
    fn sweep_notes(&self, oldest_kept: Date, stop: &CancellationToken) -> io::Result<()> {
        for (id, text) in self.disk.read_notes(NOTES_MAX, NoteOrder::OldestFirst)? {
            if stop.is_cancelled() {
                return Ok(());
            }
            let is_old = day_of_note(id, &text).is_some_and(|day| day < oldest_kept);
            if is_old && !lock(&self.live).contains_key(&id) {
                self.disk.remove_note(id)?;
            }
        }
        Ok(())
    }

    fn sweep_folder(&self, folder: &Path, stop: &CancellationToken) -> io::Result<()> {
        let mut keeps = false;
        for (n, entry) in fs::read_dir(folder)?.enumerate() {
            if stop.is_cancelled() {
                return Ok(());
            }
            if n % PIECE == PIECE - 1 {
                thread::sleep(PAUSE);
            }
            let entry = entry?;
            match entry.file_name().to_str().and_then(attempt_of) {
                Some(id) if !lock(&self.live).contains_key(&id) => {
                    gone(fs::remove_file(entry.path()))?
                }
                Some(_) | None => keeps = true,
            }
        }
        if keeps { Ok(()) } else { gone(fs::remove_dir(folder)) }
    }
}

/// A file that another process removed first is fine.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn attempt_of(file_name: &str) -> Option<AttemptId> {
    file_name.strip_suffix(".log")?.parse().ok().map(AttemptId)
}
