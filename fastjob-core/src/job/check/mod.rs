//! Converts a draft to a job and back.
//!
//! Every field is checked, so that all problems are reported at once. A value that this release
//! does not support is rejected: nothing is accepted and then ignored.

mod back;
mod names;
mod problems;
mod strategies;
mod timing;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub(super) use self::problems::Problems;
use super::{
    About, DESCRIPTION_MAX, InvalidJob, Job, JobDraft, LABELS_MAX, PARAM_MAX, Settings, param_text,
};
use crate::duration;

const DEFAULT_NO_EXECUTOR: Duration = Duration::from_secs(60);
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

impl TryFrom<JobDraft> for Job {
    type Error = InvalidJob;

    fn try_from(draft: JobDraft) -> Result<Self, InvalidJob> {
        job(draft, Problems::default())
    }
}

fn job(draft: JobDraft, mut p: Problems) -> Result<Job, InvalidJob> {
    let name = p.parse("name", &draft.name);
    let service = p.parse("service", draft.service_or_default());
    let handler = match &draft.handler {
        Some(handler) => p.parse("handler", handler),
        // An invalid name has already been reported.
        None => draft.name.parse().ok(),
    };
    let param = param_text(&draft.param);
    check_about(draft.description.as_deref(), &draft.labels, &mut p);
    check_param(param.as_deref(), &mut p);
    let timetable = timing::timetable(&draft, &mut p);
    let misfire = strategies::misfire(draft.misfire.as_ref(), &mut p);
    let route = strategies::route(draft.route.as_ref(), &mut p);
    let shard = strategies::shard(draft.shard.as_ref(), &mut p);
    let block = strategies::block(draft.block.as_ref(), &mut p);
    let timeout =
        draft.timeout.as_deref().and_then(|text| p.take("timeout", duration::parse(text)));
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        p.add("timeout", "it is zero; omit it for no limit");
    }
    let grace = p.duration("grace", draft.grace.as_deref(), DEFAULT_GRACE);
    let retry = strategies::retry(draft.retry.as_ref(), &mut p);
    let no_executor = p.duration("no_executor", draft.no_executor.as_deref(), DEFAULT_NO_EXECUTOR);
    let own = service.as_ref().zip(name.as_ref());
    let children = names::children(&draft.children, own, &mut p);
    let alarms = names::alarms(&draft.alarms, &mut p);
    let alarm_after = names::alarm_after(&draft, &mut p);
    match (name, service, handler) {
        (Some(name), Some(service), Some(handler)) if p.0.is_empty() => Ok(Job {
            name,
            param: param.map(Into::into),
            enabled: draft.enabled.unwrap_or(true),
            about: About::new(draft.description, draft.labels),
            settings: Arc::new(Settings {
                service,
                handler,
                timetable,
                misfire,
                route,
                shard,
                block,
                timeout,
                grace,
                retry,
                no_executor,
                children,
                alarms,
                alarm_after,
            }),
        }),
        _ => Err(InvalidJob {
            name: Some(draft.name).filter(|name| !name.is_empty()),
            problems: p.0,
        }),
    }
}

/// Checks the length of a text.
fn check_length(text: &str, most: usize) -> Result<(), String> {
    if text.len() <= most {
        return Ok(());
    }
    Err(format!("it has {} bytes, at most {most} are allowed", text.len()))
}

/// Checks a job's own param.
pub(super) fn check_param(param: Option<&str>, p: &mut Problems) {
    if let Some(Err(err)) = param.map(|param| check_length(param, PARAM_MAX)) {
        p.add("param", err);
    }
}

/// Checks what is only for users.
pub(super) fn check_about(
    description: Option<&str>,
    labels: &BTreeMap<String, String>,
    p: &mut Problems,
) {
    if let Some(Err(err)) = description.map(|text| check_length(text, DESCRIPTION_MAX)) {
        p.add("description", err);
    }
    p.many("labels", labels.len(), LABELS_MAX);
    for (key, value) in labels {
        if key.is_empty() || key.len() > 63 || value.len() > 255 {
            p.add("labels", format_args!("`{key}`: keys have 1 to 63 bytes, values at most 255"));
        }
    }
}
