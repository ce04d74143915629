//! Queries of lists of tasks.

use fastjob_core::{ExecutorName, JobId, ServiceName, TaskId};
use serde_json::Value;
use sqlx::{QueryBuilder, Sqlite};

use crate::store::{
    Order, TaskFilter, batch::clean, codes::reason_code, index::Range, rows::index::JOB_END,
};

/// Tasks of the history by id, with what the filter asks of them.
pub(super) fn tasks(tasks: &[i64], filter: &TaskFilter) -> QueryBuilder<Sqlite> {
    let mut sql = select(filter);
    sql.push(" where t.id in ").push(LIST).push_bind(Value::from(tasks).to_string()).push("))");
    sql
}

/// How tasks of the history ended.
pub(super) fn ends(tasks: &[i64]) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(JOB_END).push(" from tasks t");
    sql.push(" where t.id in ").push(LIST).push_bind(Value::from(tasks).to_string()).push("))");
    sql
}

/// When tasks of the history were created.
pub(super) fn created(tasks: &[i64]) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("select id, created_at from tasks where id in ");
    sql.push(LIST).push_bind(Value::from(tasks).to_string()).push("))");
    sql
}

/// Tasks of the history in a range of ids, in the order of the filter.
pub(super) fn history(range: Range, filter: &TaskFilter, limit: usize) -> QueryBuilder<Sqlite> {
    let mut sql = select(filter);
    sql.push(" where t.id between ").push_bind(range.first);
    sql.push(" and ").push_bind(range.last);
    if let Some(since) = filter.since {
        sql.push(" and t.created_at >= ").push_bind(since.as_millisecond());
    }
    if let Some(until) = filter.until {
        sql.push(" and t.created_at < ").push_bind(until.as_millisecond());
    }
    sql.push(match filter.order {
        Order::Newest | Order::RunTime => " order by t.id desc limit ",
        Order::Oldest => " order by t.id limit ",
    });
    sql.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    sql
}

/// Those of the jobs that are of the service.
pub(super) fn jobs(jobs: &[JobId], service: &ServiceName) -> QueryBuilder<Sqlite> {
    let jobs = Value::from_iter(jobs.iter().map(|job| job.0)).to_string();
    let mut sql = QueryBuilder::new("select id from jobs where id in ");
    sql.push(LIST).push_bind(jobs).push(")) and service = ").push_bind(service.to_string());
    sql
}

/// The lives of an executor.
pub(super) fn lives(executor: &ExecutorName) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("select id from lives where executor = ");
    sql.push_bind(executor.to_string());
    sql
}

/// The tasks that have attempts with rows of their own, with what the filter asks of these.
pub(super) fn attempted(tasks: &[TaskId], filter: &TaskFilter) -> QueryBuilder<Sqlite> {
    let tasks = Value::from_iter(tasks.iter().map(|task| task.0)).to_string();
    let mut sql = QueryBuilder::new("select a.task, max(");
    on_executor(&mut sql, "a", filter);
    sql.push("), max(");
    with_all(&mut sql, "a", filter);
    sql.push(") from attempts a where a.task in ").push(LIST).push_bind(tasks);
    sql.push(")) group by a.task");
    sql
}

/// A JSON array as a list; its value and two brackets follow.
const LIST: &str = "(select value from json_each(";

/// Selects the columns of [`found`](crate::store::rows::index::found). What the filter does not ask
/// for is not read.
fn select(filter: &TaskFilter) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("select t.id, t.job, t.state, t.cause, t.created_at, ");
    sql.push(match filter.needs_run_time() {
        true => {
            "t.ended_at - case when t.attempt_state is null then \
             (select min(a.started_at) from attempts a where a.task = t.id) \
             else t.started_at end, "
        }
        false => "null, ",
    });
    match &filter.service {
        Some(service) => {
            sql.push("exists (select 1 from jobs j where j.id = t.job and j.service = ");
            sql.push_bind(service.to_string()).push("), ");
        }
        None => {
            sql.push("false, ");
        }
    }
    if filter.executor.is_some() {
        any_attempt(&mut sql, filter, on_executor);
    } else {
        sql.push("false");
    }
    sql.push(", ");
    if filter.asks_of_attempts() {
        any_attempt(&mut sql, filter, with_all);
    } else {
        sql.push("false");
    }
    sql.push(" from tasks t");
    sql
}

/// Whether a condition is true of one of the attempts of the task `t`. They have rows of their own
/// only where there are several.
fn any_attempt(
    sql: &mut QueryBuilder<Sqlite>,
    filter: &TaskFilter,
    condition: fn(&mut QueryBuilder<Sqlite>, &str, &TaskFilter),
) {
    sql.push("case when t.attempt_state is null then exists (select 1 from attempts a where a.task = t.id and ");
    condition(sql, "a", filter);
    sql.push(") else ");
    condition(sql, "t", filter);
    sql.push(" end");
}

/// Whether the attempt in the row was on the executor of the filter; false without one.
fn on_executor(sql: &mut QueryBuilder<Sqlite>, row: &str, filter: &TaskFilter) {
    match &filter.executor {
        Some(executor) => {
            sql.push(format_args!(
                "coalesce({row}.life in (select id from lives where executor = "
            ));
            sql.push_bind(executor.to_string()).push("), false)");
        }
        None => {
            sql.push("false");
        }
    }
}

/// Whether the attempt in the row has all that the filter asks of one; false if it asks nothing.
fn with_all(sql: &mut QueryBuilder<Sqlite>, row: &str, filter: &TaskFilter) {
    if !filter.asks_of_attempts() {
        sql.push("false");
        return;
    }
    sql.push("(true");
    if filter.text.is_some() {
        sql.push(" and ");
        with_text(sql, row, filter);
    }
    if !filter.reasons.is_empty() {
        // Their codes are numbers of this program.
        let codes: Vec<_> =
            filter.reasons.iter().map(|reason| reason_code(*reason).to_string()).collect();
        let codes = codes.join(", ");
        sql.push(format_args!(" and coalesce({row}.reason in ({codes}), false)"));
    }
    if let Some(late) = filter.late {
        let late = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
        sql.push(format_args!(
            " and coalesce(coalesce({row}.started_at, {row}.ended_at) - {row}.due_at >= {late}, false)"
        ));
    }
    sql.push(")");
}

/// Whether the message in the row has the text of the filter; false without one.
fn with_text(sql: &mut QueryBuilder<Sqlite>, row: &str, filter: &TaskFilter) {
    match filter.needle() {
        Some(text) => {
            // Lower case is that of ASCII here.
            sql.push(format_args!("coalesce(instr(lower({row}.message), "));
            sql.push_bind(clean(&text).into_owned()).push(") > 0, false)");
        }
        None => {
            sql.push("false");
        }
    }
}
