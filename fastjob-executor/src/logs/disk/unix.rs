//! The files on the disk: for their owner alone, and never reached over a link.
//!
//! Logs have params and results in them, and other users of the machine may be able to write to the
//! folder that the log path is in. So folders have the mode 0700 and files 0600, whatever the umask
//! is. The folder of a day, and a file in it, have to be real ones of this user: nothing that
//! somebody else put there is read, written or changed.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use fastjob_core::AttemptId;
use jiff::civil::Date;
use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, mkdirat, open, openat, unlinkat},
    io::Errno,
    process::geteuid,
};

use super::{super::lock, name};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// The folder of all logs.
pub(in crate::logs) struct Disk {
    root: PathBuf,
    /// The day that was written last, so that a line need not look for its folder.
    last: Mutex<Option<(Date, Arc<OwnedFd>)>>,
}

impl Disk {
    /// Uses the folder, which is made if it is not there.
    pub(in crate::logs) fn open(root: &Path) -> io::Result<Self> {
        if !root.exists() {
            fs::DirBuilder::new().recursive(true).mode(FOLDER).create(root)?;
            fs::set_permissions(root, fs::Permissions::from_mode(FOLDER))?;
        }
        let disk = Self { root: root.to_owned(), last: Mutex::default() };
        // Found out now, where somebody looks, not at the first line of the first attempt.
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

    /// Where a log is, for people.
    pub(in crate::logs) fn path(&self, day: Date, id: AttemptId) -> PathBuf {
        self.root.join(day.to_string()).join(name(id))
    }

    /// Opens a log to append to it; it is made if it is not there.
    pub(in crate::logs) fn append(&self, day: Date, id: AttemptId) -> io::Result<File> {
        let last = lock(&self.last).clone().filter(|(last, _)| *last == day);
        let opened = match last {
            Some((_, folder)) => append(&folder, id),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        match opened {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                // The day's first line, or the folder was swept under a long attempt.
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

    fn root(&self) -> io::Result<OwnedFd> {
        // It is the owner's choice, and may well be a link to another disk.
        Ok(open(&self.root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    fn make_day(&self, day: Date) -> io::Result<OwnedFd> {
        let name = day.to_string();
        let root = match self.root() {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                fs::DirBuilder::new().recursive(true).mode(FOLDER).create(&self.root)?;
                self.root()?
            }
            root => root?,
        };
        match mkdirat(&root, &name, mode(FOLDER)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(err) => return Err(err.into()),
        }
        own_folder(openat(&root, &name, folder(), Mode::empty())?)
    }
}

fn mode(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits as _)
}

fn folder() -> OFlags {
    OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn append(folder: &OwnedFd, id: AttemptId) -> io::Result<File> {
    // A pipe that somebody put there must not hold the thread up.
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

/// Takes from others what an older release, a copy or an odd umask left them, and refuses what is
/// theirs. What root put there, from a backup say, is as good as the user's own.
fn narrow(file: &File, wanted: u32) -> io::Result<()> {
    let (found, mine) = (file.metadata()?, geteuid().as_raw());
    let is_right_kind = if wanted == FOLDER { found.is_dir() } else { found.is_file() };
    if !is_right_kind || ![mine, 0].contains(&found.uid()) {
        let why = format!("it is not the executor's own, but of user {}", found.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    if found.uid() != mine || found.mode() & 0o777 == wanted {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(wanted))
}
