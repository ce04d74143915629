//! `fastjob job export`: a file of jobs that `fastjob job apply` accepts, without defaults.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use fastjob_client::{Client, types::JobView};
use fastjob_core::{Job, JobDraft};
use serde_json::{Map, Value};

use super::{files::plain, prune::Selection};
use crate::cli::{error::Error, out::Out};

#[derive(Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    selection: Selection,
    /// Write to this file instead of the standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The fields in the order in which people write them.
const ORDER: [&str; 22] = [
    "name",
    "service",
    "description",
    "origin",
    "handler",
    "param",
    "enabled",
    "labels",
    "schedule",
    "start_at",
    "end_at",
    "jitter",
    "exclude",
    "misfire",
    "route",
    "shard",
    "block",
    "timeout",
    "grace",
    "retry",
    "no_executor",
    "children",
];

impl Export {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let jobs: Vec<_> = self.selection.jobs(client).await?.into_iter().map(fields).collect();
        let text = match out.is_json() {
            true => {
                let json = serde_json::to_string_pretty(&serde_json::json!({ "job": jobs }));
                json.map_err(|err| Error::failed(err.to_string()))? + "\n"
            }
            false if jobs.is_empty() => "# no jobs\n".to_owned(),
            false => jobs.iter().map(as_toml).collect::<Vec<_>>().join("\n"),
        };
        match &self.output {
            None => out.raw(&text),
            Some(path) => {
                std::fs::write(path, text).map_err(|err| {
                    Error::failed(format!("could not write {}: {err}", path.display()))
                })?;
                match out.is_json() {
                    true => out.json(&serde_json::json!({ "file": path, "jobs": jobs.len() })),
                    false => Ok(()),
                }
            }
        }
    }
}

/// A job as a table of a file.
pub(super) fn as_toml(job: &Map<String, Value>) -> String {
    let mut text = "[[job]]\n".to_owned();
    let place = |field: &str| ORDER.iter().position(|name| *name == field).unwrap_or(ORDER.len());
    let mut fields: Vec<_> = job.iter().collect();
    fields.sort_by_key(|(field, _)| place(field));
    for (field, value) in fields {
        // `fields` has values only that TOML has.
        if let Some(value) = in_toml(value) {
            // Writing to a String cannot fail.
            writeln!(text, "{field} = {value}").ok();
        }
    }
    text
}

/// A value in TOML, if it is the same when it is read again.
fn in_toml(value: &Value) -> Option<toml::Value> {
    let written = toml::Value::try_from(value).ok()?;
    let read: toml::Table = toml::from_str(&format!("value = {written}")).ok()?;
    let read = plain(read.into_iter().next()?.1);
    (read == *value).then_some(written)
}

/// The fields of a job that differ from their defaults.
pub(super) fn fields(view: JobView) -> Map<String, Value> {
    let mut fields = fields_of(view.job);
    if view.origin == "code" {
        fields.insert("origin".to_owned(), view.origin.into());
    }
    fields
}

/// The fields of a definition, without defaults.
pub(super) fn fields_of(draft: JobDraft) -> Map<String, Value> {
    let whole = object(&draft);
    match Job::try_from(draft) {
        Ok(job) => reduced(&job, whole),
        // A newer coordinator may have values that this release does not know.
        Err(_) => whole,
    }
}

fn object(draft: &JobDraft) -> Map<String, Value> {
    match serde_json::to_value(draft) {
        Ok(Value::Object(fields)) => fields,
        // A draft is an object.
        _ => Map::new(),
    }
}

