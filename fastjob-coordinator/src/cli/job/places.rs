//! Finds the place of a field in a file of jobs, for the messages about it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A file whose values have known places.
pub(in crate::cli) struct Places<'a> {
    text: &'a str,
    /// Where the lines begin.
    lines: Vec<usize>,
    tree: Tree<'a>,
}

enum Tree<'a> {
    Toml(DeTable<'a>),
    /// The fields around the list of jobs, such as `["items"]`; `None` if the whole text is one job.
    Json(Option<&'static [&'static str]>),
}

impl<'a> Places<'a> {
    /// Places in a text with `[[job]]` tables.
    pub(super) fn of_toml(text: &'a str) -> Self {
        let root = DeTable::parse(text).map(toml::Spanned::into_inner).unwrap_or_default();
        Self { text, lines: lines(text), tree: Tree::Toml(root) }
    }

    /// The line of a key of the whole file, such as `coordinator.tls.cert`, and the key marked in it,
    /// without values, which may be secrets. `None` if the text has no such key.
    pub(in crate::cli) fn of_key(text: &str, path: &str) -> Option<(usize, String)> {
        let root = DeTable::parse(text).ok()?.into_inner();
        let (mut here, mut place) = (DeValue::Table(root), None);
        for part in path.split('.') {
            let DeValue::Table(table) = here else { return None };
            let (key, value) = table.into_iter().find(|(key, _)| key.get_ref() == part)?;
            (here, place) = (value.into_inner(), Some(key.span()));
        }
        let place = place.filter(|place| text.get(place.clone()).is_some())?;
        let line = 1 + text[..place.start].matches('\n').count();
        Some((line, key_alone(text, line, place)))
    }

