//! Removes logs that are too old, and the oldest if all together take too much room.
//!
//! The age of a log is that of its task, which its name says, or that of its last piece if that is
//! later: a task may have waited for weeks before it was started. One node does this, in pieces, and
//! rests after each for as long as it took. If two nodes do it at the same time, nothing is lost
//! that should not be.

use std::{
    collections::{BinaryHeap, HashSet},
    fs, io,
    path::Path as FilePath,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use object_store::{Error as StoreError, path::Path};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Archive, lock,
    name::{self, PieceName},
};
use crate::{clock::Clock, config::LogsConfig};

/// Pause between two rounds over a folder.
const REST: Duration = Duration::from_secs(15 * 60);
/// Pause between two rounds over a bucket, whose lists cost money.
const REST_BUCKET: Duration = Duration::from_secs(3600);
/// Pause before the first round, and while the clock is uncertain.
const FIRST: Duration = Duration::from_secs(60);
/// Maximum number of objects whose names are in memory.
const NAMES: usize = 10_000;
/// Maximum number of logs of an old day that are kept because they are not old.
const LATE: usize = 10_000;
/// How old a file is that a killed process has left half written.
const HALF: SignedDuration = SignedDuration::from_hours(1);
/// Maximum number of objects that are removed before a rest.
const PIECE: usize = 1_000;

/// A file takes at least one block of this size.
const BLOCK: u64 = 4096;

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// Zero: forever.
    pub(super) max_age: Duration,
    /// Bytes of all objects together; zero: no limit.
    pub(super) max_size: u64,
}

/// What a round has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// An object: ordered by its name, so that the oldest logs come first.
type Found = (Path, u64);

/// Removes logs until `stop` is cancelled, while `is_ours` says that this node is to do it.
pub(crate) async fn run(
    archive: Archive,
    settings: LogsConfig,
    is_ours: impl Fn() -> bool + Send,
    clock: Arc<Clock>,
    stop: CancellationToken,
) {
    let retention = Retention { max_age: settings.max_age, max_size: settings.max_size.0 };
    let rest = if archive.0.folder.is_some() { REST } else { REST_BUCKET };
    let (mut wait, mut is_failing) = (FIRST, false);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = FIRST;
        let Some(now) = clock.settled() else { continue };
        if !is_ours() {
            continue;
        }
        let round = tokio::select! {
            () = stop.cancelled() => return,
            round = archive.remove_old(retention, now) => round,
        };
        match round {
            Ok(removed) => {
                is_failing = false;
                wait = rest;
                if removed.objects > 0 {
                    let Removed { objects, bytes } = removed;
                    tracing::info!(objects, bytes, "old logs removed");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "could not remove old logs, retrying");
                }
            }
        }
    }
}

