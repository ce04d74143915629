//! Reading a file, and finding out who else can read it. Only Unix permissions are checked.

use std::{fs::File, io, io::Read, path::Path};

use super::Exposed;

/// The text of a file, and why others can read or change it, if they can.
///
/// # Errors
///
/// Fails if the file cannot be read, or is not UTF-8.
pub fn read(path: &Path) -> io::Result<(String, Option<Exposed>)> {
    let mut file = File::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, exposed(&file)?))
}

/// Why others can read or change a file, if they can. Pipes and other special files are read only
/// once, so they count as private.
///
/// # Errors
///
/// Fails if the metadata of the file or the groups of the process cannot be read.
#[cfg(unix)]
pub fn exposed(file: &File) -> io::Result<Option<Exposed>> {
    use std::os::unix::fs::MetadataExt;

    use rustix::process;

    use super::{Access, Reader};

    let found = file.metadata()?;
    let access = Access { mode: found.mode(), user: found.uid(), group: found.gid() };
    let mut groups: Vec<_> = process::getgroups()?.into_iter().map(process::Gid::as_raw).collect();
    groups.push(process::getegid().as_raw());
    let reader = Reader { user: process::geteuid().as_raw(), groups };
    Ok(access.exposed_to_others(&reader).filter(|_| found.is_file()))
}

/// Permissions are not checked on this system.
///
/// # Errors
///
/// Never fails.
#[cfg(not(unix))]
pub fn exposed(_: &File) -> io::Result<Option<Exposed>> {
    Ok(None)
}
