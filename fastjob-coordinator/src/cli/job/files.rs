//! Job files: TOML with `[[job]]` tables, or JSON with an object, a list, `{"job": [...]}`, or what
//! `fastjob job list --json` prints.
//!
//! A file may have some fields of a job only, which the coordinator merges into the existing job. So
//! only types and names of fields are checked here.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use fastjob_core::{job::Problem, misread::Misread};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::places::{Places, excerpt};
use crate::{
    cli::error::{Failure, Field, Spot},
    drafts::{self, Judged},
};

/// What the API adds to a definition. Files that come from it have these fields.
const OF_THE_API: [&str; 8] = [
    "id",
    "revision",
    "created_at",
    "updated_at",
    "next_fire_at",
    "activity",
    "overrides",
    "declared",
];
/// Fields of an item that are not in a draft.
const ORIGIN: &str = "origin";

/// The jobs of all files, in the order in which they are written.
#[derive(Debug, Default)]
pub(super) struct Files {
    sources: Vec<Source>,
    jobs: Vec<Item>,
}

/// A file.
#[derive(Debug)]
struct Source {
    /// Its position among the files of the command.
    file: usize,
    name: String,
    text: String,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Toml,
    /// With the fields around the list of jobs; `None` if it is one job.
    Json(Option<&'static [&'static str]>),
}

/// A job of a file.
#[derive(Debug)]
struct Item {
    /// Its position in `sources`.
    source: usize,
    /// Its position in the file.
    number: usize,
    fields: Value,
}

/// Problems, each with the position of its file and the line that it is in.
#[derive(Debug, Default)]
struct Problems(Vec<(usize, Field, Option<String>)>);

