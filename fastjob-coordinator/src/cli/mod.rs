//! The command line: `fastjob`, one subcommand a file.
//!
//! All but `serve`, `check`, `migrate` and `repair` ask a running coordinator over REST; they decide nothing.
//! What was asked for goes to the standard output, everything else to the standard error. The exit
//! status is 0 if it was done, 1 if it failed, 2 if the command was misused.

mod alarm;
mod check;
mod client;
mod env;
mod error;
mod executor;
mod job;
mod migrate;
mod node;
mod options;
mod out;
mod repair;
mod serve;
mod start;
mod stop;
mod table;
mod task;
mod text;
mod wait;

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use self::{
    client::Client,
    env::Env,
    error::Error,
    options::Options,
    out::{Out, Reader},
};

/// Schedules jobs across services: runs a coordinator, and asks one.
#[derive(Parser)]
#[command(
    name = "fastjob",
    version,
    arg_required_else_help = true,
    after_help = "Settings come from fastjob.toml, then from FASTJOB_… variables, then from flags; \
                  a later one wins.\nExit status: 0 done, 1 failed, 2 misused."
)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a coordinator until it is told to stop
    Serve(serve::Serve),
    /// Define jobs, look at them, enable, disable and delete them
    #[command(subcommand)]
    Job(job::Job),
    /// Start a task of a job now, or later
    Start(start::Start),
    /// Stop a task
    Stop(stop::Stop),
    /// Look at tasks and their logs
    #[command(subcommand)]
    Task(task::Task),
    /// Look at executors
    #[command(subcommand)]
    Executor(executor::Executor),
    /// Look at the coordinators of the cluster
    #[command(subcommand)]
    Node(node::Node),
    /// Alarms: what was told, the channels, and what is silenced
    #[command(subcommand)]
    Alarm(alarm::Alarm),
    /// Check the configuration and show the settings that apply
    Check,
    /// Bring the store's schema up to this release, as `fastjob serve` does when it starts
    Migrate(migrate::Migrate),
    /// Repair the store by hand after a wrong clock or a restored backup
    #[command(subcommand)]
    Repair(repair::Repair),
}

/// The whole of the `fastjob` command: reads the arguments and the environment of the process.
///
/// Call it inside a tokio runtime.
pub async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(err) if err.use_stderr() && wants_json(std::env::args_os().skip(1)) => {
            return Error::Misuse(misuse(&err)).tell(true);
        }
        Err(err) => {
            // Nobody reads it, so nobody misses it.
            err.print().ok();
            return u8::try_from(err.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let json = cli.options.json;
    let mut stdout = std::io::stdout();
    let reader = if stdout.is_terminal() { Reader::Terminal } else { Reader::Program };
    match cli.run(&Env::of_process(), &mut stdout, reader).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => err.tell(json),
    }
}

/// Whether JSON is asked for by a command line that cannot be read as a whole.
fn wants_json(args: impl IntoIterator<Item = OsString>) -> bool {
    args.into_iter().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// What is wrong with a command line, without how it is shown to people.
fn misuse(err: &clap::Error) -> String {
    let shown = err.render().to_string();
    let shown = shown.strip_prefix("error: ").unwrap_or(&shown);
    let end = ["\n\nUsage:", "\n\nFor more information"].map(|mark| shown.find(mark));
    let said = &shown[..end.into_iter().flatten().min().unwrap_or(shown.len())];
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Cli {
    async fn run(self, env: &Env, stdout: &mut dyn Write, reader: Reader) -> Result<(), Error> {
        let Self { options, command } = self;
        let mut out = Out::new(stdout, options.json, reader);
        let client = || Client::new(&options.settings(env)?.client);
        match command {
            Command::Serve(serve) => serve.run(&options, env).await,
            Command::Check => check::run(&options, env, &mut out),
            Command::Migrate(migrate) => migrate.run(options.settings(env)?, &mut out).await,
            Command::Repair(repair) => repair.run(options.settings(env)?, &mut out).await,
            Command::Job(job) => job.run(client, &mut out).await,
            Command::Start(start) => start.run(client, &mut out).await,
            Command::Stop(stop) => stop.run(&client()?, &mut out).await,
            Command::Task(task) => task.run(&client()?, &mut out).await,
            Command::Executor(executor) => executor.run(&client()?, &mut out).await,
            Command::Node(node) => node.run(&client()?, &mut out).await,
            Command::Alarm(alarm) => alarm.run(&client()?, &mut out).await,
        }
    }
}

/// Reads a file of jobs as `fastjob job apply` does.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_job_file(path: &std::path::Path, text: &str) {
    job::fuzz_file(path, text);
}

#[cfg(test)]
mod tests;
