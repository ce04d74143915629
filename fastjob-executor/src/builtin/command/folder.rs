//! The working directory of a program.

use std::path::{Component, Path, PathBuf};

use rustix::{
    fd::{AsRawFd as _, OwnedFd},
    fs::{self, Mode, OFlags},
};

use crate::builtin::entry::{CommandEntry, What};

#[derive(Debug)]
pub(super) enum Folder {
    /// The executor's own working directory.
    Own,
    /// A folder set by the entry, or chosen by a job of an `any` entry.
    Named(PathBuf),
    /// A folder that a job chose. It is held open, so that it cannot be swapped after the check.
    Held { named: PathBuf, folder: OwnedFd },
}

impl Folder {
    /// Chooses the folder for a job that requests `dir`, or no folder.
    pub(super) fn choose(entry: &CommandEntry, dir: Option<&str>) -> Result<Self, String> {
        let Some(dir) = dir.map(Path::new) else {
            return Ok(entry.dir.clone().map_or(Self::Own, Self::Named));
        };
        let shown = dir.display();
        if !dir.is_absolute() || dir.components().any(|part| part == Component::ParentDir) {
            return Err(format!("the folder `{shown}` is not an absolute path without `..`"));
        }
        if entry.what == What::Any {
            return Ok(Self::Named(dir.to_owned()));
        }
        let within = |root: &PathBuf| dir.strip_prefix(root).ok().map(|rest| (root.clone(), rest));
        let Some((root, rest)) = entry.job_dirs.iter().find_map(within) else {
            return Err(format!(
                "a job may not choose the folder `{shown}` for `{}`; its entry lists folders in \
                 `job_dirs`",
                entry.name()
            ));
        };
        let folder = beneath(&root, rest).map_err(|err| {
            format!("cannot open the folder `{shown}` without following links: {err}")
        })?;
        Ok(Self::Held { named: dir.to_owned(), folder })
    }

    /// The path that the new process changes to.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Own => None,
            Self::Named(path) => Some(path.clone()),
            Self::Held { named, folder } => Some(if cfg!(target_os = "linux") {
                // The path may have been replaced since the check.
                PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
            } else {
                named.clone()
            }),
        }
    }

    /// The folder's path, if the folder does not exist.
    pub(super) fn missing(&self) -> Option<&Path> {
        match self {
            Self::Named(path) if !path.is_dir() => Some(path),
            Self::Own | Self::Named(_) | Self::Held { .. } => None,
        }
    }
}

/// Opens a folder below `root`, one path component at a time, without following symbolic links.
fn beneath(root: &Path, rest: &Path) -> rustix::io::Result<OwnedFd> {
    // Opening a folder this way needs no read permission.
    #[cfg(target_os = "linux")]
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = fs::open(root, flags, Mode::empty())?;
    for part in rest.components() {
        folder = fs::openat(&folder, part.as_os_str(), flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(folder)
}
