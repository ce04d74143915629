//! Starts by the full name of a job: the owner of its partition decides, and the store is asked only at
//! first, and if the owner has no such job.

use super::*;

/// Creates a job that no executor runs.
async fn create(rest: &Rest, service: &str, name: &str) {
    let draft = json!({"service": service, "name": name, "handler": "noop"});
    let draft = serde_json::from_value(draft).unwrap();
    rest.client().create_job(&draft).await.expect("the job is created");
}

async fn delete(rest: &Rest, path: &str) {
    let (status, answer) = rest.ask("DELETE", &format!("/api/v1/jobs/{path}"), None).await.unwrap();
    assert_eq!(status, 204, "{path}: {answer}");
}

/// The service and the name of the job of a task.
async fn job_of(rest: &Rest, task: i64) -> (String, String) {
    let view = rest.reaches(task, &["queued"]).await;
    let text = |field: &str| view[field].as_str().unwrap().to_owned();
    (text("service"), text("job"))
}

/// Starts the job of this path through each node, which has to name these jobs.
async fn refused_as_ambiguous(nodes: &[Rest], path: &str, choices: [&str; 2]) {
    for rest in nodes {
        let start = format!("/api/v1/jobs/{path}/start");
        let (status, problem) = rest.ask("POST", &start, None).await.unwrap();
        assert_eq!(status, 409, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(choices.iter().all(|choice| detail.contains(*choice)), "{problem}");
    }
}

fn pair(service: &str, name: &str) -> (String, String) {
    (service.to_owned(), name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_by_a_path_with_its_service_reads_no_job_from_the_database() {
    const JOBS: usize = 6;
    let cluster = Cluster::start(2).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(Coordinator::rest).collect();
    for n in 0..JOBS {
        create(&nodes[n % 2], "billing", &format!("mail{n}")).await;
        // The path of that job is the whole name of this one.
        create(&nodes[n % 2], "other", &format!("billing.mail{n}")).await;
    }
    // Then each node knows the owners, and that these are full names.
    for n in 0..JOBS {
        for rest in &nodes {
            let task = rest.start(&format!("billing.mail{n}"), json!({})).await;
            assert_eq!(job_of(rest, task).await, pair("billing", &format!("mail{n}")));
        }
    }
    let mut lock = cluster.pool.begin().await.unwrap();
    sqlx::query("lock table jobs in access exclusive mode").execute(&mut *lock).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..JOBS {
        for (at, rest) in nodes.iter().enumerate() {
            // Also later, and on one executor.
            let request = [json!({"delay": "1h"}), json!({"executor": "e1"})][at].clone();
            tasks.push((n, rest.start(&format!("billing.mail{n}"), request).await));
        }
    }
    // The lock does what it is here for: a name without its service needs the database.
    let (status, problem) = nodes[0].ask("POST", "/api/v1/jobs/mail0/start", None).await.unwrap();
    assert!(status >= 500, "{status}: {problem}");
    lock.rollback().await.unwrap();
    for (n, task) in tasks {
        assert_eq!(job_of(&nodes[0], task).await, pair("billing", &format!("mail{n}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_starts_the_job_whose_whole_name_it_is_only_while_its_service_has_no_such_job() {
    let cluster = Cluster::start(2).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(Coordinator::rest).collect();
    // Both nodes own some of the partitions.
    for n in 0..4 {
        let (name, path) = (format!("mail{n}"), format!("billing.mail{n}"));
        let whole = pair("other", &path);
        create(&nodes[n % 2], "other", &path).await;
        let mut of_key = Vec::new();
        for rest in &nodes {
            let task = rest.start(&path, json!({})).await;
            assert_eq!(job_of(rest, task).await, whole);
            of_key.push(rest.start(&path, json!({"key": "once"})).await);
        }
        assert_eq!(of_key[0], of_key[1], "a key starts one task");
        assert_eq!(job_of(&nodes[0], of_key[0]).await, whole);

        create(&nodes[n % 2], "billing", &name).await;
        let own = pair("billing", &name);
        let before = of_key[0];
        of_key.clear();
        for rest in &nodes {
            let task = rest.start(&path, json!({})).await;
            assert_eq!(job_of(rest, task).await, own);
            of_key.push(rest.start(&path, json!({"key": "once"})).await);
        }
        assert_eq!(of_key[0], of_key[1], "a key starts one task");
        assert_ne!(of_key[0], before, "it is the key of another job");
        assert_eq!(job_of(&nodes[0], of_key[0]).await, own);

        delete(&nodes[(n + 1) % 2], &path).await;
        for rest in &nodes {
            let task = rest.start(&path, json!({})).await;
            assert_eq!(job_of(rest, task).await, whole);
        }
        delete(&nodes[n % 2], &format!("other.{path}")).await;
        for rest in &nodes {
            let start = format!("/api/v1/jobs/{path}/start");
            let (status, problem) = rest.ask("POST", &start, None).await.unwrap();
            assert_eq!(status, 404, "{problem}");
            assert_eq!(problem["detail"], format!("no job is named `{path}`"), "{problem}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_means_several_jobs_starts_none_of_them_through_any_node() {
    let cluster = Cluster::start(2).await;
    let nodes: Vec<_> = cluster.nodes.iter().map(Coordinator::rest).collect();
    for n in 0..4 {
        // One path, two services: their full names are the same text.
        let path = format!("a.b.mail{n}");
        create(&nodes[0], "a", &format!("b.mail{n}")).await;
        create(&nodes[1], "a.b", &format!("mail{n}")).await;
        refused_as_ambiguous(&nodes, &path, [&path; 2]).await;
        // No service of that name has it, and two others have it as a whole name: most of these are
        // in different partitions, so no owner of one can decide.
        let path = format!("billing.mail{n}");
        create(&nodes[0], "x", &path).await;
        create(&nodes[1], "y", &path).await;
        let (x, y) = (format!("x.{path}"), format!("y.{path}"));
        refused_as_ambiguous(&nodes, &path, [&x, &y]).await;
    }
    assert_eq!(cluster.open().await, 0, "nothing was started");
}
