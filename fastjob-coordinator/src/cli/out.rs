//! The output of a command: results on the standard output, remarks on the standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

use super::{
    error::Error,
    progress,
    table::{Facts, Table},
    text,
    times::Times,
};

/// Where a command writes its result.
pub(super) struct Out<'a> {
    to: &'a mut dyn Write,
    json: bool,
    reader: Reader,
    colours: bool,
    progress: progress::Shown,
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
        let (colours, progress) = (false, progress::Shown::Nowhere);
        Self { to, json, reader, times, colours, progress }
    }

    /// The same with colours. JSON has none. What is coloured is for a terminal in the end, even if
    /// it is written to a file.
    pub(super) fn with_colours(self, are_on: bool) -> Self {
        let reader = if are_on { Reader::Terminal } else { self.reader };
        Self { colours: are_on && !self.json, reader, ..self }
    }

    /// The same with the progress of long work. With JSON, there is none.
    pub(super) fn with_progress(self, shown: progress::Shown) -> Self {
        let progress = if self.json { progress::Shown::Nowhere } else { shown };
        Self { progress, ..self }
    }

    /// How instants are read and shown.
    pub(super) fn times(&self) -> Times {
        self.times.clone()
    }

    /// Whether a terminal shows the output.
    pub(super) fn is_for_terminal(&self) -> bool {
        self.reader == Reader::Terminal
    }

    /// Whether states are coloured.
    pub(super) fn has_colours(&self) -> bool {
        self.colours
    }

    /// Whether the output is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// How the progress of long work is shown.
    pub(super) fn progress(&self) -> progress::Shown {
        self.progress
    }

    /// Writes a line for people.
    pub(super) fn line(&mut self, text: impl Display) -> Result<(), Error> {
        self.raw(&format!("{text}\n"))
    }

    /// Writes a table, which escapes its cells itself.
    pub(super) fn table(&mut self, table: &Table) -> Result<(), Error> {
        let text = table.shown(self.colours);
        self.write(&format!("{text}\n"))
    }

    /// Writes facts, which escape their values themselves.
    pub(super) fn facts(&mut self, facts: &Facts) -> Result<(), Error> {
        let text = facts.shown(self.colours);
        self.write(&format!("{text}\n"))
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
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        let to = &mut *self.to;
        let written = progress::apart(|| to.write_all(text.as_bytes()).and_then(|()| to.flush()));
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
    let text = text::lines(&text.to_string()).into_owned();
    progress::apart(|| writeln!(io::stderr(), "{text}").ok());
}
