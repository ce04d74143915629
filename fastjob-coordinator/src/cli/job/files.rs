//! Job files: TOML with `[[job]]` tables, or JSON with an object, a list, or `{"job": [...]}`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use fastjob_core::{Job, JobDraft, misread::Misread};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{
    lines::Lines,
    order::{Cycle, children_first},
};
use crate::cli::error::Field;

/// A valid job of a file.
#[derive(Debug)]
pub(super) struct Definition {
    /// `service.name`.
    pub(super) name: String,
    pub(super) draft: JobDraft,
    /// The file, and the line if it is known.
    place: String,
}

/// Reads all files, and puts children before their parents.
///
/// # Errors
///
/// Fails with every problem of every file, each with its place; and if jobs are their own
/// descendants, with the first such cycle.
pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Definition>, Vec<Field>> {
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        let (name, text) = if path.as_os_str() == "-" {
            let mut text = String::new();
            ("standard input".to_owned(), io::stdin().read_to_string(&mut text).map(|_| text))
        } else {
            (path.display().to_string(), fs::read_to_string(path))
        };
        match text {
            Ok(text) => read(&name, path, &text, &mut jobs, &mut problems),
            Err(err) => problems.push(Field::new(name, format_args!("could not be read: {err}"))),
        }
    }
    judge_all(jobs, problems)
}

/// Reads the text of one file.
#[cfg(feature = "fuzzing")]
pub(super) fn read_text(path: &Path, text: &str) -> Result<Vec<Definition>, Vec<Field>> {
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    read("fuzzed", path, text, &mut jobs, &mut problems);
    judge_all(jobs, problems)
}

fn judge_all(
    jobs: Vec<Definition>,
    mut problems: Vec<Field>,
) -> Result<Vec<Definition>, Vec<Field>> {
    let mut seen = BTreeMap::new();
    for job in &jobs {
        if let Some(first) = seen.insert(&job.name, &job.place) {
            let message = format!("`{}` is already defined in {first}", job.name);
            problems.push(Field::new(&job.place, message));
        }
    }
    if problems.is_empty() {
        in_order(jobs).map_err(|problem| vec![problem])
    } else {
        Err(problems)
    }
}

fn in_order(jobs: Vec<Definition>) -> Result<Vec<Definition>, Field> {
    let drafts: Vec<_> = jobs.iter().map(|job| &job.draft).collect();
    match children_first(&drafts) {
        Ok(order) => {
            let mut jobs: Vec<_> = jobs.into_iter().map(Some).collect();
            Ok(order.into_iter().filter_map(|at| jobs[at].take()).collect())
        }
        Err(Cycle(places)) => {
            let round = places.iter().chain(places.first());
            let names: Vec<_> = round.map(|at| jobs[*at].name.as_str()).collect();
            let message = format!(
                "these children form a cycle, so their tasks would never end: {}",
                names.join(" -> ")
            );
            Err(Field::new(places.first().map_or("", |at| &jobs[*at].place), message))
        }
    }
}

fn read(
    name: &str,
    path: &Path,
    text: &str,
    jobs: &mut Vec<Definition>,
    problems: &mut Vec<Field>,
) {
    let drafts = match is_json(path, text) {
        true => json(name, text),
        false => toml(name, text),
    };
    match drafts {
        Err((place, message)) => problems.push(Field::new(place, message)),
        Ok(drafts) if drafts.is_empty() => {
            problems.push(Field::new(name, "it has no jobs; write [[job]] above each"));
        }
        Ok(drafts) => {
            for draft in drafts {
                match draft.judge() {
                    Ok(job) => jobs.push(job),
                    Err(wrong) => problems.extend(wrong),
                }
            }
        }
    }
}

/// An item that should be a job.
struct Unread<'a> {
    place: String,
    /// Its name, or its position if it has none.
    name: String,
    draft: Result<JobDraft, Misread>,
    /// The place of one of its fields.
    place_of: Box<dyn Fn(&str) -> String + 'a>,
}

