//! What the user selected, and what a key means. It does no I/O: a key may ask for an action.

use std::cmp::Reverse;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use fastjob_client::types::{AttemptView, ExecutorView, TaskView};
use jiff::Timestamp;

use super::{Shown, log::Tail, sample::Listed};

/// The lists, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Running,
    Queued,
    Failed,
    Executors,
}

impl Tab {
    pub(super) const ALL: [Self; 4] = [Self::Running, Self::Queued, Self::Failed, Self::Executors];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Failed => "failed lately",
            Self::Executors => "executors",
        }
    }
}

/// By what lists of tasks are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// The longest first.
    Elapsed,
    Job,
    Executor,
    /// The least first.
    Progress,
    Task,
}

impl Sort {
    const ALL: [Self; 5] = [Self::Elapsed, Self::Job, Self::Executor, Self::Progress, Self::Task];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Elapsed => "time",
            Self::Job => "job",
            Self::Executor => "executor",
            Self::Progress => "progress",
            Self::Task => "task",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// What has the keyboard.
#[derive(Debug)]
pub(super) enum Focus {
    List,
    /// The filter is being typed; the text before.
    Filter(String),
    Help,
    /// Whether to stop this task.
    Stop {
        task: i64,
        job: String,
    },
    /// A task and its log; how many lines it is scrolled up.
    Task {
        tail: Box<Tail>,
        up: usize,
    },
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// Read everything at once.
    Refresh,
    /// Read the task that is looked at.
    ReadTask,
    Stop(i64),
}

/// What is shown, and how.
#[derive(Debug)]
pub(super) struct State {
    pub(super) sample: Option<Shown>,
    pub(super) tab: Tab,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    pub(super) filter: String,
    pub(super) focus: Focus,
    pub(super) colours: bool,
    /// The result of the last action, or why nothing can be read.
    pub(super) message: Option<String>,
    /// Why the last reading failed.
    pub(super) trouble: Option<String>,
    /// The selected task, or the name of the selected executor.
    selected: Option<String>,
    /// Where the selection is, if what was selected is gone.
    position: usize,
}

impl State {
    pub(super) fn new(filter: String, colours: bool) -> Self {
        Self {
            sample: None,
            tab: Tab::Running,
            sort: Sort::Elapsed,
            reversed: false,
            filter,
            focus: Focus::List,
            colours,
            message: None,
            trouble: None,
            selected: None,
            position: 0,
        }
    }

    /// Shows a new reading.
    pub(super) fn show(&mut self, sample: Shown) {
        self.sample = Some(sample);
        self.trouble = None;
    }

    /// The tasks of a list, filtered and sorted.
    pub(super) fn tasks(&self, tab: Tab) -> Vec<&TaskView> {
        let Some(sample) = &self.sample else { return Vec::new() };
        let listed: &Listed<TaskView> = match tab {
            Tab::Running => &sample.running,
            Tab::Queued => &sample.queued,
            Tab::Failed => &sample.failed,
            Tab::Executors => return Vec::new(),
        };
        let mut tasks: Vec<_> =
            listed.items.iter().filter(|task| matches(&self.filter, &words(task))).collect();
        // Equal ones keep the order of their numbers.
        tasks.sort_by_key(|task| task.id);
        match self.sort {
            Sort::Elapsed => tasks.sort_by_key(|task| begins(task)),
            Sort::Job => tasks.sort_by_key(|task| (task.service.clone(), task.job.clone())),
            Sort::Executor => tasks.sort_by_key(|task| executor(task).map(str::to_owned)),
            Sort::Progress => tasks.sort_by_key(|task| progress(task).map_or(0, |(done, _)| done)),
            Sort::Task => tasks.sort_by_key(|task| Reverse(task.id)),
        }
        if self.reversed {
            tasks.reverse();
        }
        tasks
    }

    /// The executors, filtered, those with the most work first.
    pub(super) fn executors(&self) -> Vec<&ExecutorView> {
        let Some(sample) = &self.sample else { return Vec::new() };
        let is_shown = |executor: &&ExecutorView| {
            matches(&self.filter, &[&executor.name, &executor.service, executor.state.as_str()])
        };
        let mut all: Vec<_> = sample.executors.items.iter().filter(is_shown).collect();
        all.sort_by_key(|executor| Reverse((executor.connected, executor.attempts)));
        if self.reversed {
            all.reverse();
        }
        all
    }

    /// The names of the rows of the list that is shown.
    fn rows(&self) -> Vec<String> {
        match self.tab {
            Tab::Executors => self.executors().into_iter().map(executor_key).collect(),
            tab @ (Tab::Running | Tab::Queued | Tab::Failed) => {
                self.tasks(tab).into_iter().map(|task| task.id.to_string()).collect()
            }
        }
    }

    /// The position of the selection: it stays with its row when the list changes.
    pub(super) fn position(&self) -> Option<usize> {
        let rows = self.rows();
        let selected = self.selected.as_ref();
        let at = selected.and_then(|selected| rows.iter().position(|row| row == selected));
        let last = rows.len().checked_sub(1)?;
        Some(at.unwrap_or(self.position).min(last))
    }

    fn select(&mut self, at: usize) {
        let rows = self.rows();
        self.position = at.min(rows.len().saturating_sub(1));
        self.selected = rows.get(self.position).cloned();
    }

    /// The selected task.
    fn selected_task(&self) -> Option<&TaskView> {
        self.tasks(self.tab).get(self.position()?).copied()
    }

