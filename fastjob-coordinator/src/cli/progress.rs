//! The progress of long work on the standard error: a bar on a terminal, a few lines elsewhere.
//!
//! There is at most one bar. Whatever else is written is written apart from it, and it is cleared when
//! the work ends, or is interrupted.

use std::{
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::AbortHandle;

use super::{out::remark, text::one_line};

/// After how long work is worth a line where there is no bar.
const LONG: Duration = Duration::from_secs(2);
/// The shortest time between two lines that differ in details only.
const OFTEN: Duration = Duration::from_secs(10);
/// The time between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(120);
/// How long clearing the bar of an interrupted process may take.
const CLEARED: Duration = Duration::from_millis(200);
/// The exit status of an interrupted process.
const INTERRUPTED: i32 = 130;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Not at all.
    Nowhere,
    /// As lines.
    Lines,
    /// As a bar on a terminal.
    Bar,
}

/// The bar that is on the terminal.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// Whether nothing but the end of the process follows, so that no bar is drawn again.
static IS_OVER: AtomicBool = AtomicBool::new(false);

fn current() -> Option<ProgressBar> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Writes something apart from the bar, if there is one.
pub(super) fn apart<R>(write: impl FnOnce() -> R) -> R {
    match current() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Work in progress. Its bar is cleared when it is dropped.
pub(super) struct Progress {
    shown: Shown,
    bar: Option<ProgressBar>,
    /// The line that is written if the work takes long.
    late: Option<AbortHandle>,
    said: Option<Said>,
}

/// The last line.
struct Said {
    head: String,
    detail: String,
    at: Instant,
}

impl Progress {
    /// Begins work that is named only if it takes long, such as `saving 300 jobs`.
    pub(super) fn begin(shown: Shown, what: impl Into<String>) -> Self {
        let what = what.into();
        let mut progress = Self::new(shown);
        match (shown, &progress.bar) {
            (_, Some(bar)) => bar.set_message(one_line(&what)),
            (Shown::Lines, None) => {
                let late = async move {
                    tokio::time::sleep(LONG).await;
                    remark(format_args!("{what} …"));
                };
                progress.late = Some(tokio::spawn(late).abort_handle());
            }
            (Shown::Nowhere | Shown::Bar, None) => {}
        }
        progress
    }

    /// Begins work whose states are said one by one.
    pub(super) fn new(shown: Shown) -> Self {
        let bar = (shown == Shown::Bar && !IS_OVER.load(Ordering::Relaxed)).then(begin_bar);
        Self { shown, bar, late: None, said: None }
    }

    /// Says where the work is. Where there is no bar, a line is written for each `head`, and for a
    /// new `detail` now and then.
    pub(super) fn say(&mut self, head: &str, detail: &str) {
        let colon = if detail.is_empty() { "" } else { ": " };
        let text = one_line(&format!("{head}{colon}{detail}"));
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            return;
        }
        if self.shown != Shown::Lines {
            return;
        }
        let is_due = self.said.as_ref().is_none_or(|said| {
            said.head != head || (said.detail != detail && said.at.elapsed() >= OFTEN)
        });
        if is_due {
            remark(text);
            let (head, detail) = (head.to_owned(), detail.to_owned());
            self.said = Some(Said { head, detail, at: Instant::now() });
        }
    }

    /// Whether a bar shows the amount.
    pub(super) fn has_bar(&self) -> bool {
        self.bar.is_some()
    }

    /// Shows how much is done; without a total, only that work goes on.
    pub(super) fn amount(&self, done: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        let is_known = bar.length().is_some();
        if total == 0 {
            if is_known {
                bar.unset_length();
                bar.set_style(style(SPINNER));
            }
            return;
        }
        if !is_known {
            bar.set_style(style(AMOUNT));
        }
        bar.set_length(total);
        bar.set_position(done.min(total));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(late) = self.late.take() {
            late.abort();
        }
        if self.bar.take().is_some() {
            clear();
        }
    }
}

const SPINNER: &str = "{spinner} {wide_msg}";
const AMOUNT: &str = "{spinner} [{bar:20}] {pos}/{len} {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    // The templates are valid; a wrong one would only look different.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn begin_bar() -> ProgressBar {
    clear_when_interrupted();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style(SPINNER));
    let before = BAR.lock().unwrap_or_else(PoisonError::into_inner).replace(bar.clone());
    if let Some(before) = before {
        before.finish_and_clear();
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// Takes the bar off the terminal.
fn clear() {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Ends the process at Ctrl-C as without a bar, and clears the bar first.
fn clear_when_interrupted() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        tokio::spawn(async {
            // If the signal cannot be watched, the process ends without the bar being cleared.
            if tokio::signal::ctrl_c().await.is_ok() {
                IS_OVER.store(true, Ordering::Relaxed);
                // If the reader of the output does not read, a write holds the bar.
                let cleared = tokio::task::spawn_blocking(clear);
                tokio::time::timeout(CLEARED, cleared).await.ok();
                std::process::exit(INTERRUPTED);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bar_is_taken_off_the_terminal_when_the_work_ends() {
        let mut progress = Progress::new(Shown::Bar);
        progress.say("task 7 running", "half\n\x1b[2J");
        progress.amount(5, 10);
        progress.amount(0, 0);
        let bar = current().unwrap();
        assert_eq!(bar.message(), "task 7 running: half \\u{1b}[2J");
        // What is written meanwhile is written once.
        let mut written = 0;
        apart(|| written += 1);
        drop(progress);
        assert!(current().is_none() && bar.is_finished());
        assert_eq!(written, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_is_written_for_each_state_and_rarely_for_details() {
        let mut progress = Progress::new(Shown::Lines);
        progress.say("task 7 running", "1");
        progress.say("task 7 running", "2");
        assert_eq!(progress.said.as_ref().unwrap().detail, "1");
        progress.say("task 7 stopping", "2");
        assert_eq!(progress.said.as_ref().unwrap().head, "task 7 stopping");
        let mut nothing = Progress::begin(Shown::Nowhere, "saving");
        nothing.say("a", "b");
        assert!(nothing.said.is_none() && nothing.late.is_none());
    }
}
