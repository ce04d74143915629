use super::*;
use crate::{
    block::{BlockScope, BlockStrategy},
    children::ChildOn,
    route::RouteStrategy,
    schedule::Schedule,
    shard::ShardStrategy,
};

fn read(toml: &str) -> Result<Job, String> {
    let draft: JobDraft = toml::from_str(toml).map_err(|err| err.to_string())?;
    Job::try_from(draft).map_err(|err| err.to_string())
}

#[track_caller]
fn refused(toml: &str, because: &str) {
    let err = read(toml).expect_err("it was accepted");
    assert!(err.contains(because), "{err}");
}

const REPORT: &str = r#"
    name = "report"
    service = "billing"
    handler = "reportJobHandler"
    param = '{"month":"2026-11"}'
    schedule = { cron = "0 0 2 ? * MON-FRI", zone = "Asia/Shanghai" }
    misfire = { fire_all = { max = 10, window = "1h" } }
    route = { specific = "executor-1" }
    block = { strategy = "serial", max_waiting = 100 }
    timeout = "10m"
    retry = { count = 3, delay = "5s", factor = 2.0, max_delay = "5m" }
    labels = { team = "billing" }
"#;

#[test]
fn the_job_in_the_documentation_parses() {
    let job = read(REPORT).unwrap();
    assert_eq!(job.service.as_str(), "billing");
    assert_eq!(job.param.as_deref(), Some(r#"{"month":"2026-11"}"#));
    assert_eq!(job.retry.count, 3);
    assert_eq!(job.timeout, Some(Duration::from_secs(600)));
    assert_eq!(job.block.max_waiting, 100);
    assert!(job.enabled);
}

#[test]
fn a_name_alone_is_a_valid_job() {
    let job = read(r#"name = "demo""#).unwrap();
    assert_eq!((job.service.as_str(), job.handler.as_str()), ("default", "demo"));
    assert_eq!(job.timetable, Schedule::None.into());
    assert_eq!((job.alarm_after.runs, job.alarm_after.starts.as_secs()), (None, 60));
    assert_eq!(job.no_executor, Duration::from_secs(60));
}

/// Every field of a job that [`REPORT`] does not set.
const FULL: &str = r#"
    name = "report"
    schedule = { fixed_rate = "30s" }
    start_at = "2027-01-01T00:00:00Z"
    end_at = "2027-12-31T23:59:59.999Z"
    jitter = "5s"
    exclude = { days = ["2027-12-24..2027-12-26", "01-01", "sat..sun"], hours = ["22-6", "12-13:30"], zone = "Asia/Tokyo" }
    route = "consistent_hash"
    shard = { count = 8 }
    block = { strategy = "parallel", scope = "cluster", max_running = 4 }
    children = [{ job = "mail" }, { job = "billing.undo", on = "failure" }, { job = "sweep", on = "always", pass_result = true }]
    alarms = ["ops-mail", "ops-chat"]
    alarm_when = { runs_longer = "10m", starts_later = "5s" }
"#;

#[test]
fn every_documented_field_is_accepted() {
    let job = read(FULL).unwrap();
    let limits = job.timetable.limits().unwrap();
    assert_eq!(limits.jitter, Duration::from_secs(5));
    assert_eq!(limits.exclude.as_ref().unwrap().zone().name(), "Asia/Tokyo");
    let on: Vec<_> = job.children.iter().map(|child| (child.job.as_str(), child.on)).collect();
    let children = [
        ("mail", ChildOn::Success),
        ("billing.undo", ChildOn::Failure),
        ("sweep", ChildOn::Always),
    ];
    assert_eq!(on, children);
    assert!(!job.children[0].pass_result && job.children[2].pass_result);
    assert_eq!(job.alarms.len(), 2);
    assert_eq!(job.alarm_after.runs, Some(Duration::from_secs(600)));
    assert_eq!(job.alarm_after.starts, Duration::from_secs(5));
    assert_eq!((job.block.strategy, job.block.max_running), (BlockStrategy::Parallel, 4));
    assert_eq!(job.block.scope, BlockScope::Cluster);
    assert_eq!(job.shard, ShardStrategy::Count(8));
    for (name, route) in RouteStrategy::NAMES {
        assert_eq!(read(&format!("name = 'x'\nroute = '{name}'")).unwrap().route, route);
    }
}

#[test]
fn a_displayed_job_can_be_saved_again_in_toml_and_in_json() {
    let cron = "name = 'x'\nschedule.cron = '0 0 2 * * ?'\nschedule.zone = 'Asia/Tokyo'\nexclude.days = ['sun']";
    let once = "name = 'x'\nschedule.once = '2027-01-01T00:00:00Z'";
    for text in [REPORT, FULL, r#"name = "demo""#, once, cron, "name = 'x'\nshard = 'all'"] {
        let job = read(text).unwrap();
        let draft = JobDraft::from(&job);
        let json = serde_json::to_string(&draft).unwrap();
        let again = serde_json::from_str::<JobDraft>(&json).unwrap();
        assert_eq!(again, draft);
        assert_eq!(Job::try_from(again).unwrap(), job);
        let toml = toml::to_string(&draft).unwrap();
        assert_eq!(read(&toml).unwrap(), job, "{toml}");
    }
    let zone =
        read(cron).unwrap().timetable.limits().unwrap().exclude.as_ref().unwrap().zone().clone();
    assert_eq!(zone.name(), "Asia/Tokyo");
}

#[test]
fn a_retry_count_may_stand_alone() {
    assert_eq!(read("name = 'x'\nretry = 3").unwrap().retry.count, 3);
    refused("name = 'x'\nretry = -3", "a count must not be negative");
    refused("name = 'x'\nretry = { count = 1000 }", "1000 is not between 0 and 100");
}

#[test]
fn a_param_may_be_any_json() {
    let json = r#"{"name": "x", "param": {"n": [1, 2]}}"#;
    let job = Job::try_from(serde_json::from_str::<JobDraft>(json).unwrap()).unwrap();
    assert_eq!(job.param.as_deref(), Some(r#"{"n":[1,2]}"#));
}

#[test]
fn all_problems_are_reported_at_once() {
    let err = read(
        "name = 'a b'\ntimeout = 'soon'\nblock = 'wait'\nalarms = ['ops', 'ops']\njitter = '2h'\n\
         schedule = 'daily'\nstart_at = 'now'\nexclude = { days = ['sat', 'sam'], zone = 'Mars' }\n\
         children = [{ job = 'mail', on = 'error' }]",
    );
    let err = err.unwrap_err();
    for part in [
        "name: ",
        "timeout: `soon` is not a duration",
        "block: `wait` is unknown",
        "alarms[1]: `ops` is already listed",
        "jitter: `2h` is longer than 1h",
        "schedule: `daily` is unknown",
        "start_at: ",
        "exclude.days[1]: `sam` is not a day",
        "exclude.zone: no time zone is named `Mars`",
        "children[0].on: `error` is unknown; there are success, failure, always",
    ] {
        assert!(err.contains(part), "{part} is missing in {err}");
    }
}

#[test]
fn invalid_fields_are_rejected_with_their_name() {
    refused("name = 'x'\nschedul = 'none'", "unknown field `schedul`");
    refused("name = 'x'\nschedule = { cronn = '* * * * * ?' }", "unknown field `cronn`");
    refused("name = 'x'\nretry = { times = 3 }", "unknown field `times`");
    refused("name = 'x'\nschedule = 'daily'", "`daily` is unknown");
    refused("name = 'x'\nschedule = {}", "exactly one of");
    refused("name = 'x'\nschedule = { fixed_rate = '10ms' }", "shorter than 100ms");
    refused("name = 'x'\nschedule = { fixed_rate = '1s', zone = 'UTC' }", "valid only with cron");
    refused("name = 'x'\nschedule = { cron = '* * *' }", "schedule.cron");
    refused("name = 'x'\nschedule = { cron = '* * * * * ?', zone = 'Mars/Base' }", "schedule.zone");
    refused(&format!("name = 'x'\nparam = '{}'", "x".repeat(300_000)), "at most 262144");
}

#[test]
fn inconsistent_schedule_limits_are_rejected() {
    let refused = |lines: &str, because: &str| refused(&format!("name = 'x'\n{lines}"), because);
    for field in ["start_at = '2027-01-01T00:00:00Z'", "jitter = '5s'", "exclude.days = ['sat']"] {
        refused(field, "it needs a schedule");
    }
    let once = "schedule = { once = '2027-01-01T00:00:00Z' }\n";
    refused(
        &format!("{once}start_at = '2027-01-01T00:00:01Z'"),
        "schedule.once: it is before start_at",
    );
    refused(&format!("{once}end_at = '2026-12-31T00:00:00Z'"), "schedule.once: it is after end_at");
    let rate = "schedule = { fixed_rate = '1s' }\n";
    let backwards = "start_at = '2027-01-01T00:00:00Z'\nend_at = '2026-12-31T00:00:00Z'";
    refused(&format!("{rate}{backwards}"), "end_at: it is before start_at");
    refused(&format!("{rate}exclude = {{}}"), "exclude: it is empty");
    refused(&format!("{rate}exclude.hours = ['0-12', '12-24']"), "exclude: the hours exclude the");
    refused(
        &format!("{rate}exclude.hours = [{}]", "'1-2',".repeat(25)),
        "there are 25, at most 24",
    );
    refused(
        &format!("{rate}exclude.days = [{}]", "'sat',".repeat(400)),
        "there are 400, at most 366",
    );
    let cron = "schedule = { cron = '* * * * * ?' }\n";
    refused(
        &format!("{cron}exclude = {{ days = ['sat'], zone = 'UTC' }}"),
        "exclude.zone: with cron",
    );
}

#[test]
fn inconsistent_children_and_alarms_are_rejected() {
    let refused = |lines: &str, because: &str| refused(&format!("name = 'x'\n{lines}"), because);
    refused("children = [{ job = 'x' }]", "children[0].job: `x` is this job");
    refused("children = [{ job = 'default.x' }]", "children[0].job: `default.x` is this job");
    refused(
        "children = [{ job = 'a' }, { job = 'a', on = 'failure' }]",
        "children[1].job: `a` is a",
    );
    refused("children = [{ job = 'a b' }]", "children[0].job: ");
    refused("children = [{ on = 'always' }]", "children[0].job: the name is empty");
    refused(&format!("children = [{}]", "{ job = 'a' },".repeat(65)), "there are 65, at most 64");
    refused(&format!("alarms = [{}]", "'a',".repeat(17)), "there are 17, at most 16");
    refused("alarms = ['']", "alarms[0]: the name is empty");
    refused("alarm_when = { runs_longer = '1m' }", "alarm_when: it needs alarms");
    refused(
        "alarms = ['a']\nalarm_when = { runs_longer = '1ms' }",
        "runs_longer: `1ms` is shorter",
    );
    refused(
        "alarms = ['a']\nalarm_when = { starts_later = '0s' }",
        "starts_later: `0s` is shorter",
    );
    refused("shard = { count = 1001 }", "shard.count: 1001 is not between 1 and 1000");
    refused("block = { strategy = 'wait' }", "block.strategy: `wait` is unknown; there are serial");
    refused("block = { max_running = 2 }", "block.max_running: it is valid only with parallel");
}

#[test]
fn a_job_that_would_never_fire_is_detected() {
    #[track_caller]
    fn check(lines: &str, field: Option<&str>) {
        let job = read(&format!("name = 'x'\n{lines}")).unwrap();
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(job.never_fires(now).map(|problem| problem.field).as_deref(), field);
    }
    check("", None);
    check("schedule.fixed_rate = '1s'\nend_at = '2026-11-23T12:00:01Z'", None);
    check("schedule.fixed_rate = '1s'\nend_at = '2026-11-23T11:00:00Z'", Some("end_at"));
    check("schedule.fixed_rate = '1h'\nend_at = '2026-11-23T12:30:00Z'", Some("end_at"));
    check("schedule.cron = '0 0 3 * * ?'\nexclude.hours = ['2-4']", Some("exclude"));
    check("schedule.once = '2026-12-25T00:00:00Z'\nexclude.days = ['12-25']", Some("exclude"));
    check("schedule.cron = '0 0 3 * * ?'\nstart_at = '2300-01-01T00:00:00Z'", Some("start_at"));
    check("schedule.cron = '0 0 0 30 2 ?'", Some("schedule.cron"));
    check("schedule.cron = '0 0 0 1 1 ? 2020-2025'", Some("schedule.cron"));
    check("schedule.cron = '0 0 0 1 1 ? 2020-2027'", None);
    check("schedule.cron = '0 0 0 30 2 ?'\nexclude.hours = ['2-4']", Some("schedule.cron"));
    // `is_too_late` reports that it has passed.
    check("schedule.once = '2020-01-01T00:00:00Z'\nend_at = '2020-01-02T00:00:00Z'", None);
}

#[test]
fn an_edit_that_changes_when_a_job_fires_is_detected() {
    let job = read(FULL).unwrap();
    for (from, to, same) in [
        ("consistent_hash", "random", true),
        ("jitter = \"5s\"", "jitter = \"6s\"", false),
        ("22-6", "22-7", false),
        ("2027-12-31", "2027-12-30", false),
        ("30s", "31s", false),
    ] {
        let other = read(&FULL.replace(from, to)).unwrap();
        assert_eq!(job.fires_like(&other), same, "{to}");
    }
    assert!(!job.fires_like(&Job { enabled: false, ..job.clone() }));
}
