//! Many tasks: stopped, or run again.

use fastjob_client::types::TaskOrder;
use fastjob_core::{TaskId, TaskState, Trace};
use tokio::time::Instant;

use super::{
    super::{
        Bulk, BulkTask, Error, ListTasks, Ops, PAGE_MAX, RerunRequest, TaskAction, tasks::unknown,
    },
    DEADLINE, Tally, Which, each, expected, in_time, named, not_tried, said, within,
};

/// Maximum number of bytes of a reason.
const REASON_MAX: usize = 500;

/// An action on many tasks.
#[derive(Clone, Debug)]
pub(crate) struct BulkTasks {
    pub(crate) action: TaskAction,
    pub(crate) which: Which<i64, ListTasks>,
    /// Why they are stopped.
    pub(crate) reason: Option<String>,
    /// Who runs them again.
    pub(crate) cause: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) expect: Option<u64>,
    /// The trace that the call is part of.
    pub(crate) trace: Option<Trace>,
}

fn item(task: i64, new_task: Option<i64>, error: Option<String>) -> BulkTask {
    BulkTask { task, new_task, error }
}

impl Ops {
    /// Acts on many tasks, on each by itself.
    pub(crate) async fn bulk_tasks(&self, ask: BulkTasks) -> Result<Bulk<BulkTask>, Error> {
        let note = note(&ask)?;
        let deadline = Instant::now() + DEADLINE;
        let _turn = self.turn_to_bulk().await?;
        let (targets, none, unanswered) = match ask.which {
            Which::Named(tasks) => {
                let (targets, none) = self.named_tasks(named("tasks", tasks)?).await?;
                (targets, none, Vec::new())
            }
            Which::Matching(filter) => {
                let filter = of_action(ask.action, filter)?;
                let (targets, unanswered) =
                    self.matching_tasks(ask.action, &filter, deadline).await?;
                (targets, Vec::new(), unanswered)
            }
        };
        expected(ask.expect, targets.len(), "tasks")?;
        let mut tally = Tally::new(targets.len());
        tally.failed = none;
        if ask.dry_run {
            tally.done = targets.into_iter().map(|task| item(task, None, None)).collect();
            return Ok(tally.answer(true, unanswered));
        }
        let rerun = RerunRequest { cause: ask.cause, ..RerunRequest::default() };
        let act = |task: i64| {
            let (note, rerun, trace) = (note.clone(), rerun.clone(), ask.trace.clone());
            self.act_on_task(ask.action, task, note, rerun, trace)
        };
        for (task, outcome) in each(targets, deadline, act).await {
            match outcome {
                Some(Ok(new)) => tally.done.push(item(task, new, None)),
                Some(Err(err)) => tally.failed.push(item(task, None, Some(said(&err)))),
                None => tally.not_done.push(item(task, None, Some(not_tried()))),
            }
        }
        Ok(tally.answer(false, unanswered))
    }

    /// What a single call does. Returns the task that runs it again.
    async fn act_on_task(
        &self,
        action: TaskAction,
        task: i64,
        note: Option<String>,
        rerun: RerunRequest,
        trace: Option<Trace>,
    ) -> Result<Option<i64>, Error> {
        match action {
            TaskAction::Stop => {
                let answer = self.stop_task(task, note).await?;
                match answer.stopped {
                    true => Ok(None),
                    false => {
                        let message = format!("it has already ended: {}", answer.state);
                        Err(Error::Conflict(message))
                    }
                }
            }
            TaskAction::Rerun => Ok(Some(self.rerun(task, rerun, trace).await?.task)),
        }
    }

    /// Those of the tasks that exist, and the others, with the reason.
    async fn named_tasks(&self, tasks: Vec<i64>) -> Result<(Vec<i64>, Vec<BulkTask>), Error> {
        let ids: Vec<_> = tasks.iter().copied().map(TaskId).collect();
        let known = self.store.task_bytes(&ids).await?;
        let (targets, others): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|task| known.contains_key(&TaskId(*task)));
        let none = others.into_iter().map(|task| item(task, None, Some(said(&unknown(task)))));
        Ok((targets, none.collect()))
    }

    /// The tasks that a list with this filter has, and the coordinators that did not answer.
    async fn matching_tasks(
        &self,
        action: TaskAction,
        filter: &ListTasks,
        deadline: Instant,
    ) -> Result<(Vec<i64>, Vec<String>), Error> {
        let (mut targets, mut unanswered, mut cursor) = (Vec::new(), Vec::new(), None);
        loop {
            let page = ListTasks { cursor, limit: Some(PAGE_MAX), ..filter.clone() };
            let page = self.list_tasks(page).await?;
            // A rerun that failed as well belongs to the task that it reruns, which matches too.
            let found = page.items.iter();
            let found = found.filter(|it| action == TaskAction::Stop || it.reruns.is_none());
            targets.extend(found.map(|it| it.id));
            within(targets.len(), "tasks")?;
            unanswered.extend(page.unanswered);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
            in_time(deadline, "tasks")?;
        }
        unanswered.sort_unstable();
        unanswered.dedup();
        Ok((targets, unanswered))
    }
}

