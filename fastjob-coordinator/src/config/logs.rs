//! Where whole logs are kept, and for how long: `[coordinator.logs]`.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use http::Uri;

use super::{
    ByteSize, Problem, Secret,
    setting::{at_least, settings},
};

/// Smallest limit for one log: a piece of it.
const LOG_MIN: ByteSize = ByteSize::mib(1);

settings! {
    /// Whole logs, which outlive their executors. Without a `store`, the end of each log is kept
    /// with its outcome, and nothing else.
    pub struct LogsConfig {
        /// Where whole logs are kept; a folder is created if it is missing. If it is not set, whole
        /// logs are not kept.
        pub store: Option<LogsUrl> = None;
        /// How long whole logs are kept; zero keeps them forever. A log cannot be read without its
        /// task, which `history` bounds.
        pub max_age: Duration = Duration::from_secs(30 * 24 * 3600);
        /// Maximum size of all logs together, compressed, and in a folder in blocks of 4 KiB. Above
        /// it, the oldest are removed. `0B` is no limit; otherwise at least `max_log`.
        pub max_size: ByteSize = ByteSize::mib(10 * 1024);
        /// Maximum size of one log, not compressed. What follows is not kept, and the log says so.
        pub max_log: ByteSize = ByteSize::mib(1024), at_least(LOG_MIN);
    groups:
        /// How a bucket is accessed.
        pub s3: S3Config;
    }
}

/// Where whole logs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogsUrl {
    /// In this folder.
    Folder(PathBuf),
    /// In an S3-compatible bucket.
    Bucket {
        /// Its name.
        name: String,
        /// The beginning of the names of all objects, without slashes at its ends; may be empty.
        prefix: String,
    },
}

settings! {
    /// How an S3-compatible bucket is accessed. What is not set comes from the variables of AWS.
    pub struct S3Config {
        /// The URL of the service. If it is not set, `AWS_ENDPOINT_URL`, else that of AWS.
        pub endpoint: Option<String> = None;
        /// The region. If it is not set, `AWS_REGION`, else `us-east-1`.
        pub region: Option<String> = None;
        /// The id of the access key, together with `secret_key`. If they are not set,
        /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, else the role that AWS gives the machine.
        pub access_key: Option<String> = None;
        /// The secret of the access key. Better in a variable than in a file.
        pub secret_key: Option<Secret> = None;
        /// The token of a temporary access key. If it is not set and the access key comes from the
        /// variables of AWS, `AWS_SESSION_TOKEN`.
        pub session_token: Option<Secret> = None;
        /// Allows logs to be sent in plain text to another machine, if something else protects the
        /// connection.
        pub allow_http: bool = false;
    }
}

/// Why a text does not say where logs are kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogsUrl {
    /// It is neither a folder nor a bucket.
    #[error("write it like `folder:/var/lib/fastjob/logs` or `s3://bucket/prefix`")]
    Unknown,
    /// The name of the bucket is not one.
    #[error(
        "the name of a bucket has 3 to 63 lower-case letters, digits, dots and hyphens: write it \
         like `s3://bucket/prefix`"
    )]
    Bucket,
    /// The prefix has other characters.
    #[error("a prefix consists of letters, digits, `.`, `_`, `-`, and `/` between its parts")]
    Prefix,
    /// This build has no S3.
    #[error("this build cannot use buckets: build it with the feature `s3`")]
    NoS3,
}

impl FromStr for LogsUrl {
    type Err = InvalidLogsUrl;

    /// Reads `folder:PATH`, a path, or `s3://BUCKET/PREFIX`.
    fn from_str(text: &str) -> Result<Self, InvalidLogsUrl> {
        if let Some(rest) = text.strip_prefix("s3://") {
            if !cfg!(feature = "s3") {
                return Err(InvalidLogsUrl::NoS3);
            }
            let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return bucket(name, prefix.trim_matches('/'));
        }
        match text.strip_prefix("folder:").unwrap_or(text) {
            "" => Err(InvalidLogsUrl::Unknown),
            path if path.contains("://") => Err(InvalidLogsUrl::Unknown),
            path => Ok(Self::Folder(PathBuf::from(path))),
        }
    }
}

