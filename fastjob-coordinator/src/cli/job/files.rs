//! Files of definitions: TOML with `[[job]]` tables, or JSON with an object, a list, or
//! `{"job": [...]}`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use fastjob_core::{Job, JobDraft};
use serde::Deserialize;
use toml::Spanned;

use super::{
    list::full_name,
    order::{Cycle, children_first},
};
use crate::cli::error::Field;

/// One job of a file, valid.
#[derive(Debug)]
pub(super) struct Definition {
    /// `service.name`.
    pub(super) name: String,
    pub(super) draft: JobDraft,
    /// The file, and the line where it is known.
    place: String,
}

/// Reads all files, and puts children before their parents.
///
/// # Errors
///
/// Fails with every problem of every file, each with its place; and if children lead back to their
/// parents, with the first such round.
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
    let mut seen = BTreeMap::new();
    for job in &jobs {
        if let Some(first) = seen.insert(&job.name, &job.place) {
            let message = format!("`{}` is defined in {first} already", job.name);
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
                "children lead back to their parents, so that their tasks would never end: {}",
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
            problems.push(Field::new(name, "there is no job in it; write [[job]] above each"));
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

/// Something that should be a job.
struct Unread {
    place: String,
    /// As it calls itself, if it does.
    name: Option<String>,
    draft: Result<JobDraft, String>,
}

impl Unread {
    fn judge(self) -> Result<Definition, Vec<Field>> {
        let place = match &self.name {
            Some(name) => format!("{}: job `{name}`", self.place),
            None => self.place.clone(),
        };
        let draft = self.draft.map_err(|message| vec![Field::new(&place, message)])?;
        match Job::try_from(draft.clone()) {
            Ok(_) => Ok(Definition { name: full_name(&draft), draft, place: self.place }),
            Err(err) => {
                let problems = err.problems.into_iter();
                Err(problems
                    .map(|p| Field::new(format!("{place}: {}", p.field), p.message))
                    .collect())
            }
        }
    }
}

type Drafts = Result<Vec<Unread>, (String, String)>;

/// By the name, else by the first sign: `[[job]]` and `[ {` both begin with a bracket.
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

fn toml(name: &str, text: &str) -> Drafts {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        job: Vec<Spanned<toml::Value>>,
    }
    let place = |at: usize| {
        let line = 1 + text.get(..at).map_or(0, |before| before.matches('\n').count());
        format!("{name}:{line}")
    };
    let file: File = toml::from_str(text).map_err(|err| {
        (place(err.span().map_or(0, |span| span.start)), err.message().to_owned())
    })?;
    let unread = file.job.into_iter().map(|value| {
        let place = place(value.span().start);
        let value = plain(value.into_inner());
        let name = value.get("name").and_then(toml::Value::as_str).map(str::to_owned);
        let draft = JobDraft::deserialize(value).map_err(|err| err.message().to_owned());
        Unread { place, name, draft }
    });
    Ok(unread.collect())
}

/// Instants as texts, so that they may be written with or without quotes.
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

fn json(name: &str, text: &str) -> Drafts {
    use serde_json::Value;
    let value: Value = serde_json::from_str(text)
        .map_err(|err| (format!("{name}:{}", err.line()), err.to_string()))?;
    let values = match value {
        Value::Array(values) => values,
        Value::Object(mut object) if object.get("job").is_some_and(Value::is_array) => {
            let list = object.remove("job");
            if let Some(key) = object.keys().next() {
                return Err((name.to_owned(), format!("unknown field `{key}` beside `job`")));
            }
            list.and_then(|list| list.as_array().cloned()).unwrap_or_default()
        }
        one @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => vec![one],
    };
    let unread = values.into_iter().enumerate().map(|(number, value)| {
        let called = value.get("name").and_then(Value::as_str).map(str::to_owned);
        let place = match &called {
            Some(_) => name.to_owned(),
            None => format!("{name}: job number {}", number + 1),
        };
        let draft = JobDraft::deserialize(value).map_err(|err| err.to_string());
        Unread { place, name: called, draft }
    });
    Ok(unread.collect())
}

#[cfg(test)]
mod tests;
