//! The jobs of a simulated world: together they cover all strategies.

use fastjob_core::JobDraft;

use super::shape::{Feature, Shape};

/// Names and definitions. A child comes before its parents.
const JOBS: &[(&str, &str)] = &[
    ("second", r#"{"schedule": {"fixed_rate": "1s"}, "misfire": {"fire_all": {"max": 1000}}}"#),
    (
        "retried",
        r#"{"schedule": {"fixed_rate": "3s"}, "misfire": "fire_once",
            "retry": {"count": 2, "delay": "1s"}}"#,
    ),
    ("delayed", r#"{"schedule": {"fixed_delay": "2s"}, "route": "random"}"#),
    ("switched", r#"{"schedule": {"fixed_rate": "500ms"}, "route": "least_scheduled"}"#),
    ("jittered", r#"{"schedule": {"fixed_rate": "2s"}, "jitter": "1500ms", "route": "failover"}"#),
    ("manual", r#"{"route": "consistent_hash"}"#),
    ("after_success", r#"{"route": "least_recently_used"}"#),
    ("after_all", r#"{"block": "skip_new", "route": "last"}"#),
    (
        "parent",
        r#"{"schedule": {"fixed_rate": "2s"}, "retry": {"count": 1, "delay": "300ms"},
            "children": [{"job": "after_success", "pass_result": true},
                         {"job": "after_all", "on": "always"}]}"#,
    ),
    (
        "shards_all",
        r#"{"schedule": {"fixed_rate": "3s"}, "shard": "all", "no_executor": "3s",
            "retry": {"count": 1, "delay": "500ms"}, "children": [{"job": "after_success"}]}"#,
    ),
    ("shards_five", r#"{"schedule": {"fixed_rate": "4s"}, "shard": {"count": 5}}"#),
    (
        "shards_zone",
        r#"{"schedule": {"fixed_rate": "3s"}, "shard": {"dynamic": "zone = a"},
            "no_executor": "2s"}"#,
    ),
    (
        "serial",
        r#"{"schedule": {"fixed_rate": "700ms"}, "retry": {"count": 1, "delay": "200ms"},
            "block": {"strategy": "serial", "scope": "cluster", "max_waiting": 3}}"#,
    ),
    (
        "serial_shards",
        r#"{"schedule": {"fixed_rate": "2s"}, "shard": "all",
            "block": {"strategy": "serial", "scope": "cluster", "max_waiting": 9}}"#,
    ),
    (
        "skip_new",
        r#"{"schedule": {"fixed_rate": "800ms"}, "retry": {"count": 1, "delay": "600ms"},
            "block": {"strategy": "skip_new", "scope": "cluster"}}"#,
    ),
    (
        "replace",
        r#"{"schedule": {"fixed_rate": "900ms"}, "retry": {"count": 1, "delay": "600ms"},
            "block": {"strategy": "replace_running", "scope": "cluster"}}"#,
    ),
    (
        "skip_here",
        r#"{"schedule": {"fixed_rate": "900ms"}, "block": "skip_new", "route": "cpu_first",
            "retry": {"count": 2, "delay": "300ms"}}"#,
    ),
    (
        "replace_here",
        r#"{"schedule": {"fixed_rate": "1100ms"}, "block": "replace_running", "route": "first",
            "retry": {"count": 2, "delay": "300ms"}}"#,
    ),
    (
        "parallel_here",
        r#"{"schedule": {"fixed_rate": "500ms"}, "route": "response_first",
            "block": {"strategy": "parallel", "max_running": 2, "max_waiting": 5}}"#,
    ),
    (
        "on_e1",
        r#"{"schedule": {"fixed_rate": "2s"}, "route": {"specific": "e1"}, "no_executor": "3s"}"#,
    ),
    ("with_memory", r#"{"schedule": {"fixed_rate": "2s"}, "route": "memory_first"}"#),
    (
        "much_memory",
        r#"{"schedule": {"fixed_rate": "2s"}, "shard": {"dynamic": "memory_free > 2GiB"},
            "retry": {"count": 1, "delay": "300ms"}, "no_executor": "3s"}"#,
    ),
    (
        "parallel",
        r#"{"schedule": {"fixed_rate": "400ms"}, "block": {"strategy": "parallel",
            "scope": "cluster", "max_running": 2, "max_waiting": 5}}"#,
    ),
    (
        "hangs",
        r#"{"schedule": {"fixed_rate": "5s"}, "timeout": "1s", "grace": "1s",
            "route": "idle_first", "block": "parallel"}"#,
    ),
    ("edited", r#"{"schedule": {"fixed_rate": "600ms"}}"#),
];