impl Unread<'_> {
    fn judge(self) -> Result<Definition, Vec<Field>> {
        let problem = |field: &str, message: String| {
            let dots = if field.is_empty() { "" } else { ": " };
            let (place, name) = ((self.place_of)(field), &self.name);
            Field::new(format!("{place}: {name}{dots}{field}"), message)
        };
        let draft = self.draft.map_err(|wrong| vec![problem(&wrong.field, wrong.message)])?;
        match Job::try_from(draft.clone()) {
            Ok(_) => Ok(Definition { name: draft.full_name(), draft, place: self.place }),
            Err(err) => {
                Err(err.problems.into_iter().map(|p| problem(&p.field, p.message)).collect())
            }
        }
    }
}

/// Parses a draft; an error names the field. `table` is the format's word for a table.
fn draft<'de, D>(from: D, table: &str) -> Result<JobDraft, Misread>
where
    D: Deserializer<'de, Error: Message>,
{
    serde_path_to_error::deserialize(from).map_err(|err| {
        let path = err.path().to_string();
        Misread::of(&path, &err.into_inner().text(), table)
    })
}

/// The message of an error, without the place that the formats add.
trait Message {
    fn text(&self) -> String;
}

impl Message for toml::de::Error {
    fn text(&self) -> String {
        self.message().to_owned()
    }
}

impl Message for serde_json::Error {
    fn text(&self) -> String {
        self.to_string()
    }
}

fn called(name: Option<&str>, number: usize) -> String {
    match name {
        Some(name) => format!("job `{name}`"),
        None => format!("job number {}", number + 1),
    }
}

type Drafts<'a> = Result<Vec<Unread<'a>>, (String, String)>;

/// By the file name, else by the first characters: `[[job]]` and `[ {` both begin with a bracket.
fn is_json(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => true,
        Some("toml") => false,
        _ => {
            let text = text.trim_start();
            let list = text.strip_prefix('[').map(str::trim_start);
            text.starts_with('{') || list.is_some_and(|rest| rest.starts_with(['{', ']']))
        }
    }
}

fn toml<'a>(name: &'a str, text: &'a str) -> Drafts<'a> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        job: Vec<Spanned<toml::Value>>,
    }
    let lines = Rc::new(Lines::of(text));
    let file: File = toml::from_str(text).map_err(|err| {
        let line = lines.at(err.span().map_or(0, |span| span.start));
        (format!("{name}:{line}"), Misread::of("", err.message(), "a table").message)
    })?;
    let unread = file.job.into_iter().enumerate().map(|(number, value)| {
        let line = lines.at(value.span().start);
        let value = plain(value.into_inner());
        let called = called(value.get("name").and_then(toml::Value::as_str), number);
        let lines = Rc::clone(&lines);
        Unread {
            place: format!("{name}:{line}"),
            name: called,
            draft: draft(value, "a table"),
            place_of: Box::new(move |field| {
                format!("{name}:{}", lines.of_field(number, field).unwrap_or(line))
            }),
        }
    });
    Ok(unread.collect())
}

/// Converts instants to texts, so that they may be written with or without quotes.
fn plain(value: toml::Value) -> toml::Value {
    use toml::Value;
    match value {
        Value::Datetime(at) => Value::String(at.to_string()),
        Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
        other @ (Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => {
            other
        }
    }
}

fn json<'a>(name: &'a str, text: &str) -> Drafts<'a> {
    use serde_json::Value;
    let value: Value = serde_json::from_str(text)
        .map_err(|err| (format!("{name}:{}", err.line()), err.to_string()))?;
    let values = match value {
        Value::Array(values) => values,
        Value::Object(mut object) if object.get("job").is_some_and(Value::is_array) => {
            let list = object.remove("job");
            if let Some(key) = object.keys().next() {
                return Err((name.to_owned(), format!("unknown field `{key}` next to `job`")));
            }
            list.and_then(|list| list.as_array().cloned()).unwrap_or_default()
        }
        one @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => vec![one],
    };
    let unread = values.into_iter().enumerate().map(|(number, value)| Unread {
        place: name.to_owned(),
        name: called(value.get("name").and_then(Value::as_str), number),
        draft: draft(value, "an object"),
        // serde_json does not keep the places of values.
        place_of: Box::new(move |_| name.to_owned()),
    });
    Ok(unread.collect())
}

#[cfg(test)]
mod tests;
