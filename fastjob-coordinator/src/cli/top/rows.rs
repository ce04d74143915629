//! The rows of the lists, as texts: the same on the terminal and in the frame of `--once`.

use fastjob_client::types::{ExecutorView, TaskView};
use jiff::Timestamp;

use super::state::{Tab, begins, executor, progress};
use crate::cli::table::{lasted, shortened};

/// Cells of a progress bar.
const BAR: usize = 10;
/// The longest text of a cell, in characters: a terminal cuts it, and a message may be long.
const TEXT: usize = 120;

/// The columns of a list: the heading, and the most that it is wide; 0 takes what is left. `>` aligns
/// to the right.
pub(super) fn columns(tab: Tab) -> &'static [(&'static str, u16)] {
    match tab {
        Tab::Running => &[
            (">TASK", 16),
            ("JOB", 32),
            ("STATE", 8),
            ("EXECUTOR", 20),
            (">TIME", 9),
            ("PROGRESS", 17),
            ("NOTE", 0),
        ],
        Tab::Queued => &[(">TASK", 16), ("JOB", 32), (">DUE SINCE", 10), ("WAITS FOR", 0)],
        Tab::Failed => &[
            (">TASK", 16),
            ("JOB", 32),
            ("EXECUTOR", 20),
            (">ENDED AGO", 10),
            ("REASON", 13),
            ("MESSAGE", 0),
        ],
        Tab::Executors => &[
            ("EXECUTOR", 24),
            ("SERVICE", 20),
            ("STATE", 12),
            (">HELD", 6),
            (">RUNNING", 8),
            (">WAITING", 8),
            (">CAPACITY", 8),
            (">CPU", 5),
            (">MEMORY FREE", 12),
        ],
    }
}

/// The cells of a task.
pub(super) fn task(tab: Tab, task: &TaskView, now: Timestamp) -> Vec<String> {
    let id = task.id.to_string();
    let job = format!("{}.{}", task.service, task.job);
    let executor = executor(task).unwrap_or_default().to_owned();
    match tab {
        Tab::Running | Tab::Executors => {
            let (bar, note) = match progress(task) {
                Some((share, note)) => (bar(share), note.unwrap_or_default()),
                None => (String::new(), ""),
            };
            let time = elapsed(begins(task), now);
            vec![id, job, task.state.to_string(), executor, time, bar, shortened(note, TEXT)]
        }
        Tab::Queued => {
            let waits = task.attempts.iter().find_map(|attempt| attempt.waits_for.as_deref());
            let due = begins(task);
            let since = if due > now { String::new() } else { elapsed(due, now) };
            vec![id, job, since, shortened(waits.unwrap_or_default(), TEXT)]
        }
        Tab::Failed => {
            let failed = task.attempts.iter().rev().find(|attempt| attempt.reason.is_some());
            let reason = failed.and_then(|attempt| attempt.reason.as_ref());
            let message = failed.and_then(|attempt| attempt.message.as_deref());
            let ago = task.ended_at.map(|at| elapsed(at, now)).unwrap_or_default();
            let reason = reason.map(ToString::to_string).unwrap_or_default();
            vec![id, job, executor, ago, reason, shortened(message.unwrap_or_default(), TEXT)]
        }
    }
}

/// The cells of an executor.
pub(super) fn executor_row(executor: &ExecutorView) -> Vec<String> {
    // Figures of an executor that is gone are outdated.
    let figure = |text: String| if executor.connected { text } else { "-".to_owned() };
    vec![
        executor.name.clone(),
        executor.service.clone(),
        executor.state.to_string(),
        executor.attempts.to_string(),
        figure(executor.running.to_string()),
        figure(executor.waiting.to_string()),
        figure(executor.capacity.to_string()),
        figure(format!("{:.0}%", executor.cpu * 100.0)),
        figure(format!("{} MiB", executor.memory_free / (1024 * 1024))),
    ]
}

/// The time since an instant, by whole seconds.
fn elapsed(from: Timestamp, now: Timestamp) -> String {
    let millis = now.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
    match millis / 1_000 {
        seconds @ 0..60 => format!("{seconds}s"),
        _ => lasted(millis.unsigned_abs()),
    }
}

/// A bar of a share in thousandths, with the percentage.
fn bar(share: u64) -> String {
    let filled = usize::try_from(share).unwrap_or_default() * BAR / 1_000;
    let filled = filled.min(BAR);
    format!("[{}{}] {:>3}%", "#".repeat(filled), "-".repeat(BAR - filled), share / 10)
}

/// A meter as in `htop`: how many of so many, in so many columns.
pub(super) fn meter(used: u32, of: u32, columns: usize) -> String {
    let label = format!("{used}/{of}");
    let inside = columns.saturating_sub(2);
    let share = if of == 0 { 0 } else { inside * used.min(of) as usize / of as usize };
    // A little is not nothing.
    let share = if used > 0 { share.max(1).min(inside) } else { share };
    let mut cells: Vec<char> = (0..inside).map(|at| if at < share { '|' } else { ' ' }).collect();
    let from = inside.saturating_sub(label.len());
    for (cell, letter) in cells.iter_mut().skip(from).zip(label.chars()) {
        *cell = letter;
    }
    format!("[{}]", cells.into_iter().collect::<String>())
}
