//! Which tasks a list has, in which order, and where its pages end.

use std::{cmp::Ordering, collections::HashSet, sync::Arc, time::Duration};

use fastjob_core::{Cause, ExecutorName, FailReason, JobId, ServiceName, TaskId, TaskState};
use jiff::Timestamp;

/// Tasks that a list looks at before it ends a page.
pub(crate) const LOOKED_AT: usize = 1_000;
/// Tasks that a list by run time looks at: all of them, for each page.
pub(crate) const RUN_TIMES: usize = 20_000;

/// The order of a list of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// By id, the newest first.
    #[default]
    Newest,
    /// By id, the oldest first.
    Oldest,
    /// Tasks that have run and ended, the longest first. Of equally long ones, the newest first.
    RunTime,
}

impl Order {
    /// Compares ids by their order in the list. A list by run time reads the newest first.
    pub(crate) fn compare(self, a: TaskId, b: TaskId) -> Ordering {
        match self {
            Self::Newest | Self::RunTime => b.cmp(&a),
            Self::Oldest => a.cmp(&b),
        }
    }

    /// Whether an id comes before another one in the list.
    pub(crate) fn is_before(self, id: TaskId, other: TaskId) -> bool {
        self.compare(id, other).is_lt()
    }
}

/// The place of a task in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Milliseconds from start to end in a list by run time; otherwise 0.
    pub(crate) run_time: i64,
    pub(crate) task: TaskId,
}

impl From<TaskId> for Place {
    fn from(task: TaskId) -> Self {
        Self { run_time: 0, task }
    }
}

/// The open tasks in the states that a list is about, as their engines know them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenNow {
    /// In the order of the list, after its cursor.
    pub(crate) tasks: Vec<TaskId>,
    /// Whether these are all. Otherwise others may follow.
    pub(crate) is_complete: bool,
}

impl Default for OpenNow {
    fn default() -> Self {
        Self { tasks: Vec::new(), is_complete: true }
    }
}

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFilter {
    pub(crate) task: Option<TaskId>,
    pub(crate) job: Option<JobId>,
    /// Tasks of one of these jobs.
    pub(crate) jobs: Option<Arc<HashSet<JobId>>>,
    pub(crate) service: Option<ServiceName>,
    /// Tasks in one of these states; empty for all.
    pub(crate) states: Vec<TaskState>,
    /// The open tasks in one of `states`, which only the engines know. Not used without `states`.
    pub(crate) open: OpenNow,
    /// Tasks that were started for one of these; empty for all.
    pub(crate) causes: Vec<Cause>,
    /// Tasks with an attempt on this executor.
    pub(crate) executor: Option<ExecutorName>,
    /// Created at or after.
    pub(crate) since: Option<Timestamp>,
    /// Created before.
    pub(crate) until: Option<Timestamp>,
    /// Tasks with an attempt whose message contains this. Upper and lower case of ASCII are equal.
    pub(crate) text: Option<String>,
    /// Tasks with an attempt that failed for one of these reasons; empty for all.
    pub(crate) reasons: Vec<FailReason>,
    /// Tasks with an attempt that started at least so long after it was due, or has ended so late
    /// without a start. All open tasks may match: whether they wait is what the engines know.
    pub(crate) late: Option<Duration>,
    /// Ended tasks that took at least this long from their start.
    pub(crate) min_run_time: Option<Duration>,
    pub(crate) order: Order,
    /// After this place: where the last page ended.
    pub(crate) after: Option<Place>,
    /// The maximum number.
    pub(crate) limit: u32,
    /// The number of tasks that are looked at before a search stops; `None` for the usual one.
    pub(crate) most: Option<usize>,
}

impl TaskFilter {
    /// Whether the task is in one of the states.
    pub(crate) fn has_state(&self, state: TaskState) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Whether ended tasks can match.
    pub(crate) fn has_ended(&self) -> bool {
        self.states.is_empty() || self.states.iter().any(|state| state.is_final())
    }

