//! Many jobs in one command: all of them are saved in one commit, or none is.
//!
//! All edits are first made to the catalog alone, one after the other, because an edit may depend on
//! the ones before it: a job's children, the room that is left. Then they are undone, and carried
//! out only if each of them was possible.

use fastjob_core::JobId;

use crate::{
    answer::{ApplyAnswer, JobRefused, SaveDone},
    engine::Engine,
    event::{Apply, Edit, Now},
    record::JobRow,
    rules::edits::Decided,
    state::catalog::{JobEntry, Missing},
};

/// How an edit to the catalog is undone.
enum Undo {
    /// The job did not exist; its name may have been that of a deleted job.
    Create {
        job: JobId,
        deleted: Option<JobId>,
    },
    Update(Box<JobRow>),
}

impl Engine {
    pub(super) fn apply(&mut self, now: Now, ask: &Apply) -> ApplyAnswer {
        self.catalog.ignore_children(ask.ignores_children && ask.is_dry);
        self.catalog.allow_links(ask.edits.len());
        let tried = self.try_edits(now, &ask.edits);
        self.catalog.ignore_children(false);
        let tried = tried?;
        if ask.is_dry {
            return Ok(tried.into_iter().map(|(done, row)| (done, Box::new(row))).collect());
        }
        self.catalog.allow_links(ask.edits.len());
        let mut answers = Vec::with_capacity(ask.edits.len());
        for (at, edit) in ask.edits.iter().enumerate() {
            // It is decided as before: nothing but the catalog was changed, and that was undone.
            let decided = self.decide_applied(now, edit).map_err(|why| vec![(at, why)])?;
            answers.push(self.enact(now, decided));
        }
        Ok(answers)
    }

    /// What the edits do, or why some of them are not possible. Changes nothing.
    fn try_edits(
        &mut self,
        now: Now,
        edits: &[Edit],
    ) -> Result<Vec<Decided>, Vec<(usize, JobRefused)>> {
        let (mut undo, mut decided, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut missing = Missing::default();
        for (at, edit) in edits.iter().enumerate() {
            match self.decide_applied(now, edit) {
                Ok((done, row)) => {
                    undo.extend(self.try_edit(done, &row));
                    decided.push((done, row));
                }
                // That its child is refused is one problem, not two.
                Err(why) => {
                    if missing.add(&edit.job, &why) {
                        refused.push((at, why));
                    }
                }
            }
        }
        for step in undo.into_iter().rev() {
            match step {
                Undo::Create { job, deleted } => self.catalog.undo_admit(job, deleted),
                Undo::Update(row) => self.catalog.update(*row),
            }
        }
        if refused.is_empty() { Ok(decided) } else { Err(refused) }
    }

    /// Makes an edit to the catalog alone.
    fn try_edit(&mut self, done: SaveDone, row: &JobRow) -> Option<Undo> {
        match done {
            SaveDone::Created => {
                let deleted = self.catalog.named(&row.job.service, &row.job.name);
                let undo = Undo::Create { job: row.id, deleted: deleted.map(JobEntry::id) };
                self.catalog.admit(row.clone(), row.anchor);
                Some(undo)
            }
            SaveDone::Updated => {
                let before = self.catalog.get(row.id).map(JobEntry::row)?;
                self.catalog.update(row.clone());
                Some(Undo::Update(before.into()))
            }
            SaveDone::Unchanged | SaveDone::Noted | SaveDone::Deleted => None,
        }
    }
}
