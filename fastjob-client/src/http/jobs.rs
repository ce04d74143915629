//! What only a client can do with a job: change it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Call, Client};
use crate::{
    ClientError, JobHandle,
    types::{BackfillRequest, Backfilled, Fires, JobDraft, JobView, Saved, Word},
};

impl JobHandle<Client> {
    /// Creates the job, or replaces its definition. The draft has to have the same name, and the
    /// same service if the handle's name has one.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Invalid`], which lists every problem, if a setting is not valid.
    pub async fn save(&self, job: &JobDraft) -> Result<(Word<Saved>, JobView), ClientError> {
        let answer = self.backend().answer(Call::save_job(self.name(), job)).await?;
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
        self.backend().call(Call::edit_job(self.name(), edit)).await
    }

    /// Gives the definition of the job back to the code that declares it. The job stays enabled or
    /// disabled.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Conflict`] if no code declares the job.
    pub async fn release(&self) -> Result<JobView, ClientError> {
        self.backend().call(Call::release_job(self.name())).await
    }

    /// Enables the schedule.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn enable(&self) -> Result<JobView, ClientError> {
        self.backend().call(Call::enable_job(self.name())).await
    }

    /// Disables the schedule. The job can still be started.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn disable(&self) -> Result<JobView, ClientError> {
        self.backend().call(Call::disable_job(self.name())).await
    }

    /// Deletes the job. Waiting tasks are stopped, running ones may finish.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFound`] if there is no such job.
    pub async fn delete(&self) -> Result<(), ClientError> {
        self.backend().call(Call::delete_job(self.name())).await
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
