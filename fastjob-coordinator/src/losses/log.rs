//! The log lines about executors that are gone.

use std::collections::BTreeMap;

use fastjob_core::{JobPath, TaskId};
use fastjob_engine::GoneWhy;

use super::{Gathered, Key};

/// Maximum number of executors that are logged one by one, of those that are gone at the same time.
const EACH_MOST: usize = 20;

/// Logs everything that was gathered: a few lines an executor, and a sum of the rest if there are
/// many.
pub(super) fn all(gathered: BTreeMap<Key, Gathered>) {
    let (mut others, mut held, mut failed, mut retried) = (0_u32, 0_u32, 0_u32, 0_u32);
    // Those that held the most come first.
    let mut gathered: Vec<_> = gathered.into_iter().collect();
    gathered.sort_by_key(|(_, all)| std::cmp::Reverse(all.held.max(all.failed)));
    for (n, ((service, executor, _), all)) in gathered.iter().enumerate() {
        if n < EACH_MOST {
            one(&format!("{service}/{executor}"), all);
            continue;
        }
        if all.is_gone {
            others += 1;
        }
        held = held.saturating_add(all.held);
        failed = failed.saturating_add(all.failed);
        retried = retried.saturating_add(all.retried);
    }
    if others > 0 || failed + retried > 0 {
        tracing::warn!(
            executors = others,
            held,
            failed,
            retried,
            "further executors are gone, or attempts ended because of that; `fastjob executor list` \
             shows those that are lost"
        );
    }
}

fn one(executor: &str, all: &Gathered) {
    let tasks = named(&all.first, all.held);
    match (all.is_gone, all.held, all.why) {
        (false, _, _) => {}
        (true, 0, GoneWhy::Stopped) => tracing::info!(executor, "executor left: it held nothing"),
        (true, 0, GoneWhy::Restarted) => {
            tracing::info!(executor, "executor was restarted: it held nothing");
        }
        (true, 0, GoneWhy::Disconnected) => tracing::warn!(
            executor,
            "executor lost: it disconnected and did not reconnect in time; it held nothing"
        ),
        (true, held, GoneWhy::Disconnected) => tracing::warn!(
            executor,
            held,
            tasks,
            "executor lost: it disconnected and did not reconnect in time, its attempts are abandoned"
        ),
        (true, held, GoneWhy::Stopped) => tracing::warn!(
            executor,
            held,
            tasks,
            "executor lost: it stopped before its attempts ended, they are abandoned"
        ),
        (true, held, GoneWhy::Restarted) => tracing::warn!(
            executor,
            held,
            tasks,
            "executor was restarted without notice: the attempts of its earlier process are abandoned"
        ),
    }
    if all.failed > 0 {
        tracing::warn!(
            executor,
            failed = all.failed,
            retried = all.retried,
            tasks = named(&all.first_failed, all.failed),
            "attempts failed because their executor is gone, and are not retried"
        );
    } else if all.retried > 0 {
        tracing::info!(
            executor,
            retried = all.retried,
            "attempts of an executor that is gone are retried"
        );
    }
}

/// The first tasks, and how many attempts there are besides: `7 (billing.mail), 8 (billing.mail)`.
fn named(first: &[(TaskId, JobPath)], all: u32) -> String {
    let mut names: Vec<_> =
        first.iter().map(|(task, job)| format!("{task} ({})", job.as_str())).collect();
    let rest = u64::from(all).saturating_sub(names.len() as u64);
    if rest > 0 {
        names.push(format!("and {rest} more"));
    }
    names.join(", ")
}
