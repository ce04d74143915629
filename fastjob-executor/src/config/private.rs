//! Who can read the settings file. Only Unix permissions are checked.

use std::{fs::File, io, io::Read, path::Path};

use fastjob_core::private::Exposed;

/// The text of a file, and who else can read it.
pub(super) fn read(path: &Path) -> io::Result<(String, Option<Exposed>)> {
    let mut file = File::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, exposed(&file)?))
}

#[cfg(unix)]
fn exposed(file: &File) -> io::Result<Option<Exposed>> {
    use std::os::unix::fs::MetadataExt;

    use fastjob_core::private::{Access, Reader};
    use rustix::process;

    let found = file.metadata()?;
    let access = Access { mode: found.mode(), user: found.uid(), group: found.gid() };
    let mut groups: Vec<_> = process::getgroups()?.into_iter().map(process::Gid::as_raw).collect();
    groups.push(process::getegid().as_raw());
    let reader = Reader { user: process::geteuid().as_raw(), groups };
    // Pipes and other special files are read only once, so they are not checked.
    Ok(access.exposed_to_others(&reader).filter(|_| found.is_file()))
}

#[cfg(not(unix))]
fn exposed(_: &File) -> io::Result<Option<Exposed>> {
    Ok(None)
}
