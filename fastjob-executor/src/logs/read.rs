//! Reads a log from an offset, while its attempt runs and afterwards.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use fastjob_core::AttemptId;
use jiff::civil::Date;

use super::{Inner, LogError, Logs, lock};

/// Maximum bytes of one page.
const PAGE_MAX: u32 = 1024 * 1024;

/// Minimum bytes of one page: enough for any character, so that each page makes progress.
const PAGE_MIN: u32 = 4;

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogPage {
    /// Where the text begins: the requested offset, or the log's end if that is smaller.
    pub(crate) offset: u64,
    /// The offset of the next page, in bytes of the file.
    pub(crate) next_offset: u64,
    /// Complete characters; invalid bytes are replaced.
    pub(crate) text: String,
    /// Whether this is the last page and no more will follow.
    pub(crate) ended: bool,
}

impl Logs {
    /// Reads up to `limit` bytes (4 to 1 MiB) from `offset`.
    ///
    /// # Errors
    ///
    /// Fails with [`LogError::NotFound`] if no such attempt runs here and it has no file (an
    /// attempt that ended without a line has none), and with [`LogError::Read`] if the file cannot
    /// be read.
    pub(crate) async fn read(
        &self,
        id: AttemptId,
        offset: u64,
        limit: u32,
    ) -> Result<LogPage, LogError> {
        let inner = Arc::clone(&self.0);
        let page = tokio::task::spawn_blocking(move || inner.read(id, offset, limit)).await;
        page.unwrap_or_else(|err| {
            Err(LogError::Read { path: self.0.root.clone(), source: io::Error::other(err) })
        })
    }
}

impl Inner {
    fn read(&self, id: AttemptId, offset: u64, limit: u32) -> Result<LogPage, LogError> {
        let (found, running, ended) = match self.live(id) {
            Some(live) => {
                let ended = live.has_ended(); // check first, so that all lines have been written
                live.write_out();
                (self.disk.read(live.day(), id), true, ended)
            }
            None => (self.find(id), false, true),
        };
        let limit = limit.clamp(PAGE_MIN, PAGE_MAX);
        match found.and_then(|file| page(file, offset, limit, ended)) {
            Ok(page) => Ok(page),
            Err(err) if err.kind() == io::ErrorKind::NotFound && running => {
                Ok(LogPage { offset: 0, next_offset: 0, text: String::new(), ended })
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => Err(LogError::NotFound(id)),
            Err(source) => Err(LogError::Read { path: self.root.clone(), source }),
        }
    }

    /// Opens the log of an attempt that has ended.
    fn find(&self, id: AttemptId) -> io::Result<File> {
        let recent = lock(&self.recent).days.get(&id).copied();
        if let Some(day) = recent {
            return self.disk.read(day, id);
        }
        let mut days = self.days()?;
        days.sort_unstable_by(|a, b| b.cmp(a));
        for day in days {
            match self.disk.read(day, id) {
                // The folder may have been swept in the meantime.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                found => return found,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// The days that have a folder, in no particular order.
    pub(super) fn days(&self) -> io::Result<Vec<Date>> {
        let mut days = Vec::new();
        for entry in std::fs::read_dir(&self.root)? {
            let entry = entry?;
            let day = entry.file_name().to_str().and_then(parse_day);
            // `file_type` does not follow symbolic links.
            if let Some(day) = day.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                days.push(day);
            }
        }
        Ok(days)
    }
}

/// Accepts only folder names that this crate creates.
fn parse_day(name: &str) -> Option<Date> {
    name.parse::<Date>().ok().filter(|day| day.to_string() == name)
}

fn page(mut file: File, offset: u64, limit: u32, ended: bool) -> io::Result<LogPage> {
    let len = file.metadata()?.len();
    let offset = file.seek(SeekFrom::Start(offset.min(len)))?;
    let mut bytes = Vec::new();
    file.take(limit.into()).read_to_end(&mut bytes)?;
    let at_end = offset + bytes.len() as u64 >= len;
    // The rest of the character follows with the next page. At the end of the log there is no rest.
    if !(ended && at_end) {
        bytes.truncate(whole_characters(&bytes));
    }
    let next_offset = offset + bytes.len() as u64;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned());
    Ok(LogPage { offset, next_offset, text, ended: ended && next_offset >= len })
}

/// Returns the length of the bytes without an incomplete character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let begun = (bytes.len().saturating_sub(3)..bytes.len())
        .rev()
        .find(|at| bytes[*at] & 0b1100_0000 != 0b1000_0000)
        .filter(|at| {
            let size = match bytes[*at] {
                0b1100_0000..=0b1101_1111 => 2,
                0b1110_0000..=0b1110_1111 => 3,
                0b1111_0000..=0b1111_0111 => 4,
                _ => 1,
            };
            at + size > bytes.len()
        });
    begun.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_ends_within_a_character() {
        for text in ["", "a", "aé", "a€", "a🦀"] {
            let bytes = text.as_bytes();
            assert_eq!(whole_characters(bytes), bytes.len(), "{text}");
            for cut in 2..bytes.len() {
                assert_eq!(whole_characters(&bytes[..cut]), 1, "{text} cut at {cut}");
            }
        }
        // Invalid bytes never become a character, so there is nothing to wait for.
        assert_eq!(whole_characters(&[0x80, 0x80, 0x80, 0x80]), 4);
        assert_eq!(whole_characters(&[b'a', 0xff]), 2);
    }

    #[test]
    fn only_our_own_folder_names_are_days() {
        assert!(parse_day("2026-11-23").is_some());
        for other in ["20261123", "2026-11-23T00:00", "2026-13-01", "keep", "2026-1-2", ".."] {
            assert!(parse_day(other).is_none(), "{other}");
        }
    }
}
