//! `commandJobHandler`: runs a program; the last of what it prints is the task's result.
//!
//! The executor's owner decides what may run; whoever edits a job only chooses among that. The
//! program gets a process group of its own and a small environment. When the attempt is to end, the
//! group is asked to end (SIGTERM), and made to after a grace (SIGKILL); it is also killed when the
//! handler is aborted, so that nothing that still belongs to it outlives the attempt. An exit status
//! that is not expected is retryable; a program that is missing or not allowed is not.

mod group;
mod output;
mod param;

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
};

use fastjob_core::{JobContext, JobError, JobHandler, JobResult};
use tokio::process;

use self::{group::Group, output::Output, param::Call};
use super::CommandPolicy;

/// What a program sees of the executor's environment: that may hold the service's secrets.
const ENV_KEPT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Runs the commands that its policy allows.
pub(super) struct Command {
    policy: CommandPolicy,
}

impl Command {
    pub(super) fn new(policy: CommandPolicy) -> Self {
        Self { policy }
    }
}

#[async_trait::async_trait]
impl JobHandler for Command {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let call = Call::read(ctx.param_text()).map_err(JobError::fatal)?;
        allow(&self.policy, &call).map_err(JobError::fatal)?;
        if ctx.is_stopping() {
            return Err(JobError::retryable("stopped before it began"));
        }
        ctx.log(format_args!("$ {call}"));
        let mut child = prepare(&call, ctx).spawn().map_err(|err| no_start(&call, &err))?;
        let group = Group::led_by(&child);
        let mut output = Output::of(&mut child, call.stdin.clone());
        let status = group.run(child, &mut output, ctx).await?;
        judge(&call, status, &output, ctx)
    }
}

fn allow(policy: &CommandPolicy, call: &Call) -> Result<(), String> {
    let allowed = |name: &str| policy.allowed.iter().any(|one| one == name);
    if allowed("*") {
        return Ok(());
    }
    let program = if call.shell { "sh" } else { call.program.as_str() };
    if !allowed(program) {
        return Err(format!("`{program}` is not among the programs that this executor allows"));
    }
    // These would let an allowed name stand for another program.
    let turns = |name: &&String| {
        name.as_str() == "PATH" || name.starts_with("LD_") || name.starts_with("DYLD_")
    };
    match call.env.keys().find(turns) {
        Some(name) => {
            Err(format!("the variable `{name}` may not be set where programs are listed"))
        }
        None => Ok(()),
    }
}

fn prepare(call: &Call, ctx: &JobContext) -> process::Command {
    let mut command = if call.shell {
        let mut sh = process::Command::new("sh");
        sh.args(["-c", call.program.as_str(), "sh"]);
        sh
    } else {
        process::Command::new(&call.program)
    };
    command.args(&call.args).env_clear();
    for name in ENV_KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let shard = ctx.shard();
    command
        .envs(&call.env)
        .env("FASTJOB_TASK", ctx.task_id().to_string())
        .env("FASTJOB_ATTEMPT", ctx.attempt_id().to_string())
        .env("FASTJOB_SHARD_INDEX", shard.index.to_string())
        .env("FASTJOB_SHARD_TOTAL", shard.total.to_string());
    if let Some(dir) = &call.dir {
        command.current_dir(dir);
    }
    command
        .process_group(0)
        .stdin(if call.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn no_start(call: &Call, err: &io::Error) -> JobError {
    let program = if call.shell { "sh" } else { &call.program };
    match (err.kind(), &call.dir) {
        // The same error as for a missing program.
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, Some(dir))
            if !Path::new(dir).is_dir() =>
        {
            JobError::fatal(format!("there is no folder `{dir}`"))
        }
        (io::ErrorKind::NotFound, _) => JobError::fatal(format!("there is no program `{program}`")),
        (io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput, _) => {
            JobError::fatal(format!("cannot run `{program}`: {err}"))
        }
        // Too many processes, no memory: that may pass.
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
