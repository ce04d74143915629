//! The command line: `fastjob`, one subcommand per file.
//!
//! All commands except `serve`, `check`, `settings`, `migrate` and `repair` are REST clients of a
//! running coordinator and decide nothing. Results go to the standard output, everything else to the
//! standard error. The exit status is 0 on success, 1 on failure, 2 for an invalid command line, and
//! 3 of `job diff --exit-code` if something differs.

mod about;
mod alarm;
mod check;
mod client;
mod completion;
mod env;
mod error;
mod executor;
mod handler;
mod job;
mod man;
mod many;
mod migrate;
mod node;
mod notify;
mod options;
mod out;
mod overview;
mod progress;
mod ready;
mod repair;
mod schedule;
mod serve;
mod service;
mod settings;
mod start;
mod stats;
mod stop;
mod style;
mod table;
mod task;
mod text;
mod times;
mod top;
mod wait;

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use futures_util::future::LocalBoxFuture;

use self::{
    env::Env,
    error::Error,
    options::Options,
    out::{Out, Reader},
    progress::Shown,
};

/// Schedules jobs across services: runs a coordinator, and controls one.
#[derive(Parser)]
#[command(
    name = "fastjob",
    version,
    arg_required_else_help = true,
    after_help = "Settings come from fastjob.toml, then from FASTJOB_… variables, then from flags; \
                  a later one wins.\n\n\
                  Exit status:\n  \
                  0  success\n  \
                  1  failure; of `start --wait`, also if the task did not succeed\n  \
                  2  invalid command line\n  \
                  3  `job diff --exit-code`: something differs"
)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a coordinator until it receives SIGINT or SIGTERM
    Serve(serve::Serve),
    /// Define, list, show, enable, disable and delete jobs
    #[command(subcommand)]
    Job(job::Job),
    /// Start a task of a job now, or later
    Start(start::Start),
    /// Stop a task, or all that filters name
    Stop(Box<stop::Stop>),
    /// Show tasks and their logs
    #[command(subcommand)]
    Task(task::Task),
    /// Show what happens at the moment, and what needs attention
    Overview(overview::Overview),
    /// Show when all jobs fire
    Schedule(schedule::Schedule),
    /// Show how many tasks ended, and how long they took
    Stats(stats::Stats),
    /// Show live what runs, and stop it
    Top(top::Top),
    /// Show executors, drain and resume them
    #[command(subcommand)]
    Executor(executor::Executor),
    /// Show the services
    #[command(subcommand)]
    Service(service::Service),
    /// Show the handlers of executors, and the params they take
    #[command(subcommand)]
    Handler(handler::Handler),
    /// Show the coordinators of the cluster
    #[command(subcommand)]
    Node(node::Node),
    /// Show what the coordinator that answers is, and how it is set up
    About,
    /// Exit with 0 if the coordinator can do its work, for health checks
    Ready(ready::Ready),
    /// Show and silence alarms, and test their channels
    #[command(subcommand)]
    Alarm(alarm::Alarm),
    /// Check the configuration and show the effective settings
    Check,
    /// Show every setting, its value, and where it comes from
    Settings(settings::Settings),
    /// Print the completions of a shell
    ///
    /// For bash: fastjob completion bash > /etc/bash_completion.d/fastjob
    Completion(completion::Completion),
    /// Write the manual, one page per command
    Man(man::Man),
    /// Bring the store's schema up to date, as `fastjob serve` does when it starts
    Migrate(migrate::Migrate),
    /// Repair the store by hand after a wrong clock or a restored backup
    #[command(subcommand)]
    Repair(repair::Repair),
}

/// The whole `fastjob` command: reads the arguments and the environment of the process.
///
/// Call it inside a tokio runtime.
pub async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(err) if err.use_stderr() && wants_json(std::env::args_os().skip(1)) => {
            return Error::Misuse(misuse(&err)).tell(true);
        }
        Err(err) => {
            // An error means that the output has no reader.
            err.print().ok();
            return u8::try_from(err.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let json = cli.options.json;
    let mut stdout = std::io::stdout();
    let reader = if stdout.is_terminal() { Reader::Terminal } else { Reader::Program };
    let env = Env::of_process();
    let is_dumb = env.get("TERM").is_some_and(|term| term == "dumb");
    let progress = match std::io::stderr().is_terminal() && !is_dumb {
        true => Shown::Bar,
        false => Shown::Lines,
    };
    match cli.run(&env, &mut stdout, reader, progress).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => err.tell(json),
    }
}

/// Whether a command line that cannot be parsed as a whole asks for JSON.
fn wants_json(args: impl IntoIterator<Item = OsString>) -> bool {
    args.into_iter().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// What is wrong with a command line, without clap's formatting.
fn misuse(err: &clap::Error) -> String {
    let shown = err.render().to_string();
    let shown = shown.strip_prefix("error: ").unwrap_or(&shown);
    let end = ["\n\nUsage:", "\n\nFor more information"].map(|mark| shown.find(mark));
    let said = &shown[..end.into_iter().flatten().min().unwrap_or(shown.len())];
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Cli {
    /// Not `async`, so that the future is compiled in this crate, and not again in the program.
    fn run<'a>(
        self,
        env: &'a Env,
        stdout: &'a mut dyn Write,
        reader: Reader,
        progress: Shown,
    ) -> LocalBoxFuture<'a, Result<(), Error>> {
        Box::pin(self.execute(env, stdout, reader, progress))
    }

    async fn execute(
        self,
        env: &Env,
        stdout: &mut dyn Write,
        reader: Reader,
        progress: Shown,
    ) -> Result<(), Error> {
        let Self { options, command } = self;
        let colours = options.color.is_on(reader == Reader::Terminal, env);
        let out = Out::new(stdout, options.json, reader, options.times(env));
        let mut out = out.with_colours(colours).with_progress(progress);
        let client = || client::connect(&options.settings(env)?, env);
        match command {
            Command::Serve(serve) => serve.run(&options, env).await,
            Command::Check => check::run(&options, env, &mut out),
            Command::Settings(settings) => settings.run(&options, env, &mut out),
            Command::Completion(completion) => completion.run(&mut out),
            Command::Man(man) => man.run(&mut out),
            Command::Migrate(migrate) => migrate.run(options.settings(env)?, &mut out).await,
            Command::Repair(repair) => repair.run(options.settings(env)?, &mut out).await,
            Command::Job(job) => job.run(client, &mut out).await,
            Command::Start(start) => start.run(client, &mut out).await,
            Command::Stop(stop) => stop.run(&client()?, &mut out).await,
            Command::Task(task) => task.run(&client()?, &mut out).await,
            Command::Overview(overview) => overview.run(&client()?, &mut out).await,
            Command::Service(service) => service.run(&client()?, &mut out).await,
            Command::About => about::run(&client()?, &mut out).await,
            Command::Ready(ready) => ready.run(&client()?, &mut out).await,
            Command::Schedule(schedule) => schedule.run(&client()?, &mut out).await,
            Command::Stats(stats) => stats.run(&client()?, &mut out).await,
            Command::Top(top) => top.run(&client()?, &mut out).await,
            Command::Executor(executor) => executor.run(&client()?, &mut out).await,
            Command::Handler(handler) => handler.run(&client()?, &mut out).await,
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

/// Marks a key of a configuration as its problems are reported.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_key(text: &str, key: &str) {
    drop(job::places::Places::of_key(text, key));
}

#[cfg(test)]
mod tests;
