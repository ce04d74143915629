//! A filled store that several measurements use: it is filled once, and its folder remains.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Bench, Build, Fill, args::refuse};
use crate::eventually;

/// Says what the store was filled with. It is written last: a store without it is not complete.
const MARK: &str = "filled.json";
/// How old a store may be. The pages show the tasks of the last day, and it has to have some.
const OLDEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(12);
/// How long a coordinator may take to load the jobs.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a task and a job take on disk at most, with what is written while indexes are built.
const BYTES_PER_TASK: u64 = 300;
const BYTES_PER_JOB: u64 = 3_000;

impl Bench {
    /// The store of a folder with this content, which is filled if the folder is empty. Exits with an
    /// error if the folder has something else, or the disk has no room.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be written.
    pub async fn filled(folder: &Path, fill: Fill, build: &Build) -> Self {
        // The roles are played by other processes.
        let folder = std::path::absolute(folder).expect("a path");
        let mark = folder.join(MARK);
        if let Ok(text) = std::fs::read_to_string(&mark) {
            if let Err(why) = fits(&text, fill, crate::now()) {
                refuse(&format!("{}: {why}; remove the folder, or name another", folder.display()));
            }
            return Self::kept(folder, build).await;
        }
        if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            let folder = folder.display();
            refuse(&format!(
                "{folder} is neither empty nor a filled store: remove it, or name another"
            ));
        }
        let mut bench = Self::kept(folder, build).await;
        check_room(&bench.folder, fill);
        println!("filling {} tasks of {} jobs", fill.tasks, fill.jobs);
        let started = Instant::now();
        bench.fill(fill).await;
        let pool = bench.store.pool().await;
        let mib = pool.mib().await;
        pool.close().await;
        println!("filled in {:.0} s, {mib} MiB", started.elapsed().as_secs_f64());
        let filled = json!({
            "tasks": fill.tasks, "jobs": fill.jobs, "at": crate::now().to_string(), "mib": mib,
        });
        std::fs::write(mark, filled.to_string()).expect("the folder can be written");
        bench
    }

    /// Starts the coordinator, and waits until it has loaded this many jobs.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time.
    pub async fn serve(&mut self, jobs: usize) {
        self.start_coordinators();
        self.ready().await;
        let what = format!("the overview counts {jobs} jobs");
        eventually(&what, PATIENCE, || async {
            let (_, view) = self.rest.get("/api/v1/overview").await.ok()?;
            (view["jobs"]["total"] == jobs).then_some(())
        })
        .await;
    }
}

/// Whether a store that was filled like this can be used.
fn fits(mark: &str, fill: Fill, now: jiff::Timestamp) -> Result<(), String> {
    let filled: Value = serde_json::from_str(mark).map_err(|err| format!("{MARK}: {err}"))?;
    let number = |key: &str| filled[key].as_u64().and_then(|it| usize::try_from(it).ok());
    let (tasks, jobs) = (number("tasks").unwrap_or(0), number("jobs").unwrap_or(0));
    if (tasks, jobs) != (fill.tasks, fill.jobs) {
        return Err(format!("it has {tasks} tasks of {jobs} jobs"));
    }
    let at = filled["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let at = at.ok_or_else(|| format!("{MARK} does not say when it was filled"))?;
    match now.duration_since(at) > OLDEST {
        true => Err(format!("it was filled at {at}, and has no recent tasks any more")),
        false => Ok(()),
    }
}

fn check_room(folder: &Path, fill: Fill) {
    let disk = rustix::fs::statvfs(folder).expect("the disk has a size");
    let (free, needed) = (disk.f_bavail * disk.f_frsize, needed(fill));
    if free < needed {
        let [free, needed] = [free, needed].map(|bytes| bytes >> 20);
        refuse(&format!("{}: {needed} MiB are needed, {free} are free", folder.display()));
    }
}

fn needed(fill: Fill) -> u64 {
    fill.tasks as u64 * BYTES_PER_TASK + fill.jobs as u64 * BYTES_PER_JOB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_used_again_if_it_has_the_same_content_and_recent_tasks() {
        let fill = Fill { tasks: 1_000, jobs: 10 };
        let mark = r#"{"tasks": 1000, "jobs": 10, "at": "2026-03-01T00:00:00Z"}"#;
        let at = |time: &str| time.parse().unwrap();
        assert_eq!(fits(mark, fill, at("2026-03-01T11:00:00Z")), Ok(()));
        let old = fits(mark, fill, at("2026-03-01T13:00:00Z")).unwrap_err();
        assert!(old.contains("no recent tasks"), "{old}");
        let other = fits(mark, Fill { tasks: 2_000, ..fill }, at("2026-03-01T01:00:00Z"));
        assert_eq!(other, Err("it has 1000 tasks of 10 jobs".to_owned()));
        assert!(fits("{}", fill, at("2026-03-01T01:00:00Z")).is_err());
        assert!(fits("not JSON", fill, at("2026-03-01T01:00:00Z")).is_err());
    }
}
