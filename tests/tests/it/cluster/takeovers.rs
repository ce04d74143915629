//! Takeovers: nodes that crash, are suspended, lose the database or shut down.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_new_owner_of_a_parent_starts_its_children_in_other_partitions() {
    let mut cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = cluster.nodes[1].rest();
    let children: Vec<_> = (0..4).map(|n| format!("child{n}")).collect();
    for child in &children {
        rest.save(json!({"name": child, "handler": "noop"})).await;
    }
    let all: Vec<Value> = children.iter().map(|job| json!({"job": job})).collect();
    for n in 0..8 {
        let parent = json!({"name": format!("parent{n}"), "handler": "noop", "children": all});
        rest.save(parent).await;
    }
    assert!(cluster.nodes[0].stop().success());
    cluster.all_held().await;
    for n in 0..8 {
        rest.start(&format!("parent{n}"), json!({})).await;
    }
    let started = "select count(*) from tasks where parent is not null \
                   and state = 3";
    eventually("each child has succeeded", Duration::from_secs(20), || async {
        (cluster.count(started).await == 8 * 4).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_are_taken_over_and_no_fire_is_lost_or_duplicated() {
    let (jobs, kills) = if soak() { (3_000, 9) } else { (300, 3) };
    let mut cluster = Cluster::start(3).await;
    let _executors = [cluster.executor("e1"), cluster.executor("e2")];
    cluster.connected(2).await;
    save_seconds(&cluster.nodes[0].rest(), jobs).await;
    let pause = if soak() { Duration::from_secs(20) } else { LEASE * 2 };
    for kill in 0..kills {
        tokio::time::sleep(pause).await; // keep the nodes under load between kills
        let dead = kill % 3;
        cluster.nodes[dead].kill();
        let killed = Instant::now();
        cluster.all_held().await;
        let took = killed.elapsed();
        assert!(took < LEASE * 3, "taken over after {took:?}");
        eprintln!("kill {kill}: all partitions are held again after {took:?}");
        cluster.nodes[dead].up().await;
        cluster.all_held().await;
    }
    let rest = cluster.nodes[1].rest();
    cluster.end(&rest, jobs).await;
    cluster.every_second_is_there(jobs).await;
    let skipped = "select count(*) from tasks where state = 6";
    assert_eq!(cluster.count(skipped).await, 0, "no fire is too old to catch up");
    let failed = "select count(*) from ended_attempts where state = 4";
    assert_eq!(cluster.count(failed).await, 0, "no attempt was lost when a node was killed");
    for node in &cluster.nodes {
        let twice: Vec<_> = node.entered().into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(twice.is_empty(), "started twice: {twice:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_suspended_past_its_lease_changes_nothing_when_it_resumes() {
    let cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[0].rest(), 100).await;
    let before = cluster.count("select sum(term)::bigint from partitions").await;
    cluster.nodes[0].signal("STOP");
    eventually("the other node has taken over everything", LEASE * 5, || async {
        let held = cluster.held().await;
        (held.get(&cluster.nodes[1].url()) == Some(&32)).then_some(())
    })
    .await;
    cluster.all_ran(100).await; // while it is suspended
    cluster.nodes[0].signal("CONT");
    cluster.all_held().await;
    assert!(cluster.count("select sum(term)::bigint from partitions").await > before);
    cluster.all_ran(100).await;
    let rest = cluster.nodes[0].rest();
    for n in 0..100 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.open().await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(100).await;
    let twice: Vec<_> =
        cluster.nodes[0].entered().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "started twice: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_from_the_database_is_taken_over_and_recovers() {
    let cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[1].rest(), 100).await;
    cluster.proxy.cut();
    let cut_off = cluster.nodes[0].rest();
    eventually("the node reports that it is not ready", LEASE * 4, || async {
        let (status, _) = cut_off.get("/readyz").await.ok()?;
        (status == 503).then_some(())
    })
    .await;
    eventually("the others own all partitions", LEASE * 4, || async {
        let held = cluster.held().await;
        (held.len() == 2 && held.values().sum::<usize>() == 32).then_some(())
    })
    .await;
    // The executor still has a session with it, and must not accept attempts from it.
    tokio::time::sleep(LEASE * 2).await;
    cluster.proxy.mend();
    cluster.all_held().await;
    eventually("the node is ready again", LEASE * 4, || async {
        let (status, _) = cut_off.get("/readyz").await.ok()?;
        (status == 200).then_some(())
    })
    .await;
    cluster.all_ran(100).await;
    for n in 0..100 {
        cut_off.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.open().await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(100).await;
    let twice: Vec<_> =
        cluster.nodes[0].entered().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "started twice: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_continue_during_a_database_outage_and_nothing_is_lost() {
    let mut cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[0].rest(), 50).await;
    cluster.nodes[0].rest().save(json!({"name": "long", "handler": "slow", "param": "3000"})).await;
    let long = cluster.nodes[1].rest().start("long", json!({})).await;
    cluster.nodes[0].rest().reaches(long, &["running"]).await;
    cluster.postgres.kill();
    eventually("the nodes report that they are not ready", LEASE * 3, || async {
        let (status, _) = cluster.nodes[0].rest().get("/readyz").await.ok()?;
        (status == 503).then_some(())
    })
    .await;
    tokio::time::sleep(LEASE * 2).await; // both leases expire, the handler ends
    cluster.postgres.up().await;
    cluster.all_held().await;
    // The executor kept the outcome.
    let ended = cluster.nodes[1].rest().ended(long).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["attempts"].as_array().unwrap().len(), 1, "{ended}");
    cluster.all_ran(50).await;
    let rest = cluster.nodes[0].rest();
    for n in 0..50 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.open().await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shuts_down_cleanly_hands_over_at_once() {
    let mut cluster = Cluster::start(3).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    save_seconds(&cluster.nodes[0].rest(), 60).await;
    cluster.all_ran(60).await;
    // Including the node that the executor is configured with.
    for leaves in [1, 0] {
        let stopped = Instant::now();
        assert!(cluster.nodes[leaves].stop().success());
        cluster.all_held().await;
        eprintln!("handed over after {:?}", stopped.elapsed());
        cluster.all_ran(60).await;
    }
    let rest = cluster.nodes[2].rest();
    for n in 0..60 {
        rest.post(&format!("/api/v1/jobs/j{n}/disable")).await;
    }
    eventually("every attempt has ended", Duration::from_secs(30), || async {
        (cluster.open().await == 0).then_some(())
    })
    .await;
    cluster.every_second_is_there(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_attempts_survive_the_node_that_dispatched_them() {
    // The default lease of a node in a cluster of two.
    let mut cluster = Cluster::with(2, Duration::from_secs(4), |node| node).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = cluster.nodes[1].rest();
    let mut tasks = Vec::new();
    for n in 0..4 {
        rest.save(json!({"name": format!("long{n}"), "handler": "slow", "param": "12000",
            "block": {"strategy": "serial", "scope": "cluster"}}))
            .await;
        tasks.push(rest.start(&format!("long{n}"), json!({})).await);
    }
    for task in &tasks {
        rest.reaches(*task, &["running"]).await;
    }
    let owned = "select count(*) from unnest($2::bigint[]) as task (id) \
                 join partitions p on p.partition = task.id % 32 \
                 join nodes n on n.id = p.node where n.address = $1";
    let of_the_first: i64 = sqlx::query_scalar(owned)
        .bind(cluster.nodes[0].url())
        .bind(&tasks)
        .fetch_one(&cluster.pool)
        .await
        .unwrap();
    // The node that owns more of them.
    let dead = usize::from(of_the_first < 2);
    cluster.nodes[dead].kill();
    cluster.all_held().await;
    let rest = cluster.nodes[1 - dead].rest();
    for task in tasks {
        let ended = rest.ended(task).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
    assert_eq!(
        cluster.count("select count(*) from ended_attempts").await,
        4,
        "one attempt per task"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_keeps_its_partitions_while_it_loads_one_slowly() {
    let mut cluster = Cluster::start(2).await;
    let terms = |mine: Vec<i32>| {
        let pool = cluster.pool.clone();
        async move {
            let sql = "select sum(term)::bigint from partitions where partition = any($1)";
            sqlx::query_scalar::<_, i64>(sql).bind(mine).fetch_one(&pool).await.unwrap()
        }
    };
    let mine: Vec<i32> = sqlx::query_scalar(
        "select partition from partitions p join nodes n on n.id = p.node where n.address = $1",
    )
    .bind(cluster.nodes[1].url())
    .fetch_all(&cluster.pool)
    .await
    .unwrap();
    // The database knows which partitions are held, and only the node which ones are loaded.
    eventually("it has loaded its partitions", LEASE * 5, || async {
        let loaded = cluster.nodes[1].said("coordinator").matches("partition acquired").count();
        (loaded >= mine.len()).then_some(())
    })
    .await;
    let before = terms(mine.clone()).await;
    let mut lock = cluster.pool.begin().await.unwrap();
    sqlx::query("lock table jobs in access exclusive mode").execute(&mut *lock).await.unwrap();
    cluster.nodes[0].kill();
    eventually("the other node begins to take over", LEASE * 5, || async {
        let sql = "select count(*) from partitions p join nodes n on n.id = p.node \
                   where n.address = $1";
        let held: i64 = sqlx::query_scalar(sql)
            .bind(cluster.nodes[1].url())
            .fetch_one(&cluster.pool)
            .await
            .unwrap();
        (held > 16).then_some(())
    })
    .await;
    tokio::time::sleep(LEASE * 2).await; // loading takes longer than its lease
    lock.rollback().await.unwrap();
    cluster.all_held().await;
    assert_eq!(terms(mine).await, before, "it kept its own partitions all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_partition_is_reported_and_affects_no_other() {
    let cluster = Cluster::start(1).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = cluster.nodes[0].rest();
    for n in 0..8 {
        rest.save(json!({"name": format!("j{n}"), "handler": "noop"})).await;
    }
    let change = |definition: &'static str| {
        let sql = "update jobs set definition = $1 where name = 'j0'";
        sqlx::query(sql).bind(definition).execute(&cluster.pool)
    };
    change(r#"{"name": "j0", "handler": "noop", "of_a_newer_release": true}"#).await.unwrap();
    // No node can read the changed job. Release the partition, because its owner has loaded it.
    sqlx::query(
        "update partitions set node = null, term = term + 1 where partition = \
                 (select id % 32 from jobs where name = 'j0')",
    )
    .execute(&cluster.pool)
    .await
    .unwrap();
    let reported = || async {
        let (status, problem) = rest.ask("GET", "/readyz", None).await.ok()?;
        (status == 503 && problem.to_string().contains("cannot load it")).then_some(())
    };
    eventually("a partition that cannot be loaded is reported", Duration::from_secs(30), reported)
        .await;
    for n in 1..8 {
        let (status, started) =
            rest.ask("POST", &format!("/api/v1/jobs/j{n}/start"), None).await.unwrap();
        let same = "select count(distinct id % 32) from jobs where name in ('j0', $1)";
        let partitions: i64 =
            sqlx::query_scalar(same).bind(format!("j{n}")).fetch_one(&cluster.pool).await.unwrap();
        assert_eq!(status < 300, partitions == 2, "j{n}: {status} {started}");
    }
    change(r#"{"name": "j0", "handler": "noop"}"#).await.unwrap();
    eventually("the partition is loaded again", Duration::from_secs(30), || async {
        rest.get("/readyz").await.ok().filter(|(status, _)| *status == 200).map(drop)
    })
    .await;
    let task = rest.start("j0", json!({})).await;
    assert_eq!(rest.ended(task).await["state"], "succeeded");
}
