//! Jobs: save, enable, disable, delete, show.

use fastjob_core::{
    InvalidJob, Job, JobDraft, JobId, JobName, JobPath, ServiceName, job::Problem, schedule::Next,
};
use fastjob_engine::{Command, Directory, Event, SaveAnswer, SaveDone, Switch, Target};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Error, Fires, IfMatch, JobView, Ops, PAGE_DEFAULT, PAGE_MAX, Saved, node_calls::NodeCall,
};
use crate::{
    clock::wall_now,
    store::{JobRow, Origin, Partition},
};

/// Whether saving a job may replace an existing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SaveMode {
    /// There must not be a job of that name.
    Create,
    /// Replaces or creates the job at this path.
    Replace(String),
}

/// Saves a job in the partition of its name.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SaveJob {
    draft: Box<JobDraft>,
    create: bool,
    if_match: IfMatch,
}

impl NodeCall for SaveJob {
    const NAME: &'static str = "save-job";
    type Reply = (Saved, Box<JobView>);

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Self::Reply, Error> {
        let job = ops.valid(*self.draft)?;
        if Partition::of_name(&job.service, &job.name, ops.engines.partitions()) != partition {
            return Err(Error::invalid("name", "the job belongs to another partition"));
        }
        let engine = ops.engine(partition)?;
        ops.check_saved(&job).await?;
        let mode = match self.create {
            true => fastjob_engine::SaveMode::Create,
            false => fastjob_engine::SaveMode::Replace,
        };
        let others = ops.relatives(&job).await?;
        let job = Box::new(job);
        let save = |answer| {
            let (origin, condition) = (Origin::Api, self.if_match.into());
            let command = Command::Save { job, mode, origin, condition, answer };
            Event::CommandWith(others, command)
        };
        saved_view(engine.ask_with(save).await?)
    }
}

/// Deletes a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct DeleteJob {
    job: JobPath,
    /// Only the job with this id: its name may mean another one.
    only: Option<i64>,
    if_match: IfMatch,
}

impl NodeCall for DeleteJob {
    const NAME: &'static str = "delete-job";
    type Reply = ();

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<(), Error> {
        let (engine, job, only) = (ops.engine(partition)?, self.job, self.only.map(JobId));
        let others = ops.parents(&job).await?;
        let condition = self.if_match.into();
        let delete = |answer| {
            let command = Command::Delete { job, only, condition, answer };
            Event::CommandWith(others, command)
        };
        saved_view(engine.ask_with(delete).await?).map(|_| ())
    }
}

/// Enables or disables a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SwitchJob {
    job: JobPath,
    on: bool,
    if_match: IfMatch,
}

impl NodeCall for SwitchJob {
    const NAME: &'static str = "switch-job";
    type Reply = Box<JobView>;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Box<JobView>, Error> {
        let (job, to) = (self.job, if self.on { Switch::On } else { Switch::Off });
        let condition = self.if_match.into();
        let switch = |answer| Command::Switch { job, to, condition, answer };
        Ok(saved_view(ops.engine(partition)?.ask(switch).await?)?.1)
    }
}

/// Gives the definition of a job back to the code.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ReleaseJob {
    job: JobPath,
    if_match: IfMatch,
}

impl NodeCall for ReleaseJob {
    const NAME: &'static str = "release-job";
    type Reply = Box<JobView>;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<Box<JobView>, Error> {
        let (engine, job) = (ops.engine(partition)?, self.job);
        let row = ops.find_path(&job).await?;
        let others = match row.code() {
            Some(code) => ops.relatives(code).await?,
            None => Directory::default(),
        };
        let condition = self.if_match.into();
        let release = |answer| {
            let command = Command::Release { job, condition, answer };
            Event::CommandWith(others, command)
        };
        Ok(saved_view(engine.ask_with(release).await?)?.1)
    }
}

impl Ops {
    /// One job; with `ends`, with its activity and so many of its last ends.
    pub(crate) async fn job(&self, path: &str, ends: Option<u32>) -> Result<JobView, Error> {
        let row = self.find(path).await?;
        let mut view = view(&row, wall_now());
        if let Some(ends) = ends {
            view.activity = self.activity(&[row.id], ends).await?.remove(&row.id);
        }
        Ok(view)
    }

