//! Entry points to every parser of external input, for the fuzz targets in `fuzz/`. Each accepts
//! any input, and panics if a parser breaks its contract.

use std::path::Path;

use fastjob_client::types::{BackfillRequest, SilenceRequest, StartRequest};
use fastjob_core::{JobDraft, wire::v1};

use crate::{
    Config, api, cli,
    config::{Source, executor},
    rpc,
    schema::Schema,
};

/// A message from an executor.
pub fn executor_message(message: v1::FromExecutor) {
    if let Some(message) = message.message {
        rpc::fuzz_message(message);
    }
}

/// A file of jobs, TOML or JSON, as detected.
pub fn job_file(text: &str) {
    for name in ["jobs", "jobs.toml", "jobs.json"] {
        cli::fuzz_job_file(Path::new(name), text);
    }
}

/// The configuration of a coordinator. Each line after an empty one sets a variable.
pub fn config(text: &str) {
    let (file, vars) = text.split_once("\n\n").unwrap_or((text, ""));
    let var = |name: &str| {
        let mut lines = vars.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let Ok(source) = Source::of_text(file) else { return };
    let (config, problems) = Config::read(&source, var);
    for problem in problems.iter().chain(&executor::check(&source)) {
        cli::fuzz_key(file, &problem.key);
    }
    if problems.is_empty() {
        // The settings may contradict each other, and have to be shown anyway.
        drop((config.check_coordinator(), config.shown()));
    }
}

/// The request target on the first line, then the body.
pub fn request(text: &str) {
    let (uri, body) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(uri) = uri.parse() {
        api::fuzz_query(&uri);
    }
    api::fuzz_body::<JobDraft>(body.as_bytes());
    api::fuzz_body::<StartRequest>(body.as_bytes());
    api::fuzz_body::<BackfillRequest>(body.as_bytes());
    api::fuzz_body::<SilenceRequest>(body.as_bytes());
}

/// A JSON schema of a param on the first line, then a param.
pub fn param_schema(text: &str) {
    let (schema, param) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(schema) = Schema::read(schema) else { return };
    for param in [None, Some(param)] {
        if let Err(misfits) = schema.check(param) {
            assert!(!misfits.is_empty(), "a param is refused without a reason");
        }
    }
}
