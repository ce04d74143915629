//! A store that forwards to another one, until a test makes one of its calls panic.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use fastjob_core::ChannelName;

use super::*;

/// A store whose calls panic on request.
pub(crate) struct Double {
    store: Arc<dyn Store>,
    pub(crate) commit_panics: AtomicBool,
    /// Makes the store look as if it had lost commits.
    pub(crate) is_behind: AtomicBool,
    pub(crate) removal_panics: AtomicBool,
    pub(crate) alarms_panic: AtomicBool,
    /// Makes loaded data panic in the engine.
    pub(crate) load_breaks: AtomicBool,
}

impl Double {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            commit_panics: AtomicBool::default(),
            is_behind: AtomicBool::default(),
            removal_panics: AtomicBool::default(),
            alarms_panic: AtomicBool::default(),
            load_breaks: AtomicBool::default(),
        }
    }
}

fn may_panic(flag: &AtomicBool) {
    assert!(!flag.load(Ordering::SeqCst), "injected");
}

#[async_trait::async_trait]
impl CommitStore for Double {
    async fn commit(&self, commits: &[Commit]) -> Result<()> {
        may_panic(&self.commit_panics);
        if self.is_behind.load(Ordering::SeqCst) {
            return Err(Error::Behind);
        }
        self.store.commit(commits).await
    }
    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

#[async_trait::async_trait]
impl StatStore for Double {
    async fn stats(&self, filter: &StatFilter) -> Result<Vec<Bucket>> {
        self.store.stats(filter).await
    }
    async fn stats_by_job(&self, from: i64, until: i64) -> Result<JobSums> {
        self.store.stats_by_job(from, until).await
    }
}

#[async_trait::async_trait]
impl IndexStore for Double {
    async fn merge_index(&self, partitions: &[Partition]) -> Result<bool> {
        self.store.merge_index(partitions).await
    }
}

#[async_trait::async_trait]
impl RetentionStore for Double {
    async fn remove_ended(
        &self,
        partition: Partition,
        before: Timestamp,
        rows: u32,
    ) -> Result<u64> {
        may_panic(&self.removal_panics);
        self.store.remove_ended(partition, before, rows).await
    }
    async fn date_deleted_jobs(
        &self,
        partition: Partition,
        declared: &[(ServiceName, JobName)],
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64> {
        self.store.date_deleted_jobs(partition, declared, since, now).await
    }
    async fn remove_deleted_jobs(
        &self,
        partition: Partition,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>> {
        self.store.remove_deleted_jobs(partition, before, limit).await
    }
    async fn remove_lives(
        &self,
        partitions: &[Partition],
        current: &[LifeId],
        before: Timestamp,
    ) -> Result<u64> {
        self.store.remove_lives(partitions, current, before).await
    }
}

#[async_trait::async_trait]
impl LoadStore for Double {
    async fn facts(&self) -> Result<StoreFacts> {
        self.store.facts().await
    }
    async fn load(&self, partition: Partition) -> Result<Loaded> {
        let mut loaded = self.store.load(partition).await?;
        if self.load_breaks.load(Ordering::SeqCst) {
            // The engine looks ahead, and no instant follows this one.
            loaded.clock = Some(Timestamp::MAX);
        }
        Ok(loaded)
    }
    async fn child_starts(&self, partitions: &[Partition], limit: u32) -> Result<Vec<ChildStart>> {
        self.store.child_starts(partitions, limit).await
    }
}

#[async_trait::async_trait]
impl JobStore for Double {
    async fn job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobRow>> {
        self.store.job(service, name).await
    }
    async fn links(&self, jobs: &[JobId]) -> Result<Vec<JobLink>> {
        self.store.links(jobs).await
    }
    async fn parents_of(&self, jobs: &[JobId], limit: u32) -> Result<Vec<JobLink>> {
        self.store.parents_of(jobs, limit).await
    }
    async fn jobs_named(&self, name: &JobName) -> Result<Vec<JobRow>> {
        self.store.jobs_named(name).await
    }
    async fn jobs(
        &self,
        after: Option<(ServiceName, JobName)>,
        limit: u32,
        bytes: u64,
    ) -> Result<JobPage> {
        self.store.jobs(after, limit, bytes).await
    }
}

#[async_trait::async_trait]
impl VersionStore for Double {
    async fn versions(&self, job: JobId, before: i64, limit: u32) -> Result<Vec<JobVersion>> {
        self.store.versions(job, before, limit).await
    }
    async fn deleted_job(&self, service: &ServiceName, name: &JobName) -> Result<Option<JobId>> {
        self.store.deleted_job(service, name).await
    }
}

#[async_trait::async_trait]
impl TaskStore for Double {
    async fn task(&self, task: TaskId) -> Result<Option<TaskRow>> {
        self.store.task(task).await
    }
    async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<Vec<TaskRow>> {
        self.store.tasks_by_id(tasks).await
    }
    async fn task_ids(&self, filter: &TaskFilter) -> Result<Listed> {
        self.store.task_ids(filter).await
    }
    async fn last_ends(&self, jobs: &[JobId], each: usize) -> Result<HashMap<JobId, Vec<JobEnd>>> {
        self.store.last_ends(jobs, each).await
    }
    async fn task_bytes(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, u64>> {
        self.store.task_bytes(tasks).await
    }
    async fn task_of_key(&self, job: JobId, key: &str) -> Result<Option<TaskId>> {
        self.store.task_of_key(job, key).await
    }
    async fn tasks_of_keys(&self, job: JobId, keys: &[String]) -> Result<HashMap<String, TaskId>> {
        self.store.tasks_of_keys(job, keys).await
    }
    async fn log_tail(&self, attempt: AttemptId) -> Result<Option<LogTail>> {
        self.store.log_tail(attempt).await
    }
}

#[async_trait::async_trait]
impl AlarmStore for Double {
    async fn waiting_alarms(
        &self,
        channel: &ChannelName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<WaitingAlarm>> {
        self.store.waiting_alarms(channel, after, limit).await
    }
    async fn past_alarms(&self, filter: &AlarmFilter) -> Result<Vec<PastAlarm>> {
        self.store.past_alarms(filter).await
    }
    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64> {
        self.store.alarms_sent(numbers, at).await
    }
    async fn alarms_failed(
        &self,
        numbers: &[i64],
        given_up: Option<Timestamp>,
        error: &str,
    ) -> Result<()> {
        self.store.alarms_failed(numbers, given_up, error).await
    }
    async fn give_up_alarms(
        &self,
        configured: &[ChannelName],
        before: Timestamp,
        now: Timestamp,
        error: &str,
        limit: u32,
    ) -> Result<Vec<ChannelName>> {
        may_panic(&self.alarms_panic);
        self.store.give_up_alarms(configured, before, now, error, limit).await
    }
    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.store.remove_alarms(before, limit).await
    }
}

#[async_trait::async_trait]
impl SilenceStore for Double {
    async fn add_silence(
        &self,
        silence: &Silence,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<i64>> {
        self.store.add_silence(silence, now, most).await
    }
    async fn silences(&self, now: Timestamp) -> Result<Vec<SilenceRow>> {
        self.store.silences(now).await
    }
    async fn remove_silence(&self, id: i64, now: Timestamp) -> Result<bool> {
        self.store.remove_silence(id, now).await
    }
    async fn silence_alarms(
        &self,
        channel: &ChannelName,
        numbers: &[i64],
        now: Timestamp,
    ) -> Result<Option<Vec<WaitingAlarm>>> {
        self.store.silence_alarms(channel, numbers, now).await
    }
    async fn remove_expired_silences(&self, now: Timestamp) -> Result<u64> {
        self.store.remove_expired_silences(now).await
    }
}

#[async_trait::async_trait]
impl DrainStore for Double {
    async fn add_drain(&self, drain: &DrainRow, most: u32) -> Result<AddedDrain> {
        self.store.add_drain(drain, most).await
    }
    async fn remove_drain(&self, service: &ServiceName, executor: &ExecutorName) -> Result<bool> {
        self.store.remove_drain(service, executor).await
    }
    async fn drains(&self) -> Result<Vec<DrainRow>> {
        self.store.drains().await
    }
}

#[async_trait::async_trait]
impl RepairStore for Double {
    async fn survey(&self, now: Timestamp) -> Result<Survey> {
        self.store.survey(now).await
    }
    async fn set_back(&self, now: Timestamp) -> Result<Survey> {
        self.store.set_back(now).await
    }
    async fn lift_ids(&self, by: i64) -> Result<Vec<Marks>> {
        self.store.lift_ids(by).await
    }
    async fn count_tasks(&self) -> Result<u64> {
        self.store.count_tasks().await
    }
    async fn rebuild_index(&self) -> Result<u64> {
        self.store.rebuild_index().await
    }
}
