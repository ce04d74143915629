//! The standard output of a command.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

use super::{error::Error, text};

/// Where a command says what it was asked for.
pub(super) struct Out<'a> {
    to: &'a mut dyn Write,
    json: bool,
    reader: Reader,
}

/// Who reads the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A terminal, which text of others must not repaint.
    Terminal,
    /// A file or a program, which gets the text as it is.
    Program,
}

impl<'a> Out<'a> {
    pub(super) fn new(to: &'a mut dyn Write, json: bool, reader: Reader) -> Self {
        Self { to, json, reader }
    }

    /// Whether a program reads it.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// A line for people.
    pub(super) fn line(&mut self, text: impl Display) -> Result<(), Error> {
        self.raw(&format!("{text}\n"))
    }

    /// One JSON document on a line.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(|err| Error::failed(err.to_string()))?;
        self.line(text)
    }

    /// Text as it is, harmless where it is shown at once.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), Error> {
        let text = match (self.json, self.reader) {
            (true, _) => text::json(text),
            (false, Reader::Terminal) => text::lines(text),
            (false, Reader::Program) => text.into(),
        };
        let written = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
        written.map_err(|err| {
            if err.kind() == io::ErrorKind::BrokenPipe {
                return Error::Closed;
            }
            Error::failed(format!("could not write to the standard output: {err}"))
        })
    }
}

/// Says something beside the output. That nobody reads it is no failure.
pub(super) fn remark(text: impl Display) {
    writeln!(io::stderr(), "{}", text::lines(&text.to_string())).ok();
}
