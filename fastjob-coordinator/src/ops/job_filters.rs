//! Filters of a list of jobs, beyond their service and labels.
//!
//! What the definition says costs nothing more than to read it. How tasks ended and whether some run
//! is looked up for a page of jobs at a time.

use std::str::FromStr;

use fastjob_core::{Job, TaskState, schedule::Schedule};

use super::{Error, Ops};
use crate::store::{JobRow, Origin};

/// The filters, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskJobFilters {
    pub(crate) text: Option<String>,
    pub(crate) enabled: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) last_state: Option<String>,
    pub(crate) running: Option<String>,
}

/// How the newest ended task of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastState {
    /// None has ended, as far as the history goes.
    None,
    Ended(TaskState),
}

/// What a job must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JobFilters {
    /// In lower case.
    text: Option<String>,
    enabled: Option<bool>,
    origin: Option<Origin>,
    schedule: Option<Kind>,
    last_state: Option<LastState>,
    running: Option<bool>,
}

/// The kinds of schedules, as in definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    None,
    Cron,
    FixedRate,
    FixedDelay,
    Once,
}

impl Kind {
    const NAMES: [(&str, Self); 5] = [
        ("none", Self::None),
        ("cron", Self::Cron),
        ("fixed_rate", Self::FixedRate),
        ("fixed_delay", Self::FixedDelay),
        ("once", Self::Once),
    ];

    fn of(job: &Job) -> Self {
        match job.timetable.schedule() {
            Schedule::None => Self::None,
            Schedule::Cron(..) => Self::Cron,
            Schedule::FixedRate(_) => Self::FixedRate,
            Schedule::FixedDelay(_) => Self::FixedDelay,
            Schedule::Once(_) => Self::Once,
        }
    }
}

const ORIGINS: [(&str, Origin); 2] = [("code", Origin::Code), ("api", Origin::Api)];

const LAST_STATES: [(&str, LastState); 5] = [
    ("succeeded", LastState::Ended(TaskState::Succeeded)),
    ("failed", LastState::Ended(TaskState::Failed)),
    ("stopped", LastState::Ended(TaskState::Stopped)),
    ("skipped", LastState::Ended(TaskState::Skipped)),
    ("none", LastState::None),
];

impl JobFilters {
    /// Parses what a request says.
    pub(super) fn parse(ask: AskJobFilters) -> Result<Self, Error> {
        let AskJobFilters { text, enabled, origin, schedule, last_state, running } = ask;
        Ok(Self {
            text: text.map(|text| text.to_lowercase()),
            enabled: truth("enabled", enabled)?,
            origin: word("origin", origin, &ORIGINS)?,
            schedule: word("schedule", schedule, &Kind::NAMES)?,
            last_state: word("last_state", last_state, &LAST_STATES)?,
            running: truth("running", running)?,
        })
    }

    /// Whether every job matches.
    pub(super) fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether more than the definition has to be looked at.
    pub(super) const fn need_activity(&self) -> bool {
        self.last_state.is_some() || self.running.is_some()
    }

    /// Whether the definition matches.
    pub(super) fn has(&self, row: &JobRow) -> bool {
        let job = &*row.job;
        self.enabled.is_none_or(|enabled| job.enabled == enabled)
            && self.origin.is_none_or(|origin| row.origin == origin)
            && self.schedule.is_none_or(|kind| Kind::of(job) == kind)
            && self.text.as_ref().is_none_or(|text| has_text(job, text))
    }
}

/// Whether one of the texts that people search by contains the text, which is in lower case.
fn has_text(job: &Job, text: &str) -> bool {
    let texts = [job.name.as_str(), job.handler.as_str(), job.description()];
    let mut texts = texts.into_iter().chain(job.param.as_deref());
    texts.any(|one| one.to_lowercase().contains(text))
}