/// The note of a task that is stopped.
fn note(ask: &BulkTasks) -> Result<Option<String>, Error> {
    if ask.action != TaskAction::Rerun && ask.cause.is_some() {
        return Err(Error::invalid("cause", "it is only for the action rerun"));
    }
    let Some(reason) = &ask.reason else { return Ok(None) };
    if ask.action != TaskAction::Stop {
        return Err(Error::invalid("reason", "it is only for the action stop"));
    }
    if reason.trim().is_empty() || reason.len() > REASON_MAX {
        let message = format!("it has {} bytes, 1 to {REASON_MAX} are allowed", reason.len());
        return Err(Error::invalid("reason", message));
    }
    Ok(Some(format!("stopped: {}", reason.trim())))
}

/// The filter of tasks that the action is possible for.
fn of_action(action: TaskAction, mut filter: ListTasks) -> Result<ListTasks, Error> {
    let states = filter.states.iter().map(|state| state.parse::<TaskState>());
    let states: Vec<_> =
        states.collect::<Result<_, _>>().map_err(|err| Error::invalid("filter.state", err))?;
    match action {
        TaskAction::Stop => {
            if let Some(ended) = states.iter().find(|state| state.is_final()) {
                let message = format!(
                    "a task that is {ended} has ended: queued, running and stopping have not"
                );
                return Err(Error::invalid("filter.state", message));
            }
            // A list of open tasks by their run time has one order, and no task that waits.
            let by_run_time = filter.min_run_time.is_some();
            if states.is_empty() {
                let open: &[TaskState] = match by_run_time {
                    true => &[TaskState::Running],
                    false => &[TaskState::Queued, TaskState::Running],
                };
                filter.states = open.iter().map(ToString::to_string).collect();
            }
            filter.order = by_run_time.then(|| TaskOrder::RunTime.to_string());
        }
        TaskAction::Rerun => {
            if states.is_empty() || states.iter().any(|state| !state.is_final()) {
                let message = "only tasks that have ended run again: name how they ended, as \
                               succeeded, failed, stopped or skipped";
                return Err(Error::invalid("filter.state", message));
            }
            filter.order = Some(TaskOrder::Oldest.to_string());
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn filter(states: &[&str], min_run_time: Option<Duration>) -> ListTasks {
        let states = states.iter().map(|&state| state.to_owned()).collect();
        ListTasks { states, min_run_time, ..ListTasks::default() }
    }

    #[test]
    fn open_tasks_are_stopped_and_ended_ones_run_again() {
        let long = Some(Duration::from_secs(9));
        let stop = |states: &[&str], long| of_action(TaskAction::Stop, filter(states, long));
        assert_eq!(stop(&[], None).unwrap().states, ["queued", "running"]);
        let by_run_time = stop(&[], long).unwrap();
        assert_eq!(by_run_time.states, ["running"]);
        assert_eq!(by_run_time.order.as_deref(), Some("run_time"));
        assert_eq!(stop(&["queued"], None).unwrap().states, ["queued"]);
        for wrong in ["failed", "succeeded", "nothing"] {
            assert!(stop(&["running", wrong], None).is_err(), "{wrong}");
        }
        let rerun = |states: &[&str]| of_action(TaskAction::Rerun, filter(states, None));
        assert_eq!(rerun(&["failed", "stopped"]).unwrap().order.as_deref(), Some("oldest"));
        for wrong in [&[][..], &["running"], &["failed", "queued"]] {
            assert!(rerun(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_reason_is_bounded_and_only_for_stops() {
        let ask = |action, reason: &str| BulkTasks {
            action,
            which: Which::Named(vec![1]),
            reason: Some(reason.to_owned()),
            cause: None,
            dry_run: false,
            expect: None,
            trace: None,
        };
        let stopped = note(&ask(TaskAction::Stop, " deploy ")).unwrap();
        assert_eq!(stopped.as_deref(), Some("stopped: deploy"));
        assert!(note(&ask(TaskAction::Stop, " ")).is_err());
        assert!(note(&ask(TaskAction::Stop, &"x".repeat(501))).is_err());
        assert!(note(&ask(TaskAction::Rerun, "deploy")).is_err());
    }
}