    /// Places in a JSON text. `list` are the fields around the list of jobs.
    pub(super) fn of_json(text: &'a str, list: Option<&'static [&'static str]>) -> Self {
        Self { text, lines: lines(text), tree: Tree::Json(list) }
    }

    /// The number of a job's line, from 1; of a field of it, such as `retry.count` or
    /// `children[0].job`; or of the longest part of this path that exists.
    pub(super) fn line(&self, job: usize, path: &str) -> usize {
        let at = self.find(job, path).start;
        self.lines.partition_point(|begin| *begin <= at)
    }

    /// The line with the field, and the field marked in it.
    pub(super) fn excerpt(&self, job: usize, path: &str) -> String {
        let found = self.find(job, path);
        let number = self.lines.partition_point(|begin| *begin <= found.start);
        marked(self.text, number, found)
    }

    fn find(&self, job: usize, path: &str) -> Range<usize> {
        let found = match &self.tree {
            Tree::Toml(root) => find_in_toml(root, job, path),
            Tree::Json(list) => find_in_json(self.text, *list, job, path),
        };
        found.filter(|found| self.text.get(found.clone()).is_some()).unwrap_or(0..0)
    }
}

/// Where the lines of a text begin.
fn lines(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// The line of a text that a range begins in, and the range marked in it.
pub(super) fn excerpt(text: &str, range: Range<usize>) -> String {
    marked(text, 1 + text[..range.start].matches('\n').count(), range)
}

/// The key in a line with this number, and its mark, without the values in the line.
fn key_alone(text: &str, number: usize, key: Range<usize>) -> String {
    let begin = text[..key.start].rfind('\n').map_or(0, |end| end + 1);
    let before = &text[begin..key.start];
    // A key of a table in braces stands behind other values.
    let before = if before.contains(['=', '{', ',']) { "… " } else { before };
    let rest = text[key.end..].lines().next().unwrap_or_default().trim_start();
    let behind = match rest.chars().next() {
        Some(']') => rest.split_inclusive(|c| c != ']').next().unwrap_or_default().trim_end(),
        Some('.') => ".…",
        Some(_) | None => " = …",
    };
    let (key, before) = (&text[key], before.replace('\t', " "));
    let gap = " ".repeat(number.to_string().len());
    let (indent, mark) = (before.chars().count(), key.chars().count().max(1));
    format!("{number} | {before}{key}{behind}\n{gap} | {}{}", " ".repeat(indent), "^".repeat(mark))
}

/// The line with this number, in which a range begins, and the range marked in it.
fn marked(text: &str, number: usize, range: Range<usize>) -> String {
    let begin = text[..range.start].rfind('\n').map_or(0, |end| end + 1);
    let end = text[range.start..].find('\n').map_or(text.len(), |end| range.start + end);
    let line = text[begin..end].trim_end();
    let before = text[begin..range.start].chars().count();
    let marked = &text[range.start..range.end.clamp(range.start, end.max(range.start))];
    let marked = marked.trim_end().chars().count().max(1);
    let line = line.replace('\t', " ");
    let gap = " ".repeat(number.to_string().len());
    format!("{number} | {line}\n{gap} | {}{}", " ".repeat(before), "^".repeat(marked))
}

/// The parts of a path: the names of fields, and positions in lists.
fn parts(path: &str) -> impl Iterator<Item = Result<&str, usize>> {
    path.split(['.', '[']).filter(|part| !part.is_empty()).map(|part| {
        let index = part.strip_suffix(']').and_then(|index| index.parse().ok());
        index.map_or(Ok(part), Err)
    })
}

fn find_in_toml(root: &DeTable<'_>, job: usize, path: &str) -> Option<Range<usize>> {
    let jobs = root.iter().find(|(key, _)| key.get_ref() == "job")?.1;
    let job = jobs.get_ref().as_array()?.get(job)?;
    // The span of a table that is written as `[[job]]` may contain all of its fields.
    let mut here = job.get_ref();
    let mut place = job.span().start..job.span().start + "[[job]]".len();
    for part in parts(path) {
        let next = match (here, part) {
            (DeValue::Array(list), Err(index)) => {
                list.get(index).map(|value| (value, value.span()))
            }
            (DeValue::Table(table), Ok(name)) => {
                let found = table.iter().find(|(key, _)| key.get_ref() == name);
                found.map(|(key, value)| {
                    let is_beside = value.span().start >= key.span().end;
                    let end = if is_beside { value.span().end } else { key.span().end };
                    (value, key.span().start..end)
                })
            }
            (
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_),
                _,
            ) => None,
        };
        let Some((value, span)) = next else { break };
        (here, place) = (value.get_ref(), span);
    }
    Some(place)
}

fn find_in_json(
    text: &str,
    list: Option<&'static [&'static str]>,
    job: usize,
    path: &str,
) -> Option<Range<usize>> {
    let mut place = Scan { text, at: 0 }.value();
    let mut scan = Scan { text, at: 0 };
    if let Some(around) = list {
        for part in around.iter().map(|name| Ok(*name)).chain([Err(job)]) {
            place = scan.enter(part)?;
        }
    }
    // A job that spans many lines is marked by its first character.
    place.end = place.start + 1;
    for part in parts(path) {
        let Some(next) = scan.enter(part) else { break };
        place = next;
    }
    Some(place)
}