impl Ops {
    /// Those of the jobs whose tasks match as well.
    pub(super) async fn with_activity(
        &self,
        rows: Vec<JobRow>,
        filters: &JobFilters,
    ) -> Result<Vec<JobRow>, Error> {
        let JobFilters { last_state, running, .. } = filters;
        let jobs: Vec<_> = rows.iter().map(|row| row.id).collect();
        let activity = self.activity(&jobs, u32::from(last_state.is_some())).await?;
        let is_it = |row: &JobRow| {
            let Some(activity) = activity.get(&row.id) else { return false };
            let last = activity.ends.first().and_then(|end| end.state.known());
            let last = last.map_or(LastState::None, LastState::Ended);
            // Of a job whose node does not answer, it is not known.
            let runs = activity.running.map(|running| running > 0);
            last_state.is_none_or(|wanted| wanted == last)
                && running.is_none_or(|wanted| runs == Some(wanted))
        };
        Ok(rows.into_iter().filter(is_it).collect())
    }
}

fn truth(field: &str, text: Option<String>) -> Result<Option<bool>, Error> {
    word(field, text, &[("true", true), ("false", false)])
}

fn word<T: Copy>(
    field: &str,
    text: Option<String>,
    words: &[(&str, T)],
) -> Result<Option<T>, Error> {
    let Some(text) = text else { return Ok(None) };
    match words.iter().find(|(name, _)| *name == text) {
        Some((_, word)) => Ok(Some(*word)),
        None => {
            let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
            let message = format!("`{text}` is not one of {}", names.join(", "));
            Err(Error::invalid(field, message))
        }
    }
}

/// The order of a list of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum JobOrder {
    /// By service and name.
    #[default]
    Name,
    /// The job that fires next first; those that do not fire last.
    NextFire,
    /// The job that was saved last first.
    Changed,
}

impl FromStr for JobOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let words =
            [("name", Self::Name), ("next_fire", Self::NextFire), ("changed", Self::Changed)];
        Ok(word("order", Some(text.to_owned()), &words)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fastjob_core::{JobDraft, JobId};
    use jiff::Timestamp;

    use super::*;
    use crate::store::Overrides;

    fn row(json: &str, origin: Origin) -> JobRow {
        let draft: JobDraft = serde_json::from_str(json).unwrap();
        JobRow {
            id: JobId(1),
            job: Arc::new(draft.try_into().unwrap()),
            declared: None,
            children: Arc::default(),
            origin,
            overrides: Overrides::default(),
            revision: 1,
            anchor: Timestamp::UNIX_EPOCH,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            deleted_at: None,
        }
    }

    fn has(ask: AskJobFilters) -> bool {
        let json = r#"{"name": "nightly", "handler": "Report", "description": "Bücher",
            "param": "{\"Month\": 3}", "enabled": false, "schedule": {"cron": "0 0 3 * * ?"}}"#;
        JobFilters::parse(ask).unwrap().has(&row(json, Origin::Api))
    }

    #[test]
    fn a_text_is_found_in_the_name_the_handler_the_description_and_the_param() {
        let text =
            |text: &str| has(AskJobFilters { text: Some(text.into()), ..Default::default() });
        assert!(text("NIGHT") && text("report") && text("BÜCHER") && text("month\": 3"));
        assert!(!text("monthly") && !text("cron"));
    }

    #[test]
    fn jobs_are_chosen_by_what_their_definition_says() {
        let none = AskJobFilters::default;
        let given = |text: &str| Some(text.to_owned());
        assert!(has(AskJobFilters { enabled: given("false"), ..none() }));
        assert!(!has(AskJobFilters { enabled: given("true"), ..none() }));
        assert!(has(AskJobFilters { origin: given("api"), ..none() }));
        assert!(!has(AskJobFilters { origin: given("code"), ..none() }));
        assert!(has(AskJobFilters { schedule: given("cron"), ..none() }));
        assert!(!has(AskJobFilters { schedule: given("none"), ..none() }));
    }

    #[test]
    fn a_word_that_is_not_known_is_rejected_with_those_that_are() {
        let ask = AskJobFilters { last_state: Some("running".into()), ..Default::default() };
        let refused = JobFilters::parse(ask).unwrap_err().to_string();
        let words = "succeeded, failed, stopped, skipped, none";
        assert_eq!(refused, format!("last_state: `running` is not one of {words}"));
    }
}