fn draft(name: &str, text: &str) -> JobDraft {
    let mut draft: JobDraft = serde_json::from_str(text).expect("a job of the simulation");
    draft.name = name.to_owned();
    draft.handler = Some("h".to_owned());
    draft
}

/// Additional jobs of histories with alarms.
const ALARMED: &[(&str, &str)] = &[
    (
        "alarmed",
        r#"{"schedule": {"fixed_rate": "700ms"}, "alarms": ["ops"], "block": "parallel",
            "retry": {"count": 1, "delay": "400ms"},
            "alarm_when": {"runs_longer": "1s", "starts_later": "1s"}}"#,
    ),
    (
        "alarmed_shards",
        r#"{"schedule": {"fixed_rate": "3s"}, "alarms": ["ops"], "shard": {"count": 3},
            "alarm_when": {"runs_longer": "2s", "starts_later": "1s"}}"#,
    ),
    (
        "alarmed_skips",
        r#"{"schedule": {"fixed_rate": "2s"}, "alarms": ["ops"], "no_executor": "1s",
            "block": {"strategy": "skip_new", "scope": "cluster"}}"#,
    ),
];

/// Additional jobs of histories in which attempts wait long.
const WAITING: &[(&str, &str)] = &[
    (
        "nowhere",
        r#"{"schedule": {"fixed_rate": "400ms"}, "shard": {"dynamic": "zone = nowhere"},
            "no_executor": "40s", "block": "parallel"}"#,
    ),
    ("patient", r#"{"schedule": {"fixed_rate": "300ms"}, "timeout": "1d", "block": "parallel"}"#),
];

/// The number of additional jobs in a crowd.
const CROWD: usize = 96;
/// The definition of each job of the crowd. It misses so many fires in hours that catching up in
/// one step would be noticed.
const CROWDED: &str = r#"{"schedule": {"fixed_rate": "1m"}, "block": "parallel",
    "misfire": {"fire_all": {"max": 200}}}"#;

/// The jobs of a history.
pub(super) fn drafts(shape: Shape) -> impl Iterator<Item = JobDraft> {
    let alarmed = ALARMED.iter().filter(move |_| shape.has(Feature::Alarms));
    let waiting = WAITING.iter().filter(move |_| shape.has(Feature::Waits));
    let crowd = (0..CROWD).filter(move |_| shape.has(Feature::Crowd));
    let crowd = crowd.map(|index| draft(&format!("crowd_{index}"), CROWDED));
    JOBS.iter().chain(alarmed).chain(waiting).map(|(name, text)| draft(name, text)).chain(crowd)
}

pub(super) fn names(shape: Shape) -> Vec<String> {
    drafts(shape).map(|draft| draft.name).collect()
}

/// The jobs that users enable and disable.
pub(super) const fn switched() -> &'static [&'static str] {
    &["switched", "jittered", "parent", "shards_all", "serial"]
}

/// The jobs that users start.
pub(super) const fn started() -> &'static [&'static str] {
    &[
        "manual",
        "retried",
        "parent",
        "shards_five",
        "serial",
        "replace",
        "replace_here",
        "after_success",
    ]
}

/// One of the definitions between which users change a job.
pub(super) fn edited(shape: usize) -> JobDraft {
    let text = match shape {
        0 => r#"{"schedule": {"fixed_rate": "600ms"}}"#,
        1 => r#"{"schedule": {"fixed_rate": "1100ms"}, "block": "skip_new"}"#,
        2 => r#"{"schedule": {"fixed_delay": "400ms"}, "misfire": "fire_once"}"#,
        _ => r#"{"schedule": {"fixed_rate": "600ms"}, "shard": "all", "enabled": true}"#,
    };
    draft("edited", text)
}

/// A name of any kind.
pub(super) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name of the simulation")
}
