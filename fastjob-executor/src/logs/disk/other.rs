//! Log files on systems other than Unix. The access rules of the folder decide who can read them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use fastjob_core::AttemptId;
use jiff::civil::Date;

use super::name;

/// The root folder of all logs.
pub(in crate::logs) struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Opens the folder, and creates it if it does not exist.
    pub(in crate::logs) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        // Fail now, when the user is watching, not at the first line of the first attempt.
        let trial = root.join(format!(".trial-{}", std::process::id()));
        File::create(&trial)?;
        fs::remove_file(&trial)?;
        Ok(Self { root: root.to_owned() })
    }

    /// The path of a log, for messages.
    pub(in crate::logs) fn path(&self, day: Date, id: AttemptId) -> PathBuf {
        self.root.join(day.to_string()).join(name(id))
    }

    /// Opens a log to append to it, and creates it if it does not exist.
    pub(in crate::logs) fn append(&self, day: Date, id: AttemptId) -> io::Result<File> {
        let path = self.path(day, id);
        let append = || File::options().append(true).create(true).open(&path);
        match append() {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                // This is the day's first line, or the folder was swept while a long attempt was
                // running.
                fs::create_dir_all(self.root.join(day.to_string()))?;
                append()
            }
            opened => opened,
        }
    }

    /// Opens a log to read it.
    pub(in crate::logs) fn read(&self, day: Date, id: AttemptId) -> io::Result<File> {
        File::open(self.path(day, id))
    }
}
