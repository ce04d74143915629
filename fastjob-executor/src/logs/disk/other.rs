//! Log files on systems other than Unix. The access rules of the folder decide who can read them.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use fastjob_core::AttemptId;
use jiff::civil::Date;

use super::{NOTE_MAX, NOTES, NoteOrder, name};

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

    /// Writes the note of a log that is being uploaded.
    pub(in crate::logs) fn write_note(&self, id: AttemptId, text: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(NOTES))?;
        fs::write(self.root.join(NOTES).join(id.to_string()), text)
    }

    /// Removes the note of a log, if there is one.
    pub(in crate::logs) fn remove_note(&self, id: AttemptId) -> io::Result<()> {
        match fs::remove_file(self.root.join(NOTES).join(id.to_string())) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Reads the notes of the latest logs, or of the oldest.
    pub(in crate::logs) fn read_notes(
        &self,
        most: usize,
        order: NoteOrder,
    ) -> io::Result<Vec<(AttemptId, String)>> {
        let folder = self.root.join(NOTES);
        let entries = match fs::read_dir(&folder) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i64>().ok()));
        }
        order.sort(&mut ids);
        ids.truncate(most);
        let mut found = Vec::new();
        for id in ids {
            let Ok(file) = File::open(folder.join(id.to_string())) else { continue };
            let mut text = String::new();
            if file.take(NOTE_MAX).read_to_string(&mut text).is_ok() {
                found.push((AttemptId(id), text));
            }
        }
        Ok(found)
    }
}
