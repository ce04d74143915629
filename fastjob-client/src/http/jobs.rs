//! What only a client can do with a job: change it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Call, Client, List};
use crate::{
    ClientError, JobHandle,
    types::{
        BackfillRequest, Backfilled, Fires, JobDraft, JobVersion, JobView, Saved, VersionView, Word,
    },
};

/// Versions per request: the maximum that a coordinator returns.
const VERSIONS: usize = 100;

impl JobHandle<Client> {
    /// The same job, and every change through this handle is made only if the job is still as `seen`
    /// shows it. So two callers that edit one job never overwrite each other. After a change, read the
    /// job again, or use the view that the change returned.
    ///
    /// ```no_run
    /// # async fn run(client: fastjob_client::Client) -> Result<(), fastjob_client::ClientError> {
    /// use fastjob_client::ClientError;
    ///
    /// let job = client.job("billing.report");
    /// let seen = job.get().await?;
    /// let mut edited = seen.job.clone();
    /// edited.timeout = Some("30m".to_owned());
    /// match job.only_if(&seen).save(&edited).await {
    ///     Err(ClientError::Changed(problem)) => println!("not saved: {problem}"),
    ///     saved => println!("revision {}", saved?.1.revision),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Starts do not depend on it.
    #[must_use]
    pub fn only_if(&self, seen: &JobView) -> Self {
        self.clone().expecting(seen.etag())
    }

    /// A change of the job, with the version that it expects.
    fn change<T>(&self, call: Call<T>) -> Call<T> {
        call.if_match(self.expected())
    }

    /// Creates the job, or replaces its definition. The draft has to have the same name, and the
    /// same service if the handle's name has one.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`], which lists every problem, if a setting is not valid.
    pub async fn save(&self, job: &JobDraft) -> Result<(Word<Saved>, JobView), ClientError> {
        let answer = self.backend().answer(self.change(Call::save_job(self.name(), job))).await?;
        let saved = match answer.saved() {
            Some("created") => Word::Known(Saved::Created),
            Some("updated") => Word::Known(Saved::Updated),
            Some("unchanged") => Word::Known(Saved::Unchanged),
            other => Word::Unknown(other.unwrap_or_default().to_owned()),
        };
        Ok((saved, answer.read()?))
    }

    /// Changes some fields of the job. Those that the edit omits keep their values, and `null` resets
    /// a field to its default.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job, and with
    /// [`ClientError::Invalid`], which lists every problem, if a setting is not valid.
    pub async fn edit(&self, edit: &Map<String, Value>) -> Result<JobView, ClientError> {
        self.backend().call(self.change(Call::edit_job(self.name(), edit))).await
    }

    /// Gives the definition of the job back to the code that declares it. The job stays enabled or
    /// disabled.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Conflict`] if no code declares the job.
    pub async fn release(&self) -> Result<JobView, ClientError> {
        self.backend().call(self.change(Call::release_job(self.name()))).await
    }

    /// The versions of the job that are kept, newest first, each with its changes. Of a deleted job, by
    /// its full name, those that it had.
    pub fn versions(&self) -> List<VersionView> {
        List::new(self.backend().clone(), Call::versions(self.name())).page_size(VERSIONS)
    }

    /// A version of the job.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job, or no such version of it.
    pub async fn version(&self, revision: i64) -> Result<JobVersion, ClientError> {
        self.backend().call(Call::version(self.name(), revision)).await
    }

    /// Saves an earlier version of the job again. A job that was deleted is created with it.
    ///
    /// # Errors
    ///
    /// Fails like [`version`](Self::version) and [`save`](Self::save).
    pub async fn restore(&self, revision: i64) -> Result<JobView, ClientError> {
        self.backend().call(self.change(Call::restore_job(self.name(), revision))).await
    }

    /// Enables the schedule.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn enable(&self) -> Result<JobView, ClientError> {
        self.backend().call(self.change(Call::enable_job(self.name()))).await
    }

    /// Disables the schedule. The job can still be started.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn disable(&self) -> Result<JobView, ClientError> {
        self.backend().call(self.change(Call::disable_job(self.name()))).await
    }

    /// Deletes the job. Waiting tasks are stopped, running ones may finish.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn delete(&self) -> Result<(), ClientError> {
        self.backend().call(self.change(Call::delete_job(self.name()))).await
    }

    /// The next fires of the schedule.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn next_fires(&self, count: u32) -> Result<Vec<Timestamp>, ClientError> {
        let Fires { fires } = self.backend().call(Call::next_fires(self.name(), count)).await?;
        Ok(fires)
    }

    /// Starts tasks for fires of a past range.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`] if the range is not valid.
    pub async fn backfill(&self, request: &BackfillRequest) -> Result<Backfilled, ClientError> {
        self.backend().call(Call::backfill(self.name(), request)).await
    }
}