    /// Whether it names states, and only those of open tasks.
    pub(crate) fn is_of_open(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|state| !state.is_final())
    }

    /// Whether open tasks can match.
    pub(crate) fn has_open(&self) -> bool {
        let needs_end = self.min_run_time.is_some() || self.order == Order::RunTime;
        !needs_end && (self.states.is_empty() || !self.open.tasks.is_empty())
    }

    /// Whether the time from start to end has to be known.
    pub(crate) fn needs_run_time(&self) -> bool {
        self.min_run_time.is_some() || self.order == Order::RunTime
    }

    /// Whether one attempt of a task has to match, besides the executor.
    pub(crate) fn asks_of_attempts(&self) -> bool {
        self.text.is_some() || self.late.is_some() || !self.reasons.is_empty()
    }

    /// Whether it selects ended tasks by what only their rows say.
    pub(crate) fn needs_rows(&self) -> bool {
        let has_rows =
            self.executor.is_some() || !self.causes.is_empty() || self.asks_of_attempts();
        has_rows || self.jobs.is_some() || self.needs_run_time()
    }

    /// Whether it selects ended tasks by nothing but their creation.
    pub(crate) fn is_of_all(&self) -> bool {
        let is_any = self.job.is_none() && self.service.is_none() && self.states.is_empty();
        is_any && !self.needs_rows()
    }

    /// Whether an instant of creation is in the range.
    pub(crate) fn has_created(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Whether a task has one of the causes.
    pub(crate) fn has_cause(&self, cause: Cause) -> bool {
        self.causes.is_empty() || self.causes.contains(&cause)
    }

    /// Whether a task is of one of the jobs.
    pub(crate) fn has_job(&self, job: JobId) -> bool {
        self.job.is_none_or(|only| only == job)
            && self.jobs.as_ref().is_none_or(|jobs| jobs.contains(&job))
    }

    /// Whether an id can be on the page, by where it begins.
    pub(crate) fn has_id(&self, id: TaskId) -> bool {
        let is_after = |after: Place| self.order.is_before(after.task, id);
        self.task.is_none_or(|task| task == id)
            && (self.order == Order::RunTime || self.after.is_none_or(is_after))
    }

    /// The number of tasks that are looked at before a search stops.
    pub(crate) fn most(&self) -> usize {
        let usual = if self.order == Order::RunTime { RUN_TIMES } else { LOOKED_AT };
        self.most.unwrap_or(usual)
    }

    /// What a message has to contain, in lower case.
    pub(crate) fn needle(&self) -> Option<String> {
        self.text.as_ref().map(|text| text.to_ascii_lowercase())
    }
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Listed {
    /// In the order of the list.
    pub(crate) places: Vec<Place>,
    /// Where the search stopped because it had looked at enough tasks. Then there may be more after
    /// it, and `places` has all before it.
    pub(crate) stopped: Option<Stopped>,
}

/// Where a search stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stopped {
    /// The last task that was looked at.
    pub(crate) task: TaskId,
    /// When that was created; `None` if it is not known any more.
    pub(crate) created_at: Option<Timestamp>,
}

impl Listed {
    /// Which tasks.
    pub(crate) fn ids(&self) -> Vec<TaskId> {
        self.places.iter().map(|place| place.task).collect()
    }

    /// Adds open tasks that match, and ends the page at its limit or where one of the searches
    /// stopped.
    pub(crate) fn with_open(self, open: OpenFound, filter: &TaskFilter) -> Self {
        let order = filter.order;
        let stops = [self.stopped, open.stopped].into_iter().flatten();
        let mut stopped = stops.reduce(|a, b| if order.is_before(b.task, a.task) { b } else { a });
        let mut ids: HashSet<_> = self.places.iter().map(|place| place.task).collect();
        ids.extend(open.tasks);
        if let Some(stopped) = stopped {
            ids.retain(|id| !order.is_before(stopped.task, *id));
        }
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort_unstable_by(|a, b| order.compare(*a, *b));
        let limit = filter.limit as usize;
        if ids.len() >= limit {
            ids.truncate(limit);
            stopped = None;
        }
        Self { places: ids.into_iter().map(Place::from).collect(), stopped }
    }
}

/// The open tasks of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenFound {
    pub(crate) tasks: Vec<TaskId>,
    /// Where the search stopped, if others may follow.
    pub(crate) stopped: Option<Stopped>,
}
