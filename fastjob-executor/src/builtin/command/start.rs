//! Checks a job's request against its entry and prepares the process.

use std::{
    collections::BTreeMap,
    fmt,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use fastjob_core::JobContext;
use tokio::process;

use super::{folder::Folder, param::Call};
use crate::{
    builtin::entry::{CommandEntry, Limits, PATH, Rule, What, judge_variable},
    trace,
};

const SHELL: &str = "/bin/sh";

/// The exit status of a program whose limits could not be set.
const NO_LIMITS: &str = "126";

/// A process to start, fully checked against its entry.
#[derive(Debug)]
pub(super) struct Start<'a> {
    entry: &'a CommandEntry,
    pub(super) program: PathBuf,
    args: Vec<String>,
    env: BTreeMap<&'a str, &'a str>,
    pub(super) folder: Folder,
    has_input: bool,
}

impl<'a> Start<'a> {
    /// Checks a call against its entry. The error says what the entry does not allow.
    pub(super) fn of(rule: &'a Rule, call: &'a Call) -> Result<Self, String> {
        let entry = &rule.entry;
        let (program, args) = match &entry.what {
            What::Program { path, .. } => {
                let refused = |why| format!("`{}` rejected its arguments: {why}", entry.name());
                (path.clone(), rule.args.judge(&call.args).map_err(refused)?)
            }
            What::Scripts | What::Any if call.shell => {
                let mut args = vec!["-c".to_owned(), call.program.clone(), "sh".to_owned()];
                args.extend_from_slice(&call.args);
                (PathBuf::from(SHELL), args)
            }
            What::Scripts | What::Any => (find(&call.program, entry)?, call.args.clone()),
        };
        if call.stdin.is_some() && !entry.job_stdin {
            return Err(format!(
                "a job may not give `{}` an input; its entry allows that by `job_stdin`",
                entry.name()
            ));
        }
        let folder = Folder::choose(entry, call.dir.as_deref())?;
        Ok(Self {
            entry,
            program,
            args,
            env: env(entry, call)?,
            folder,
            has_input: call.stdin.is_some(),
        })
    }

    /// The process, with exactly the environment that it should have.
    pub(super) fn prepare(&self, ctx: &JobContext) -> process::Command {
        let mut command = match limiting(&self.entry.limits) {
            None => process::Command::new(&self.program),
            Some(script) => {
                // Only a shell can set limits safely between fork and exec.
                let mut sh = process::Command::new(SHELL);
                sh.args(["-c", &script, "sh"]).arg(&self.program);
                sh
            }
        };
        let shard = ctx.shard();
        command
            .args(&self.args)
            .env_clear()
            .envs(&self.env)
            .env("FASTJOB_TASK", ctx.task_id().to_string())
            .env("FASTJOB_ATTEMPT", ctx.attempt_id().to_string())
            // The convention of OpenTelemetry for programs: what they start is part of the trace.
            .envs(trace::traceparent(ctx).map(|value| ("TRACEPARENT", value)))
            .env("FASTJOB_SHARD_INDEX", shard.index.to_string())
            .env("FASTJOB_SHARD_TOTAL", shard.total.to_string())
            .process_group(0)
            .stdin(if self.has_input { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(account) = self.entry.run_as {
            // This also drops the executor's supplementary groups.
            command.uid(account.user).gid(account.group);
        }
        if let Some(dir) = self.folder.path() {
            command.current_dir(dir);
        }
        command
    }

    /// The user that the program runs as, if the entry names one.
    pub(super) fn user(&self) -> Option<u32> {
        self.entry.run_as.map(|account| account.user)
    }
}

/// As a command line. The environment and the input are not shown.
impl fmt::Display for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_word(f, &self.program.to_string_lossy())?;
        self.args.iter().try_for_each(|arg| {
            f.write_str(" ")?;
            write_word(f, arg)
        })
    }
}

fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    // On one line, so that no argument can look like another line of the log.
    let shown: String = word
        .chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            escaped.into_iter().flatten().chain((!c.is_control()).then_some(c))
        })
        .collect();
    if !word.is_empty() && !word.contains([' ', '\t', '\n', '\'', '"', '\\']) {
        f.write_str(&shown)
    } else {
        write!(f, "'{}'", shown.replace('\'', r"'\''"))
    }
}

fn env<'a>(entry: &'a CommandEntry, call: &'a Call) -> Result<BTreeMap<&'a str, &'a str>, String> {
    let mut env = BTreeMap::from([("PATH", PATH)]);
    env.extend(entry.env.0.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in &call.env {
        if entry.what == What::Any {
            judge_variable(name)?;
        } else if !entry.job_env.contains(name) {
            return Err(format!(
                "a job may not set the variable `{name}` for `{}`; its entry lists those in \
                 `job_env`",
                entry.name()
            ));
        }
        env.insert(name, value);
    }
    Ok(env)
}

/// Finds the program that a job of an `any` entry names. A relative path is rejected, because its
/// meaning depends on the working directory.
fn find(program: &str, entry: &CommandEntry) -> Result<PathBuf, String> {
    let path = Path::new(program);
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    if program.contains('/') {
        return Err(format!("`{program}` is not an absolute path"));
    }
    let folders = entry.env.0.get("PATH").map_or(PATH, String::as_str);
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    folders
        .split(':')
        .map(|folder| Path::new(folder).join(program))
        .filter(|path| path.is_absolute())
        .find(is_program)
        .ok_or_else(|| format!("there is no program `{program}` in {folders}"))
}

/// A script that sets the limits and then replaces itself with the program.
fn limiting(limits: &Limits) -> Option<String> {
    let ulimit = |option: &str, number: u64| format!("ulimit -{option} {number}");
    let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let each: Vec<_> = [
        limits.cpu.map(|time| ulimit("t", seconds(time))),
        limits.memory.map(|bytes| ulimit("v", bytes.div_ceil(1024))),
        limits.file_size.map(|bytes| ulimit("f", bytes.div_ceil(512))),
        limits.open_files.map(|count| ulimit("n", count)),
        // Shells use different option letters for this limit.
        limits.processes.map(|n| format!("{{ ulimit -u {n} 2>/dev/null || ulimit -p {n}; }}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let each = (!each.is_empty()).then(|| each.join(" && "))?;
    Some(format!("{each} || exit {NO_LIMITS}; exec \"$@\""))
}