fn bucket(name: &str, prefix: &str) -> Result<LogsUrl, InvalidLogsUrl> {
    let is_of_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
    if !(3..=63).contains(&name.len()) || !name.bytes().all(is_of_name) {
        return Err(InvalidLogsUrl::Bucket);
    }
    let is_of_prefix = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_of_prefix);
    if prefix.len() > 256 || !(prefix.is_empty() || prefix.split('/').all(is_part)) {
        return Err(InvalidLogsUrl::Prefix);
    }
    Ok(LogsUrl::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
}

impl fmt::Display for LogsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "folder:{}", path.display()),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

impl LogsConfig {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("coordinator.logs.{key}"), message));
        };
        match &self.store {
            Some(LogsUrl::Folder(path)) => {
                if let Err(message) = usable(path) {
                    problem("store", message);
                }
                if self.s3 != S3Config::default() {
                    problem("s3", "it applies only to logs in a bucket".to_owned());
                }
            }
            Some(LogsUrl::Bucket { .. }) => {
                if self.s3.access_key.is_some() != self.s3.secret_key.is_some() {
                    problem("s3", "access_key and secret_key belong together".to_owned());
                }
                if let Some(Err(message)) = self.s3.endpoint.as_ref().map(|url| self.s3.judge(url))
                {
                    problem("s3.endpoint", message);
                }
            }
            None => {}
        }
        if self.max_size.0 > 0 && self.max_size < self.max_log {
            problem("max_size", format!("it is less than max_log, {}", self.max_log));
        }
    }
}

impl S3Config {
    /// Checks the URL of the service: logs must not be readable on the network.
    pub(crate) fn judge(&self, url: &str) -> Result<(), String> {
        let uri: Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
        let host = uri.host().ok_or_else(|| "it has no host".to_owned())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if is_local || self.allow_http => Ok(()),
            Some("http") => Err(format!(
                "logs would be sent in plain text to {host}: use https, or set allow_http = true if \
                 the connection is protected otherwise"
            )),
            _ => Err("it does not begin with https://".to_owned()),
        }
    }
}

/// Whether a folder can be used, or created.
fn usable(path: &Path) -> Result<(), String> {
    let found = path.ancestors().find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::metadata(folder).ok().map(|found| (folder, found))
    });
    match found {
        Some((folder, found)) if !found.is_dir() => {
            Err(format!("{} is not a folder", folder.display()))
        }
        Some((folder, _)) => writable(folder),
        None => Err(format!("{} cannot be reached", path.display())),
    }
}

#[cfg(unix)]
fn writable(folder: &Path) -> Result<(), String> {
    use rustix::fs::{Access, access};
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|err| format!("this user may not write to {}: {err}", folder.display()))
}

#[cfg(not(unix))]
fn writable(_: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets_are_read_and_shown() {
        #[track_caller]
        fn check(text: &str, shown: &str) {
            assert_eq!(text.parse::<LogsUrl>().unwrap().to_string(), shown);
        }
        check("folder:/var/lib/logs", "folder:/var/lib/logs");
        check("logs", "folder:logs");
        if cfg!(feature = "s3") {
            check("s3://my-logs", "s3://my-logs");
            check("s3://my-logs/a/b_c/", "s3://my-logs/a/b_c");
        }
        for wrong in
            ["", "folder:", "gs://bucket", "s3://", "s3://UP/x", "s3://abc/../x", "s3://abc/a b"]
        {
            assert!(wrong.parse::<LogsUrl>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_service_in_plain_text_is_accepted_on_loopback_or_if_it_is_allowed() {
        let s3 = S3Config::default();
        for fine in ["https://s3.example.org", "http://127.0.0.1:9000", "http://[::1]:9000"] {
            assert_eq!(s3.judge(fine), Ok(()), "{fine}");
        }
        for wrong in ["http://minio:9000", "minio:9000", "ftp://minio", "/path", ""] {
            assert!(s3.judge(wrong).is_err(), "{wrong}");
        }
        let s3 = S3Config { allow_http: true, ..s3 };
        assert_eq!(s3.judge("http://minio:9000"), Ok(()));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(usable(folder.path()), Ok(()));
        assert_eq!(usable(&folder.path().join("a/b")), Ok(()));
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = usable(&folder.path().join("file/logs")).unwrap_err();
        assert!(refused.ends_with("file is not a folder"), "{refused}");
    }
}
