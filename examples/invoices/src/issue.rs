//! The job: it issues an invoice in one transaction with the note that its task is done.
//!
//! Execution is at-least-once. A process can be killed after the commit and before FastJob hears of
//! it, and then the task runs again. The task's id is the same in all its attempts, so the second
//! attempt finds the note of the first one, and changes nothing.

use fastjob_executor::{TaskId, prelude::*};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};

/// The job's name with its service, for those who start it.
pub(crate) const JOB: &str = "invoices.issue-invoice";

/// What a customer has bought: the body of the request, and the param of the job.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Purchase {
    #[schemars(length(min = 1))]
    customer: String,
    #[schemars(range(min = 1))]
    cents: i64,
}

/// The answer to callers, and the result of the task.
#[derive(Debug, Serialize, FromRow)]
pub(crate) struct Invoice {
    number: i64,
    customer: String,
    cents: i64,
}

/// Issues an invoice, and charges the customer.
#[job(
    "issue-invoice",
    retry(count = 10, delay = "1s", factor = 2.0, max_delay = "5m"),
    timeout = "30s",
    block(strategy = "parallel", max_running = 8)
)]
async fn issue_invoice(
    ctx: &JobContext,
    db: State<PgPool>,
    purchase: Purchase,
) -> Result<Invoice, JobError> {
    let task = ctx.task_id();
    // Whatever ends this function early (an error, the timeout, a crash) rolls everything back.
    let mut tx = db.begin().await?;
    if is_first(&mut tx, task).await? {
        issue(&mut tx, task, &purchase).await?;
    } else {
        ctx.log("an earlier attempt has issued this invoice");
    }
    let invoice = find(&mut *tx, task.0).await?;
    tx.commit().await?;
    invoice.ok_or_else(|| JobError::fatal("the task is done, but its invoice is gone"))
}

/// Notes that the task is done. `false` if it was noted before.
///
/// If another attempt is at work in this moment, as after a broken connection, this waits for the end
/// of its transaction.
async fn is_first(db: &mut PgConnection, task: TaskId) -> Result<bool, sqlx::Error> {
    let note = sqlx::query("insert into done_tasks (task) values ($1) on conflict do nothing");
    Ok(note.bind(task.0).execute(db).await?.rows_affected() == 1)
}

/// All effects of the job.
async fn issue(
    db: &mut PgConnection,
    task: TaskId,
    purchase: &Purchase,
) -> Result<(), sqlx::Error> {
    // Locks the row until the commit, so that invoices get their numbers one after the other.
    let number: i64 =
        sqlx::query_scalar("update invoice_numbers set last = last + 1 returning last")
            .fetch_one(&mut *db)
            .await?;
    sqlx::query("insert into invoices (number, task, customer, cents) values ($1, $2, $3, $4)")
        .bind(number)
        .bind(task.0)
        .bind(&purchase.customer)
        .bind(purchase.cents)
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "insert into customers (name, owes_cents) values ($1, $2) \
         on conflict (name) do update set owes_cents = customers.owes_cents + excluded.owes_cents",
    )
    .bind(&purchase.customer)
    .bind(purchase.cents)
    .execute(db)
    .await?;
    Ok(())
}

/// The invoice of a task; `None` if it is not issued yet.
pub(crate) async fn find(
    db: impl PgExecutor<'_>,
    task: i64,
) -> Result<Option<Invoice>, sqlx::Error> {
    let find = sqlx::query_as("select number, customer, cents from invoices where task = $1");
    find.bind(task).fetch_optional(db).await
}
