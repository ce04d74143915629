//! A program's input and output.
//!
//! Lines go to the attempt's log as they arrive; lines of standard error are marked with `! `.
//! Invalid UTF-8 is replaced. A line that is too long is logged in pieces.

use fastjob_core::JobContext;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
};

/// Maximum size of the result in bytes, taken from the end of standard output.
const RESULT_MAX: usize = 4 * 1024;

/// Maximum bytes to buffer while waiting for the end of a line.
const LINE_MAX: usize = 32 * 1024;

/// Maximum bytes of standard error that an error message quotes.
const ERROR_MAX: usize = 300;

pub(super) struct Output {
    stdin: Option<(ChildStdin, String)>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    last: Vec<u8>,
    last_error: Option<String>,
}

impl Output {
    pub(super) fn of(child: &mut Child, stdin: Option<String>) -> Self {
        Self {
            stdin: child.stdin.take().zip(stdin),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            last: Vec::new(),
            last_error: None,
        }
    }

    /// Reads until both pipes are closed.
    pub(super) async fn carry(&mut self, ctx: &JobContext) {
        let Self { stdin, stdout, stderr, last, last_error } = self;
        let printed = lines(stdout.take(), |bytes| keep(last, bytes), |line| ctx.log(line));
        let complaints = lines(
            stderr.take(),
            |_| (),
            |line| {
                ctx.log(format_args!("! {line}"));
                if !line.trim().is_empty() {
                    let text = line.trim();
                    *last_error = Some(text[..text.floor_char_boundary(ERROR_MAX)].to_owned());
                }
            },
        );
        tokio::join!(feed(stdin.take()), printed, complaints);
    }

    /// The end of the output, trimmed.
    pub(super) fn result(&self) -> String {
        let mut bytes = &self.last[self.last.len().saturating_sub(RESULT_MAX)..];
        if bytes.len() < self.last.len() {
            let begun = bytes.iter().take(3).take_while(|byte| *byte & 0xc0 == 0x80).count();
            bytes = &bytes[begun..];
        }
        String::from_utf8_lossy(bytes).trim().to_owned()
    }

    /// The last line of standard error.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

fn keep(last: &mut Vec<u8>, bytes: &[u8]) {
    last.extend_from_slice(bytes);
    if last.len() > 4 * RESULT_MAX {
        last.drain(..last.len() - RESULT_MAX - 1); // one extra byte shows that output was cut
    }
}

async fn feed(stdin: Option<(ChildStdin, String)>) {
    if let Some((mut pipe, text)) = stdin {
        // A program does not have to read its input. Dropping the pipe closes it.
        pipe.write_all(text.as_bytes()).await.ok();
    }
}

async fn lines(
    from: Option<impl AsyncRead + Unpin>,
    mut each_piece: impl FnMut(&[u8]),
    mut each_line: impl FnMut(&str),
) {
    let Some(mut from) = from else { return };
    let mut show = |line: &[u8]| {
        each_line(&String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)));
    };
    let (mut piece, mut line) = (vec![0; 8 * 1024], Vec::new());
    // A read error ends the output, like end of file. The exit status shows whether it failed.
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        each_piece(&piece[..n]);
        let mut parts = piece[..n].split(|byte| *byte == b'\n');
        line.extend_from_slice(parts.next().unwrap_or_default());
        for part in parts {
            show(&line);
            line.clear();
            line.extend_from_slice(part);
        }
        if line.len() > LINE_MAX {
            show(&line);
            line.clear();
        }
    }
    if !line.is_empty() {
        show(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_whole_however_the_output_is_split() {
        let mut seen = Vec::new();
        let text = format!("a\r\n\nb é\n{}", "x".repeat(20_000));
        lines(Some(text.as_bytes()), |_| (), |line| seen.push(line.to_owned())).await;
        assert_eq!(seen[..3], ["a", "", "b é"]);
        assert_eq!((seen.len(), seen[3].len()), (4, 20_000));
    }

    #[test]
    fn the_result_is_the_end_of_the_output() {
        let mut last = Vec::new();
        (0..50_000).for_each(|_| keep(&mut last, "é".as_bytes()));
        keep(&mut last, b"z\n");
        let output = Output { stdin: None, stdout: None, stderr: None, last, last_error: None };
        let result = output.result();
        assert!(result.len() > RESULT_MAX - 4 && result.starts_with('é') && result.ends_with("éz"));
    }
}
