//! The entries of `commandJobHandler`: which programs the executor's owner allows.
//!
//! An entry names one program by its absolute path and lists what a job may choose: arguments,
//! variables, folders, and whether it gives input. Everything that an entry does not list is
//! rejected. All entries are checked when the executor starts.

mod pattern;
mod read;
mod rules;
mod words;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

pub(crate) use self::read::{entries, line};
#[cfg(unix)]
pub(super) use self::{
    rules::{PATH, Rule, Rules, check, judge_variable},
    words::words,
};

/// One command that `commandJobHandler` may run. Without any entry, the handler does not exist.
///
/// A job names the entry and gives arguments, which the entry must allow. The program runs with a
/// clean environment: a fixed `PATH`, the variables that the entry sets, those that a job may set,
/// and `FASTJOB_TASK`, `FASTJOB_ATTEMPT`, `FASTJOB_SHARD_INDEX` and `FASTJOB_SHARD_TOTAL`.
///
/// An interpreter (`sh`, `python3`, `perl`), or a program that runs others (`env`, `find`, `xargs`,
/// `ssh`), does whatever its arguments and its input say. Allow it only with fixed arguments.
/// ```
/// use fastjob_executor::CommandEntry;
///
/// let report = CommandEntry::program("report", "/usr/local/bin/report")
///     .args(["--month", "{date}", "--region={eu|us}"])
///     .run_as(1001, 1001)
///     .limit_memory(512 * 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CommandEntry {
    pub(super) what: What,
    pub(super) args: Vec<String>,
    pub(super) dir: Option<PathBuf>,
    pub(super) job_dirs: Vec<PathBuf>,
    pub(super) env: Variables,
    pub(super) job_env: Vec<String>,
    pub(super) job_stdin: bool,
    pub(super) run_as: Option<Account>,
    pub(super) limits: Limits,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// One program, for jobs that name the entry.
    Program { name: String, path: PathBuf },
    /// Scripts that a job supplies (`"shell": true`).
    Scripts,
    /// Any program that a job names.
    Any,
}

/// Variables and their values. `Debug` does not show the values.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Variables(pub(super) BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A numeric user id and group id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Resource limits of a program; `None` means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) cpu: Option<Duration>,
    pub(super) memory: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) processes: Option<u64>,
    pub(super) file_size: Option<u64>,
}

impl CommandEntry {
    /// A program that jobs start by `name`. `path` must be absolute: `PATH` is not searched.
    ///
    /// Without [`args`](Self::args) it runs without arguments.
    pub fn program(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::of(What::Program { name: name.into(), path: path.into() })
    }

    /// Scripts that jobs supply (`"shell": true`), run by `/bin/sh`.
    ///
    /// A script can do everything that its user can: read and change files, access the network, run
    /// any program. Everyone who may save a job then has that user's permissions.
    pub fn scripts() -> Self {
        Self { job_stdin: true, ..Self::of(What::Scripts) }
    }

    /// Any program that a job names, with any arguments, folder and input, and scripts too.
    ///
    /// Everyone who may save a job then has all permissions of the user that the programs run as.
    /// If a job names another entry, that entry applies.
    pub fn any() -> Self {
        Self { job_stdin: true, ..Self::of(What::Any) }
    }

    fn of(what: What) -> Self {
        Self {
            what,
            args: Vec::new(),
            dir: None,
            job_dirs: Vec::new(),
            env: Variables::default(),
            job_env: Vec::new(),
            job_stdin: false,
            run_as: None,
            limits: Limits::default(),
        }
    }

    /// The arguments, one by one: a fixed text, or a pattern that the job fills in.
    ///
    /// | pattern | what a job may give for it |
    /// |---|---|
    /// | `{number}` | 1 to 18 digits |
    /// | `{date}` | a date such as `2026-11-28` |
    /// | `{word}` | up to 128 letters, digits and `_`, `-`, `.` of ASCII; it begins with a letter, a digit or `_` |
    /// | `{eu\|us}` | one of these |
    /// | `{text}` | a text without control characters that does not begin with `-` |
    /// | `{any}` | any text at all: options too |
    ///
    /// A pattern can be a part of an argument (`--region={word}`). Each argument has at most one. A
    /// last argument that ends with `...`, such as `{word}...`, matches any number of arguments.
    /// Double a brace to use it literally. If a job gives no arguments, an entry without patterns
    /// runs with the arguments listed here.
    #[must_use]
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// The program's working directory. Default: the executor's.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Folders that a job may choose, including everything below them. Default: none.
    ///
    /// Symbolic links below these folders are not followed.
    #[must_use]
    pub fn job_dirs<T: Into<PathBuf>>(mut self, dirs: impl IntoIterator<Item = T>) -> Self {
        self.job_dirs = dirs.into_iter().map(Into::into).collect();
        self
    }

    /// Sets an environment variable of the program. A job cannot override it.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.0.insert(name.into(), value.into());
        self
    }

    /// The names of variables that a job may set. Default: none.
    ///
    /// Variables that make programs load code, such as `LD_PRELOAD`, `BASH_ENV`, `PYTHONPATH` and
    /// `PATH`, are rejected at start.
    #[must_use]
    pub fn job_env<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.job_env = names.into_iter().map(Into::into).collect();
        self
    }

    /// Lets a job give the program standard input. Default: no input.
    #[must_use]
    pub fn job_stdin(mut self) -> Self {
        self.job_stdin = true;
        self
    }

    /// The numeric user and group that the program runs as, without supplementary groups. Default:
    /// the executor's. Running as another user needs root, or `CAP_SETUID` and `CAP_SETGID`.
    ///
    /// An executor that runs as root must name a user for each entry that a job can influence. Use
    /// 0 to choose root explicitly.
    #[must_use]
    pub fn run_as(mut self, user: u32, group: u32) -> Self {
        self.run_as = Some(Account { user, group });
        self
    }

    /// Limits the CPU time of each process, in whole seconds.
    #[must_use]
    pub fn limit_cpu(mut self, time: Duration) -> Self {
        self.limits.cpu = Some(time);
        self
    }

    /// Limits the address space of each process, in bytes. Not available on macOS.
    #[must_use]
    pub fn limit_memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// Limits the number of open files of each process.
    #[must_use]
    pub fn limit_open_files(mut self, count: u64) -> Self {
        self.limits.open_files = Some(count);
        self
    }

    /// Limits the number of processes of the user that the program runs as, over all its programs.
    /// The limit does not apply to root.
    #[must_use]
    pub fn limit_processes(mut self, count: u64) -> Self {
        self.limits.processes = Some(count);
        self
    }

    /// Limits the size of each file that is written, in bytes.
    #[must_use]
    pub fn limit_file_size(mut self, bytes: u64) -> Self {
        self.limits.file_size = Some(bytes);
        self
    }

    /// The entry's name in messages.
    pub(super) fn name(&self) -> &str {
        match &self.what {
            What::Program { name, .. } => name,
            What::Scripts => "scripts",
            What::Any => "any",
        }
    }
}

#[cfg(test)]
mod tests;