/// The fewest fields that make the same job.
fn reduced(job: &Job, mut whole: Map<String, Value>) -> Map<String, Value> {
    let plain = JobDraft {
        name: job.name.to_string(),
        service: Some(job.service.to_string()),
        ..JobDraft::default()
    };
    let plain = Job::try_from(plain).map(|plain| object(&JobDraft::from(&plain)));
    let plain = plain.unwrap_or_default();
    if whole.get("service").and_then(Value::as_str) == Some("default") {
        whole.remove("service");
    }
    let is_same = |fields: &Map<String, Value>| {
        let draft = serde_json::from_value::<JobDraft>(fields.clone().into());
        draft.is_ok_and(|draft| Job::try_from(draft).is_ok_and(|other| other == *job))
    };
    let names: Vec<_> = whole.keys().cloned().collect();
    for field in names {
        let Some(value) = whole.remove(&field) else { continue };
        // Without the field, then with what differs in it, then as it is.
        if is_same(&whole) {
            continue;
        }
        let mut shorter = value.clone();
        if field == "param" {
            shorter = structured(&value);
        } else if let Some(default) = plain.get(&field) {
            shorter = without(shorter, default);
        }
        if shorter.get("zone").and_then(Value::as_str) == Some("UTC") {
            shorter.as_object_mut().map(|table| table.remove("zone"));
        }
        whole.insert(field.clone(), shorter);
        if !is_same(&whole) {
            whole.insert(field, value);
        }
    }
    whole
}

/// A table without the values that `default` has, too.
fn without(value: Value, default: &Value) -> Value {
    let (Value::Object(mut table), Value::Object(default)) = (value.clone(), default) else {
        return value;
    };
    table.retain(|field, value| default.get(field) != Some(value));
    table.into()
}

/// A param that is an object in JSON, as a table.
fn structured(param: &Value) -> Value {
    let text = param.as_str().unwrap_or_default();
    match serde_json::from_str(text) {
        Ok(table @ Value::Object(_)) if in_toml(&table).is_some() => table,
        _ => param.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(toml: &str) -> JobView {
        let draft: JobDraft = toml::from_str(toml).unwrap();
        let job = Job::try_from(draft).unwrap();
        let mut view = serde_json::json!({
            "id": 1, "revision": 1, "origin": "api", "created_at": "2026-11-23T00:00:00Z",
            "updated_at": "2026-11-23T00:00:00Z", "next_fire_at": null,
        });
        view.as_object_mut().unwrap().append(&mut object(&JobDraft::from(&job)));
        serde_json::from_value(view).unwrap()
    }

    #[track_caller]
    fn check(toml: &str) {
        let written = as_toml(&fields(view(toml)));
        assert_eq!(written, format!("[[job]]\n{toml}"));
    }

    #[test]
    fn a_job_is_written_without_its_defaults() {
        check("name = \"a\"\n");
        check("name = \"a\"\nservice = \"mail\"\nhandler = \"h\"\nenabled = false\n");
        check("name = \"a\"\nschedule = { cron = \"0 0 * * *\" }\n");
        check("name = \"a\"\nschedule = { cron = \"0 0 * * *\", zone = \"Asia/Tokyo\" }\n");
        check("name = \"a\"\nretry = { count = 3 }\n");
        check("name = \"a\"\nparam = { month = \"2026-11\", of = [1, 2] }\n");
        check("name = \"a\"\nparam = '{\"b\":1,\"a\":2}'\n");
        check("name = \"a\"\nmisfire = { fire_all = { max = 3, window = \"1h\" } }\n");
        check(
            "name = \"a\"\nchildren = [{ job = \"b\", on = \"failure\", pass_result = false }]\n",
        );
    }

    #[test]
    fn a_param_that_toml_cannot_have_stays_a_text() {
        for param in
            [r#"{"a":null}"#, r#"{"$__toml_private_datetime":"2026-01-01"}"#, r#"{"a":1.0e300}"#]
        {
            let toml = format!("name = \"a\"\nparam = '{param}'\n");
            let written = as_toml(&fields(view(&toml)));
            let read: toml::Table = toml::from_str(&written).unwrap();
            let shown = read["job"][0]["param"].clone();
            let text = shown.as_str().map(str::to_owned);
            let text = text.unwrap_or_else(|| plain(shown).to_string());
            let same = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(same(&text), same(param), "{written}");
        }
    }

    #[test]
    fn a_job_that_follows_its_code_says_so() {
        let view = JobView { origin: "code".to_owned(), ..view("name = \"a\"") };
        assert_eq!(as_toml(&fields(view)), "[[job]]\nname = \"a\"\norigin = \"code\"\n");
    }
}
