//! Reads the next piece of a log, and compresses it.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

use fastjob_core::wire::LOG_PIECE_MAX;
use flate2::{Compression, write::GzEncoder};

use super::{Log, Piece, queue::Work};
use crate::logs::Inner;

/// What is there to send of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// `None` if there is no new text.
    pub(super) piece: Option<Piece>,
    /// There is more text than this piece has.
    pub(super) has_more: bool,
    /// No text will follow that of this piece.
    pub(super) is_end: bool,
    /// The attempt still runs: this process only leaves, and more text may follow after all.
    pub(super) is_left: bool,
}

impl Inner {
    /// The piece at `offset`. Reads the file, so it may wait for the disk.
    pub(super) fn next_piece(&self, work: &Work, offset: u64) -> io::Result<Next> {
        let Log { attempt, origin, day } = work.log;
        let live = self.live(attempt);
        let (has_ended, is_whole) = match &live {
            // Checked before the lines are written, so that all of them have been.
            Some(live) => live.collect(),
            None => (true, true),
        };
        let (bytes, has_more) = match self.disk.read(day, attempt) {
            Ok(file) => range(file, offset)?,
            // All lines so far are waiting for a hanging disk.
            Err(err) if err.kind() == io::ErrorKind::NotFound && live.is_some() => {
                (Vec::new(), false)
            }
            Err(err) => return Err(err),
        };
        let is_end = (has_ended || work.leaving) && !has_more;
        // A log whose file could not be written, or may have been cut by a kill, is not complete.
        let last = has_ended && is_end && is_whole && !work.is_doubtful;
        let is_left = !has_ended;
        if bytes.is_empty() && !last {
            return Ok(Next { piece: None, has_more, is_end, is_left });
        }
        if !work.begun {
            self.note(&work.log);
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let gzip = if bytes.is_empty() { Vec::new() } else { compressed(&bytes)? };
        let piece = Piece { attempt, origin, offset, length, gzip, last };
        Ok(Next { piece: Some(piece), has_more, is_end, is_left })
    }

    /// Remembers on disk that this log is being uploaded, for a later process.
    fn note(&self, log: &Log) {
        if let Err(error) = self.disk.write_note(log.attempt, &super::notes::write(log)) {
            // The log is uploaded anyway, unless this process is killed.
            tracing::debug!(path = %self.root.display(), %error, "could not note an upload");
        }
    }
}

/// The bytes at an offset, at most a piece of them, and whether there are more. A full piece ends
/// with a line, so that it can be read by itself.
fn range(mut file: File, offset: u64) -> io::Result<(Vec<u8>, bool)> {
    let length = file.metadata()?.len();
    if offset >= length {
        return Ok((Vec::new(), false));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(LOG_PIECE_MAX as u64).read_to_end(&mut bytes)?;
    if bytes.len() == LOG_PIECE_MAX
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
    let has_more = offset + (bytes.len() as u64) < length;
    Ok((bytes, has_more))
}

/// One gzip member. Fast rather than small: logs compress well anyway.
fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
