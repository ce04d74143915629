//! The versions of a job, how they differ, and saving one of them again.

use fastjob_core::{
    Job, JobDraft, JobId,
    job::{FieldChange, differences},
};

use super::{
    Error, IfMatch, JobVersion, JobView, Ops, PAGE_BYTES, Page, SaveMode, Saved, VersionView,
    apply::shortened,
    jobs::{job_path, origin_word},
};
use crate::store::{self, VERSIONS_MOST};

/// Maximum number of versions of a page: all that are kept.
const PAGE_MOST: u32 = VERSIONS_MOST as u32;
/// Number of versions of a page, unless the caller wants another one.
const PAGE: u32 = 20;
/// Versions that are read at the same time. Definitions can be large.
const AT_ONCE: usize = 8;
/// The service of a name without one, of a job that is deleted.
const DEFAULT_SERVICE: &str = "default";

impl Ops {
    /// The versions of a job, newest first, each with its changes.
    pub(crate) async fn versions(
        &self,
        path: &str,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Page<VersionView>, Error> {
        let limit = match limit.unwrap_or(PAGE) {
            limit @ 1..=PAGE_MOST => limit as usize,
            other => {
                return Err(Error::invalid("limit", super::out_of_bounds(other, PAGE_MOST)));
            }
        };
        let before = cursor.map_or(Ok(i64::MAX), str::parse);
        let before =
            before.map_err(|_| Error::invalid("cursor", "it did not come from this list"))?;
        let job = self.with_versions(path).await?;
        let (mut found, mut bytes, mut is_whole) = (Vec::new(), 0, false);
        // One more than the page has: the last one is compared with it.
        while found.len() <= limit && bytes < PAGE_BYTES && !is_whole {
            let before = found.last().map_or(before, |last: &store::JobVersion| last.revision);
            let wanted = (limit + 1 - found.len()).min(AT_ONCE);
            let some = self.store.versions(job, before, count(wanted)).await?;
            is_whole = some.len() < wanted;
            bytes += some.iter().map(size).sum::<u64>();
            found.extend(some);
        }
        let shown = if is_whole { found.len() } else { found.len().saturating_sub(1) };
        let items: Vec<_> = (0..shown).map(|at| view(&found[at], found.get(at + 1))).collect();
        let next = items.last().filter(|_| !is_whole).map(|last| last.revision.to_string());
        Ok(Page::new(items, next))
    }

    /// A version of a job.
    pub(crate) async fn version(&self, path: &str, revision: i64) -> Result<JobVersion, Error> {
        let job = self.with_versions(path).await?;
        let (version, definition) = self.version_of(job, path, revision).await?;
        Ok(JobVersion {
            revision,
            saved_at: version.saved_at,
            origin: origin_word(version.origin).to_owned(),
            deleted: version.is_deletion,
            job: definition,
        })
    }

    /// Saves a version of a job again. A job that was deleted is created with it.
    pub(crate) async fn restore(
        &self,
        path: &str,
        revision: i64,
        if_match: IfMatch,
    ) -> Result<(Saved, JobView), Error> {
        let job = self.with_versions(path).await?;
        let (_, definition) = self.version_of(job, path, revision).await?;
        let name = definition.full_name();
        self.save_job(definition, SaveMode::Replace(name), if_match).await
    }

    async fn version_of(
        &self,
        job: JobId,
        path: &str,
        revision: i64,
    ) -> Result<(store::JobVersion, JobDraft), Error> {
        let found = self.store.versions(job, revision.saturating_add(1), 1).await?.pop();
        let Some(version) = found.filter(|version| version.revision == revision) else {
            return Err(Error::NotFound(format!(
                "`{path}` has no revision {revision}, or it is no longer kept: the last \
                 {VERSIONS_MOST} are"
            )));
        };
        match version.job.as_deref().map(JobDraft::from) {
            Some(definition) => Ok((version, definition)),
            None => Err(Error::Conflict(format!(
                "another release has saved revision {revision} of `{path}`, and this one cannot \
                 read it: use that release"
            ))),
        }
    }

    /// The job at a path; if there is none, the last one of that name that was deleted.
    async fn with_versions(&self, path: &str) -> Result<JobId, Error> {
        let why = match self.find(path).await {
            Ok(row) => return Ok(row.id),
            Err(Error::NotFound(why)) => why,
            Err(err) => return Err(err),
        };
        let path = job_path(path)?;
        let mut names: Vec<_> = path.with_service().collect();
        if let (Some(bare), Ok(service)) = (path.bare(), DEFAULT_SERVICE.parse()) {
            names.push((service, bare));
        }
        for (service, name) in names {
            if let Some(job) = self.store.deleted_job(&service, &name).await? {
                return Ok(job);
            }
        }
        Err(Error::NotFound(why))
    }
}

fn count(versions: usize) -> u32 {
    u32::try_from(versions).unwrap_or(PAGE_MOST)
}

/// Approximate bytes of a version.
fn size(version: &store::JobVersion) -> u64 {
    version.job.as_ref().map_or(0, |job| store::definition_bytes(job) as u64)
}

fn view(version: &store::JobVersion, before: Option<&store::JobVersion>) -> VersionView {
    VersionView {
        revision: version.revision,
        saved_at: version.saved_at,
        origin: origin_word(version.origin).to_owned(),
        deleted: version.is_deletion,
        unreadable: version.job.is_none(),
        changes: match (before.and_then(|before| before.job.as_deref()), &version.job) {
            (Some(before), Some(job)) => changes(before, job),
            (None, _) | (_, None) => Vec::new(),
        },
    }
}

fn changes(from: &Job, to: &Job) -> Vec<FieldChange> {
    differences(from, to).into_iter().map(shortened).collect()
}
