//! A context for handler tests, with access to the log.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use fastjob_core::{
    AttemptFacts, AttemptId, Cause, JobContext, JobId, JobLog, JobReports, Progress, Shard, TaskId,
};
use tokio_util::sync::CancellationToken;

/// The lines that a handler logged.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.all().iter().any(|line| line.contains(text))
    }
}

impl JobLog for Lines {
    fn line(&self, text: fmt::Arguments<'_>) {
        self.0.lock().unwrap().push(text.to_string());
    }
}

/// Discards progress and checkpoints.
struct Unheard;

impl JobReports for Unheard {
    fn checkpoint(&self, _json: &Arc<str>) {}

    fn progress(&self, _progress: Progress) {}
}

pub(super) fn context(param: Option<&str>, shard: Shard) -> (JobContext, CancellationToken, Lines) {
    let (stop, lines) = (CancellationToken::new(), Lines::default());
    let facts = AttemptFacts {
        task: TaskId(7),
        attempt: AttemptId(8),
        number: 1,
        job: JobId(1),
        job_name: "test".to_owned(),
        handler: "test".to_owned(),
        cause: Cause::Manual,
        fire_at: None,
        param: param.map(str::to_owned),
        shard,
        checkpoint: None,
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap()),
    };
    let log = Box::new(lines.clone());
    (JobContext::new(facts, stop.clone(), log, Box::new(Unheard)), stop, lines)
}
