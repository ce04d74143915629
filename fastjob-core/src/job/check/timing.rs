//! Checks when a job fires: its schedule and its limits.
//!
//! The checks do not depend on the current time or on time zone rules, so a saved job always stays
//! valid. Whether a job will ever fire is checked when it is saved; see
//! [`Job::never_fires`](super::super::Job::never_fires).

use std::{fmt::Display, str::FromStr, time::Duration};

use jiff::Timestamp;

use super::{
    super::{ExcludeDraft, JobDraft, ScheduleDraft, WordOr},
    problems::Problems,
};
use crate::{
    duration, instant,
    schedule::{
        Calendar, Limits, SHORTEST, Schedule, Timetable, Zone,
        calendar::{DAYS_MOST, HOURS_MOST},
        timetable::JITTER_MOST,
    },
};

pub(super) fn timetable(draft: &JobDraft, p: &mut Problems) -> Timetable {
    let schedule = schedule(draft.schedule.as_ref(), p);
    let start_at = draft.start_at.as_deref().and_then(|text| moment("start_at", text, p));
    let end_at = draft.end_at.as_deref().and_then(|text| moment("end_at", text, p));
    if start_at.zip(end_at).is_some_and(|(start, end)| end < start) {
        p.add("end_at", "it is before start_at: the job would never fire");
    }
    let jitter = p.duration("jitter", draft.jitter.as_deref(), Duration::ZERO);
    if jitter > JITTER_MOST {
        let most = duration::to_text(JITTER_MOST);
        p.add("jitter", format_args!("`{}` is longer than {most}", duration::to_text(jitter)));
    }
    let exclude = draft.exclude.as_ref().and_then(|draft| exclude(draft, schedule.as_ref(), p));
    let limits = Limits { start_at, end_at, exclude, jitter };
    // An invalid schedule has already been reported.
    let Some(schedule) = schedule else { return Schedule::None.into() };
    match &schedule {
        Schedule::None => without_a_schedule(draft, p),
        Schedule::Once(at) => once_within(*at, &limits, p),
        Schedule::Cron(..) | Schedule::FixedRate(_) | Schedule::FixedDelay(_) => {}
    }
    Timetable::new(schedule, limits)
}

fn without_a_schedule(draft: &JobDraft, p: &mut Problems) {
    let limits = [
        ("start_at", draft.start_at.is_some()),
        ("end_at", draft.end_at.is_some()),
        ("jitter", draft.jitter.is_some()),
        ("exclude", draft.exclude.is_some()),
    ];
    for (field, _) in limits.into_iter().filter(|(_, given)| *given) {
        p.add(field, "it needs a schedule; without one the job never fires automatically");
    }
}

fn once_within(at: Timestamp, limits: &Limits, p: &mut Problems) {
    if limits.start_at.is_some_and(|start| at < start) {
        p.add("schedule.once", "it is before start_at: the job would never fire");
    }
    if limits.end_at.is_some_and(|end| at > end) {
        p.add("schedule.once", "it is after end_at: the job would never fire");
    }
}

/// Parses the schedule; `None` if it is invalid.
fn schedule(draft: Option<&WordOr<ScheduleDraft>>, p: &mut Problems) -> Option<Schedule> {
    let table = match draft {
        None => return Some(Schedule::None),
        Some(WordOr::Word(word)) if word == "none" => return Some(Schedule::None),
        Some(WordOr::Word(word)) => {
            p.add("schedule", format_args!("`{word}` is unknown; write \"none\" or a table such as {{ cron = \"0 0 2 * * ?\" }}"));
            return None;
        }
        Some(WordOr::Table(table)) => table,
    };
    let given = [&table.cron, &table.fixed_rate, &table.fixed_delay, &table.once];
    if given.iter().filter(|field| field.is_some()).count() != 1 {
        p.add("schedule", "it needs exactly one of cron, fixed_rate, fixed_delay and once");
        return None;
    }
    if table.zone.is_some() && table.cron.is_none() {
        p.add("schedule.zone", "a time zone is valid only with cron");
    }
    if let Some(text) = &table.cron {
        let zone = match &table.zone {
            Some(name) => p.parse("schedule.zone", name),
            None => Some(Zone::default()),
        };
        let cron = p.parse("schedule.cron", text);
        return cron.zip(zone).map(|(cron, zone)| Schedule::Cron(cron, zone));
    }
    if let Some(text) = &table.fixed_rate {
        return p.at_least("schedule.fixed_rate", Some(text), SHORTEST).map(Schedule::FixedRate);
    }
    if let Some(text) = &table.fixed_delay {
        return p.at_least("schedule.fixed_delay", Some(text), SHORTEST).map(Schedule::FixedDelay);
    }
    let at = table.once.as_ref().and_then(|text| moment("schedule.once", text, p));
    at.map(Schedule::Once)
}

fn moment(field: &str, text: &str, p: &mut Problems) -> Option<Timestamp> {
    p.take(field, instant::parse(text))
}

fn exclude(
    draft: &ExcludeDraft,
    schedule: Option<&Schedule>,
    p: &mut Problems,
) -> Option<Calendar> {
    let zone = match (&draft.zone, schedule) {
        (Some(_), Some(Schedule::Cron(..))) => {
            p.add("exclude.zone", "with cron, the calendar uses the schedule's time zone");
            None
        }
        (None, Some(Schedule::Cron(_, zone))) => Some(zone.clone()),
        (Some(name), _) => p.parse("exclude.zone", name),
        (None, _) => Some(Zone::default()),
    };
    if draft.days.is_empty() && draft.hours.is_empty() {
        p.add("exclude", "it is empty; give days such as \"12-25\" or hours such as \"22-6\"");
    }
    let days = entries("exclude.days", &draft.days, DAYS_MOST, p);
    let hours = entries("exclude.hours", &draft.hours, HOURS_MOST, p);
    let calendar = Calendar::new(days?, hours?, zone?);
    p.take("exclude", calendar)
}

/// Parses the entries of a calendar; `None` if one is invalid. Entries beyond the limit are not
/// parsed.
fn entries<T: FromStr<Err: Display>>(
    field: &str,
    texts: &[String],
    most: usize,
    p: &mut Problems,
) -> Option<Vec<T>> {
    p.many(field, texts.len(), most);
    let texts = texts.iter().take(most).enumerate();
    let read: Vec<_> =
        texts.map(|(index, text)| p.parse(&format!("{field}[{index}]"), text)).collect();
    read.into_iter().collect()
}
