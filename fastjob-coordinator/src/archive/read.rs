//! Reads logs, page by page.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, TaskId};
use jiff::Timestamp;
use object_store::{ObjectStoreExt, path::Path};
use tokio::time::Instant;

use super::{
    Archive, Error, gzip, in_place,
    keep::cut_line,
    lock,
    name::{self, PieceKind, PieceName},
};

/// Maximum number of pieces in one page.
const PIECES: usize = 16;
/// A page with this many bytes needs no further piece.
const ENOUGH: usize = 64 * 1024;
/// How long the names of a log's pieces are remembered while it may grow.
const NAMES_LIVE: Duration = Duration::from_secs(2);
/// How far the clocks of those who create and start an attempt may differ, in milliseconds.
const CLOCKS: i64 = 3_600_000;
/// Maximum bytes of a compressed piece: text that does not compress, and the line of a cut log.
const GZIP_MAX: u64 = 2 << 20;

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where it begins: the requested offset; if that part of the log is not kept, the next part
    /// that is; or the end.
    pub(crate) offset: u64,
    pub(crate) next_offset: u64,
    /// Complete characters; invalid bytes are replaced.
    pub(crate) text: String,
    pub(crate) state: State,
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// More text.
    More,
    /// Nothing that is kept yet, but the log has not ended here.
    Open,
    /// The log ends here.
    Complete,
    /// The log was too long: why nothing follows.
    Cut(String),
}

/// The names of a log's pieces, in order, and when they were listed.
#[derive(Clone, Debug)]
pub(super) struct Names {
    at: Instant,
    pieces: Arc<Vec<PieceName>>,
}

/// Selects a log by what the store knows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) task: TaskId,
    pub(crate) task_created: Timestamp,
    pub(crate) attempt: AttemptId,
    /// Whether the attempt has ended.
    pub(crate) ended: bool,
    /// When the attempt was started.
    pub(crate) started_at: Option<Timestamp>,
}

impl Archive {
    /// Reads up to `limit` bytes, at least 4, of a log; `None` if nothing of it is kept.
    ///
    /// # Errors
    ///
    /// Fails if the store does, or if a piece is damaged.
    pub(crate) async fn read(
        &self,
        wanted: Wanted,
        offset: u64,
        limit: u32,
    ) -> Result<Option<Page>, Error> {
        let archive = self.clone();
        in_place(&self.0.reads, async move { archive.find_page(wanted, offset, limit).await })
            .await?
    }

    /// When the attempts with this id were created of which something is kept, in milliseconds since
    /// the Unix epoch.
    ///
    /// # Errors
    ///
    /// Fails if the store does.
    pub(crate) async fn created(
        &self,
        task: TaskId,
        task_created: Timestamp,
        attempt: AttemptId,
    ) -> Result<Vec<i64>, Error> {
        let archive = self.clone();
        let of_task = name::task(&self.0.root, task, task_created);
        let found =
            in_place(&self.0.reads, async move { archive.folders(&of_task, attempt).await });
        Ok(found.await??.into_iter().map(|(created, _)| created).collect())
    }

    async fn find_page(
        &self,
        wanted: Wanted,
        offset: u64,
        limit: u32,
    ) -> Result<Option<Page>, Error> {
        let Some(folder) = self.folder_of(&wanted).await? else { return Ok(None) };
        match self.page(&folder, &wanted, offset, limit).await {
            // The retention removed a piece whose name was remembered.
            Err(Error::Store(object_store::Error::NotFound { .. })) => {
                lock(&self.0.names).remove(&folder);
                self.page(&folder, &wanted, offset, limit).await
            }
            read => read,
        }
    }

