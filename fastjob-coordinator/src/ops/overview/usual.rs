//! How long tasks of a job usually run, to find those that run much longer.

use std::{collections::HashMap, time::Duration};

use fastjob_core::JobId;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Mutex, time::Instant};

use super::survey::Long;
use crate::{
    ops::{Error, Ops},
    store::{StatFilter, Stats, Subject},
};

/// How long the run time of a job is remembered.
const FRESH: Duration = Duration::from_secs(600);
/// Most jobs that are remembered.
const KNOWN: usize = 1_000;
/// Most jobs whose statistics are read for one overview. Those of others follow with the next one.
const READ: usize = 20;
/// Minutes of a day.
const DAY: i64 = 24 * 60;
/// A task that runs so many times as long as usual is listed.
const FACTOR: u64 = 3;
/// So many tasks have to have run on the day.
const RUNS: u64 = 5;

/// The 95th percentile of the run time of jobs; `None` for those that have run too rarely.
#[derive(Default)]
pub(super) struct Usual(Mutex<HashMap<JobId, (Instant, Option<u64>)>>);

impl Ops {
    /// Those of the tasks that run much longer than usual, and the usual time in milliseconds.
    pub(super) async fn unusual<'a>(
        &self,
        now: Timestamp,
        long: &'a [Long],
    ) -> Result<Vec<(&'a Long, u64)>, Error> {
        let mut known = self.overviews.usual.0.lock().await;
        known.retain(|_, (at, _)| at.elapsed() < FRESH);
        let (mut unusual, mut read) = (Vec::new(), 0);
        for run in long {
            let usual = match known.get(&run.id) {
                Some((_, usual)) => *usual,
                None if read < READ && known.len() < KNOWN => {
                    read += 1;
                    let usual = self.usual(run.id, now).await?;
                    known.insert(run.id, (Instant::now(), usual));
                    usual
                }
                None => None,
            };
            if let Some(usual) =
                usual.filter(|usual| is_long(now.duration_since(run.since), *usual))
            {
                unusual.push((run, usual));
            }
        }
        Ok(unusual)
    }

    async fn usual(&self, job: JobId, now: Timestamp) -> Result<Option<u64>, Error> {
        let hour = now.as_second().div_euclid(3_600) * 60;
        let (from, until) = ((hour - DAY).div_euclid(DAY) * DAY, hour.div_euclid(DAY) * DAY + DAY);
        let filter = StatFilter { subject: Subject::Job(job), from, until, bucket: DAY };
        let mut stats = Stats::default();
        for bucket in self.store.stats(&filter).await? {
            stats.merge(&bucket.stats);
        }
        let is_enough = stats.run_time.count >= RUNS;
        Ok(stats.run_time.percentile(95).filter(|_| is_enough))
    }
}

fn is_long(ran: SignedDuration, usual: u64) -> bool {
    let ran = u64::try_from(ran.as_millis()).unwrap_or_default();
    ran > usual.saturating_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_runs_long_if_it_runs_more_than_three_times_as_long_as_usual() {
        let ran = SignedDuration::from_secs(90);
        assert!(is_long(ran, 29_999) && !is_long(ran, 30_000) && !is_long(ran, u64::MAX));
        assert!(!is_long(SignedDuration::from_secs(-1), 0));
    }
}