impl Files {
    /// Reads all files.
    ///
    /// # Errors
    ///
    /// Fails with every problem of every file.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let (mut read, mut problems) = (Self::default(), Problems::default());
        for (file, path) in files.iter().enumerate() {
            let (name, text) = if path.as_os_str() == "-" {
                let mut text = String::new();
                ("standard input".to_owned(), io::stdin().read_to_string(&mut text).map(|_| text))
            } else {
                (path.display().to_string(), fs::read_to_string(path))
            };
            match text {
                Ok(text) => read.add(file, name, path, text, &mut problems),
                Err(err) => problems.add(file, name, format!("could not be read: {err}"), None),
            }
        }
        read.checked(problems)
    }

    /// Reads the text of one file.
    #[cfg(feature = "fuzzing")]
    pub(super) fn read_text(path: &Path, text: &str) -> Result<Self, Failure> {
        let (mut read, mut problems) = (Self::default(), Problems::default());
        read.add(0, "fuzzed".to_owned(), path, text.to_owned(), &mut problems);
        read.checked(problems)
    }

    fn add(
        &mut self,
        file: usize,
        name: String,
        path: &Path,
        text: String,
        problems: &mut Problems,
    ) {
        let parsed = match is_json(path, &text) {
            true => json(&name, &text),
            false => toml(&name, &text),
        };
        match parsed {
            Err((place, message, excerpt)) => problems.add(file, place, message, excerpt),
            Ok((_, jobs)) if jobs.is_empty() => {
                let message = "it has no jobs; write [[job]] above each".to_owned();
                problems.add(file, name, message, None);
            }
            Ok((format, jobs)) => {
                let source = self.sources.len();
                let items = jobs.into_iter().enumerate();
                self.jobs.extend(items.map(|(number, fields)| Item { source, number, fields }));
                self.sources.push(Source { file, name, text, format });
            }
        }
    }

    /// Checks names and types, and that each job is there once.
    fn checked(mut self, mut problems: Problems) -> Result<Self, Failure> {
        let (mut unreadable, mut invalid, mut seen) =
            (Vec::new(), Vec::new(), BTreeMap::<String, usize>::new());
        for (at, item) in self.jobs.iter_mut().enumerate() {
            if let Value::Object(fields) = &mut item.fields
                && ["id", "revision"].iter().all(|field| fields.contains_key(*field))
            {
                fields.retain(|field, _| !OF_THE_API.contains(&field.as_str()));
            }
            let judged = item.judged(self.sources[item.source].format);
            unreadable.extend(judged.unreadable.into_iter().map(|problem| (at, problem)));
            // Other fields of an existing job may make it valid, so this alone is no reason to
            // reject it.
            invalid.extend(judged.invalid.into_iter().map(|problem| (at, problem)));
            if let Some(name) = item.full_name() {
                seen.entry(name).or_insert(at);
            }
        }
        let places: Vec<_> = self.sources.iter().map(Source::places).collect();
        let twice: Vec<_> = (0..)
            .zip(&self.jobs)
            .filter_map(|(at, item): (usize, _)| {
                let name = item.full_name()?;
                let first = *seen.get(&name)?;
                (first != at).then(|| {
                    let message = {
                        let item = &self.jobs[first];
                        let line = places[item.source].line(item.number, "");
                        let file = &self.sources[item.source].name;
                        format!("`{name}` is already defined in {file}:{line}")
                    };
                    (at, Problem { field: "name".to_owned(), message })
                })
            })
            .collect();
        // A name is not merged.
        let is_of_name =
            |(_, problem): &(usize, Problem)| matches!(problem.field.as_str(), "name" | "service");
        let is_wrong = !unreadable.is_empty() || invalid.iter().any(is_of_name);
        if is_wrong || !twice.is_empty() || !problems.0.is_empty() {
            let mut all: Vec<_> = unreadable.into_iter().chain(invalid).chain(twice).collect();
            all.sort_by_key(|(at, _)| *at);
            problems.0.extend(self.located(all).0);
        }
        if problems.0.is_empty() { Ok(self) } else { Err(problems.into()) }
    }

    /// The fields of each job, as a request has them.
    pub(super) fn fields(&self) -> Vec<Map<String, Value>> {
        self.jobs.iter().filter_map(|item| item.fields.as_object().cloned()).collect()
    }

    /// The name of each job, with its service.
    pub(super) fn names(&self) -> Vec<String> {
        self.jobs.iter().filter_map(Item::full_name).collect()
    }

    /// The problems of the jobs, if all of them were new.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let items = self.jobs.iter().enumerate();
        let invalid = items.flat_map(|(at, item)| {
            item.judged(self.sources[item.source].format)
                .invalid
                .into_iter()
                .map(move |problem| (at, problem))
        });
        let problems = self.located(invalid.collect());
        if problems.0.is_empty() { Ok(()) } else { Err(problems.into()) }
    }

    /// Replaces the problems of a rejected request, such as `jobs[2].retry.count`, by problems with
    /// places in the files.
    pub(super) fn locate(&self, failure: &mut Failure) {
        let of_job = |field: &str| {
            let (number, field) = field.strip_prefix("jobs[")?.split_once(']')?;
            let at = number.parse().ok().filter(|at| *at < self.jobs.len())?;
            Some((at, field.strip_prefix('.').unwrap_or(field).to_owned()))
        };
        let mut found = Vec::new();
        for problem in &failure.problems {
            let Some((at, field)) = of_job(&problem.field) else { return };
            found.push((at, Problem { field, message: problem.message.clone() }));
        }
        if found.is_empty() {
            return;
        }
        let located = Failure::from(self.located(found));
        (failure.title, failure.problems) = (located.title, located.problems);
        failure.spots = located.spots;
    }

    fn located(&self, found: Vec<(usize, Problem)>) -> Problems {
        let places: Vec<_> = self.sources.iter().map(Source::places).collect();
        let mut problems = Problems::default();
        for (at, Problem { field, message }) in found {
            let item = &self.jobs[at];
            let (source, places) = (&self.sources[item.source], &places[item.source]);
            let line = places.line(item.number, &field);
            let dots = if field.is_empty() { "" } else { ": " };
            let place = format!("{}:{line}: {}{dots}{field}", source.name, item.called());
            let excerpt = places.excerpt(item.number, &field);
            problems.add(source.file, place, message, Some(excerpt));
        }
        problems
    }
}

impl Source {
    fn places(&self) -> Places<'_> {
        match self.format {
            Format::Toml => Places::of_toml(&self.text),
            Format::Json(list) => Places::of_json(&self.text, list),
        }
    }
}

impl Format {
    /// Its term for a set of fields with values.
    fn table(self) -> &'static str {
        match self {
            Self::Toml => "a table",
            Self::Json(_) => "an object",
        }
    }
}

