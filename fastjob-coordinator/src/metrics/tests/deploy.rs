//! The page `docs/metrics.md`, the alert rules and the dashboard name only metrics that exist. The
//! tables of the page are compared with what is exposed, here and in the tests of the executor.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

use super::{busy, exposition, promtool};

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

/// The metrics in the tables of the page, with the word for their kind.
fn documented() -> Vec<(String, String)> {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once('`')?;
        let is_metric = name.starts_with("fastjob_") || name.starts_with("process_");
        let kind = rest.trim_start_matches([' ', '|']).split(' ').next()?;
        is_metric.then(|| (name.to_owned(), kind.to_owned()))
    });
    rows.collect()
}

#[test]
fn the_page_has_every_metric_and_no_other() {
    let coordinator = documented().into_iter().map(|(name, _)| name);
    let coordinator: BTreeSet<_> =
        coordinator.filter(|name| !name.starts_with("fastjob_executor_")).collect();
    let mut exposed = exposition(&busy()).families();
    if cfg!(not(target_os = "linux")) {
        exposed.extend(coordinator.iter().filter(|name| name.starts_with("process_")).cloned());
    }
    assert_eq!(coordinator, exposed);
}

/// Every name of a series: what a query may use.
fn series() -> BTreeSet<String> {
    let series = documented().into_iter().flat_map(|(name, kind)| match kind.as_str() {
        "histogram" => ["_bucket", "_count", "_sum"].map(|end| format!("{name}{end}")).to_vec(),
        _ => vec![name],
    });
    series.collect()
}

/// The names of metrics in a query.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let is_metric = |word: &&str| word.starts_with("fastjob_") || word.starts_with("process_");
    words.filter(is_metric).map(str::to_owned).collect()
}

#[test]
fn the_alert_rules_use_only_metrics_that_exist() {
    let rules = read("deploy/prometheus/fastjob.rules.yml");
    let queries = rules.lines().filter(|line| !line.trim_start().starts_with('#'));
    let used: BTreeSet<_> = queries.flat_map(names).collect();
    let missing: Vec<_> = used.difference(&series()).cloned().collect();
    assert!(missing.is_empty() && used.len() > 10, "{missing:?}");
}

#[test]
fn the_alert_rules_pass_their_tests() {
    let folder = root("deploy/prometheus");
    let path = |name: &str| folder.join(name).display().to_string();
    promtool(&["check", "rules", &path("fastjob.rules.yml")], "");
    promtool(&["test", "rules", &path("fastjob.rules.test.yml")], "");
}

/// All values of a key, anywhere.
fn values<'a>(of: &'a Value, key: &str, into: &mut Vec<&'a Value>) {
    match of {
        Value::Object(fields) => {
            into.extend(fields.get(key));
            fields.values().for_each(|value| values(value, key, into));
        }
        Value::Array(items) => items.iter().for_each(|value| values(value, key, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_dashboard_uses_only_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/fastjob.json")).unwrap();
    assert_eq!(dashboard["uid"], "fastjob");
    let (mut queries, mut sources) = (Vec::new(), Vec::new());
    values(&dashboard, "expr", &mut queries);
    values(&dashboard["templating"], "query", &mut queries);
    let queries: Vec<_> = queries.into_iter().filter_map(Value::as_str).collect();
    let used: BTreeSet<_> = queries.iter().flat_map(|query| names(query)).collect();
    let missing: Vec<_> = used.difference(&series()).cloned().collect();
    assert!(missing.is_empty() && used.len() > 30, "{missing:?}");
    let rules = queries.iter().filter(|query| !query.starts_with("label_values"));
    let rules = rules.filter(|query| **query != "prometheus").map(|query| {
        let names = [("$__rate_interval", "5m"), ("$__range", "1h"), ("$job", ".+")];
        let query = names.iter().fold((*query).to_owned(), |query, (a, b)| query.replace(a, b));
        serde_json::json!({ "record": "a:b", "expr": query.replace("$instance", ".+") })
    });
    let rules: Vec<_> = rules.collect();
    // Prometheus reads YAML, of which JSON is a part.
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = serde_json::json!({ "groups": [{ "name": "queries", "rules": rules }] });
    fs::write(file.path(), groups.to_string()).unwrap();
    promtool(&["check", "rules", "--lint=none", &file.path().display().to_string()], "");
    values(&dashboard["panels"], "datasource", &mut sources);
    assert!(!sources.is_empty());
    for source in sources {
        assert_eq!(source["uid"], "${datasource}", "a user selects the data source");
    }
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has its own id");
}
