//! Many jobs in one text.
//!
//! A row that goes through the driver costs several microseconds, most of them for its columns. When
//! a million jobs are read, the database puts many of them into one text instead:
//!
//! ```text
//! id,origin,revision,anchor,created_at,updated_at,[deleted_at],LENGTH,LENGTH,LENGTH;
//! definition children declared
//! ```
//!
//! without the spaces, and the lengths of the three texts in bytes. What is not declared has no text.
//! No value needs an escape, and a
//! text can have any content.

use crate::store::{Error, Result, rows::Columns};

/// Reads the jobs after an id: the last id and the text of as many jobs as are asked for, null if
/// there are none.
pub(super) const SELECT: &str = "select max(id), group_concat(\
    printf('%d,%d,%d,%d,%d,%d,%s,%d,%d,%d;', id, origin, revision, anchor, created_at, updated_at, \
    coalesce(deleted_at, ''), octet_length(definition), octet_length(children), \
    coalesce(octet_length(declared), 0)) \
    || definition || children || coalesce(declared, ''), '') \
    from (select * from jobs where id > ? order by id limit ?)";

/// How many jobs the first text has, and the most that one has. A job may have 256 KiB.
pub(super) const FIRST: i64 = 64;
const MOST: i64 = 128;
/// A text of this many bytes is large enough.
const ENOUGH: usize = 64 * 1024;

/// How many jobs the next text should have.
pub(super) fn next_limit(limit: i64, bytes: usize) -> i64 {
    if bytes < ENOUGH / 2 {
        (2 * limit).min(MOST)
    } else if bytes > ENOUGH {
        limit / 4 + 1
    } else {
        limit
    }
}

/// How many columns are before the lengths.
const NUMBERS: usize = 7;

/// A job in a text.
#[derive(Debug)]
pub(super) struct Row<'t> {
    /// In the order of `SELECT`.
    numbers: [&'t str; NUMBERS],
    definition: &'t str,
    children: &'t str,
    /// Empty if there is none.
    declared: &'t str,
}

/// The jobs in a text. After an error there are none.
pub(super) fn rows(text: &str) -> impl Iterator<Item = Result<Row<'_>>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let row = first(&mut rest);
        if row.is_none() {
            rest = "";
        }
        Some(row.ok_or_else(|| Error::Corrupt { what: "the text of jobs".to_owned() }))
    })
}

/// Takes the first job from a text; `None` if it has another form.
fn first<'t>(text: &mut &'t str) -> Option<Row<'t>> {
    let (head, rest) = text.split_once(';')?;
    let mut fields = head.split(',');
    let mut numbers = [""; NUMBERS];
    for number in &mut numbers {
        *number = fields.next()?;
    }
    let mut length = || fields.next()?.parse::<usize>().ok();
    let (definition, children, declared) = (length()?, length()?, length()?);
    let (definition, rest) = rest.split_at_checked(definition)?;
    let (children, rest) = rest.split_at_checked(children)?;
    let (declared, rest) = rest.split_at_checked(declared)?;
    *text = rest;
    Some(Row { numbers, definition, children, declared })
}

impl Row<'_> {
    /// Where the reader of jobs expects a column.
    fn number(&self, at: usize) -> sqlx::Result<&str> {
        let number = match at {
            0 => Some(0),
            2..=7 => Some(at - 1),
            _ => None,
        };
        number
            .map(|at| self.numbers[at])
            .ok_or(sqlx::Error::ColumnIndexOutOfBounds { index: at, len: NUMBERS + 3 })
    }
}

impl Columns for Row<'_> {
    fn int(&self, at: usize) -> sqlx::Result<i64> {
        self.number(at)?.parse().map_err(|err| sqlx::Error::Decode(Box::new(err)))
    }

    fn maybe_int(&self, at: usize) -> sqlx::Result<Option<i64>> {
        if self.number(at)?.is_empty() { Ok(None) } else { self.int(at).map(Some) }
    }

    fn text(&self, at: usize) -> sqlx::Result<&str> {
        match at {
            1 => Ok(self.definition),
            8 => Ok(self.children),
            9 => Ok(self.declared),
            _ => self.number(at),
        }
    }

    fn maybe_text(&self, at: usize) -> sqlx::Result<Option<&str>> {
        self.text(at).map(|text| (!text.is_empty()).then_some(text))
    }

    fn bytes(&self, at: usize) -> sqlx::Result<&[u8]> {
        self.text(at).map(str::as_bytes)
    }

    fn flag(&self, at: usize) -> sqlx::Result<bool> {
        self.int(at).map(|flag| flag != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_whatever_their_texts_contain() {
        let definitions = ["{}", "", ";,é\u{0}7,1;", "报表"];
        let texts = definitions.map(|text| format!("7,1,3,4,5,-6,,{},2,0;{text}[]", text.len()));
        let deleted = "-9223372036854775808,2,1,0,0,0,8,2,3,10;{}[1]{\"a\":\"é\"}";
        let all = texts.concat() + deleted;
        let read: Vec<_> = rows(&all).map(Result::unwrap).collect();
        for (row, definition) in read.iter().zip(definitions) {
            assert_eq!((row.int(0).unwrap(), row.text(1).unwrap()), (7, definition));
            assert_eq!([2, 3, 4, 5, 6].map(|at| row.int(at).unwrap()), [1, 3, 4, 5, -6]);
            assert_eq!((row.maybe_int(7).unwrap(), row.text(8).unwrap()), (None, "[]"));
            assert_eq!(row.maybe_text(9).unwrap(), None);
        }
        let last = read.last().unwrap();
        assert_eq!((last.int(0).unwrap(), last.maybe_int(7).unwrap()), (i64::MIN, Some(8)));
        assert_eq!((read.len(), last.text(8).unwrap()), (5, "[1]"));
        assert_eq!(last.maybe_text(9).unwrap(), Some("{\"a\":\"é\"}"));
        assert!(last.int(10).is_err());
    }

    #[test]
    fn texts_are_large_if_jobs_are_small() {
        let settled = |bytes: usize| {
            (0..20).fold(FIRST, |limit, _| next_limit(limit, bytes * limit as usize))
        };
        assert_eq!((settled(10), settled(256 * 1024)), (MOST, 1));
        for bytes in [500, 1_000, 4_000, 20_000] {
            let size = bytes * settled(bytes) as usize;
            assert!((ENOUGH / 8..=ENOUGH).contains(&size), "{bytes}: {size}");
        }
    }

    #[test]
    fn a_damaged_text_is_an_error() {
        let good = "7,1,3,4,5,6,,2,2,2;{}[]{}";
        for end in 0..good.len() {
            let results: Vec<_> = rows(&good[..end]).collect();
            assert!(results.len() <= 1 && results.iter().all(Result::is_err), "{end}");
        }
        for bad in [
            "7;{}[]",
            "7,1,3,4,5,6,,2,2;{}[]",
            "7,1,3,4,5,6,,x,2,0;{}[]",
            "7,1,3,4,5,6,,1,2,0;é[]",
            "7,1,3,4,5,6,,99,2,0;",
        ] {
            assert!(rows(bad).all(|row| row.is_err()), "{bad}");
        }
    }
}
