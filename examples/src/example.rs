//! Runs an example as a program: handles `--help` and unknown arguments, and prints errors.

use std::{
    env,
    error::Error,
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

/// The reader of the output is gone: `… | head -1`.
#[derive(Debug, thiserror::Error)]
#[error("could not write to the standard output")]
pub struct Unread(#[from] io::Error);

/// Writes a line to the standard output.
///
/// # Errors
///
/// Fails if the reader has closed the output, which does not make the example fail.
pub fn say(line: impl fmt::Display) -> Result<(), Unread> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Runs an example. `--help` prints the comment at the head of its source.
///
/// The exit status is 0, or 1 with the error and its causes on the standard error, or 2 for unknown
/// arguments.
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
            eprintln!("error: unknown argument `{}`; see --help", word.display());
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

/// The comment at the head of a source file.
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
    fn help_is_the_comment_at_the_head_of_the_source() {
        let source =
            "//! Shows a thing.\n//!\n//! ```text\n//! cargo run\n//! ```\n\n//! not this\n";
        assert_eq!(about(source), "Shows a thing.\n\ncargo run");
    }

    #[test]
    fn a_closed_output_is_not_a_failure_but_another_error_is() {
        let unread = |kind: io::ErrorKind| exit(Err(Unread(kind.into()).into()));
        assert_eq!(unread(io::ErrorKind::BrokenPipe), ExitCode::SUCCESS);
        assert_eq!(unread(io::ErrorKind::StorageFull), ExitCode::FAILURE);
        assert_eq!(exit(Err("no".into())), ExitCode::FAILURE);
        assert_eq!(exit(Ok(())), ExitCode::SUCCESS);
    }
}
