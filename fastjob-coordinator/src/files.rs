//! Files that no other user of the machine may read or replace: the store and its companion files,
//! and configurations with secrets.
//!
//! Permissions are checked on Unix only. On Windows a file inherits the access rules of its folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(unix), expect(dead_code, reason = "file types and owners are checked on Unix only"))]
pub(crate) enum NotPrivate {
    #[error("{} cannot be opened: {why}", path.display())]
    Open { path: PathBuf, why: io::Error },
    #[error(
        "{} is a symbolic link, which could be redirected: remove it, or name the file that it \
         points to",
        .0.display()
    )]
    Link(PathBuf),
    #[error("{} is not a regular file", .0.display())]
    NoFile(PathBuf),
    #[error(
        "{} belongs to user {owner}, but this process runs as user {user}: run it as that user, or \
         change the owner with `chown {user} {}`",
        path.display(), path.display()
    )]
    Owner { path: PathBuf, owner: u32, user: u32 },
}

/// Creates a folder and its missing parents, accessible to this user only.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file for reading and writing. Creates it if it is missing, and restricts it to this
/// user. Does not follow a link at the end of the path.
pub(crate) fn open(path: &Path) -> Result<File, NotPrivate> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options_of_the_system(&mut options);
    let opened = options.open(path);
    let file = opened.map_err(|why| match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => NotPrivate::Link(path.to_owned()),
        _ => NotPrivate::Open { path: path.to_owned(), why },
    })?;
    restrict(path, &file)?;
    Ok(file)
}

/// Restricts a file to this user, if it exists.
pub(crate) fn restrict_if_there(path: &Path) -> Result<(), NotPrivate> {
    check(path)?;
    match fs::symlink_metadata(path) {
        Ok(_) => open(path).map(drop),
        Err(_) => Ok(()),
    }
}

/// Tells files apart: the device, and the number of the file on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity(u64, u64);

#[cfg(unix)]
mod system {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

    use rustix::{fs::OFlags, process};

    use super::*;

    /// Read and write for this user only.
    const MODE: u32 = 0o600;

    pub(super) fn options_of_the_system(options: &mut OpenOptions) {
        // A pipe in place of the file must not block the start.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        options.mode(MODE).custom_flags(i32::try_from(flags).unwrap_or_default());
    }

    /// Rejects a link, anything that is not a regular file, and a file of another user. Changes
    /// nothing.
    pub(crate) fn check(path: &Path) -> Result<(), NotPrivate> {
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        if found.is_symlink() {
            return Err(NotPrivate::Link(path.to_owned()));
        }
        check_found(path, &found)
    }

    fn check_found(path: &Path, found: &fs::Metadata) -> Result<(), NotPrivate> {
        let (owner, user) = (found.uid(), process::geteuid().as_raw());
        if !found.is_file() {
            return Err(NotPrivate::NoFile(path.to_owned()));
        }
        if owner != user {
            return Err(NotPrivate::Owner { path: path.to_owned(), owner, user });
        }
        Ok(())
    }

    pub(super) fn restrict(path: &Path, file: &File) -> Result<(), NotPrivate> {
        let open = |why| NotPrivate::Open { path: path.to_owned(), why };
        let found = file.metadata().map_err(open)?;
        check_found(path, &found)?;
        let mode = found.mode() & 0o7777;
        if mode == MODE {
            return Ok(());
        }
        if mode & 0o077 != 0 {
            tracing::warn!(
                file = %path.display(),
                mode = format!("{mode:04o}"),
                "other users could read or write a file of the store: its mode was changed to 0600"
            );
        }
        file.set_permissions(fs::Permissions::from_mode(MODE)).map_err(open)
    }

    /// Whether `path` still names `file`.
    pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
        let (held, found) = (file.metadata()?, fs::symlink_metadata(path)?);
        Ok((held.dev(), held.ino()) == (found.dev(), found.ino()))
    }

    /// Which file `path` names; links are followed.
    pub(crate) fn identity(path: &Path) -> io::Result<Identity> {
        let found = fs::metadata(path)?;
        Ok(Identity(found.dev(), found.ino()))
    }

    /// Checks that a link belongs to this user or to root, so that no other user can redirect it.
    pub(crate) fn is_own_link(path: &Path) -> Result<(), NotPrivate> {
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        let (owner, user) = (found.uid(), process::geteuid().as_raw());
        match found.is_symlink() && owner != user && owner != 0 {
            true => Err(NotPrivate::Owner { path: path.to_owned(), owner, user }),
            false => Ok(()),
        }
    }

    /// Whether any user may replace the files of a folder.
    pub(crate) fn is_open_to_all(folder: &Path) -> bool {
        const STICKY: u32 = 0o1000;
        fs::metadata(folder).is_ok_and(|found| found.mode() & (0o002 | STICKY) == 0o002)
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;

    pub(super) fn options_of_the_system(_: &mut OpenOptions) {}

    pub(crate) fn check(_: &Path) -> Result<(), NotPrivate> {
        Ok(())
    }

    pub(super) fn restrict(_: &Path, _: &File) -> Result<(), NotPrivate> {
        Ok(())
    }

    pub(crate) fn is_at(_: &File, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    /// Open files cannot be replaced on this system.
    pub(crate) fn identity(_: &Path) -> io::Result<Identity> {
        Ok(Identity(0, 0))
    }

    pub(crate) fn is_own_link(_: &Path) -> Result<(), NotPrivate> {
        Ok(())
    }

    pub(crate) fn is_open_to_all(_: &Path) -> bool {
        false
    }
}

pub(crate) use self::system::{check, identity, is_at, is_open_to_all, is_own_link};
use self::system::{options_of_the_system, restrict};

#[cfg(test)]
pub(crate) mod testing {
    //! Files for tests.

    use std::path::Path;

    /// Writes a file that only this user can read.
    pub(crate) fn write_private(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        #[cfg(unix)]
        set_mode(path, 0o600);
    }

    #[cfg(unix)]
    pub(crate) fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}
