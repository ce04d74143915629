//! Changes to jobs: each is one commit, and holds from its answer on.
//!
//! A change takes back what the old schedule planned for later than its own instant, and the new
//! schedule counts from that instant. A job that code declared follows the code until a person
//! saves, switches or deletes it; from then on code leaves it alone.

use std::sync::Arc;

use fastjob_core::{Job, JobId, JobName, ServiceName};

use super::{
    Answer, Effects, Engine, JobPath, JobRefused, Now, SaveAnswer, SaveDone, SaveMode, Switch,
    state::After,
};
use crate::record::{JobRow, Origin, definition_bytes};

impl Engine {
    /// The living job that is meant.
    pub(super) fn resolve(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        let text = path.0.as_str();
        let unknown = || JobRefused::Unknown(text.to_owned());
        let bare = text.parse::<JobName>().map_err(|_| unknown())?;
        let full: Vec<_> =
            with_service(text).filter_map(|(service, name)| self.living(&service, &name)).collect();
        // Another service may have a job whose name alone looks like this one's with its service.
        let ids = match full.as_slice() {
            [] => self.by_bare_name.get(&bare).map_or(&[][..], Vec::as_slice),
            full => full,
        };
        match ids {
            [id] => Ok(*id),
            [] => Err(unknown()),
            ids => {
                let full = |id: &JobId| self.jobs.get(id).map(|entry| full_name(&entry.row.job));
                Err(JobRefused::Ambiguous {
                    name: text.to_owned(),
                    choices: ids.iter().filter_map(full).collect(),
                })
            }
        }
    }

    pub(super) fn living(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        let id = self.by_name.get(&(service.clone(), name.clone()))?;
        self.jobs.get(id).filter(|entry| entry.row.deleted_at.is_none()).map(|_| *id)
    }

    /// Whether to save a job that code declares means to look up what its children's names mean.
    pub(super) fn has_new_children(&self, job: &Job) -> bool {
        let key = (job.service.clone(), job.name.clone());
        let known = self.by_name.get(&key).and_then(|id| self.jobs.get(id));
        let follows_code = |row: &JobRow| row.origin == Origin::Code && row.deleted_at.is_none();
        !job.children.is_empty()
            && known.is_none_or(|known| follows_code(&known.row) && *known.row.job != *job)
    }

    /// Saves a job and says what that did.
    pub(super) fn save(
        &mut self,
        now: Now,
        job: Job,
        mode: SaveMode,
        origin: Origin,
    ) -> SaveAnswer {
        let key = (job.service.clone(), job.name.clone());
        let known = self.by_name.get(&key).and_then(|id| self.jobs.get(id));
        let Some(row) = known.map(|entry| entry.row.clone()) else {
            return self.create(now, job, origin);
        };
        let by_code = origin == Origin::Code;
        if by_code && (row.deleted_at.is_some() || row.origin == Origin::Api) {
            if row.deleted_at.is_some() {
                self.declared_again(now, row.id);
            }
            return Ok((SaveDone::Unchanged, Box::new(row)));
        }
        if row.deleted_at.is_some() {
            return self.create(now, job, origin);
        }
        if mode == SaveMode::Create {
            return Err(JobRefused::Exists(full_name(&job)));
        }
        if *row.job == job && (by_code || row.origin == origin) {
            return Ok((SaveDone::Unchanged, Box::new(row)));
        }
        if job.timetable != row.job.timetable {
            too_late(&job, now)?;
        }
        self.has_room(&job, Some(&row.job))?;
        let children = self.resolve_children(Some(&row), &job, origin)?;
        Ok((
            SaveDone::Updated,
            self.change(now, JobRow { job: job.into(), children, origin, ..row }),
        ))
    }

    fn create(&mut self, now: Now, job: Job, origin: Origin) -> SaveAnswer {
        too_late(&job, now)?;
        self.has_room(&job, None)?;
        let children = self.resolve_children(None, &job, origin)?;
        let id = JobId(self.next_job);
        self.next_job += self.config.step();
        let row = JobRow {
            id,
            job: Arc::new(job),
            children,
            origin,
            revision: 1,
            anchor: now.wall,
            created_at: now.wall,
            updated_at: now.wall,
            deleted_at: None,
        };
        self.admit(row.clone());
        if let Some(entry) = self.jobs.get_mut(&id) {
            entry.cursor = now.wall;
        }
        self.commit.jobs.push(row.clone());
        self.schedule_next(id);
        self.plan_up_to_watermark(now, id);
        Ok((SaveDone::Created, Box::new(row)))
    }

