//! The tasks that pages show: each is read once for all of them, and only when it has changed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use fastjob_core::TaskId;
use tokio::time::Instant;

use super::{Error, Print, Shot, Source};

/// Most tasks that are read from the store at once. The others are read the next time.
const READ: usize = 200;
/// How often a task that is neither open nor in the store is looked for.
const LOOKS: u32 = 5;

/// The tasks as pages show them: a number that changes with the JSON.
pub(super) type Shown = HashMap<TaskId, (u64, Arc<str>)>;

/// What is known of the tasks.
#[derive(Default)]
pub(super) struct Tasks {
    known: HashMap<TaskId, Known>,
    shown: Arc<Shown>,
    next: u64,
}

/// What is known of a task.
#[derive(Default)]
struct Known {
    print: Option<Print>,
    read_at: Option<Instant>,
    /// How often it was looked for and not found.
    missed: u32,
    /// It is not read again.
    is_over: bool,
}

impl Tasks {
    pub(super) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown)
    }

    /// Reads those of the watched tasks that have changed.
    pub(super) async fn read(
        &mut self,
        source: &impl Source,
        watched: HashSet<TaskId>,
    ) -> Result<(), Error> {
        if self.known.keys().any(|task| !watched.contains(task)) {
            self.known.retain(|task, _| watched.contains(task));
            Arc::make_mut(&mut self.shown).retain(|task, _| watched.contains(task));
        }
        for task in watched {
            self.known.entry(task).or_default();
        }
        let open = self.known.iter().filter(|(_, known)| !known.is_over);
        let open: Vec<_> = open.map(|(task, _)| *task).collect();
        if open.is_empty() {
            return Ok(());
        }
        let prints = source.prints(&open).await?;
        let mut changed: Vec<_> = prints
            .iter()
            .filter_map(|(task, print)| {
                let known = self.known.get(task)?;
                let is_changed = match print {
                    Print::Open(_) => known.print != Some(*print),
                    // It was recorded a moment after its engine has ended it.
                    Print::NotOpen => true,
                    Print::Unknown => false,
                };
                is_changed.then_some((known.read_at, *task))
            })
            .collect();
        // Those that were read last come last.
        changed.sort_unstable();
        changed.truncate(READ);
        let changed: Vec<_> = changed.into_iter().map(|(_, task)| task).collect();
        let mut shots: HashMap<_, _> =
            source.shots(&changed).await?.into_iter().map(|shot| (shot.task, shot)).collect();
        for task in changed {
            let print = prints.get(&task).copied().unwrap_or(Print::Unknown);
            self.take(task, print, shots.remove(&task));
        }
        Ok(())
    }

    fn take(&mut self, task: TaskId, print: Print, shot: Option<Shot>) {
        let Some(known) = self.known.get_mut(&task) else { return };
        known.read_at = Some(Instant::now());
        let Some(Shot { has_ended, json, .. }) = shot else {
            known.missed += 1;
            known.is_over = known.missed >= LOOKS;
            return;
        };
        known.missed = 0;
        known.is_over = has_ended;
        known.print = Some(print);
        if print == Print::NotOpen && !has_ended {
            // Its end is not durable yet: the state that is recorded is an old one.
            return;
        }
        if self.shown.get(&task).is_some_and(|(_, before)| *before == json) {
            return;
        }
        self.next += 1;
        Arc::make_mut(&mut self.shown).insert(task, (self.next, json));
    }
}