    /// Saves a job.
    pub(crate) async fn save_job(
        &self,
        mut draft: JobDraft,
        mode: SaveMode,
        if_match: IfMatch,
    ) -> Result<(Saved, JobView), Error> {
        if let SaveMode::Replace(path) = &mode {
            self.fit(path, &mut draft).await?;
        }
        let job = self.valid(draft)?;
        let create = mode == SaveMode::Create;
        let partition = Partition::of_name(&job.service, &job.name, self.engines.partitions());
        let draft = Box::new(JobDraft::from(&job));
        let save = SaveJob { draft, create, if_match };
        let (saved, view) = self.call_owner(partition, save).await?;
        Ok((saved, *view))
    }

    /// Validates a draft, for callers and other nodes alike.
    pub(super) fn valid(&self, draft: JobDraft) -> Result<Job, Error> {
        let job = Job::try_from(draft)
            .map_err(|err| Error::Invalid { message: err.to_string(), problems: err.problems })?;
        let unknown = self.unknown_channels(&job);
        if !unknown.is_empty() {
            let err = InvalidJob { name: Some(job.name.to_string()), problems: unknown };
            return Err(Error::Invalid { message: err.to_string(), problems: err.problems });
        }
        Ok(job)
    }

    /// The alarm channels of a job that this coordinator does not have.
    pub(crate) fn unknown_channels(&self, job: &Job) -> Vec<Problem> {
        let unknown = (0..)
            .zip(&job.alarms)
            .filter_map(|(i, name): (usize, _)| Some((i, self.channels.unknown(name)?)));
        unknown.map(|(i, message)| Problem { field: format!("alarms[{i}]"), message }).collect()
    }

    /// The partition of the job at a path, and a path that is unambiguous there.
    pub(super) async fn place(&self, path: &str) -> Result<(Partition, JobPath), Error> {
        let path = job_path(path)?;
        let partitions = self.engines.partitions();
        if partitions == 1 {
            return Ok((Partition::default(), path));
        }
        let job = self.find_path(&path).await?.job;
        Ok((Partition::of_name(&job.service, &job.name, partitions), job.path()))
    }

