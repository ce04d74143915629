//! The standard output of a command.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

use super::{error::Error, text, times::Times};

/// Where a command writes its result.
pub(super) struct Out<'a> {
    to: &'a mut dyn Write,
    json: bool,
    reader: Reader,
    times: Times,
}

/// What reads the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A terminal, which external text must not control.
    Terminal,
    /// A file or a program, which gets the text unchanged.
    Program,
}

impl<'a> Out<'a> {
    pub(super) fn new(to: &'a mut dyn Write, json: bool, reader: Reader, times: Times) -> Self {
        Self { to, json, reader, times }
    }

    /// How instants are read and shown.
    pub(super) fn times(&self) -> Times {
        self.times.clone()
    }

    /// Whether the output is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes a line for people.
    pub(super) fn line(&mut self, text: impl Display) -> Result<(), Error> {
        self.raw(&format!("{text}\n"))
    }

    /// Writes one JSON document on a line.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(|err| Error::failed(err.to_string()))?;
        self.line(text)
    }

    /// Writes text unchanged; escapes control characters if a terminal shows it.
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

/// Writes to the standard error. It does not matter if that has no reader.
pub(super) fn remark(text: impl Display) {
    writeln!(io::stderr(), "{}", text::lines(&text.to_string())).ok();
}
