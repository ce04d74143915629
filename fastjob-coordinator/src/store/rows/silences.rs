//! Silences.

use fastjob_core::JobId;

use super::{Columns, Reading};
use crate::store::{Result, Silence, SilenceRow};

pub(crate) fn silence(row: &impl Columns) -> Result<SilenceRow> {
    let row = Reading::new(row, "read a silence");
    Ok(SilenceRow {
        id: row.int(0)?,
        silence: Silence {
            job: row.maybe_int(1)?.map(JobId).zip(row.maybe_text(2)?),
            channel: row.maybe_name(3)?,
            until: row.instant(4)?,
            reason: row.text(5)?.to_owned(),
        },
        created_at: row.instant(6)?,
    })
}
