//! `commandJobHandler`: runs a program. The end of its output is the task's result.
//!
//! The executor's owner decides which programs may run, as a list of entries; a job only chooses
//! among them. The program gets its own process group and a clean environment. When the attempt has
//! to end, the group receives SIGTERM, and SIGKILL after a grace period. It is also killed when the
//! handler is aborted, so no process in the group outlives the attempt. An unexpected exit status
//! is retryable. A missing or disallowed program is not.

mod folder;
mod group;
mod guard;
mod output;
mod param;
mod start;

use std::{io, os::unix::process::ExitStatusExt as _, process::ExitStatus};

use fastjob_core::{JobContext, JobError, JobHandler, JobResult};

pub(super) use self::guard::{check_user, hide};
use self::{group::Group, output::Output, param::Call, start::Start};
use super::entry::Rules;

/// Runs the commands that the entries allow.
pub(super) struct Command {
    rules: Rules,
}

impl Command {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules }
    }
}

impl JobHandler for Command {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let call = Call::read(ctx.param_text()).map_err(JobError::fatal)?;
        let rule = self.rules.find(&call.program, call.shell).map_err(JobError::fatal)?;
        let start = Start::of(rule, &call).map_err(JobError::fatal)?;
        if ctx.is_stopping() {
            return Err(JobError::retryable("stopped before the program started"));
        }
        ctx.log(format_args!("$ {start}"));
        // With limits, a shell starts the program and would report a missing program in its own
        // words.
        let found = start.program.metadata().map(drop);
        let child = found.and_then(|()| start.prepare(ctx).spawn());
        let mut child = child.map_err(|err| no_start(&start, &err))?;
        let group = Group::led_by(&child);
        let mut output = Output::of(&mut child, call.stdin.clone());
        drop(start);
        let status = group.run(child, &mut output, ctx).await?;
        judge(&call, status, &output, ctx)
    }
}

fn no_start(start: &Start<'_>, err: &io::Error) -> JobError {
    let program = start.program.display();
    match (err.kind(), start.folder.missing()) {
        // The same error kind as for a missing program.
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, Some(dir)) => {
            JobError::fatal(format!("there is no folder `{}`", dir.display()))
        }
        // The shell sets the limits, then replaces itself with the program.
        (io::ErrorKind::NotFound, _) if start.program.exists() => JobError::fatal(format!(
            "cannot run `{program}`: its interpreter is missing: `/bin/sh` for an entry with \
             limits, or the interpreter that its first line names"
        )),
        (io::ErrorKind::NotFound, _) => JobError::fatal(format!("there is no program `{program}`")),
        (io::ErrorKind::PermissionDenied, _) => JobError::fatal(match start.user() {
            Some(user) => format!("cannot run `{program}` as user {user}: {err}"),
            None => format!("cannot run `{program}`: {err}"),
        }),
        (io::ErrorKind::InvalidInput, _) => {
            JobError::fatal(format!("cannot run `{program}`: {err}"))
        }
        // Too many processes or out of memory: may be transient.
        _ => JobError::retryable(format!("cannot run `{program}`: {err}")),
    }
}

fn judge(call: &Call, status: ExitStatus, output: &Output, ctx: &JobContext) -> JobResult {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) if call.ok_exit.contains(&code) && !ctx.is_stopping() => {
            return Ok(output.result().into());
        }
        (Some(code), _) => format!("exit status {code}"),
        (None, _) => format!("killed by {}", status.to_string().replacen("signal: ", "signal ", 1)),
    };
    if ctx.is_stopping() {
        return Err(JobError::retryable(format!("stopped: {how}")));
    }
    Err(JobError::retryable(match output.last_error() {
        Some(line) => format!("{how}: {line}"),
        None => how,
    }))
}

#[cfg(test)]
mod tests;
