//! Keeps pieces of logs. What a piece claims is checked before it is written.

use bytes::Bytes;
use fastjob_core::wire::{LOG_GZIP_MAX, LOG_PIECE_MAX};
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::{
    Archive, End, Error, LogName, gzip, in_place, lock,
    name::{PieceKind, PieceName},
};

/// A piece that an executor sent.
#[derive(Clone, Debug)]
pub(crate) struct NewPiece {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) gzip: Bytes,
    /// The log ends with it.
    pub(crate) last: bool,
}

/// What is kept of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) next_offset: u64,
    pub(crate) is_full: bool,
}

/// Why a piece is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// The piece is not what it claims to be.
    #[error("the piece is invalid: {0}")]
    Invalid(String),
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Archive {
    /// Keeps a piece that begins where the log ends, and returns where it ends then. Any other piece
    /// is not kept.
    ///
    /// # Errors
    ///
    /// Fails if the piece is invalid, or if the store does; then nothing is kept.
    pub(crate) async fn keep(&self, log: LogName, piece: NewPiece) -> Result<Kept, NotKept> {
        if piece.length as usize > LOG_PIECE_MAX || piece.gzip.len() > LOG_GZIP_MAX {
            let message = format!("it has more than {LOG_PIECE_MAX} bytes");
            return Err(NotKept::Invalid(message));
        }
        let archive = self.clone();
        in_place(&self.0.writes, async move { archive.check_and_write(log, piece).await }).await?
    }

    async fn check_and_write(&self, log: LogName, piece: NewPiece) -> Result<Kept, NotKept> {
        let NewPiece { offset, length, gzip, last } = piece;
        let size = length as usize;
        let is_next = |end: End| end.is_full || end.offset == offset;
        let mut end = lock(&self.0.ends).get(&log).unwrap_or_default();
        // Another node may have kept more, or the retention has removed some.
        if end == End::default() || !is_next(end) {
            end = self.end(&log).await?;
            lock(&self.0.ends).insert(log, end);
        }
        let has = |end: End| Kept { next_offset: end.offset, is_full: end.is_full };
        if !is_next(end) || end.is_full || (length == 0 && !last) {
            return Ok(has(end));
        }
        let room = self.0.max_log.0.saturating_sub(offset);
        let (kind, length) = match u64::from(length) > room {
            true => (PieceKind::Cut, room),
            false if last => (PieceKind::Last, u64::from(length)),
            false => (PieceKind::Part, u64::from(length)),
        };
        let limit = self.0.max_log;
        let checked = move || -> Result<_, NotKept> {
            let text = match size {
                0 if gzip.is_empty() => Vec::new(),
                _ => {
                    let (text, rest) = gzip::first(&gzip, size).map_err(NotKept::Invalid)?;
                    if !rest.is_empty() {
                        return Err(NotKept::Invalid("bytes follow the text".to_owned()));
                    }
                    text
                }
            };
            let compress =
                |text: &[u8]| gzip::compress(text).map_err(|err| Error::Damaged(err.to_string()));
            Ok(match kind {
                PieceKind::Part | PieceKind::Last if size > 0 => (length, gzip),
                PieceKind::Part | PieceKind::Last => (0, compress(b"")?.into()),
                PieceKind::Cut => {
                    let kept = usize::try_from(length).unwrap_or(size).min(size);
                    let kept = text[..kept].iter().rposition(|byte| *byte == b'\n');
                    let kept = kept.map_or(0, |at| at + 1);
                    let mut pieces = compress(&text[..kept])?;
                    // A second member: those who decompress the whole see it, positions do not
                    // change.
                    pieces.extend(compress(cut_line(limit).as_bytes())?);
                    (kept as u64, pieces.into())
                }
            })
        };
        let checked = tokio::task::spawn_blocking(checked).await;
        let (length, gzip) = checked.map_err(|err| Error::Damaged(err.to_string()))??;
        let piece = PieceName::of(offset, offset + length, kind);
        let path = piece.in_folder(&self.path(&log));
        let new = PutOptions::from(PutMode::Create);
        match self.0.objects.put_opts(&path, PutPayload::from_bytes(gzip), new).await {
            // The answer to the same piece was lost.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(err) => return Err(NotKept::Failed(err.into())),
        }
        let end = End { offset: piece.end, is_full: kind != PieceKind::Part };
        lock(&self.0.ends).insert(log, end);
        Ok(has(end))
    }

    /// How far a log is kept, from its pieces.
    async fn end(&self, log: &LogName) -> Result<End, Error> {
        let pieces = self.pieces(&self.path(log)).await?;
        let mut end = End::default();
        for piece in pieces {
            // After a gap, which only the retention makes, the log continues too.
            end.offset = end.offset.max(piece.end);
            end.is_full |= piece.kind != PieceKind::Part;
        }
        Ok(end)
    }

    /// Whether objects can be written and removed.
    ///
    /// # Errors
    ///
    /// Fails if they cannot.
    pub(crate) async fn try_out(&self) -> Result<(), object_store::Error> {
        let path = self.0.root.clone().join(format!("trial-{}", uuid::Uuid::new_v4().simple()));
        // As pieces are written: a store that does not support this cannot be used.
        let new = PutOptions::from(PutMode::Create);
        self.0.objects.put_opts(&path, PutPayload::from_static(b"trial"), new).await?;
        self.0.objects.delete(&path).await
    }
}

/// The line at the end of a log that is too long.
pub(super) fn cut_line(limit: crate::config::ByteSize) -> String {
    format!("… the log is cut here: it is longer than coordinator.logs.max_log, {limit}\n")
}