/// A position in a valid JSON text, at the begin of a value.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    /// Moves to a field or an item of the value here. Returns its place, with the field's name.
    fn enter(&mut self, part: Result<&str, usize>) -> Option<Range<usize>> {
        self.space();
        let open = self.peek()?;
        let mut inner = Scan { text: self.text, at: self.at + 1 };
        for index in 0.. {
            inner.space();
            let start = inner.at;
            match (open, inner.peek()?, part) {
                (b'{', b'"', Ok(name)) => {
                    let key = inner.value();
                    let is_it = serde_json::from_str::<String>(&self.text[key]).ok()? == name;
                    inner.space();
                    inner.at += 1;
                    inner.space();
                    let value = Scan { text: self.text, at: inner.at };
                    let end = inner.value().end;
                    if is_it {
                        *self = Scan { text: self.text, at: value.at };
                        return Some(start..end);
                    }
                }
                (b'[', first, Err(wanted)) if first != b']' => {
                    let place = inner.value();
                    if index == wanted {
                        self.at = place.start;
                        return Some(place);
                    }
                }
                _ => return None,
            }
            inner.space();
            match inner.peek()? {
                b',' => inner.at += 1,
                _ => return None,
            }
        }
        None
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Moves behind the value here, and returns its place.
    fn value(&mut self) -> Range<usize> {
        self.space();
        let start = self.at;
        let (mut depth, mut is_text) = (0_usize, false);
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' if is_text => self.at += 1,
                b'"' => is_text = !is_text,
                _ if is_text => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => depth -= 1,
                b',' | b':' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
            if depth == 0 && !is_text && matches!(byte, b'}' | b']' | b'"') {
                break;
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        start..start + text.trim_end().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(places: &Places<'_>, job: usize, path: &str, expected: &str) {
        assert_eq!(places.excerpt(job, path), expected, "{path}");
    }

    #[test]
    fn a_field_of_a_toml_file_is_marked() {
        let text = "[[job]]\nname = 'a'\n\n[[job]]\nname = 'é'\n[job.retry]\n\tcount = 'many'\n";
        let text = format!(
            "{text}[[job]]\nretry = {{ count = 1, delay = 5 }}\nchildren = [\n  {{ job = 7 }},\n]"
        );
        let places = Places::of_toml(&text);
        check(&places, 0, "timeout", "1 | [[job]]\n  | ^^^^^^^");
        check(&places, 1, "name", "5 | name = 'é'\n  | ^^^^^^^^^^");
        check(&places, 1, "retry.count", "7 |  count = 'many'\n  |  ^^^^^^^^^^^^^^");
        check(&places, 1, "retry", "6 | [job.retry]\n  |      ^^^^^");
        check(&places, 2, "retry.delay", {
            "9 | retry = { count = 1, delay = 5 }\n  |                      ^^^^^^^^^"
        });
        check(&places, 2, "children[0].job", "11 |   { job = 7 },\n   |     ^^^^^^^");
        assert_eq!(places.line(2, "children[0].job"), 11);
    }

    #[test]
    fn a_key_of_a_whole_file_is_marked() {
        let text = "a = 1\n[client]\ntoken = 'S'\n[alarms.b]\nheaders = { x = 'S', 'y' = 'S' }\n";
        let found = |path| Places::of_key(text, path);
        #[track_caller]
        fn check(found: Option<(usize, String)>, line: usize, expected: &str) {
            assert_eq!(found, Some((line, expected.to_owned())));
        }
        check(found("client.token"), 3, "3 | token = …\n  | ^^^^^");
        check(found("client"), 2, "2 | [client]\n  |  ^^^^^^");
        check(found("alarms"), 4, "4 | [alarms.…\n  |  ^^^^^^");
        check(found("alarms.b.headers.y"), 5, "5 | … 'y' = …\n  |   ^^^");
        assert_eq!(found("client.server"), None);
        assert_eq!(found("a.b"), None);
    }

    #[test]
    fn a_field_of_a_json_file_is_marked() {
        let text = r#"{"items": [
 {"name": "a", "param": {"retry": "]}\""}},
 {"n\u0061me": "b",
  "retry" : { "count":"many" , "delay": null},
  "children": [{"job": "x"}, {"job": 7}]}
], "next_cursor": null}"#;
        let places = Places::of_json(text, Some(&["items"]));
        check(
            &places,
            0,
            "retry",
            "2 |  {\"name\": \"a\", \"param\": {\"retry\": \"]}\\\"\"}},\n  |  ^",
        );
        check(&places, 1, "name", "3 |  {\"n\\u0061me\": \"b\",\n  |   ^^^^^^^^^^^^^^^^");
        check(&places, 1, "retry.count", {
            "4 |   \"retry\" : { \"count\":\"many\" , \"delay\": null},\n  |               ^^^^^^^^^^^^^^"
        });
        assert_eq!(places.line(1, "children[1].job"), 5);
        let whole = r#"{"name": 7}"#;
        let one = Places::of_json(whole, None);
        check(&one, 0, "name", "1 | {\"name\": 7}\n  |  ^^^^^^^^^");
        let list = Places::of_json(r#"[1, {"a": 2}]"#, Some(&[]));
        check(&list, 1, "a", "1 | [1, {\"a\": 2}]\n  |      ^^^^^^");
        check(&list, 7, "a", "1 | [1, {\"a\": 2}]\n  | ^");
    }
}
