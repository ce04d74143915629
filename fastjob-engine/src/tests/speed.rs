//! Measures how long it takes to delete jobs beside many others. Run it on an idle machine.
//!
//! `cargo test --release -p fastjob-engine tests::speed -- --ignored --nocapture`

use std::time::Instant;

use fastjob_core::JobId;

use super::story::{Story, job};
use crate::record::{JobRow, Origin};

#[test]
#[ignore = "a measurement"]
fn deleting_and_saving_one_of_a_hundred_thousand_jobs() {
    let mut story = Story::begin();
    story.save(r#"{"name": "j0", "handler": "h"}"#, Origin::Api).unwrap();
    let mut store = story.store;
    let row = store.jobs.values().next().unwrap().clone();
    for n in 1..100_000 {
        let id = JobId(row.id.0 + n);
        let job = job(&format!(r#"{{"name": "j{n}", "handler": "h"}}"#)).into();
        store.jobs.insert(id, JobRow { id, job, ..row.clone() });
    }
    let mut story = Story::resume(store, story.now);
    let began = Instant::now();
    for n in 0..1_000 {
        let job = format!(
            r#"{{"name": "p{n}", "handler": "h", "children": [{{"job": "j{}"}}]}}"#,
            50_000 + n
        );
        story.save(&job, Origin::Api).unwrap();
    }
    println!("1,000 saves with a child: {:?}", began.elapsed());
    let began = Instant::now();
    for n in 0..1_000 {
        let (answer, mut wait) = tokio::sync::oneshot::channel();
        let job = format!("j{n}").parse().unwrap();
        story.tell(crate::Event::Command(crate::Command::Delete { job, answer }));
        wait.try_recv().unwrap().unwrap();
    }
    println!("1,000 deletes: {:?}", began.elapsed());
}
