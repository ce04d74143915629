//! Children that wait to be started.

use fastjob_core::{JobId, TaskId};

use super::{Columns, Reading, number};
use crate::store::{ChildStart, Lineage, Partition, Result};

/// Child starts, divided by whether the child has started.
#[derive(Debug, Default)]
pub(crate) struct ChildStarts {
    pub(crate) waiting: Vec<ChildStart>,
    /// Ids of those to remove. A commit was sent again just after the child had started. The child
    /// would be started a second time once it is removed as history.
    pub(crate) started: Vec<i64>,
}

/// Reads child starts. Column 5 is whether the child has started.
pub(crate) fn child_starts<R: Columns>(rows: &[R]) -> Result<ChildStarts> {
    let mut all = ChildStarts::default();
    for row in rows {
        let start = child_start(row)?;
        if Reading::new(row, "read children to start").flag(5)? {
            all.started.push(start.id);
        } else {
            all.waiting.push(start);
        }
    }
    Ok(all)
}

fn child_start<R: Columns>(columns: &R) -> Result<ChildStart> {
    let row = Reading::new(columns, "read a child to start");
    Ok(ChildStart {
        id: row.int(0)?,
        partition: Partition(row.number(1)?),
        job: JobId(row.int(2)?),
        parent: TaskId(row.int(3)?),
        param: row.maybe_text(4)?,
        lineage: lineage(columns, 6)?,
        trace: row.maybe_name(8)?,
    })
}

/// Reads two columns that only child tasks have.
pub(super) fn lineage(row: &impl Columns, at: usize) -> Result<Option<Lineage>> {
    let row = Reading::new(row, "read the lineage of a task");
    let columns = (row.maybe_int(at)?, row.maybe_int(at + 1)?);
    let (Some(depth), Some(budget)) = columns else { return Ok(None) };
    Ok(Some(Lineage { depth: number(depth)?, budget: number(budget)? }))
}