impl Item {
    fn judged(&self, format: Format) -> Judged {
        let mut definition = self.fields.clone();
        if let Value::Object(fields) = &mut definition {
            fields.remove(ORIGIN);
            // `null` resets a field of an existing job.
            fields.retain(|_, value| !value.is_null());
        }
        drafts::judge(definition, format.table())
    }

    fn full_name(&self) -> Option<String> {
        let text = |field: &str| self.fields.get(field).and_then(Value::as_str);
        Some(format!("{}.{}", text("service").unwrap_or("default"), text("name")?))
    }

    fn called(&self) -> String {
        match self.fields.get("name").and_then(Value::as_str) {
            Some(name) => format!("job `{name}`"),
            None => format!("job number {}", self.number + 1),
        }
    }
}

impl Problems {
    fn add(&mut self, file: usize, place: String, message: String, excerpt: Option<String>) {
        self.0.push((file, Field::new(place, message), excerpt));
    }
}

impl From<Problems> for Failure {
    fn from(mut problems: Problems) -> Self {
        problems.0.sort_by_key(|(file, ..)| *file);
        let title = match problems.0.len() {
            1 => "nothing was applied: there is a problem".to_owned(),
            many => format!("nothing was applied: there are {many} problems"),
        };
        let spot = |excerpt| Spot { excerpt, place: None };
        let lines = problems.0.into_iter().map(|(_, field, excerpt)| (field, spot(excerpt)));
        let (problems, spots) = lines.unzip();
        Self { title, problems, spots, ..Self::default() }
    }
}

/// The jobs of a file; or the place of its first error, the error, and the line.
type Parsed = Result<(Format, Vec<Value>), (String, String, Option<String>)>;

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

fn toml(name: &str, text: &str) -> Parsed {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        job: Vec<toml::Value>,
    }
    let file: File = toml::from_str(text).map_err(|err| {
        let span = err.span().filter(|span| text.get(span.clone()).is_some()).unwrap_or(0..0);
        let line = 1 + text[..span.start].matches('\n').count();
        let message = Misread::of("", err.message(), "a table").message;
        (format!("{name}:{line}"), message, Some(excerpt(text, span)))
    })?;
    Ok((Format::Toml, file.job.into_iter().map(plain).collect()))
}

/// The same value in JSON. Instants become texts, so that they may be written with or without quotes.
pub(super) fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(plain).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, plain(value))).collect()
        }
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        // JSON has no infinity; the text is rejected where a number is expected.
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .map_or_else(|| number.to_string().into(), Value::from),
        toml::Value::Boolean(value) => value.into(),
    }
}

fn json(name: &str, text: &str) -> Parsed {
    let value: Value = serde_json::from_str(text).map_err(|err| {
        let line = text.split_inclusive('\n').take(err.line().saturating_sub(1)).map(str::len);
        let at = (line.sum::<usize>() + err.column().saturating_sub(1)).min(text.len());
        let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        (format!("{name}:{}", err.line()), err.to_string(), Some(excerpt(text, at..at)))
    })?;
    let list = |field: &str| value.get(field).and_then(Value::as_array);
    let (format, jobs) = match &value {
        Value::Array(values) => (Format::Json(Some(&[])), values.clone()),
        Value::Object(object) => {
            let (field, around, beside): (_, &'static [&'static str], &[&str]) =
                match (list("job"), list("items")) {
                    (Some(_), _) => ("job", &["job"], &[]),
                    (None, Some(_)) => (
                        "items",
                        &["items"],
                        &["next_cursor", "searched_to", "total", "unanswered"],
                    ),
                    (None, None) => return Ok((Format::Json(None), vec![value])),
                };
            let known = |key: &&String| *key != field && !beside.contains(&key.as_str());
            if let Some(key) = object.keys().find(known) {
                let message = format!("unknown field `{key}` next to `{field}`");
                return Err((name.to_owned(), message, None));
            }
            (Format::Json(Some(around)), list(field).cloned().unwrap_or_default())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            (Format::Json(None), vec![value])
        }
    };
    Ok((format, jobs))
}

#[cfg(test)]
mod tests;
