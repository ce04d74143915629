//! `fastjob completion`: the completions of a shell.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Cli, error::Error, out::Out};

#[derive(Args)]
pub(super) struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Kind,
}

/// The shells that are tested.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

impl Completion {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<(), Error> {
        let (shell, name) = match self.shell {
            Kind::Bash => (Shell::Bash, "bash"),
            Kind::Zsh => (Shell::Zsh, "zsh"),
            Kind::Fish => (Shell::Fish, "fish"),
        };
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), "fastjob", &mut script);
        let script = String::from_utf8_lossy(&script);
        if out.is_json() {
            return out.json(&serde_json::json!({ "shell": name, "script": script }));
        }
        out.raw(&script)
    }
}
