//! How many runs per second go through commits: a benchmark for a quiet machine and a release
//! build.
//!
//! `cargo test --release -p fastjob-coordinator postgres::tests::speed -- --ignored --nocapture`

use std::time::Instant;

use fastjob_postgres::Postgres as Server;

use super::Postgres;
use crate::store::{
    Commit, CommitStore, JobRow,
    suite::rows::{base, end, head, job, plan, succeeded},
};

#[tokio::test]
#[ignore = "a measurement"]
async fn runs_per_second_through_commits() {
    let server = Server::start_durable().await;
    for batch in [1_000_i64, 2_000, 5_000] {
        let url = server.database(&format!("batch{batch}")).await;
        let store = Postgres::open(&url.parse().unwrap()).await.unwrap();
        let jobs: Vec<JobRow> =
            (1..=1_000).map(|id| job(fastjob_core::JobId(id), &format!("j{id}"))).collect();
        store.commit(&[Commit { jobs, ..base() }]).await.unwrap();
        let task = |id: i64| crate::store::NewAttempt {
            row: crate::store::Attempt { job: fastjob_core::JobId(1 + id % 1_000), ..head(id).row },
            life: Some(crate::store::LifeId(1)),
            ..head(id)
        };
        let rounds = 200_000 / batch;
        let began = Instant::now();
        // Each round writes new fires together with the outcomes of the previous round.
        for round in 0..=rounds {
            let (now, before) = (round * batch, (round - 1) * batch);
            let mut commits = vec![plan((now..now + batch).map(task))];
            if round > 0 {
                commits.push(end((before..now).map(|id| succeeded(id, id))));
            }
            store.commit(&commits).await.unwrap();
        }
        let (runs, took) = (rounds * batch, began.elapsed());
        let rate = f64::from(u32::try_from(runs).unwrap()) / took.as_secs_f64();
        println!("batches of {batch}: {runs} inserts and outcomes in {took:?}, {rate:.0} a second");
    }
}