    /// Handles a key.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys mean nothing")]
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Action> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'd') => Some(Action::Quit),
                KeyCode::Char('l') => Some(Action::Refresh),
                _ => None,
            };
        }
        match &mut self.focus {
            Focus::List => self.key_of_list(key.code),
            Focus::Filter(before) => {
                match key.code {
                    KeyCode::Esc => {
                        self.filter = std::mem::take(before);
                        self.focus = Focus::List;
                    }
                    KeyCode::Enter => self.focus = Focus::List,
                    KeyCode::Backspace => _ = self.filter.pop(),
                    KeyCode::Char(c) if self.filter.len() < 200 => self.filter.push(c),
                    _ => {}
                }
                None
            }
            Focus::Help => {
                self.focus = Focus::List;
                None
            }
            Focus::Stop { task, .. } => {
                let task = *task;
                self.focus = Focus::List;
                // Only a clear yes stops something.
                matches!(key.code, KeyCode::Char('y' | 'Y')).then_some(Action::Stop(task))
            }
            Focus::Task { tail, up } => {
                let most = tail.lines.len();
                match key.code {
                    KeyCode::Esc | KeyCode::Char('q') | KeyCode::Left => self.focus = Focus::List,
                    KeyCode::Up => *up = (*up + 1).min(most),
                    KeyCode::PageUp => *up = (*up + 20).min(most),
                    KeyCode::Home => *up = most,
                    KeyCode::Down => *up = up.saturating_sub(1),
                    KeyCode::PageDown => *up = up.saturating_sub(20),
                    KeyCode::End => *up = 0,
                    KeyCode::Char('r') => return Some(Action::ReadTask),
                    _ => {}
                }
                None
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys mean nothing")]
    fn key_of_list(&mut self, code: KeyCode) -> Option<Action> {
        self.message = None;
        let at = self.position().unwrap_or_default();
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Action::Quit),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.focus = Focus::Help,
            KeyCode::Char('/') => self.focus = Focus::Filter(self.filter.clone()),
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('S') => self.reversed = !self.reversed,
            KeyCode::Char('r') => return Some(Action::Refresh),
            KeyCode::Char(digit @ '1'..='4') => {
                let at = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
                self.turn_to(Tab::ALL[at]);
            }
            KeyCode::Tab | KeyCode::Right => self.turn_by(1),
            KeyCode::BackTab | KeyCode::Left => self.turn_by(Tab::ALL.len() - 1),
            KeyCode::Up => self.select(at.saturating_sub(1)),
            KeyCode::Down => self.select(at + 1),
            KeyCode::PageUp => self.select(at.saturating_sub(20)),
            KeyCode::PageDown => self.select(at + 20),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(usize::MAX),
            KeyCode::Enter => {
                let task = self.selected_task()?.id;
                self.focus = Focus::Task { tail: Box::new(Tail::new(task)), up: 0 };
                return Some(Action::ReadTask);
            }
            KeyCode::Char('k') | KeyCode::F(9) => {
                let task = self.selected_task()?;
                if task.has_ended() {
                    self.message = Some(format!("task {} has already ended", task.id));
                    return None;
                }
                let (task, job) = (task.id, format!("{}.{}", task.service, task.job));
                self.focus = Focus::Stop { task, job };
            }
            _ => {}
        }
        None
    }

    fn turn_by(&mut self, by: usize) {
        let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or_default();
        self.turn_to(Tab::ALL[(at + by) % Tab::ALL.len()]);
    }

    fn turn_to(&mut self, tab: Tab) {
        (self.tab, self.selected, self.position) = (tab, None, 0);
    }
}

fn executor_key(executor: &ExecutorView) -> String {
    format!("{}/{}", executor.service, executor.name)
}

/// From when the time of a task counts: since its start, or since it was due.
pub(super) fn begins(task: &TaskView) -> Timestamp {
    let due = task.attempts.iter().map(|attempt| attempt.due_at).min();
    task.started_at.or(due).unwrap_or(task.created_at)
}

/// The newest attempt, of the shard that is the furthest behind.
fn current(task: &TaskView) -> Option<&AttemptView> {
    let is_open = |attempt: &&AttemptView| attempt.ended_at.is_none();
    task.attempts.iter().rfind(is_open).or(task.attempts.last())
}

pub(super) fn executor(task: &TaskView) -> Option<&str> {
    current(task)?.executor.as_deref()
}

/// The progress of all shards together in thousandths, and the note of the newest.
pub(super) fn progress(task: &TaskView) -> Option<(u64, Option<&str>)> {
    let reported = task.attempts.iter().filter_map(|attempt| attempt.progress.as_ref());
    let (mut done, mut total, mut note) = (0_u128, 0_u128, None);
    for progress in reported {
        done += u128::from(progress.done.min(progress.total.max(progress.done)));
        total += u128::from(progress.total);
        note = Some(progress.note.as_str()).filter(|note| !note.is_empty()).or(note);
    }
    if total == 0 {
        return note.map(|note| (0, Some(note)));
    }
    let share = (done.min(total) * 1_000 / total).try_into().unwrap_or(1_000);
    Some((share, note))
}

fn words(task: &TaskView) -> [&str; 5] {
    let current = executor(task).unwrap_or_default();
    let message = task.attempts.last().and_then(|attempt| attempt.message.as_deref());
    [&task.service, &task.job, task.state.as_str(), current, message.unwrap_or_default()]
}

/// Whether one of the words contains the filter, or the first two as `service.job` do.
fn matches(filter: &str, words: &[&str]) -> bool {
    let filter = filter.trim().to_lowercase();
    let is_full = || match words {
        [service, job, ..] => format!("{service}.{job}").to_lowercase().contains(&filter),
        [] | [_] => false,
    };
    filter.is_empty() || words.iter().any(|word| word.to_lowercase().contains(&filter)) || is_full()
}
