//! `fastjob man`: the manual, one page per command.

use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory};

use super::{Cli, error::Error, out::Out};

#[derive(Args)]
pub(super) struct Man {
    /// The folder to write the pages to, such as /usr/local/share/man/man1; it is created
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<(), Error> {
        let folder = self.folder.display();
        let failed = |err: std::io::Error| {
            Error::failed(format!("could not write the manual to {folder}: {err}"))
        };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        // Without the pages of `help`, which describe no command.
        let mut whole = Cli::command().disable_help_subcommand(true);
        whole.build();
        let mut names = Vec::new();
        for (name, page) in pages(&whole).map_err(failed)? {
            fs::write(self.folder.join(&name), page).map_err(failed)?;
            names.push(name);
        }
        if out.is_json() {
            return out.json(&serde_json::json!({ "folder": self.folder, "pages": names }));
        }
        out.line(format_args!("{} pages written to {folder}", names.len()))
    }
}

/// The page of a command, and those of the commands below it, with their file names.
fn pages(command: &clap::Command) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut all = vec![(man.get_filename(), page)];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        all.extend(pages(below)?);
    }
    Ok(all)
}
