//! Lists and facts, aligned for people.
//!
//! External text is escaped.

use jiff::Timestamp;

use super::{
    style::{of, painted},
    text::one_line,
};

/// Rows under headings.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// Headings; `>` at the beginning marks a column of numbers, which is aligned to the right.
    pub(super) fn new(headings: &[&str]) -> Self {
        let right = headings.iter().map(|heading| heading.starts_with('>')).collect();
        let row = headings.iter().map(|heading| heading.trim_start_matches('>').to_owned());
        Self { rows: vec![row.collect()], right }
    }

    /// Adds a row. An empty cell is shown as `-`.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| match cell.as_str() {
            "" => "-".to_owned(),
            text => one_line(text),
        });
        self.rows.push(cells.collect());
    }
}

impl Table {
    /// The table as text. Colours do not count for the width of a column.
    pub(super) fn shown(&self, colours: bool) -> String {
        let headings = self.rows.first();
        let heading = |column| headings.and_then(|row| row.get(column)).map_or("", String::as_str);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.right.len()).map(width).collect();
        let mut lines = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, ((cell, width), right)) in
                row.iter().zip(&widths).zip(&self.right).enumerate()
            {
                let gap = if column == 0 { "" } else { "  " };
                let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
                let style = of(heading(column), cell);
                let cell = painted(cell, style, colours && number > 0);
                line += &match right {
                    true => format!("{gap}{blanks}{cell}"),
                    false => format!("{gap}{cell}{blanks}"),
                };
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown(false))
    }
}

/// Facts, one per line, in the order in which they were added.
#[derive(Default)]
pub(super) struct Facts(Vec<(String, String)>);

impl Facts {
    /// Adds a fact, unless its value is empty.
    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name.into(), value));
        }
    }
}

impl Facts {
    /// The facts as text.
    pub(super) fn shown(&self, colours: bool) -> String {
        let mut text = String::new();
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (number, (name, value)) in self.0.iter().enumerate() {
            let start = if number > 0 { "\n" } else { "" };
            for (part, line) in value.lines().enumerate() {
                let line = painted(&one_line(line), of(name, line), colours);
                text += &match part {
                    0 => format!("{start}{name:<width$}  {line}"),
                    _ => format!("\n{:<width$}  {line}", ""),
                };
            }
        }
        text
    }
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown(false))
    }
}

/// The begin of a text, with at most `most` characters; `…` stands for the rest.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let short: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", short.trim_end())
}

/// How long something took, as `1.250s`; empty if it has not ended.
pub(super) fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let (Some(from), Some(to)) = (from, to) else { return String::new() };
    let millis = to.as_millisecond().saturating_sub(from.as_millisecond());
    lasted(u64::try_from(millis).unwrap_or_default())
}

/// A duration in milliseconds, as `1.250s`.
pub(super) fn lasted(millis: u64) -> String {
    match millis / 1000 {
        whole @ 0..60 => format!("{whole}.{:03}s", millis % 1000),
        whole @ 60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        whole => format!("{}h {:02}m", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        let mut table = Table::new(&["JOB", ">COUNT", "STATE"]);
        table.row(["a".into(), "1".into(), String::new()]);
        table.row(["报表-long".into(), "1000".into(), "on\x1b[2J\nx".into()]);
        let expected = "JOB      COUNT  STATE\n\
                        a            1  -\n\
                        报表-long   1000  on\\u{1b}[2J x";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn colours_do_not_change_the_widths_and_external_text_has_none() {
        let mut table = Table::new(&["STATE", "JOB"]);
        table.row(["failed".into(), "\x1b[32ma".into()]);
        table.row(["succeeded".into(), "b".into()]);
        let shown = table.shown(true);
        let plain = shown.replace("\x1b[31m", "").replace("\x1b[32m", "").replace("\x1b[0m", "");
        assert_eq!(plain, table.to_string());
        assert_eq!(shown.matches('\x1b').count(), 4, "{shown:?}");
        let mut facts = Facts::default();
        facts.add("state", "running");
        assert_eq!(facts.shown(true), "state  \x1b[34mrunning\x1b[0m");
    }

    #[test]
    fn facts_are_aligned_and_keep_their_lines() {
        let mut facts = Facts::default();
        facts.add("id", "7");
        facts.add("note", "");
        facts.add("message", "one\ntwo");
        assert_eq!(facts.to_string(), "id       7\nmessage  one\n         two");
    }

    #[test]
    fn a_long_text_ends_with_an_ellipsis() {
        for (text, expected) in [
            ("", ""),
            ("short", "short"),
            ("exactly 10", "exactly 10"),
            ("more than 10", "more than…"),
            ("报表报表报表报表报表报表", "报表报表报表报表报…"),
            ("\none\ntwo\n", "one\ntwo"),
        ] {
            assert_eq!(shortened(text, 10), expected);
        }
    }

    #[test]
    fn durations_are_short() {
        let at: Timestamp = "2026-11-23T08:00:01.2345+08:00".parse().unwrap();
        let later =
            |millis| Some(Timestamp::from_millisecond(at.as_millisecond() + millis).unwrap());
        assert_eq!(took(Some(at), later(1_250)), "1.250s");
        assert_eq!(took(Some(at), later(61_000)), "1m 01s");
        assert_eq!(took(Some(at), later(3_720_000)), "1h 02m");
    }
}
