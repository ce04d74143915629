//! References in a draft to other objects: child jobs and alarm channels.
//!
//! Whether these exist is not known here. Only what is always invalid is rejected.

use super::{
    super::{AlarmAfter, ChildDraft, JobDraft, NO_ALARMS},
    problems::Problems,
};
use crate::{
    children::{CHILDREN_MOST, Child, ChildOn},
    id::{ChannelName, JobName, ServiceName},
    path::JobPath,
};

/// Maximum number of alarm channels of a job.
const ALARMS_MOST: usize = 16;

pub(super) fn children(
    drafts: &[ChildDraft],
    own: Option<(&ServiceName, &JobName)>,
    p: &mut Problems,
) -> Vec<Child> {
    p.many("children", drafts.len(), CHILDREN_MOST);
    let mut children: Vec<Child> = Vec::new();
    for (index, draft) in drafts.iter().enumerate().take(CHILDREN_MOST) {
        let field = format!("children[{index}].job");
        let path = p.parse::<JobPath>(&field, &draft.job);
        let on = match &draft.on {
            None => Some(ChildOn::default()),
            Some(word) => p.word(&format!("children[{index}].on"), word, &ChildOn::NAMES, ""),
        };
        let (Some(job), Some(on)) = (path, on) else { continue };
        if own.is_some_and(|(service, name)| job.may_mean(service, name)) {
            p.add(&field, format_args!("`{job}` is this job: it would start itself forever"));
        }
        if children.iter().any(|child| child.job == job) {
            p.add(
                &field,
                format_args!("`{job}` is already a child; use `on = \"always\"` for several ends"),
            );
        }
        children.push(Child { job, on, pass_result: draft.pass_result.unwrap_or(false) });
    }
    children
}

pub(super) fn alarms(drafts: &[String], p: &mut Problems) -> Vec<ChannelName> {
    p.many("alarms", drafts.len(), ALARMS_MOST);
    let mut channels: Vec<ChannelName> = Vec::new();
    for (index, text) in drafts.iter().enumerate().take(ALARMS_MOST) {
        let field = format!("alarms[{index}]");
        let Some(channel) = p.parse(&field, text) else { continue };
        if channels.contains(&channel) {
            p.add(&field, format_args!("`{channel}` is already listed"));
        }
        channels.push(channel);
    }
    if channels.len() > 1 && channels.iter().any(|channel| channel.as_str() == NO_ALARMS) {
        p.add(
            "alarms",
            format_args!("`{NO_ALARMS}` stands alone: it means that there are no alarms"),
        );
    }
    channels
}

pub(super) fn alarm_after(draft: &JobDraft, p: &mut Problems) -> AlarmAfter {
    let whole = AlarmAfter::default();
    let Some(when) = &draft.alarm_when else { return whole };
    if draft.alarms.is_empty() {
        p.add("alarm_when", "it needs alarms: list a channel there");
    }
    let least = AlarmAfter::LEAST;
    let runs = p.at_least("alarm_when.runs_longer", when.runs_longer.as_deref(), least);
    let starts = p.at_least("alarm_when.starts_later", when.starts_later.as_deref(), least);
    AlarmAfter { runs, starts: starts.unwrap_or(whole.starts) }
}