    /// Saves a job that is known as `row` says, in its next revision.
    fn change(&mut self, now: Now, row: JobRow) -> Box<JobRow> {
        let id = row.id;
        let before = self.jobs.get(&id).map(|entry| Arc::clone(&entry.row.job));
        let differs = |how: fn(&Job, &Job) -> bool| {
            before.as_ref().is_some_and(|before| how(before, &row.job))
        };
        let refires = differs(|before, job| !before.fires_like(job));
        let rescoped = differs(|before, job| before.block.scope != job.block.scope);
        let reblocked = differs(|before, job| before.block != job.block);
        let moves = differs(|before, job| {
            (&before.handler, &before.route, &before.shard)
                != (&job.handler, &job.route, &job.shard)
        });
        let cursor = if refires { self.take_back(now, id) } else { now.wall };
        let mut row = JobRow { revision: row.revision + 1, updated_at: now.wall, ..row };
        if refires {
            row.anchor = now.wall;
        }
        let before = self.jobs.get(&id).map(|entry| Arc::clone(&entry.row.children));
        self.parents.change(id, before.as_deref().unwrap_or_default(), &row.children);
        if let Some(entry) = self.jobs.get_mut(&id) {
            self.job_bytes -= definition_bytes(&entry.row.job) as u64;
            self.job_bytes += definition_bytes(&row.job) as u64;
            entry.row = row.clone();
            if refires {
                entry.cursor = cursor;
                if entry.has_stored_cursor {
                    self.commit.cursors.push((id, cursor));
                }
            }
        }
        self.commit.jobs.push(row.clone());
        if refires {
            self.schedule_next(id);
            self.plan_up_to_watermark(now, id);
        }
        if rescoped {
            self.load_lane(id);
        }
        if reblocked {
            self.advance_lane(now, id);
        }
        if moves {
            self.wait_again(id);
        }
        Box::new(row)
    }

    /// Lets a job's schedule fire, or not.
    pub(super) fn switch(&mut self, now: Now, path: &JobPath, to: Switch) -> SaveAnswer {
        let id = self.resolve(path)?;
        let row = self.jobs.get(&id).map(|entry| entry.row.clone());
        let row = row.ok_or_else(|| JobRefused::Unknown(path.0.clone()))?;
        let enabled = to == Switch::On;
        if row.job.enabled == enabled {
            return Ok((SaveDone::Unchanged, Box::new(row)));
        }
        let job = Job { enabled, ..(*row.job).clone() };
        let row = JobRow { job: job.into(), origin: Origin::Api, ..row };
        Ok((SaveDone::Updated, self.change(now, row)))
    }

    /// Deletes a job: what is planned is cancelled, what waits is stopped, what runs may end.
    pub(super) fn delete(&mut self, now: Now, path: &JobPath) -> SaveAnswer {
        let id = self.resolve(path)?;
        let parents = self.parents(id);
        if !parents.is_empty() {
            return Err(JobRefused::IsChild { parents });
        }
        self.take_back(now, id);
        let Some(entry) = self.jobs.get_mut(&id) else {
            return Err(JobRefused::Unknown(path.0.clone()));
        };
        entry.row.deleted_at = Some(now.wall);
        entry.row.updated_at = now.wall;
        entry.row.revision += 1;
        entry.row.origin = Origin::Api;
        let (row, open) = (entry.row.clone(), entry.open.iter().copied().collect());
        self.chores.end_deleted(id, open);
        self.schedule_next(id);
        self.commit.jobs.push(row.clone());
        self.parents.change(id, &row.children, &[]);
        if let Some(ids) = self.by_bare_name.get_mut(&row.job.name) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_bare_name.remove(&row.job.name);
            }
        }
        Ok((SaveDone::Deleted, Box::new(row)))
    }

    /// Answers when everything handed over so far is durable.
    pub(super) fn answer_when_durable(&mut self, answer: Answer) {
        self.after.push(After::Answer(answer));
    }

    pub(super) fn answer_save(
        &mut self,
        to: tokio::sync::oneshot::Sender<SaveAnswer>,
        answer: SaveAnswer,
        out: &mut Effects,
    ) {
        match answer {
            Ok(_) => self.answer_when_durable(Answer::Save(to, answer)),
            Err(_) => out.answers.push(Answer::Save(to, answer)),
        }
    }
}

fn too_late(job: &Job, now: Now) -> Result<(), JobRefused> {
    if let fastjob_core::Schedule::Once(at) = job.timetable.schedule()
        && job.is_too_late(now.wall)
    {
        return Err(JobRefused::TooLate(*at));
    }
    job.never_fires(now.wall).map_or(Ok(()), |problem| Err(JobRefused::NeverFires(problem)))
}

/// Every way to read a path as a service and a job of it.
pub(super) fn with_service(path: &str) -> impl Iterator<Item = (ServiceName, JobName)> {
    path.match_indices('.')
        .filter_map(|(dot, _)| Some((path[..dot].parse().ok()?, path[dot + 1..].parse().ok()?)))
}

fn full_name(job: &Job) -> String {
    format!("{}.{}", job.service, job.name)
}
