//! Drained executors.

use super::{Columns, Reading};
use crate::store::{DrainRow, Result};

pub(crate) fn drain(row: &impl Columns) -> Result<DrainRow> {
    let row = Reading::new(row, "read a drained executor");
    Ok(DrainRow { service: row.name(0)?, executor: row.name(1)?, since: row.instant(2)? })
}
