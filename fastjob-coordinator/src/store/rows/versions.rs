//! Versions of jobs.

use std::sync::Arc;

use fastjob_core::job::Definitions;

use super::{Columns, Reading};
use crate::store::{Result, codes::origin, versions::JobVersion};

/// Reads versions. A definition that this release cannot read is left out: the others can still be
/// shown and restored.
pub(crate) fn versions<R: Columns>(rows: &[R]) -> Result<Vec<JobVersion>> {
    let definitions = Definitions::default();
    let version = |row| {
        let row = Reading::new(row, "read versions of a job");
        Ok(JobVersion {
            revision: row.int(0)?,
            saved_at: row.instant(1)?,
            origin: origin(row.int(2)?)?.0,
            is_deletion: row.maybe_int(4)?.is_some(),
            job: definitions.read(row.text(3)?).ok().map(Arc::new),
        })
    };
    rows.iter().map(version).collect()
}
