//! The children of jobs that are saved together. In a store with several partitions, no engine knows
//! all of these jobs before they are saved. So their caller checks them first, as if one did.

use std::sync::Arc;

use fastjob_core::{Job, JobDraft, JobName, JobPath, ServiceName};
use jiff::Timestamp;

use super::{Catalog, JobQuota, JobRefused};
use crate::{
    Config,
    maps::Set,
    record::{JobLink, JobRow, Lease, Origin, Overrides},
};

/// Jobs that are refused, so that a parent of theirs is not reported as well.
#[derive(Default)]
pub(crate) struct Missing(Set<(ServiceName, JobName)>);

impl Missing {
    /// Notes a refused job. Returns `false` if the only reason is that a child of it is refused.
    pub(crate) fn add(&mut self, job: &Job, why: &JobRefused) -> bool {
        let follows = matches!(why, JobRefused::NoChild(child) if self.has(&job.service, child));
        self.0.insert((job.service.clone(), job.name.clone()));
        !follows
    }

    /// Whether a child's name means one of the jobs.
    fn has(&self, service: &ServiceName, child: &str) -> bool {
        let Ok(path) = child.parse::<JobPath>() else { return false };
        let beside = path.bare().map(|name| (service.clone(), name));
        beside.into_iter().chain(path.with_service()).any(|job| self.0.contains(&job))
    }
}

/// Checks the children of jobs that are to be saved, in this order, with the rows that they replace
/// and whether code owns them. `links` are the jobs that their children's names can mean, with the
/// ancestors and descendants of these. Returns those that would be refused, by their number.
pub fn check_together(
    links: impl IntoIterator<Item = JobLink>,
    jobs: &[(&Arc<Job>, Option<&JobRow>, Origin)],
) -> Vec<(usize, JobRefused)> {
    let job_quota = JobQuota { jobs: u32::MAX, bytes: u64::MAX };
    let config = Config {
        executor_lost: std::time::Duration::ZERO,
        seed: 0,
        lease: Lease::default(),
        partitions: 1,
        since: Timestamp::UNIX_EPOCH,
        traces: None,
        job_quota,
    };
    let mut catalog = Catalog::new(config);
    for link in links {
        let draft = JobDraft {
            name: link.name.to_string(),
            service: Some(link.service.to_string()),
            ..JobDraft::default()
        };
        // The names are those of a job.
        let Ok(job) = Job::try_from(draft) else { continue };
        let row = JobRow { id: link.id, children: link.children, ..new_row(job.into()) };
        catalog.admit(row, Timestamp::UNIX_EPOCH);
    }
    for row in jobs.iter().filter_map(|(_, before, _)| *before) {
        catalog.admit(row.clone(), Timestamp::UNIX_EPOCH);
    }
    catalog.allow_links(jobs.len());
    let (mut refused, mut missing) = (Vec::new(), Missing::default());
    for (at, (job, before, origin)) in jobs.iter().enumerate() {
        match catalog.resolve_children(*before, job, *origin) {
            Ok(children) => match before {
                Some(before) => {
                    catalog.update(JobRow { job: Arc::clone(job), children, ..(*before).clone() });
                }
                None => {
                    let id = catalog.next_id();
                    let row = JobRow { id, children, ..new_row(Arc::clone(job)) };
                    catalog.admit(row, Timestamp::UNIX_EPOCH);
                }
            },
            Err(why) => {
                if missing.add(job, &why) {
                    refused.push((at, why));
                }
            }
        }
    }
    refused
}

/// The row of a job that was just saved over the API.
pub(super) fn new_row(job: Arc<Job>) -> JobRow {
    let at = Timestamp::UNIX_EPOCH;
    JobRow {
        id: fastjob_core::JobId(0),
        job,
        declared: None,
        children: Arc::default(),
        origin: Origin::Api,
        overrides: Overrides::default(),
        revision: 1,
        anchor: at,
        created_at: at,
        updated_at: at,
        deleted_at: None,
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::JobId;

    use super::*;

    fn job(json: &str) -> Arc<Job> {
        let draft: JobDraft = serde_json::from_str(json).unwrap();
        Arc::new(draft.try_into().unwrap())
    }

    fn link(id: i64, name: &str, children: &[i64]) -> JobLink {
        JobLink {
            id: JobId(id),
            service: "default".parse().unwrap(),
            name: name.parse().unwrap(),
            children: children.iter().copied().map(JobId).collect(),
        }
    }

    #[test]
    fn a_cycle_through_a_job_that_is_not_saved_is_found() {
        let [a, b] = ["a", "b"].map(|name| job(&format!(r#"{{"name": "{name}"}}"#)));
        let row = |id, job: &Arc<Job>| JobRow { id: JobId(id), ..new_row(Arc::clone(job)) };
        let (before_a, before_b) = (row(1, &a), row(2, &b));
        let a = job(r#"{"name": "a", "children": [{"job": "c"}]}"#);
        let b = job(r#"{"name": "b", "children": [{"job": "a"}]}"#);
        let links = [link(3, "c", &[2]), link(2, "b", &[]), link(1, "a", &[])];
        let jobs = [(&a, Some(&before_a), Origin::Api), (&b, Some(&before_b), Origin::Api)];
        let refused = check_together(links, &jobs);
        assert!(matches!(&*refused, [(1, JobRefused::Child { .. })]), "{refused:?}");
    }

    #[test]
    fn a_chain_of_new_jobs_that_is_too_long_is_found() {
        let link = |n: usize| {
            job(&format!(r#"{{"name": "j{n}", "children": [{{"job": "j{}"}}]}}"#, n - 1))
        };
        let mut jobs = vec![job(r#"{"name": "j0"}"#)];
        jobs.extend((1..120).map(link));
        let jobs: Vec<_> = jobs.iter().map(|job| (job, None, Origin::Api)).collect();
        let refused = check_together([], &jobs);
        assert_eq!(refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [100]);
    }

    #[test]
    fn a_parent_of_a_refused_job_is_not_reported_as_well() {
        let jobs = [
            job(r#"{"name": "a", "children": [{"job": "nothing"}]}"#),
            job(r#"{"name": "b", "children": [{"job": "a"}]}"#),
        ];
        let jobs: Vec<_> = jobs.iter().map(|job| (job, None, Origin::Api)).collect();
        let refused = check_together([], &jobs);
        assert!(matches!(&*refused, [(0, JobRefused::NoChild(_))]), "{refused:?}");
    }
}