    async fn page(
        &self,
        folder: &Path,
        wanted: &Wanted,
        offset: u64,
        limit: u32,
    ) -> Result<Option<Page>, Error> {
        let pieces = self.names(folder).await?;
        let Some(end) = pieces.iter().map(|piece| piece.end).max() else { return Ok(None) };
        let limit = limit.max(4) as usize;
        let (mut from, mut at, mut bytes) = (offset, offset, Vec::new());
        for _ in 0..PIECES {
            let at_most = limit.saturating_sub(bytes.len());
            if at_most == 0 || bytes.len() >= ENOUGH.min(limit) {
                break;
            }
            let here = pieces.iter().filter(|piece| piece.start <= at && at < piece.end);
            let Some(piece) = here.max_by_key(|piece| piece.end) else {
                let next =
                    pieces.iter().filter(|piece| piece.start > at && piece.end > piece.start);
                match next.map(|piece| piece.start).min() {
                    // This part was removed by the retention.
                    Some(next) if bytes.is_empty() => {
                        (from, at) = (next, next);
                        continue;
                    }
                    // No text follows: only the name of the end may be left of the log.
                    None if bytes.is_empty() => {
                        (from, at) = (end, end);
                        break;
                    }
                    Some(_) | None => break,
                }
            };
            let text = self.text(folder, *piece).await?;
            let skipped = usize::try_from(at - piece.start).unwrap_or(usize::MAX);
            let part = text.get(skipped..).unwrap_or_default();
            let part = &part[..part.len().min(at_most)];
            bytes.extend_from_slice(part);
            at += part.len() as u64;
        }
        if at > end {
            (from, at) = (end, end);
        }
        let state = match pieces.iter().map(|piece| piece.kind).max() {
            _ if at < end => State::More,
            Some(PieceKind::Cut) => State::Cut(cut_line(self.0.max_log)),
            Some(PieceKind::Last) => State::Complete,
            Some(PieceKind::Part) | None => State::Open,
        };
        let is_rest = match state {
            State::More => false,
            State::Open => wanted.ended,
            State::Complete | State::Cut(_) => true,
        };
        if !is_rest {
            // The rest of the last character is in the next page, unless it was removed.
            let whole = whole_characters(&bytes);
            if whole > 0 || state == State::Open {
                bytes.truncate(whole);
            }
        }
        let next_offset = from + bytes.len() as u64;
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned());
        Ok(Some(Page { offset: from, next_offset, text, state }))
    }

    /// The folder of a log. A store that was restored from a backup may have assigned the id twice;
    /// it knows the later attempt, which was created before it started. What claims to be later than
    /// that does not hide a log.
    async fn folder_of(&self, wanted: &Wanted) -> Result<Option<Path>, Error> {
        let Wanted { task, task_created, attempt, ended: _, started_at } = *wanted;
        let of_task = name::task(&self.0.root, task, task_created);
        let key = of_task.clone().join(attempt.0.to_string());
        if let Some(found) = lock(&self.0.folders).get(&key) {
            return Ok(Some(found));
        }
        let all = self.folders(&of_task, attempt).await?;
        let latest = started_at.map_or(i64::MAX, |at| at.as_millisecond().saturating_add(CLOCKS));
        let known = all.iter().filter(|(created, _)| *created <= latest).max();
        let found = known.or_else(|| all.iter().min()).map(|(_, folder)| folder.clone());
        if let Some(found) = &found {
            lock(&self.0.folders).insert(key, found.clone());
        }
        Ok(found)
    }

    /// The folders of the attempts with this id, and when each was created.
    async fn folders(&self, of_task: &Path, attempt: AttemptId) -> Result<Vec<(i64, Path)>, Error> {
        let listed = self.0.objects.list_with_delimiter(Some(of_task)).await?;
        let of_attempt = listed.common_prefixes.into_iter().filter_map(|folder| {
            let (id, created) = folder.filename().and_then(name::read_attempt)?;
            (id == attempt).then_some((created, folder))
        });
        Ok(of_attempt.collect())
    }

    async fn names(&self, folder: &Path) -> Result<Arc<Vec<PieceName>>, Error> {
        let is_complete =
            |names: &Names| names.pieces.iter().any(|piece| piece.kind != PieceKind::Part);
        if let Some(names) = lock(&self.0.names).get(folder)
            && (is_complete(&names) || names.at.elapsed() < NAMES_LIVE)
        {
            return Ok(names.pieces);
        }
        let pieces = Arc::new(self.pieces(folder).await?);
        let names = Names { at: Instant::now(), pieces: Arc::clone(&pieces) };
        lock(&self.0.names).insert(folder.clone(), names);
        Ok(pieces)
    }

    /// The text of a piece.
    async fn text(&self, folder: &Path, piece: PieceName) -> Result<Arc<Vec<u8>>, Error> {
        let path = piece.in_folder(folder);
        if let Some(text) = lock(&self.0.texts).get(&path) {
            return Ok(text);
        }
        let found = self.0.objects.get(&path).await?;
        if found.meta.size > GZIP_MAX {
            return Err(Error::Damaged(format!("{path} has {} bytes", found.meta.size)));
        }
        let gzip = found.bytes().await?;
        let length = usize::try_from(piece.end - piece.start).unwrap_or(usize::MAX);
        let text = tokio::task::spawn_blocking(move || {
            gzip::first(&gzip, length.min(fastjob_core::wire::LOG_PIECE_MAX)).map(|(text, _)| text)
        });
        let text = text.await.map_err(|err| Error::Damaged(err.to_string()))?;
        let text = text.map_err(|why| Error::Damaged(format!("{path}: {why}")))?;
        let text = Arc::new(text);
        lock(&self.0.texts).insert(path, Arc::clone(&text));
        Ok(text)
    }
}

/// The length of the bytes without an incomplete character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let Some(last) = bytes.utf8_chunks().last() else { return bytes.len() };
    let is_begun = std::str::from_utf8(last.invalid()).is_err_and(|err| err.error_len().is_none());
    bytes.len() - if is_begun { last.invalid().len() } else { 0 }
}
