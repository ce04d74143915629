//! Jobs saved by a later release: lists skip them, and no engine acts on a partition without them.

use fastjob_core::{JobId, JobName, ServiceName};

use super::{Home, rows::*, write};
use crate::store::{Commit, Error, Partition};

async fn jobs_of_two_releases(home: &impl Home) {
    let rows = (1..=24).map(|id| job(JobId(id), &format!("j{id:02}")));
    write(home, [Commit { jobs: rows.collect(), ..Commit::default() }]).await;
    home.save_of_a_later_release().await;
}

pub(crate) async fn lists_skip_unreadable_jobs(home: &mut impl Home) {
    jobs_of_two_releases(home).await;
    let even: Vec<_> = (1..=12).map(|half| JobId(2 * half)).collect();
    for limit in [1, 2, 5, 12, 100] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = home.store().jobs(after, limit, u64::MAX).await.unwrap().jobs;
            let Some(end) = page.last() else { break };
            after = Some((end.job.service.clone(), end.job.name.clone()));
            let is_last = page.len() < limit as usize;
            all.extend(page.iter().map(|row| row.id));
            if is_last {
                break; // like a client
            }
        }
        assert_eq!(all, even, "limit {limit}");
    }
    // Parents are found without reading definitions.
    let parents = home.store().parents_of(&[JobId(7)], 100).await.unwrap();
    assert_eq!(parents.len(), 24);
}

pub(crate) async fn a_job_that_cannot_be_read_is_named(home: &mut impl Home) {
    jobs_of_two_releases(home).await;
    let (service, job): (ServiceName, JobName) = (name("default"), name("j03"));
    let refused = home.store().job(&service, &job).await.unwrap_err();
    assert!(matches!(refused, Error::Unreadable { job: JobId(3), .. }), "{refused}");
    assert!(refused.to_string().contains("unknown field `later`"), "{refused}");
    // It must not be replaced by another job of the same name.
    let refused = home.store().jobs_named(&job).await.unwrap_err();
    assert!(matches!(refused, Error::Unreadable { job: JobId(3), .. }), "{refused}");
}

pub(crate) async fn a_partition_with_a_job_that_cannot_be_read_is_not_loaded(home: &mut impl Home) {
    jobs_of_two_releases(home).await;
    let partitions = home.store().facts().await.unwrap().partitions;
    for partition in (0..partitions).map(Partition) {
        let has_one =
            (1..=24).any(|id| id % 2 == 1 && Partition::of_id(id, partitions) == partition);
        match home.store().load(partition).await {
            Ok(_) => assert!(!has_one, "{partition:?}"),
            Err(Error::Unreadable { job, .. }) => {
                assert!(has_one && Partition::of_id(job.0, partitions) == partition, "{job}");
            }
            Err(err) => panic!("{err}"),
        }
    }
}

pub(crate) async fn a_list_of_jobs_that_cannot_be_read_does_not_overflow_the_stack(
    home: &mut impl Home,
) {
    let rows = (0..6_000).map(|n| job(JobId(2 * n + 1), &format!("j{n:05}")));
    write(home, [Commit { jobs: rows.collect(), ..Commit::default() }]).await;
    home.save_of_a_later_release().await;
    assert_eq!(home.store().jobs(None, 1, u64::MAX).await.unwrap().jobs, []);
}
