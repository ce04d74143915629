//! Log files on Unix: readable by their owner only, and never accessed through a symbolic link.
//!
//! Logs contain params and results, and other users of the machine may be able to write to the
//! parent folder of the log path. So folders get the mode 0700 and files 0600, regardless of the
//! umask. The folder of a day and its files must be regular and belong to this user: anything that
//! another user put there is neither read, written nor changed.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use fastjob_core::AttemptId;
use jiff::civil::Date;
use rustix::{
    fd::OwnedFd,
    fs::{Dir, Mode, OFlags, mkdirat, open, openat, unlinkat},
    io::Errno,
    process::geteuid,
};

use super::{super::lock, NOTE_MAX, NOTES, NoteOrder, name};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// The root folder of all logs.
pub(in crate::logs) struct Disk {
    root: PathBuf,
    /// The folder of the last written day, kept open to avoid a lookup for each line.
    last: Mutex<Option<(Date, Arc<OwnedFd>)>>,
}

impl Disk {
    /// Opens the folder, and creates it if it does not exist.
    pub(in crate::logs) fn open(root: &Path) -> io::Result<Self> {
        if !root.exists() {
            fs::DirBuilder::new().recursive(true).mode(FOLDER).create(root)?;
            fs::set_permissions(root, fs::Permissions::from_mode(FOLDER))?;
        }
        let disk = Self { root: root.to_owned(), last: Mutex::default() };
        // Fail now, when the user is watching, not at the first line of the first attempt.
        let (root, trial) = (disk.root()?, format!(".trial-{}", std::process::id()));
        let gone = |removed| match removed {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        };
        gone(unlinkat(&root, &trial, rustix::fs::AtFlags::empty()))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&root, &trial, flags, mode(FILE))?;
        gone(unlinkat(&root, &trial, rustix::fs::AtFlags::empty()))?;
        Ok(disk)
    }

    /// The path of a log, for messages.
    pub(in crate::logs) fn path(&self, day: Date, id: AttemptId) -> PathBuf {
        self.root.join(day.to_string()).join(name(id))
    }

    /// Opens a log to append to it, and creates it if it does not exist.
    pub(in crate::logs) fn append(&self, day: Date, id: AttemptId) -> io::Result<File> {
        let last = lock(&self.last).clone().filter(|(last, _)| *last == day);
        let opened = match last {
            Some((_, folder)) => append(&folder, id),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        match opened {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                // This is the day's first line, or the folder was swept while a long attempt was
                // running.
                let folder = Arc::new(self.make_day(day)?);
                *lock(&self.last) = Some((day, Arc::clone(&folder)));
                append(&folder, id)
            }
            opened => opened,
        }
    }

    /// Opens a log to read it.
    pub(in crate::logs) fn read(&self, day: Date, id: AttemptId) -> io::Result<File> {
        let folder = own_folder(openat(self.root()?, day.to_string(), folder(), Mode::empty())?)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        own_file(openat(folder, name(id), flags, Mode::empty())?)
    }

    /// Writes the note of a log that is being uploaded.
    pub(in crate::logs) fn write_note(&self, id: AttemptId, text: &str) -> io::Result<()> {
        let notes = self.make_folder(NOTES)?;
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        own_file(openat(notes, id.to_string(), flags, mode(FILE))?)?.write_all(text.as_bytes())
    }

    /// Removes the note of a log, if there is one.
    pub(in crate::logs) fn remove_note(&self, id: AttemptId) -> io::Result<()> {
        let Some(notes) = self.notes()? else { return Ok(()) };
        match unlinkat(&notes, id.to_string(), rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(err) => Err(err.into()),
        }
    }

    /// Reads the notes of the latest logs, or of the oldest.
    pub(in crate::logs) fn read_notes(
        &self,
        most: usize,
        order: NoteOrder,
    ) -> io::Result<Vec<(AttemptId, String)>> {
        let Some(notes) = self.notes()? else { return Ok(Vec::new()) };
        let mut ids = Vec::new();
        for entry in Dir::read_from(&notes)? {
            ids.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<i64>().ok()));
        }
        order.sort(&mut ids);
        ids.truncate(most);
        let mut found = Vec::new();
        for id in ids {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let opened = openat(&notes, id.to_string(), flags, Mode::empty());
            let Ok(file) = opened.map_err(io::Error::from).and_then(own_file) else { continue };
            let mut text = String::new();
            if file.take(NOTE_MAX).read_to_string(&mut text).is_ok() {
                found.push((AttemptId(id), text));
            }
        }
        Ok(found)
    }

    fn notes(&self) -> io::Result<Option<OwnedFd>> {
        match openat(self.root()?, NOTES, folder(), Mode::empty()) {
            Ok(notes) => own_folder(notes).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(err) => Err(err.into()),
        }
    }

    fn root(&self) -> io::Result<OwnedFd> {
        // The owner chose this path; it may be a link to another disk.
        Ok(open(&self.root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn make_day(&self, day: Date) -> io::Result<OwnedFd> {
        self.make_folder(&day.to_string())
    }

    fn make_folder(&self, name: &str) -> io::Result<OwnedFd> {
        let root = match self.root() {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                fs::DirBuilder::new().recursive(true).mode(FOLDER).create(&self.root)?;
                self.root()?
            }
            root => root?,
        };
        match mkdirat(&root, name, mode(FOLDER)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(err) => return Err(err.into()),
        }
        own_folder(openat(&root, name, folder(), Mode::empty())?)
    }
}

fn mode(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits as _)
}

fn folder() -> OFlags {
    OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn append(folder: &OwnedFd, id: AttemptId) -> io::Result<File> {
    // A named pipe that another user put there must not block the thread.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    own_file(openat(folder, name(id), flags, mode(FILE))?)
}

fn own_folder(folder: OwnedFd) -> io::Result<OwnedFd> {
    let folder = File::from(folder);
    narrow(&folder, FOLDER)?;
    Ok(folder.into())
}

fn own_file(file: OwnedFd) -> io::Result<File> {
    let file = File::from(file);
    narrow(&file, FILE)?;
    Ok(file)
}

/// Removes permissions that an older release, a copy or an unusual umask gave to others, and
/// rejects files of other users. Files of root, for example from a backup, are accepted.
fn narrow(file: &File, wanted: u32) -> io::Result<()> {
    let (found, mine) = (file.metadata()?, geteuid().as_raw());
    let is_right_kind = if wanted == FOLDER { found.is_dir() } else { found.is_file() };
    let reject = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !is_right_kind {
        let kind = if wanted == FOLDER { "folder" } else { "regular file" };
        return reject(format!("it is not a {kind}"));
    }
    if ![mine, 0].contains(&found.uid()) {
        return reject(format!("it belongs to another user: {}", found.uid()));
    }
    if found.uid() != mine || found.mode() & 0o777 == wanted {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(wanted))
}
