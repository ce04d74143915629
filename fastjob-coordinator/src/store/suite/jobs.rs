//! Jobs: the latest save wins, and a name belongs to one job that is not deleted.

use std::sync::Arc;

use fastjob_core::{JobId, JobName, ServiceName};

use super::{
    Home,
    rows::*,
    view::{load, view},
    write,
};
use crate::store::{Commit, JobLink, JobRow, Origin};

fn save(jobs: impl IntoIterator<Item = JobRow>) -> Commit {
    Commit { jobs: jobs.into_iter().collect(), ..Commit::default() }
}

/// The save that deletes a job.
fn deleted(before: &JobRow) -> JobRow {
    JobRow { deleted_at: Some(at(99)), ..saved(before, "deleted") }
}

async fn found(home: &impl Home, text: &str) -> Option<JobRow> {
    home.store().job(&name("default"), &name(text)).await.unwrap()
}

pub(crate) async fn a_lower_revision_changes_nothing(home: &mut impl Home) {
    let first = job(JOB, "a");
    let second = JobRow { origin: Origin::Code, anchor: at(7), ..saved(&first, "second") };
    let third = saved(&second, "third");
    let third = JobRow { declared: Some(Arc::clone(&second.job)), ..third };
    write(home, [save([first.clone()]), save([third.clone()])]).await;
    write(home, [save([second.clone()]), save([first])]).await;
    assert_eq!(found(home, "a").await, Some(third.clone()));
    // The same revision again is the same save, or a corrected row.
    let corrected = JobRow { anchor: at(8), declared: None, ..third };
    write(home, [save([corrected.clone()])]).await;
    assert_eq!(found(home, "a").await, Some(corrected));
}

pub(crate) async fn the_latest_revision_in_one_call_wins(home: &mut impl Home) {
    let first = job(JOB, "a");
    let second = saved(&first, "second");
    let third = saved(&second, "third");
    home.store().commit(&[first, second, third.clone()].map(|row| save([row]))).await.unwrap();
    assert_eq!(found(home, "a").await, Some(third));
}

pub(crate) async fn a_deleted_job_keeps_its_row_and_frees_its_name(home: &mut impl Home) {
    let (first, gone) = (job(JOB, "a"), deleted(&job(JOB, "a")));
    write(home, [save([first]), plan([head(10)]), save([gone.clone()])]).await;
    assert_eq!(found(home, "a").await, None);
    assert_eq!(home.store().jobs(None, 10, u64::MAX).await.unwrap().jobs, []);
    assert_eq!(home.store().jobs_named(&name("a")).await.unwrap(), []);
    assert_eq!(load(&*home.store()).await.jobs, [gone.clone()].into_iter().collect());
    let tasks = view(home).await.tasks;
    assert_eq!((tasks.len(), tasks[0].name.as_str()), (1, "a"), "its tasks refer to it");

    let second = job(OTHER, "a");
    write(home, [save([second.clone()])]).await;
    assert_eq!(found(home, "a").await, Some(second.clone()));
    let again = deleted(&second);
    write(home, [save([again.clone()]), save([job(JobId(96), "a")])]).await;
    let expected = [gone, again, job(JobId(96), "a")].into_iter().collect();
    assert_eq!(view(home).await.loaded.jobs, expected);
}

pub(crate) async fn a_name_moves_to_another_job_in_one_call(home: &mut impl Home) {
    let second = job(OTHER, "a");
    write(home, [save([job(JOB, "a")])]).await;
    let gone = deleted(&job(JOB, "a"));
    home.store().commit(&[save([gone]), save([second.clone()])]).await.unwrap();
    assert_eq!(found(home, "a").await, Some(second.clone()));
    // Created, deleted and created again, all in one call.
    let third = job(JobId(3), "a");
    let fourth = job(JobId(4), "a");
    let story = [deleted(&second), third.clone(), deleted(&third), fourth.clone()];
    home.store().commit(&story.map(|row| save([row]))).await.unwrap();
    assert_eq!(found(home, "a").await, Some(fourth));
}

