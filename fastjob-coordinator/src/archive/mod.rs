//! The archive: whole logs, in pieces, in a folder or in a bucket.
//!
//! Each piece is one object that is written once, completely or not at all, and never changed. Its
//! name says everything about it (`name.rs`), so there is no other state: any node of a cluster
//! continues a log, and a restart forgets nothing. What is in memory is only a memory of what is in
//! the objects.
//!
//! Two nodes may be sent the same part of a log, after an answer was lost. Their pieces may overlap
//! and have the same bytes there, because logs only grow. So readers accept overlaps, and the piece
//! that reaches furthest wins.

mod gzip;
mod keep;
mod name;
mod open;
mod read;
mod remembered;
mod sweep;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::TryStreamExt;
use object_store::{ObjectStore, path::Path};
use tokio::sync::Semaphore;

pub(crate) use self::{
    keep::{NewPiece, NotKept},
    name::LogName,
    read::{Page, State, Wanted},
    sweep::run as sweep,
};
use self::{name::PieceName, read::Names, remembered::Remembered};
use crate::config::ByteSize;

/// Maximum number of pieces that are checked and written at the same time.
const WRITES: usize = 8;
/// Maximum number of pages that are read at the same time.
const READS: usize = 16;
/// Maximum number of logs whose ends are remembered.
const ENDS: usize = 10_000;
/// Maximum number of logs of which the names of the pieces are remembered.
const NAMES: usize = 32;
/// Maximum number of pieces whose text is remembered, for readers that read page by page.
const TEXTS: usize = 16;

/// Why the archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the log store failed: {0}")]
    Store(#[from] object_store::Error),
    #[error("a piece of the log is damaged: {0}")]
    Damaged(String),
    /// The process stops, or the work panicked.
    #[error("the log store was not asked to the end: {0}")]
    Stopped(String),
}

/// The archive of a coordinator. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Archive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Arc<dyn ObjectStore>,
    /// The beginning of all names.
    root: Path,
    /// If the archive is a folder.
    folder: Option<PathBuf>,
    max_log: ByteSize,
    /// Owned by the work, not by those who wait for it: a folder that hangs holds a thread for each,
    /// and no more than these.
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// By log, how far it is kept.
    ends: Mutex<Remembered<LogName, End>>,
    /// By task and attempt, the folder of the log.
    folders: Mutex<Remembered<Path, Path>>,
    /// By folder, the names of the pieces.
    names: Mutex<Remembered<Path, Names>>,
    /// By piece, its text.
    texts: Mutex<Remembered<Path, Arc<Vec<u8>>>>,
}

/// How far a log is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct End {
    offset: u64,
    /// Nothing may follow: it is complete, or was cut.
    is_full: bool,
}

impl Archive {
    fn new(
        objects: Arc<dyn ObjectStore>,
        root: Path,
        folder: Option<PathBuf>,
        max_log: ByteSize,
    ) -> Self {
        Self(Arc::new(Inner {
            objects,
            root,
            folder,
            max_log,
            writes: Arc::new(Semaphore::new(WRITES)),
            reads: Arc::new(Semaphore::new(READS)),
            ends: Mutex::new(Remembered::new(ENDS)),
            folders: Mutex::new(Remembered::new(ENDS)),
            names: Mutex::new(Remembered::new(NAMES)),
            texts: Mutex::new(Remembered::new(TEXTS)),
        }))
    }

    /// The folder of a log.
    fn path(&self, log: &LogName) -> Path {
        log.path(&self.0.root)
    }

    /// The pieces of a log, in the order of their positions.
    async fn pieces(&self, folder: &Path) -> Result<Vec<PieceName>, Error> {
        let listed = self.0.objects.list(Some(folder));
        let named = |object: object_store::ObjectMeta| {
            let name = object.location.filename().and_then(PieceName::parse);
            std::future::ready(Ok::<_, object_store::Error>(name))
        };
        let mut pieces: Vec<_> = listed.try_filter_map(named).try_collect().await?;
        pieces.sort_unstable();
        Ok(pieces)
    }
}

/// Runs the work when there is a place for it, which it holds until it has ended, also if its caller
/// has stopped waiting.
async fn in_place<F>(places: &Arc<Semaphore>, work: F) -> Result<F::Output, Error>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let stopped = |err: &dyn std::error::Error| Error::Stopped(err.to_string());
    let place = Arc::clone(places).acquire_owned().await.map_err(|err| stopped(&err))?;
    let working = tokio::spawn(async move {
        let done = work.await;
        drop(place);
        done
    });
    working.await.map_err(|err| stopped(&err))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
