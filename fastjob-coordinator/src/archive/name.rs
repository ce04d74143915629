//! The names of logs and of their pieces.
//!
//! `{day}/{task}-{created}/{attempt}-{created}/{start}-{end}.log.gz`: the day on which the task was
//! created, the ids with the instants of their creation, because a store that was restored from a
//! backup assigns ids again, and the positions in the log. Numbers are padded, so that names are in
//! the order of what they name. Nothing in a name is a text of a peer.

use fastjob_core::{AttemptId, TaskId};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use object_store::path::Path;

/// Digits of ids and positions.
const DIGITS: usize = 16;
/// The end of the name of each piece.
const SUFFIX: &str = ".log.gz";

/// Names a log. The instants are in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogName {
    pub(crate) task: TaskId,
    pub(crate) task_created: Timestamp,
    pub(crate) attempt: AttemptId,
    pub(crate) attempt_created: i64,
}

/// The position of a piece, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PieceName {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) kind: PieceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PieceKind {
    /// Another piece may follow.
    Part,
    /// The log ends here.
    Last,
    /// The log was cut here, because it is too long.
    Cut,
}

impl LogName {
    pub(super) fn path(&self, root: &Path) -> Path {
        let Self { attempt, attempt_created, .. } = self;
        let attempt = format!("{:0DIGITS$}-{attempt_created}", attempt.0);
        task(root, self.task, self.task_created).join(attempt)
    }
}

/// The folder of the logs of a day.
pub(super) fn day(root: &Path, day: Date) -> Path {
    root.clone().join(day.to_string())
}

/// The folder of the logs of a task.
pub(super) fn task(root: &Path, task: TaskId, created: Timestamp) -> Path {
    let on = created.to_zoned(TimeZone::UTC).date();
    day(root, on).join(format!("{:0DIGITS$}-{}", task.0, created.as_millisecond()))
}

/// Reads the name of a day's folder; `None` for anything else.
pub(super) fn read_day(name: &str) -> Option<Date> {
    name.parse::<Date>().ok().filter(|day| day.to_string() == name)
}

/// Reads the name of an attempt's folder: its id, and when it was created.
pub(super) fn read_attempt(name: &str) -> Option<(AttemptId, i64)> {
    let (id, created) = name.split_once('-')?;
    let created: i64 = created.parse().ok()?;
    let id = number(id).and_then(|id| i64::try_from(id).ok())?;
    Some((AttemptId(id), created))
}

impl PieceName {
    pub(super) fn of(start: u64, end: u64, kind: PieceKind) -> Self {
        Self { start, end, kind }
    }

    pub(super) fn in_folder(self, folder: &Path) -> Path {
        let Self { start, end, kind } = self;
        let kind = match kind {
            PieceKind::Part => "",
            PieceKind::Last => "-end",
            PieceKind::Cut => "-cut",
        };
        folder.clone().join(format!("{start:0DIGITS$}-{end:0DIGITS$}{kind}{SUFFIX}"))
    }

    /// Reads a name; `None` for other files.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.split('-');
        let (start, end) = (number(parts.next()?)?, number(parts.next()?)?);
        let kind = match parts.next() {
            None => PieceKind::Part,
            Some("end") => PieceKind::Last,
            Some("cut") => PieceKind::Cut,
            Some(_) => return None,
        };
        let is_valid = start <= end && parts.next().is_none();
        is_valid.then_some(Self { start, end, kind })
    }
}

fn number(text: &str) -> Option<u64> {
    let is_number = text.len() >= DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_piece_says_where_it_belongs() {
        let log = LogName {
            task: TaskId(7),
            task_created: "2026-11-23T08:00:00.5Z".parse().unwrap(),
            attempt: AttemptId(9),
            attempt_created: 1_790_000_000_123,
        };
        let folder = log.path(&Path::from("logs"));
        let shown = "logs/2026-11-23/0000000000000007-1795420800500/0000000000000009-1790000000123";
        assert_eq!(folder.as_ref(), shown);
        for kind in [PieceKind::Part, PieceKind::Last, PieceKind::Cut] {
            let piece = PieceName::of(3, 1_048_576, kind);
            let path = piece.in_folder(&folder);
            assert_eq!(path.filename().and_then(PieceName::parse), Some(piece), "{path}");
        }
        assert_eq!(
            read_attempt("0000000000000009-1790000000123"),
            Some((AttemptId(9), 1_790_000_000_123))
        );
        assert_eq!(
            read_day("2026-11-23").map(|day| day.to_string()).as_deref(),
            Some("2026-11-23")
        );
    }

    #[test]
    fn other_names_are_not_pieces() {
        for other in [
            "",
            ".log.gz",
            "notes.txt",
            "1-2.log.gz",
            "0000000000000002-0000000000000001.log.gz",
            "0000000000000001-0000000000000002-new.log.gz",
            "0000000000000001-0000000000000002-end-end.log.gz",
            "+000000000000001-0000000000000002.log.gz",
            "0000000000000001-0000000000000002.log.gz#1",
        ] {
            assert_eq!(PieceName::parse(other), None, "{other}");
        }
        for other in ["", "x", "7-1", "..", "20261123"] {
            assert!(read_attempt(other).is_none() && read_day(other).is_none(), "{other}");
        }
    }
}
