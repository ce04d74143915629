//! Params, checked against the JSON schemas that executors have registered, before anything is saved
//! or dispatched.
//!
//! Every executor has a session with every node, so the owner of a partition checks with what it
//! knows. A param is rejected only if no executor with the handler would accept it.

use std::sync::Arc;

use fastjob_core::{HandlerName, Job, JobPath, ServiceName, job::Problem};
use fastjob_engine::Target;

use super::{Error, Ops};
use crate::{handlers::Kept, schema::Misfit, store::TaskRow};

/// Longer params are checked on a thread of their own, because that may take milliseconds.
const SHORT: usize = 2 * 1024;
/// The same for handlers with long schemas.
const SHORT_SCHEMA: usize = 8 * 1024;

impl Ops {
    /// Rejects a start whose param does not fit the handler of its job. Without a param of its own, a
    /// task gets the job's.
    pub(super) async fn check_start(
        &self,
        target: &Target,
        own: Option<&str>,
    ) -> Result<(), Error> {
        if !self.handlers.have_schemas() || self.names_no_schema(target.path()) {
            return Ok(());
        }
        let row = match self.find_target(target).await {
            Ok(row) => row,
            // The engine says so.
            Err(Error::NotFound(_) | Error::Ambiguous { .. }) => return Ok(()),
            Err(err) => return Err(err),
        };
        let job = &row.job;
        let param = own.or(job.param.as_deref());
        rejected(&job.handler, self.misfits(&job.service, &job.handler, param).await?)
    }

    /// Whether a path names a service, and no handler of that service has a schema. Then the job need
    /// not be read. A job of another service may have this path as its name: its handler decides.
    fn names_no_schema(&self, job: &JobPath) -> bool {
        let mut services = job.with_service().map(|(service, _)| service).peekable();
        services.peek().is_some()
            && services.all(|service| !self.handlers.may_have_schemas(&service))
    }

    /// Rejects a rerun whose own param does not fit.
    pub(super) async fn check_rerun(&self, of: &TaskRow, own: Option<&str>) -> Result<(), Error> {
        if own.is_none() || !self.handlers.may_have_schemas(&of.service) {
            return Ok(());
        }
        // Without the job, the engine rejects the rerun.
        let Some(row) = self.store.job(&of.service, &of.name).await? else { return Ok(()) };
        let job = &row.job;
        rejected(&job.handler, self.misfits(&job.service, &job.handler, own).await?)
    }

    /// Rejects a definition whose param does not fit, unless the job has it already.
    pub(super) async fn check_saved(&self, job: &Job) -> Result<(), Error> {
        if job.param.is_none() || !self.handlers.may_have_schemas(&job.service) {
            return Ok(());
        }
        let before = self.store.job(&job.service, &job.name).await?;
        let before = before.as_ref().map(|row| &*row.job);
        rejected(&job.handler, self.param_problems(job, before).await?)
    }

    /// What is wrong with the param of a definition. The one that the job has already is no problem of
    /// this change. A job may have none, because each start may have one.
    pub(super) async fn param_problems(
        &self,
        job: &Job,
        before: Option<&Job>,
    ) -> Result<Vec<Problem>, Error> {
        let is_same = |before: &Job| before.param == job.param && before.handler == job.handler;
        if job.param.is_none() || before.is_some_and(is_same) {
            return Ok(Vec::new());
        }
        self.misfits(&job.service, &job.handler, job.param.as_deref()).await
    }

    async fn misfits(
        &self,
        service: &ServiceName,
        handler: &HandlerName,
        param: Option<&str>,
    ) -> Result<Vec<Problem>, Error> {
        if !self.handlers.may_have_schemas(service) {
            return Ok(Vec::new());
        }
        let schemas = self.handlers.schemas(&(service.clone(), handler.clone()));
        let is_short = param.is_none_or(|param| param.len() <= SHORT)
            && schemas.iter().all(|kept| kept.text.len() <= SHORT_SCHEMA);
        let misfits = match (is_short, param) {
            (true, _) | (false, None) => misfits(&schemas, param),
            (false, Some(param)) => {
                let param = param.to_owned();
                let check = move || misfits(&schemas, Some(&param));
                tokio::task::spawn_blocking(check).await.map_err(|err| {
                    Error::Unavailable(format!("the param could not be checked: {err}"))
                })?
            }
        };
        let problem = |Misfit { field, message, .. }| Problem { field, message };
        Ok(misfits.into_iter().map(problem).collect())
    }
}

/// What does not fit any of the schemas; nothing if there are none.
fn misfits(schemas: &[Arc<Kept>], param: Option<&str>) -> Vec<Misfit> {
    let mut first = Vec::new();
    for kept in schemas {
        match kept.check(param) {
            Ok(()) => return Vec::new(),
            Err(misfits) if first.is_empty() => first = misfits,
            Err(_) => {}
        }
    }
    first
}

fn rejected(handler: &HandlerName, problems: Vec<Problem>) -> Result<(), Error> {
    let Some(Problem { field, message }) = problems.first() else { return Ok(()) };
    let more = match problems.len() - 1 {
        0 => String::new(),
        1 => "; and 1 more problem".to_owned(),
        more => format!("; and {more} more problems"),
    };
    let message = format!("the param does not fit the handler {handler}: {field}: {message}{more}");
    Err(Error::Invalid { message, problems })
}