    /// Completes the draft from the path, or rejects a draft that contradicts the path.
    pub(super) async fn fit(&self, path: &str, draft: &mut JobDraft) -> Result<(), Error> {
        let differs = |said: &str| {
            Error::Conflict(format!("the path names the job `{path}`, its definition `{said}`"))
        };
        if draft.name.is_empty() {
            match self.find(path).await {
                Ok(row) => {
                    draft.name = row.job.name.to_string();
                    draft.service.get_or_insert_with(|| row.job.service.to_string());
                }
                Err(Error::NotFound(_)) => match path.rsplit_once('.') {
                    Some((service, name))
                        if draft.service.as_deref().is_none_or(|s| s == service) =>
                    {
                        draft.name = name.to_owned();
                        draft.service = Some(service.to_owned());
                    }
                    _ => draft.name = path.to_owned(),
                },
                Err(other) => return Err(other),
            }
        }
        let full = draft.full_name();
        if path == full {
            return Ok(());
        }
        if path != draft.name {
            return Err(differs(&full));
        }
        if draft.service.is_none() {
            // The name alone is enough if it is unambiguous.
            match self.find(path).await {
                Ok(row) => draft.service = Some(row.job.service.to_string()),
                Err(Error::NotFound(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Deletes a job: waiting tasks are stopped, running ones may finish.
    /// With an id, only the job that has it.
    pub(crate) async fn delete_job(
        &self,
        path: &str,
        only: Option<i64>,
        if_match: IfMatch,
    ) -> Result<(), Error> {
        let (partition, job) = self.place(path).await?;
        self.call_owner(partition, DeleteJob { job, only, if_match }).await
    }

    /// Enables a job's schedule.
    pub(crate) async fn enable_job(&self, path: &str, if_match: IfMatch) -> Result<JobView, Error> {
        self.switch_job(path, true, if_match).await
    }

    /// Disables a job's schedule; it does not fire after this returns.
    pub(crate) async fn disable_job(
        &self,
        path: &str,
        if_match: IfMatch,
    ) -> Result<JobView, Error> {
        self.switch_job(path, false, if_match).await
    }

    /// Gives the definition of a job back to the code that declares it.
    pub(crate) async fn release_job(
        &self,
        path: &str,
        if_match: IfMatch,
    ) -> Result<JobView, Error> {
        let (partition, job) = self.place(path).await?;
        Ok(*self.call_owner(partition, ReleaseJob { job, if_match }).await?)
    }

    async fn switch_job(&self, path: &str, on: bool, if_match: IfMatch) -> Result<JobView, Error> {
        let (partition, job) = self.place(path).await?;
        Ok(*self.call_owner(partition, SwitchJob { job, on, if_match }).await?)
    }

    /// The next fires of a job's current schedule.
    pub(crate) async fn next_fires(&self, path: &str, count: Option<u32>) -> Result<Fires, Error> {
        let row = self.find(path).await?;
        let count = super::preview::count(count)?;
        let fires = match row.job.enabled {
            true => row.job.timetable.fires_after(wall_now(), row.anchor, count).fires,
            false => Vec::new(),
        };
        Ok(Fires { fires })
    }

    /// The job at a path, unless it is deleted.
    pub(crate) async fn find(&self, path: &str) -> Result<JobRow, Error> {
        self.find_path(&job_path(path)?).await
    }

    /// Follows the rule of [`JobPath::find`].
    pub(super) async fn find_path(&self, path: &JobPath) -> Result<JobRow, Error> {
        let mut rows = self.with_service(path).await?;
        if rows.is_empty()
            && let Some(name) = path.bare()
        {
            rows = self.store.jobs_named(&name).await?;
        }
        only(path, rows)
    }

    /// The job of a start, which the engine finds by the same rule.
    pub(super) async fn find_target(&self, target: &Target) -> Result<JobRow, Error> {
        match target {
            Target::Path(path) => self.find_path(path).await,
            Target::WithService(path) => only(path, self.with_service(path).await?),
        }
    }

    /// The jobs of the services that a path names.
    async fn with_service(&self, path: &JobPath) -> Result<Vec<JobRow>, Error> {
        let mut rows = Vec::new();
        for (service, name) in path.with_service() {
            rows.extend(self.store.job(&service, &name).await?);
        }
        Ok(rows)
    }
}

/// The only job that a path means.
fn only(path: &JobPath, mut rows: Vec<JobRow>) -> Result<JobRow, Error> {
    if rows.len() > 1 {
        let choices = rows.iter().map(|row| row.job.path().to_string()).collect();
        return Err(Error::Ambiguous { name: path.to_string(), choices });
    }
    rows.pop().ok_or_else(|| no_job(path.as_str()))
}

pub(super) fn job_path(text: &str) -> Result<JobPath, Error> {
    text.parse().map_err(|_| no_job(text))
}

fn no_job(path: &str) -> Error {
    Error::NotFound(format!("no job is named `{path}`"))
}

fn saved_view(answer: SaveAnswer) -> Result<(Saved, Box<JobView>), Error> {
    let (done, row) = answer?;
    let saved = match done {
        SaveDone::Created => Saved::Created,
        SaveDone::Updated | SaveDone::Deleted => Saved::Updated,
        SaveDone::Unchanged | SaveDone::Noted => Saved::Unchanged,
    };
    Ok((saved, Box::new(view(&row, wall_now()))))
}

pub(super) fn view(row: &JobRow, now: Timestamp) -> JobView {
    // A page has many jobs, so the cost per job is bounded.
    let next = row.job.enabled.then(|| row.job.timetable.look_after(now, row.anchor));
    JobView {
        id: row.id.0,
        revision: row.revision,
        origin: origin_word(row.origin).to_owned(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        next_fire_at: next.and_then(Next::fire),
        activity: None,
        overrides: [("enabled", row.overrides.enabled), ("alarms", row.overrides.alarms)]
            .into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(name, _)| name.to_owned())
            .collect(),
        declared: row
            .declared
            .as_ref()
            .filter(|declared| **declared != row.job)
            .map(|declared| Box::new(JobDraft::from(&**declared))),
        job: JobDraft::from(&*row.job),
    }
}

/// The word for who owns a definition.
pub(super) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Code => "code",
        Origin::Api => "api",
    }
}

/// The size of a page.
pub(super) fn page(limit: Option<u32>) -> Result<u32, Error> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(limit @ 1..=PAGE_MAX) => Ok(limit),
        Some(other) => Err(Error::invalid("limit", super::out_of_bounds(other, PAGE_MAX))),
    }
}

pub(super) fn parse_cursor(cursor: &str) -> Result<(ServiceName, JobName), Error> {
    cursor
        .split_once('/')
        .and_then(|(service, name)| Some((service.parse().ok()?, name.parse().ok()?)))
        .ok_or_else(|| Error::invalid("cursor", "it did not come from a list of jobs"))
}
