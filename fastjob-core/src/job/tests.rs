use super::*;

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
fn a_job_reads_as_the_documentation_writes_it() {
    let job = read(REPORT).unwrap();
    assert_eq!(job.service.as_str(), "billing");
    assert_eq!(job.param.as_deref(), Some(r#"{"month":"2026-11"}"#));
    assert_eq!(job.retry.count, 3);
    assert_eq!(job.timeout, Some(Duration::from_secs(600)));
    assert_eq!(job.block.max_waiting, 100);
    assert!(job.enabled);
}

#[test]
fn a_name_is_enough() {
    let job = read(r#"name = "demo""#).unwrap();
    assert_eq!((job.service.as_str(), job.handler.as_str()), ("default", "demo"));
    assert_eq!(job.schedule, Schedule::None);
    assert_eq!(job.no_executor, Duration::from_secs(60));
}

#[test]
fn what_is_shown_can_be_saved_again_in_toml_and_in_json() {
    for text in [REPORT, r#"name = "demo""#, "name = 'x'\nschedule.once = '2027-01-01T00:00:00Z'"] {
        let job = read(text).unwrap();
        let draft = JobDraft::from(&job);
        let json = serde_json::to_string(&draft).unwrap();
        assert_eq!(Job::try_from(serde_json::from_str::<JobDraft>(&json).unwrap()).unwrap(), job);
        let toml = toml::to_string(&draft).unwrap();
        assert_eq!(read(&toml).unwrap(), job, "{toml}");
    }
}

#[test]
fn a_retry_count_may_stand_alone() {
    assert_eq!(read("name = 'x'\nretry = 3").unwrap().retry.count, 3);
    refused("name = 'x'\nretry = -3", "a count is not negative");
    refused("name = 'x'\nretry = { count = 1000 }", "1000 is not between 0 and 100");
}

#[test]
fn a_param_may_be_any_json() {
    let json = r#"{"name": "x", "param": {"n": [1, 2]}}"#;
    let job = Job::try_from(serde_json::from_str::<JobDraft>(json).unwrap()).unwrap();
    assert_eq!(job.param.as_deref(), Some(r#"{"n":[1,2]}"#));
}

#[test]
fn every_mistake_is_named_at_once() {
    let err = read("name = 'a b'\ntimeout = 'soon'\nblock = 'wait'").unwrap_err();
    for part in ["name: ", "timeout: `soon` is not a duration", "block: `wait` is unknown"] {
        assert!(err.contains(part), "{part} is missing in {err}");
    }
}

#[test]
fn wrong_fields_are_refused_with_their_name() {
    refused("name = 'x'\nschedul = 'none'", "unknown field `schedul`");
    refused("name = 'x'\nschedule = { cronn = '* * * * * ?' }", "unknown field `cronn`");
    refused("name = 'x'\nretry = { times = 3 }", "unknown field `times`");
    refused("name = 'x'\nschedule = 'daily'", "`daily` is unknown");
    refused("name = 'x'\nschedule = {}", "exactly one of");
    refused("name = 'x'\nschedule = { fixed_rate = '10ms' }", "shorter than 100ms");
    refused("name = 'x'\nschedule = { fixed_rate = '1s', zone = 'UTC' }", "goes with cron only");
    refused("name = 'x'\nschedule = { cron = '* * *' }", "schedule.cron");
    refused("name = 'x'\nschedule = { cron = '* * * * * ?', zone = 'Mars/Base' }", "schedule.zone");
    refused(&format!("name = 'x'\nparam = '{}'", "x".repeat(300_000)), "at most 262144");
}

#[test]
fn what_does_not_exist_yet_is_refused_and_not_ignored() {
    for (line, field) in [
        ("route = 'consistent_hash'", "route: `consistent_hash` is not available"),
        ("shard = 'all'", "shard: sharding is not available"),
        ("shard = { count = 8 }", "shard: sharding is not available"),
        ("block = 'parallel'", "`parallel` is not available"),
        ("block = { scope = 'cluster' }", "`cluster` is not available"),
        ("children = [{ job = 'mail' }]", "children: is not available"),
        ("alarms = ['ops']", "alarms: is not available"),
        ("start_at = '2027-01-01T00:00:00Z'", "start_at: is not available"),
        ("jitter = '5s'", "jitter: is not available"),
    ] {
        refused(&format!("name = 'x'\n{line}"), field);
    }
}
