//! Many jobs: enabled, disabled, started, deleted, or given back to their code.

use fastjob_core::Trace;
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{
    super::{Bulk, BulkJob, Error, IfMatch, JobAction, ListJobs, Ops, PAGE_MAX, StartRequest},
    DEADLINE, Tally, Which, each, expected, in_time, named, not_tried, said, within,
};

/// How many names are looked up at the same time.
const LOOKED_UP: usize = 8;

/// An action on many jobs.
#[derive(Clone, Debug)]
pub(crate) struct BulkJobs {
    pub(crate) action: JobAction,
    pub(crate) which: Which<String, ListJobs>,
    /// How each is started.
    pub(crate) start: StartRequest,
    pub(crate) dry_run: bool,
    pub(crate) expect: Option<u64>,
    /// The trace that the call is part of.
    pub(crate) trace: Option<Trace>,
}

/// A job to act on.
#[derive(Clone, Debug)]
struct Chosen {
    id: i64,
    /// `service.name`.
    name: String,
}

impl Chosen {
    fn item(self, task: Option<i64>, error: Option<String>) -> BulkJob {
        BulkJob { job: self.name, task, error }
    }
}

impl Ops {
    /// Acts on many jobs, on each by itself.
    pub(crate) async fn bulk_jobs(&self, ask: BulkJobs) -> Result<Bulk<BulkJob>, Error> {
        if ask.action != JobAction::Start && ask.start != StartRequest::default() {
            let message = "param, key and cause are only for the action start";
            return Err(Error::invalid("action", message));
        }
        let deadline = Instant::now() + DEADLINE;
        let _turn = self.turn_to_bulk().await?;
        let (targets, unknown) = match ask.which {
            Which::Named(names) => self.named_jobs(named("jobs", names)?).await?,
            Which::Matching(filter) => (self.matching_jobs(&filter, deadline).await?, Vec::new()),
        };
        expected(ask.expect, targets.len(), "jobs")?;
        let mut tally = Tally::new(targets.len());
        tally.failed = unknown;
        if ask.dry_run {
            tally.done = targets.into_iter().map(|target| target.item(None, None)).collect();
            return Ok(tally.answer(true, Vec::new()));
        }
        let mut left = targets;
        while !left.is_empty() {
            let act = |target: Chosen| {
                self.act_on_job(ask.action, target, ask.start.clone(), ask.trace.clone())
            };
            let (mut again, before) = (Vec::new(), tally.done.len());
            for (target, outcome) in each(left, deadline, act).await {
                match outcome {
                    Some(Ok(task)) => tally.done.push(target.item(task, None)),
                    // A job is deleted after its parents, which may be among the others.
                    Some(Err(err @ Error::Conflict(_))) if ask.action == JobAction::Delete => {
                        again.push((target, err));
                    }
                    Some(Err(err)) => tally.failed.push(target.item(None, Some(said(&err)))),
                    None => tally.not_done.push(target.item(None, Some(not_tried()))),
                }
            }
            if tally.done.len() == before || Instant::now() >= deadline {
                let failed = again.into_iter();
                tally.failed.extend(failed.map(|(at, err)| at.item(None, Some(said(&err)))));
                break;
            }
            left = again.into_iter().map(|(target, _)| target).collect();
        }
        Ok(tally.answer(false, Vec::new()))
    }

    /// What a single call does. Returns the task that was started.
    async fn act_on_job(
        &self,
        action: JobAction,
        Chosen { id, name }: Chosen,
        start: StartRequest,
        trace: Option<Trace>,
    ) -> Result<Option<i64>, Error> {
        let any = IfMatch::Unconditional;
        match action {
            JobAction::Enable => self.enable_job(&name, any).await.map(|_| None),
            JobAction::Disable => self.disable_job(&name, any).await.map(|_| None),
            JobAction::Release => self.release_job(&name, any).await.map(|_| None),
            JobAction::Start => Ok(Some(self.start(&name, start, trace).await?.task)),
            // Its name may belong to another job now.
            JobAction::Delete => match self.delete_job(&name, Some(id), any).await {
                Ok(()) | Err(Error::NotFound(_)) => Ok(None),
                Err(err) => Err(err),
            },
        }
    }

    /// The jobs of these names, and those that do not exist, with the reason.
    async fn named_jobs(&self, names: Vec<String>) -> Result<(Vec<Chosen>, Vec<BulkJob>), Error> {
        let mut lookups = Vec::with_capacity(names.len());
        for name in names {
            lookups.push(async move {
                let found = self.find(&name).await;
                (name, found)
            });
        }
        let mut lookups = futures_util::stream::iter(lookups).buffered(LOOKED_UP);
        let (mut targets, mut unknown) = (Vec::<Chosen>::new(), Vec::new());
        let mut seen = std::collections::HashSet::new();
        while let Some((name, found)) = lookups.next().await {
            match found {
                // A job may have two names: with and without its service.
                Ok(row) if !seen.insert(row.id) => {}
                Ok(row) => targets.push(Chosen { id: row.id.0, name: row.job.path().to_string() }),
                Err(err @ (Error::NotFound(_) | Error::Ambiguous { .. })) => {
                    unknown.push(BulkJob { job: name, task: None, error: Some(err.to_string()) });
                }
                Err(err) => return Err(err),
            }
        }
        Ok((targets, unknown))
    }

    /// The jobs that a list with this filter has.
    async fn matching_jobs(
        &self,
        filter: &ListJobs,
        deadline: Instant,
    ) -> Result<Vec<Chosen>, Error> {
        let (mut targets, mut cursor) = (Vec::new(), None);
        loop {
            let page = ListJobs { cursor, limit: Some(PAGE_MAX), ends: None, ..filter.clone() };
            let page = self.list_jobs(page).await?;
            let found = page.items.into_iter();
            targets.extend(found.map(|it| Chosen { id: it.id, name: it.job.full_name() }));
            within(targets.len(), "jobs")?;
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(targets),
            }
            in_time(deadline, "jobs")?;
        }
    }
}