pub(crate) async fn jobs_are_found_by_name_in_all_services(home: &mut impl Home) {
    let rows = [
        job_of(JobId(1), "billing", "report"),
        job_of(JobId(2), "mail", "report"),
        job_of(JobId(3), "mail", "reports"),
        deleted(&job_of(JobId(4), "stock", "report")),
    ];
    write(home, [save(rows.clone())]).await;
    let mut named = home.store().jobs_named(&name("report")).await.unwrap();
    named.sort_by_key(|row| row.id);
    assert_eq!(named, rows[..2]);
    let (service, report): (ServiceName, JobName) = (name("mail"), name("report"));
    assert_eq!(home.store().job(&service, &report).await.unwrap().as_ref(), Some(&rows[1]));
    let unknown: ServiceName = name("unknown");
    assert_eq!(home.store().job(&unknown, &report).await.unwrap(), None);
    assert_eq!(home.store().jobs_named(&name("Report")).await.unwrap(), [], "case matters");
}

pub(crate) async fn parents_are_the_living_jobs_that_have_a_child(home: &mut impl Home) {
    let with = |id, name: &str, children: &[i64]| JobRow {
        children: children.iter().copied().map(JobId).collect(),
        ..job(JobId(id), name)
    };
    let (first, second) = (with(1, "first", &[7, 8, 7]), with(2, "second", &[8, 9_000_000_000]));
    let gone = with(4, "gone", &[7]);
    let rows = [first.clone(), second.clone(), with(3, "childless", &[]), deleted(&gone)];
    write(home, [save(rows)]).await;
    let links =
        |rows: &[&JobRow]| rows.iter().filter_map(|row| JobLink::of(row)).collect::<Vec<_>>();
    let of = async |children: &[i64], limit| {
        let children: Vec<_> = children.iter().copied().map(JobId).collect();
        home.store().parents_of(&children, limit).await.unwrap()
    };
    assert_eq!(of(&[7], 9).await, links(&[&first]));
    assert_eq!(of(&[8], 9).await, links(&[&first, &second]));
    assert_eq!(of(&[7, 8, 9_000_000_000], 9).await, links(&[&first, &second]));
    assert_eq!(of(&[8], 1).await, links(&[&first]), "no more than are asked for");
    assert_eq!(of(&[1, 99], 9).await, []);
    let without = JobRow { children: [JobId(8)].into(), ..saved(&first, "without") };
    let back = JobRow { revision: 1, ..first.clone() };
    write(home, [save([without.clone()]), save([back])]).await;
    assert_eq!(of(&[7], 9).await, [], "a lower revision changes nothing");
    assert_eq!(of(&[8], 9).await, links(&[&without, &second]));
    write(home, [save([deleted(&second)])]).await;
    assert_eq!(of(&[8], 9).await, links(&[&without]));
    let known = [1, 2, 3, 99].map(JobId);
    let found = home.store().links(&known).await.unwrap();
    assert_eq!(found, links(&[&without, &with(3, "childless", &[])]));
}

pub(crate) async fn a_page_of_jobs_ends_when_it_has_enough_bytes(home: &mut impl Home) {
    let long = "x".repeat(4_000);
    let rows: Vec<_> =
        (0..10).map(|n| saved(&job_of(JobId(n), "a", &format!("j{n}")), &long)).collect();
    write(home, [save(rows.clone())]).await;
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = home.store().jobs(after, 100, 10_000).await.unwrap();
        pages.push(page.jobs.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [3, 3, 3, 1], "a page ends with the job that reaches its bound");
    assert_eq!(home.store().jobs(None, 100, 1).await.unwrap().jobs.len(), 1, "never empty");
}

pub(crate) async fn pages_of_jobs_are_complete(home: &mut impl Home) {
    let rows: Vec<_> = (0..25)
        .map(|n| job_of(JobId(n), ["b", "a", "报表"][n as usize % 3], &format!("j{n}")))
        .collect();
    write(home, [save(rows.clone()), save([deleted(&rows[7])])]).await;
    for limit in [1, 2, 7, 24, 100] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = home.store().jobs(after, limit, u64::MAX).await.unwrap();
            assert!(page.jobs.len() <= limit as usize);
            let key = |row: crate::store::JobRow| (row.job.service.clone(), row.job.name.clone());
            all.extend(page.jobs.into_iter().map(key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut sorted = all.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(all, sorted, "in order, by service and name");
        assert_eq!(all.len(), 24, "limit {limit}");
    }
}
