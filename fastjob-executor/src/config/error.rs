//! What is wrong with settings.

use std::path::PathBuf;

/// A problem with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Problem {
    /// The setting.
    pub key: &'static str,
    /// What is wrong, and which values are valid.
    pub message: String,
}

/// Why the settings could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file has an unknown key or an invalid value.
    #[error("{path}: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// The file of the settings or of the token contains the token, and other users of the machine
    /// can read it.
    #[error(
        "{path} contains the token, and {why}: make it this user's own, and run `chmod \
         600 {path}`; a file owned by root may be readable by this process's group (mode 0440 or \
         0640); insecure_files = true, or FASTJOB_INSECURE_FILES=true where others can change the \
         file, allows all files"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Who can read it.
        why: fastjob_core::private::Exposed,
    },
    /// Any user of the machine can write the file; or the file was found in the working directory
    /// and belongs to another user.
    #[error(
        "{path}: {why}: run `chmod 600 {path}` if you know what is in it, and name it in FASTJOB_CONFIG \
         if it is another user's; FASTJOB_INSECURE_FILES=true allows a file that others can change"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Who can change it.
        why: fastjob_core::private::Exposed,
    },
    /// A variable has an invalid value, or an executor has no such variable.
    #[error("{name}: {message}")]
    Variable {
        /// The variable.
        name: String,
        /// The cause.
        message: String,
    },
}