impl Archive {
    /// Removes what is too old `now`, and then the oldest until the rest fits.
    pub(super) async fn remove_old(
        &self,
        retention: Retention,
        now: Timestamp,
    ) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let mut days = self.days().await?;
        let age = SignedDuration::try_from(retention.max_age).unwrap_or(SignedDuration::MAX);
        let oldest = now.checked_sub(age).ok().filter(|_| !retention.max_age.is_zero());
        if let Some(oldest) = oldest {
            let first_kept = oldest.to_zoned(TimeZone::UTC).date();
            let mut left = Vec::new();
            for day in days {
                if day >= first_kept {
                    left.push(day);
                    continue;
                }
                // If there are too many, all of them get older.
                let late = self.late(day, oldest).await?;
                if let Some(late) = &late {
                    self.remove_from(day, u64::MAX, late, now, &mut removed).await?;
                }
                if late.is_none_or(|late| !late.is_empty()) {
                    left.push(day);
                }
            }
            days = left;
        }
        if retention.max_size == 0 {
            return Ok(removed);
        }
        let mut total: u64 = 0;
        for day in &days {
            total += self.size(*day).await?;
        }
        let none = HashSet::new();
        for day in days {
            let excess = total.saturating_sub(retention.max_size);
            if excess == 0 {
                break;
            }
            let before = removed.bytes;
            self.remove_from(day, excess, &none, now, &mut removed).await?;
            total = total.saturating_sub(removed.bytes - before);
        }
        Ok(removed)
    }

    /// The days that have logs, in order.
    async fn days(&self) -> Result<Vec<Date>, StoreError> {
        let root = Some(&self.0.root).filter(|root| !root.as_ref().is_empty());
        let listed = self.0.objects.list_with_delimiter(root).await?;
        let named = listed.common_prefixes.iter().filter_map(|folder| folder.filename());
        let mut days: Vec<_> = named.filter_map(name::read_day).collect();
        days.sort_unstable();
        Ok(days)
    }

    async fn size(&self, day: Date) -> Result<u64, StoreError> {
        let folder = name::day(&self.0.root, day);
        let listed = self.0.objects.list(Some(&folder));
        listed.try_fold(0, |sum, object| async move { Ok(sum + self.room(object.size)) }).await
    }

    /// How much room an object of this size takes.
    fn room(&self, size: u64) -> u64 {
        match self.0.folder {
            Some(_) => size.max(1).next_multiple_of(BLOCK),
            None => size,
        }
    }

    /// The folders of the logs of a day with a piece that is not older than that; `None` if there
    /// are too many.
    async fn late(
        &self,
        day: Date,
        oldest: Timestamp,
    ) -> Result<Option<HashSet<String>>, StoreError> {
        let (mut late, oldest) = (HashSet::new(), oldest.as_millisecond());
        let mut listed = self.0.objects.list(Some(&name::day(&self.0.root, day)));
        while let Some(object) = listed.try_next().await? {
            let is_ours = object.location.filename().and_then(PieceName::parse).is_some();
            if !is_ours || object.last_modified.timestamp_millis() < oldest {
                continue;
            }
            late.insert(folder(&object.location).to_owned());
            if late.len() > LATE {
                return Ok(None);
            }
        }
        Ok(Some(late))
    }

    /// Removes whole logs of a day but those in `spared`, the oldest first, until at least `excess`
    /// bytes are removed.
    async fn remove_from(
        &self,
        day: Date,
        excess: u64,
        spared: &HashSet<String>,
        now: Timestamp,
        removed: &mut Removed,
    ) -> Result<(), StoreError> {
        let wanted = removed.bytes.saturating_add(excess);
        loop {
            let mut first = self.first(day, spared).await?;
            if first.is_empty() {
                break;
            }
            let (mut bytes, mut last) = (removed.bytes, None);
            let count = first.iter().take_while(|(path, size)| {
                let log = folder(path);
                // The rest of a log is of no use without its beginning.
                let goes = bytes < wanted || last == Some(log);
                (bytes, last) = (bytes.saturating_add(*size), Some(log));
                goes
            });
            let count = count.count();
            first.truncate(count);
            for piece in first.chunks(PIECE) {
                let began = Instant::now();
                self.remove(piece).await?;
                removed.objects += piece.len() as u64;
                removed.bytes += piece.iter().map(|(_, size)| size).sum::<u64>();
                tokio::time::sleep(began.elapsed()).await;
            }
            if removed.bytes >= wanted {
                break;
            }
        }
        if let Some(root) = &self.0.folder {
            let day = root.join(day.to_string());
            let before = now.checked_sub(HALF).map_or(SystemTime::UNIX_EPOCH, SystemTime::from);
            // What a killed process has left is not listed.
            let tidied = tokio::task::spawn_blocking(move || tidy(&day, before)).await;
            if let Ok(Err(error)) = tidied {
                tracing::debug!(%error, "could not remove an empty folder of logs");
            }
        }
        Ok(())
    }

    /// The first objects of a day by name, without those of `spared` logs.
    async fn first(&self, day: Date, spared: &HashSet<String>) -> Result<Vec<Found>, StoreError> {
        let mut found: BinaryHeap<Found> = BinaryHeap::new();
        let mut listed = self.0.objects.list(Some(&name::day(&self.0.root, day)));
        while let Some(object) = listed.try_next().await? {
            if object.location.filename().and_then(PieceName::parse).is_none() {
                continue; // not ours
            }
            if spared.contains(folder(&object.location)) {
                continue;
            }
            let size = self.room(object.size);
            found.push((object.location, size));
            if found.len() > NAMES {
                found.pop();
            }
        }
        Ok(found.into_sorted_vec())
    }

    async fn remove(&self, objects: &[Found]) -> Result<(), StoreError> {
        let paths: Vec<_> = objects.iter().map(|(path, _)| Ok(path.clone())).collect();
        let mut removed = self.0.objects.delete_stream(stream::iter(paths).boxed());
        while let Some(one) = removed.next().await {
            match one {
                // Another node was faster.
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(err) => return Err(err),
            }
        }
        // Readers must not find in memory what is removed.
        let mut names = lock(&self.0.names);
        for (path, _) in objects {
            names.remove(&Path::from(folder(path)));
        }
        Ok(())
    }
}

/// The folder of the log that an object belongs to.
fn folder(path: &Path) -> &str {
    path.as_ref().rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Removes files that were not written completely, and have not changed since then, and empty
/// folders.
fn tidy(folder: &FilePath, before: SystemTime) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            tidy(&entry.path(), before)?;
        } else if name.to_str().is_some_and(|name| name.contains(".log.gz#")) {
            // It may have been completed meanwhile.
            match entry.metadata().and_then(|found| found.modified()) {
                Ok(changed) if changed < before => gone(fs::remove_file(entry.path()))?,
                Ok(_) => {}
                Err(err) => gone(Err(err))?,
            }
        }
    }
    match fs::remove_dir(folder) {
        Err(err) if err.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => gone(removed),
    }
}

/// What another process removed first is fine.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
