//! The files of the console: those of the program, or those of a folder.
//!
//! The files of the program never change while it runs. Their addresses contain a digest of all of
//! them, so that a browser may keep them for ever and never mixes two releases. Each is compressed
//! once, when it is first requested.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use fastjob_core::wire::hex;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::table::FILES;

/// The page that all others are part of.
const INDEX: &str = "index.html";
/// Stands in for the digest of the files of a folder, which may change.
const UNSTABLE: &str = "dev";
/// Largest file of a folder that is served.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// Where the files come from.
pub(super) enum Files {
    Program { digest: String, files: &'static [Embedded] },
    Folder(PathBuf),
}

/// A file of the program.
pub(super) struct Embedded {
    name: &'static str,
    bytes: &'static [u8],
    /// The beginning of its digest.
    tag: String,
    zipped: OnceLock<Option<Bytes>>,
}

/// A file to serve.
pub(super) enum Found {
    /// It is the same as long as its address is.
    Stable(&'static Embedded),
    Changing {
        media: &'static str,
        bytes: Vec<u8>,
    },
}

impl Files {
    pub(super) fn new(dir: Option<PathBuf>) -> Self {
        static EMBEDDED: OnceLock<(String, Vec<Embedded>)> = OnceLock::new();
        if let Some(dir) = dir {
            return Self::Folder(dir);
        }
        let (digest, files) = EMBEDDED.get_or_init(|| {
            let mut all = Sha256::new();
            let files = FILES.iter().map(|&(name, bytes)| {
                let digest = Sha256::digest(bytes);
                all.update(name);
                all.update([0]);
                all.update(digest);
                Embedded { name, bytes, tag: hex(&digest[..8]), zipped: OnceLock::new() }
            });
            let files = files.collect();
            (hex(&all.finalize()[..8]), files)
        });
        Self::Program { digest: digest.clone(), files }
    }

    /// The part of the addresses of files that changes with them.
    pub(super) fn digest(&self) -> &str {
        match self {
            Self::Program { digest, .. } => digest,
            Self::Folder(_) => UNSTABLE,
        }
    }

    /// The page.
    pub(super) async fn index(&self) -> io::Result<Cow<'static, str>> {
        let text = |bytes| String::from_utf8(bytes).map_err(io::Error::other);
        match self {
            Self::Program { files, .. } => {
                let index = files.iter().find(|file| file.name == INDEX);
                let bytes = index.map_or(&[][..], |file| file.bytes);
                std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(io::Error::other)
            }
            Self::Folder(dir) => Ok(Cow::Owned(text(tokio::fs::read(dir.join(INDEX)).await?)?)),
        }
    }

    /// A file by its path; `None` if there is none, or it is the page, which has an address of its own.
    pub(super) async fn find(&self, path: &str) -> Option<Found> {
        match self {
            Self::Program { files, .. } => {
                let file = files.iter().find(|file| file.name == path && file.name != INDEX)?;
                Some(Found::Stable(file))
            }
            Self::Folder(dir) => {
                let path = is_plain(path).then(|| dir.join(path))?;
                let known = tokio::fs::metadata(&path).await.ok()?;
                (known.is_file() && known.len() <= FILE_MAX).then_some(())?;
                let bytes = tokio::fs::read(&path).await.ok()?;
                Some(Found::Changing { media: media_type(path.to_str()?), bytes })
            }
        }
    }
}

impl Embedded {
    pub(super) fn media(&self) -> &'static str {
        media_type(self.name)
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from_static(self.bytes)
    }

    /// The file compressed with gzip; `None` if that does not make it smaller.
    pub(super) async fn zipped(&'static self) -> Option<Bytes> {
        if let Some(zipped) = self.zipped.get() {
            return zipped.clone();
        }
        // A large file takes tens of milliseconds, which other tasks must not wait for. If this fails,
        // the runtime is shutting down.
        let zip = || self.zipped.get_or_init(|| zip(self.bytes)).clone();
        tokio::task::spawn_blocking(zip).await.ok().flatten()
    }
}

fn zip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    let zipped = encoder.finish().ok()?;
    (zipped.len() < bytes.len()).then(|| zipped.into())
}

/// Whether a path can only name a file below the folder that it is joined to.
fn is_plain(path: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    path.split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain))
}

/// The media type of a file, by its name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

/// Shared by all requests.
pub(super) type Shared = Arc<Files>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_name_files_of_a_folder() {
        for plain in ["index.js", "fonts/inter-latin.woff2", "a_b-c.0.css"] {
            assert!(is_plain(plain), "{plain}");
        }
        for wrong in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            ".env",
            "a/.git/x",
            "a\\b",
            "a b",
            "%2e",
            "ü",
        ] {
            assert!(!is_plain(wrong), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_folder_serves_its_files_as_they_are_now_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("dist");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(root.path().join("secret.txt"), "secret").unwrap();
        std::fs::write(dir.join("index.html"), "<p>1").unwrap();
        std::fs::write(dir.join("index.js"), "1").unwrap();
        let files = Files::new(Some(dir.clone()));
        assert_eq!((files.digest(), &*files.index().await.unwrap()), ("dev", "<p>1"));
        assert!(matches!(
            files.find("index.js").await,
            Some(Found::Changing { media: "text/javascript; charset=utf-8", bytes }) if bytes == b"1"
        ));
        std::fs::write(dir.join("index.js"), "22").unwrap();
        assert!(matches!(
            files.find("index.js").await,
            Some(Found::Changing { bytes, .. }) if bytes == b"22"
        ));
        for wrong in ["../secret.txt", "index.css", "", ".", "/"] {
            assert!(files.find(wrong).await.is_none(), "{wrong}");
        }
    }
}
