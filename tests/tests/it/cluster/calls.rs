//! Any node accepts any call.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn any_node_accepts_any_call_and_a_job_runs_whichever_node_owns_it() {
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = |n: usize| cluster.nodes[n % 3].rest();
    let mut tasks = Vec::new();
    for n in 0..12 {
        rest(n).save(json!({"name": format!("j{n}"), "handler": "echo"})).await;
        tasks.push(rest(n + 1).start(&format!("j{n}"), json!({"param": "hello"})).await);
    }
    for (n, task) in tasks.into_iter().enumerate() {
        let ended = rest(n + 2).ended(task).await;
        assert_eq!(
            (ended["state"].as_str(), ended["result"].as_str()),
            (Some("succeeded"), Some("hello"))
        );
    }
    let partitions = cluster.count("select count(distinct id % 32) from jobs").await;
    assert!(partitions > 3, "the jobs are in {partitions} partitions");

    // A change is visible on all nodes once it is acknowledged.
    let (status, problem) = rest(0).ask("POST", "/api/v1/jobs/none/start", None).await.unwrap();
    assert_eq!(status, 404, "{problem}");
    let again = json!({"name": "j0", "handler": "echo"}).to_string();
    for n in 0..3 {
        let (status, problem) =
            rest(n).ask("POST", "/api/v1/jobs", Some(again.clone())).await.unwrap();
        assert_eq!(status, 409, "{problem}");
    }
    let (_, listed) = rest(1).get("/api/v1/tasks?limit=100").await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_nodes_shows_how_long_their_leases_last_and_which_node_is_silent() {
    let mut cluster = Cluster::start(2).await;
    let rest = cluster.nodes[0].rest();
    let listed = || async {
        let (_, listed) = rest.get("/api/v1/nodes").await.ok()?;
        let mut nodes: Vec<(String, i64)> = Vec::new();
        for node in listed["items"].as_array()? {
            nodes.push((node["state"].as_str()?.to_owned(), node["lease_left_ms"].as_i64()?));
        }
        Some(nodes)
    };
    let lease = i64::try_from(LEASE.as_millis()).unwrap();
    eventually("both nodes have a lease", LEASE * 5, || async {
        let nodes = listed().await?;
        assert!(nodes.iter().all(|(_, left)| *left <= lease), "{nodes:?}");
        let alive = nodes.iter().filter(|(state, left)| state == "alive" && *left > 0);
        (alive.count() == 2).then_some(())
    })
    .await;
    cluster.nodes[1].kill();
    // Until its row is removed, the list says that it is silent.
    eventually("the killed node is silent or gone", LEASE * 5, || async {
        let nodes = listed().await?;
        let alive = nodes.iter().filter(|(state, _)| state == "alive").count();
        (alive == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_task_is_shown_and_stopped_through_any_node() {
    let cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    for n in 0..4 {
        let rest = cluster.nodes[n % 2].rest();
        rest.save(json!({"name": format!("long{n}"), "handler": "slow", "param": "60000"})).await;
        let task = rest.start(&format!("long{n}"), json!({})).await;
        for node in &cluster.nodes {
            let rest = node.rest();
            rest.reaches(task, &["running"]).await;
            let (_, listed) = rest.get("/api/v1/tasks?state=running").await.unwrap();
            let ids: Vec<_> =
                listed["items"].as_array().unwrap().iter().map(|t| &t["id"]).collect();
            assert!(ids.contains(&&json!(task)), "{listed}");
        }
        let other = cluster.nodes[(n + 1) % 2].rest();
        other.post(&format!("/api/v1/tasks/{task}/stop")).await;
        assert_eq!(other.ended(task).await["state"], "stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_names_the_node_that_does_not_answer_and_shows_what_is_recorded() {
    let cluster = Cluster::with(2, LEASE * 2, |node| node).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = cluster.nodes[1].rest();
    let mut tasks = Vec::new();
    for n in 0..8 {
        rest.save(json!({"name": format!("long{n}"), "handler": "slow", "param": "60000"})).await;
        tasks.push(rest.start(&format!("long{n}"), json!({})).await);
    }
    for task in &tasks {
        rest.reaches(*task, &["running"]).await;
    }
    let (_, listed) = rest.get("/api/v1/tasks?state=running").await.unwrap();
    assert_eq!(listed.get("unanswered"), None, "{listed}");
    let away = cluster.nodes[0].url();
    cluster.nodes[0].signal("STOP");
    // At the same time, before the other node takes over.
    let (listed, all, jobs) = tokio::join!(
        rest.get("/api/v1/tasks?state=running"),
        rest.get("/api/v1/tasks"),
        rest.get("/api/v1/jobs?ends=0"),
    );
    let ((status, listed), (_, all), (_, jobs)) = (listed.unwrap(), all.unwrap(), jobs.unwrap());
    assert_eq!(status, 200, "{listed}");
    assert_eq!(listed["unanswered"], json!([away]), "{listed}");
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), tasks.len(), "those of the node are shown as they are recorded");
    let (away_ones, others): (Vec<_>, Vec<_>) =
        items.iter().partition(|task| task["unanswered"] == json!(away));
    assert!(!away_ones.is_empty() && !others.is_empty(), "both nodes act on some: {all}");
    assert!(away_ones.iter().all(|task| task["state"] == "queued"), "{all}");
    assert!(others.iter().all(|task| task["state"] == "running"), "{all}");
    let long = |job: &&Value| job["name"].as_str().unwrap().starts_with("long");
    let jobs: Vec<_> = jobs["items"].as_array().unwrap().iter().filter(long).collect();
    let running = |job: &Value| job["activity"]["running"].clone();
    let unknown = jobs.iter().filter(|job| running(job).is_null()).count();
    let known = jobs.iter().filter(|job| running(job) == json!(1)).count();
    assert_eq!((unknown, known), (away_ones.len(), others.len()), "{jobs:?}");
    cluster.nodes[0].signal("CONT");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_capacity_of_an_executor_holds_across_all_nodes() {
    let cluster = Cluster::start(2).await;
    let places = [("FASTJOB_CAPACITY", "2")];
    let _executor = cluster.nodes[0].executor_with(EXECUTOR, "e1", &places);
    cluster.connected(1).await;
    let mut tasks = Vec::new();
    for n in 0..12 {
        let rest = cluster.nodes[n % 2].rest();
        rest.save(json!({"name": format!("j{n}"), "handler": "slow", "param": "200"})).await;
    }
    for n in 0..12 {
        let rest = cluster.nodes[n % 2].rest();
        tasks.push(rest.start(&format!("j{n}"), json!({})).await);
    }
    for task in tasks {
        assert_eq!(cluster.nodes[0].rest().ended(task).await["state"], "succeeded");
    }
    // At each start: the attempt itself and those that were still running.
    let most = cluster.count(
        "select max((select count(*) from ended_attempts b \
         where b.started_at <= a.started_at and b.ended_at > a.started_at)) from ended_attempts a",
    );
    assert_eq!(most.await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_in_other_partitions_are_started_once_and_any_node_rejects_cycles() {
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = |n: usize| cluster.nodes[n % 3].rest();
    let children: Vec<_> = (0..8).map(|n| format!("child{n}")).collect();
    for (n, child) in children.iter().enumerate() {
        rest(n).save(json!({"name": child, "handler": "echo"})).await;
    }
    let all: Vec<Value> =
        children.iter().map(|job| json!({"job": job, "pass_result": true})).collect();
    rest(1).save(json!({"name": "parent", "handler": "echo", "param": "p", "children": all})).await;
    let circle = json!({"name": "child3", "handler": "echo", "children": [{"job": "parent"}]});
    let (status, problem) =
        rest(2).ask("PUT", "/api/v1/jobs/child3", Some(circle.to_string())).await.unwrap();
    assert_eq!(status, 422, "{problem}");
    let (status, problem) = rest(0).ask("DELETE", "/api/v1/jobs/child5", None).await.unwrap();
    assert_eq!(status, 409, "{problem}");

    let task = rest(0).start("parent", json!({})).await;
    let started = || async {
        let sql = "select count(*) from tasks where parent = $1 \
                   and state = 3 and param = 'p'";
        sqlx::query_scalar::<_, i64>(sql).bind(task).fetch_one(&cluster.pool).await.unwrap()
    };
    eventually("each child has succeeded", Duration::from_secs(20), || async {
        (started().await == 8).then_some(())
    })
    .await;
    let all = cluster.count("select count(*) from tasks where parent is not null");
    assert_eq!(all.await, 8, "each child is started once");
    let waiting = cluster.count("select count(*) from child_starts").await;
    assert_eq!(waiting, 0, "no child is left to start");
}

/// The last change to a job, and when it was acknowledged.
enum Done {
    Disabled(i64),
    Deleted(i64),
    /// Its param was changed to this.
    Edited(i64, String),
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_through_any_node_take_effect_and_a_disabled_job_never_fires() {
    let jobs = if soak() { 200 } else { 40 };
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let draft = |name: &str, param: &str| {
        json!({"name": name, "handler": "echo", "param": param,
            "schedule": {"cron": "* * * * * ?"}})
    };
    for n in 0..jobs {
        cluster.nodes[n % 3].rest().save(draft(&format!("j{n}"), "first")).await;
    }
    let mut done = HashMap::new();
    for round in 0..5_usize {
        for n in 0..jobs {
            let rest = cluster.nodes[(n * 7 + round) % 3].rest();
            let name = format!("j{n}");
            if matches!(done.get(&name), Some(Done::Deleted(_))) {
                let (status, gone) =
                    rest.get(&format!("/api/v1/jobs/{name}")).await.expect("it answers");
                assert_eq!(status, 404, "{gone}");
                continue;
            }
            let now = || fastjob_tests::now().as_millisecond();
            match (n + round) % 5 {
                0 => {
                    rest.post(&format!("/api/v1/jobs/{name}/disable")).await;
                    done.insert(name, Done::Disabled(now()));
                }
                1 => {
                    done.remove(&name);
                    rest.post(&format!("/api/v1/jobs/{name}/enable")).await;
                }
                2 => {
                    let param = format!("of round {round}");
                    let text = draft(&name, &param).to_string();
                    let path = format!("/api/v1/jobs/{name}");
                    let (status, said) = rest.ask("PUT", &path, Some(text)).await.unwrap();
                    assert_eq!(status, 200, "{said}");
                    done.insert(name, Done::Edited(now(), param));
                }
                3 if n % 3 == 0 => {
                    let path = format!("/api/v1/jobs/{name}");
                    let (status, said) = rest.ask("DELETE", &path, None).await.unwrap();
                    assert_eq!(status, 204, "{said}");
                    done.insert(name, Done::Deleted(now()));
                }
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await; // some jobs fire
    }
    tokio::time::sleep(Duration::from_secs(3)).await; // more jobs fire
    let count = |sql: &'static str, name: String, at: i64, param: String| {
        let query = sqlx::query_scalar::<_, i64>(sql).bind(name).bind(at).bind(param);
        query.fetch_one(&cluster.pool)
    };
    let (mut off, mut edited) = (0, 0);
    for (name, done) in done {
        match done {
            Done::Disabled(at) | Done::Deleted(at) => {
                let sql = "select count(*) from tasks a join jobs j on j.id = a.job \
                           where j.name = $1 and a.cause = 1 and a.due_at > $2 and $3 = ''";
                let late = count(sql, name.clone(), at, String::new()).await.unwrap();
                assert_eq!(late, 0, "{name} fired after {at}");
                off += 1;
            }
            Done::Edited(at, param) => {
                // An edit takes effect within a second.
                let sql = "select count(*) from tasks a join jobs j on j.id = a.job \
                           where j.name = $1 and a.due_at > $2 + 1000 and a.state = 3 \
                           and a.result = $3";
                let new = count(sql, name.clone(), at, param.clone()).await.unwrap();
                assert!(new > 0, "{name} never ran with the param of {at}");
                let sql = "select count(*) from tasks a join jobs j on j.id = a.job \
                           where j.name = $1 and a.due_at > $2 + 1000 and a.state = 3 \
                           and a.result <> $3";
                let old = count(sql, name.clone(), at, param).await.unwrap();
                assert_eq!(old, 0, "{name} ran with a param from before {at}");
                edited += 1;
            }
        }
    }
    assert!(off > jobs / 8 && edited > jobs / 8, "{off} disabled or deleted, {edited} edited");
}
