//! What every example does as a program: it says what it is for, or runs, and ends in words.

use std::{
    env,
    error::Error,
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

/// Nobody reads what is written any more: `… | head -1`.
#[derive(Debug, thiserror::Error)]
#[error("could not write to the standard output")]
pub struct Unread(#[from] io::Error);

/// Writes a line to the standard output.
///
/// # Errors
///
/// Fails if nobody reads it any more, which is no failure of the example.
pub fn say(line: impl fmt::Display) -> Result<(), Unread> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Runs an example; its source says at its head what it is for, and that is what `--help` shows.
///
/// The exit status is 0, or 1 with the error and its causes on the standard error, or 2 if there
/// are words that it does not know.
pub async fn example(
    source: &str,
    run: impl Future<Output = Result<(), Box<dyn Error>>>,
) -> ExitCode {
    match env::args_os().nth(1) {
        None => exit(run.await),
        Some(word) if word == "--help" || word == "-h" => {
            exit(say(about(source)).map_err(Into::into))
        }
        Some(word) => {
            eprintln!("error: `{}` is not known here: --help says what is", word.display());
            ExitCode::from(2)
        }
    }
}

fn exit(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(err) = ended else { return ExitCode::SUCCESS };
    if let Some(Unread(err)) = err.downcast_ref()
        && err.kind() == io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    eprint!("error: {err}");
    let mut cause = err.source();
    while let Some(err) = cause {
        eprint!(": {err}");
        cause = err.source();
    }
    eprintln!();
    ExitCode::FAILURE
}

/// The comment at the head of a source.
fn about(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.filter(|line| !line.starts_with(" ```"));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_what_the_head_of_the_source_says() {
        let source =
            "//! Shows a thing.\n//!\n//! ```text\n//! cargo run\n//! ```\n\n//! not this\n";
        assert_eq!(about(source), "Shows a thing.\n\ncargo run");
    }

    #[test]
    fn an_output_that_nobody_reads_is_no_failure_and_another_error_is() {
        let unread = |kind: io::ErrorKind| exit(Err(Unread(kind.into()).into()));
        assert_eq!(unread(io::ErrorKind::BrokenPipe), ExitCode::SUCCESS);
        assert_eq!(unread(io::ErrorKind::StorageFull), ExitCode::FAILURE);
        assert_eq!(exit(Err("no".into())), ExitCode::FAILURE);
        assert_eq!(exit(Ok(())), ExitCode::SUCCESS);
    }
}
