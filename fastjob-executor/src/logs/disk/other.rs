//! The files where the system is no Unix: the access rules of their folder decide who reads them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use fastjob_core::AttemptId;
use jiff::civil::Date;

use super::name;

/// The folder of all logs.
pub(in crate::logs) struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Uses the folder, which is made if it is not there.
    pub(in crate::logs) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        // Found out now, where somebody looks, not at the first line of the first attempt.
        let trial = root.join(format!(".trial-{}", std::process::id()));
        File::create(&trial)?;
        fs::remove_file(&trial)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Where a log is, for people.
    pub(in crate::logs) fn path(&self, day: Date, id: AttemptId) -> PathBuf {
        self.root.join(day.to_string()).join(name(id))
    }

    /// Opens a log to append to it; it is made if it is not there.
    pub(in crate::logs) fn append(&self, day: Date, id: AttemptId) -> io::Result<File> {
        let path = self.path(day, id);
        let append = || File::options().append(true).create(true).open(&path);
        match append() {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                // The day's first line, or the folder was swept under a long attempt.
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
