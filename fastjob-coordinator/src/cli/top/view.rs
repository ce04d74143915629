//! Draws what is read. All of it is external text, which is escaped before it is drawn.

use std::fmt::Write as _;

use fastjob_client::types::{TaskStats, TaskView};
use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState, Wrap},
};

use super::{
    Shown,
    log::Tail,
    rows::{self, columns, executor_row, meter},
    state::{Focus, State, Tab},
};
use crate::cli::{
    table::{self, lasted},
    text::one_line,
    times::Times,
};

/// Columns of a meter of an executor with its name.
const METER: u16 = 40;
/// Most lines of meters.
const METER_LINES: u16 = 3;
/// Rows of each list in the frame of `--once`.
const ROWS: usize = 20;

const KEYS: &str = "q quit  ↑↓ select  ⇥ list  / filter  s sort  S reverse  ⏎ log  k stop  ? help";

const HELP: &[(&str, &str)] = &[
    ("1 2 3 4, Tab", "running, queued, failed in the last hour, executors"),
    ("↑ ↓ PgUp PgDn Home End", "select a row"),
    ("/", "filter by job, executor, state or message; Esc restores, Enter keeps"),
    ("s, S", "sort by time, job, executor, progress or task; reverse the order"),
    ("Enter", "the details and the log of the selected task"),
    ("k", "stop the selected task, after a question"),
    ("r, Ctrl-L", "read again at once"),
    ("q, Esc, Ctrl-C", "quit; in a view: back to the list"),
];

/// Draws one frame.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, times: &Times) {
    let meters = meters(state, frame.area().width);
    let heights = [
        Constraint::Length(2),
        Constraint::Length(u16::try_from(meters.len()).unwrap_or(METER_LINES)),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ];
    let [head, executors, tabs, list, foot] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(Paragraph::new(header(state, times)), head);
    frame.render_widget(Paragraph::new(meters), executors);
    if let Focus::Task { tail, up } = &state.focus {
        let whole = Rect { height: tabs.height + list.height, ..tabs };
        draw_task(frame, whole, tail, *up, times);
    } else {
        frame.render_widget(Paragraph::new(tab_line(state)), tabs);
        draw_list(frame, list, state, times);
    }
    frame.render_widget(Paragraph::new(footer(state)), foot);
    match &state.focus {
        Focus::Help => draw_help(frame),
        Focus::Stop { task, job } => {
            let question = format!("Stop task {task} of {}? (y/N)", one_line(job));
            draw_box(frame, "stop", &[Line::from(question)]);
        }
        Focus::List | Focus::Filter(_) | Focus::Task { .. } => {}
    }
}

fn header(state: &State, times: &Times) -> Vec<Line<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let Some(sample) = &state.sample else {
        let why = state.trouble.as_deref().map_or("reading…", |trouble| trouble);
        return vec![Line::from(Span::styled("fastjob top", bold)), Line::from(one_line(why))];
    };
    let mut first = vec![
        Span::styled("fastjob top", bold),
        Span::raw(format!("  {}  {}", one_line(&sample.server), times.seconds(Some(sample.at)))),
    ];
    if let Some(trouble) = &state.trouble {
        let text = format!("  no answer: {}, retrying", one_line(trouble));
        first.push(Span::styled(text, colour(state, Color::Red).add_modifier(Modifier::BOLD)));
    } else if !sample.unanswered.is_empty() {
        let text = format!("  no answer from {}", one_line(&sample.unanswered.join(", ")));
        first.push(Span::styled(text, colour(state, Color::Yellow)));
    }
    vec![Line::from(first), Line::from(summary(sample))]
}

/// The counts, and what ended in the last whole minute.
fn summary(sample: &Shown) -> String {
    let executors = &sample.executors.items;
    let connected = executors.iter().filter(|executor| executor.connected).count();
    let mut text = format!(
        "{} running, {} queued, {} failed lately, {connected} of {} executors connected",
        sample.running.count(),
        sample.queued.count(),
        sample.failed.count(),
        sample.executors.count(),
    );
    let minutes = &sample.stats.items;
    // The last bucket is the minute that has just begun.
    if let Some(last) = minutes.len().checked_sub(2).and_then(|at| minutes.get(at)) {
        let TaskStats { succeeded, failed, .. } = &last.tasks;
        // Writing to a String cannot fail.
        write!(text, "; in the last minute {succeeded} succeeded, {failed} failed").ok();
    }
    if let Some(run_time) = &sample.stats.total.run_time {
        write!(text, ", p95 of 15 minutes {}", lasted(run_time.p95_ms)).ok();
    }
    text
}

/// The executors with the most work, as many as there is room for.
fn meters(state: &State, width: u16) -> Vec<Line<'static>> {
    let in_line = usize::from((width / METER).max(1));
    let executors = state.executors();
    let connected: Vec<_> = executors.into_iter().filter(|executor| executor.connected).collect();
    let lines = connected.chunks(in_line).take(METER_LINES.into());
    lines
        .map(|line| {
            let spans = line.iter().flat_map(|executor| {
                let name = table::shortened(&one_line(&executor.name), 16);
                let held = executor.attempts;
                let bar = meter(held, executor.capacity, usize::from(METER) - 19);
                let is_full = held >= executor.capacity && executor.capacity > 0;
                let style = colour(state, if is_full { Color::Red } else { Color::Green });
                [Span::raw(format!("{name:<16} ")), Span::styled(bar, style), Span::raw("  ")]
            });
            Line::from(spans.collect::<Vec<_>>())
        })
        .collect()
}

fn tab_line(state: &State) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, tab) in Tab::ALL.into_iter().enumerate() {
        let text = format!(" {} {} ", at + 1, tab.title());
        let style = if tab == state.tab {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(text, style));
    }
    if state.tab != Tab::Executors {
        let order = if state.reversed { ", reversed" } else { "" };
        spans.push(Span::raw(format!("  by {}{order}", state.sort.title())));
    }
    if !state.filter.is_empty() {
        spans.push(Span::raw(format!("  filter: {}", one_line(&state.filter))));
    }
    Line::from(spans)
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, state: &State, times: &Times) {
    let columns = columns(state.tab);
    let cells = match state.tab {
        Tab::Executors => state.executors().into_iter().map(executor_row).collect(),
        tab @ (Tab::Running | Tab::Queued | Tab::Failed) => {
            task_rows(&state.tasks(tab), tab, times)
        }
    };
    if cells.is_empty() && state.sample.is_some() {
        let what = if state.filter.is_empty() { "none" } else { "none that match the filter" };
        return frame.render_widget(Paragraph::new(what), area);
    }
    let aligned = |text: String, heading: &str| {
        let right = heading.starts_with('>');
        let line = Line::from(text);
        if right { line.alignment(Alignment::Right) } else { line }
    };
    let cells: Vec<Vec<String>> =
        cells.into_iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    // No wider than the cells need, so that the last column has the rest.
    let widths: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, (heading, most))| {
            let of_cells = cells.iter().filter_map(|row| row.get(at));
            let widest = of_cells.map(|cell| Line::from(cell.as_str()).width()).max().unwrap_or(0);
            let widest = widest.max(heading.trim_start_matches('>').len());
            match most {
                0 => Constraint::Fill(1),
                most => Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX).min(*most)),
            }
        })
        .collect();
    let rows = cells.into_iter().map(|cells| {
        let styled = cells.into_iter().zip(columns).map(|(cell, (heading, _))| {
            let style = if *heading == "STATE" { of_state(state, &cell) } else { Style::new() };
            Cell::from(aligned(cell, heading)).style(style)
        });
        Row::new(styled.collect::<Vec<_>>())
    });
    let headings = columns.iter().map(|(heading, _)| {
        Cell::from(aligned(heading.trim_start_matches('>').to_owned(), heading))
    });
    let table = Table::new(rows, widths)
        .header(Row::new(headings).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selected = TableState::default().with_selected(state.position());
    frame.render_stateful_widget(table, area, &mut selected);
}

fn task_rows(tasks: &[&TaskView], tab: Tab, times: &Times) -> Vec<Vec<String>> {
    tasks.iter().map(|task| rows::task(tab, task, times.now())).collect()
}

fn draw_task(frame: &mut Frame<'_>, area: Rect, tail: &Tail, up: usize, times: &Times) {
    let title = match &tail.view {
        None => format!(" task {} ", tail.task),
        Some(task) => {
            let cells = rows::task(Tab::Running, task, task.ended_at.unwrap_or(times.now()));
            let [_, job, state, executor, time, bar, note] = cells.as_slice() else { return };
            let parts = [job, state, executor, time, bar, note];
            let parts: Vec<_> =
                parts.into_iter().filter(|part| !part.is_empty()).cloned().collect();
            format!(" task {}: {} ", tail.task, one_line(&parts.join("  ")))
        }
    };
    let block = Block::bordered().title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let height = usize::from(inner.height);
    let end = tail.lines.len().saturating_sub(up).max(height.min(tail.lines.len()));
    let from = end.saturating_sub(height);
    let mut lines: Vec<_> =
        tail.lines.range(from..end).map(|line| Line::from(one_line(line))).collect();
    if let Some(note) = &tail.note
        && lines.len() < height
    {
        lines.push(Line::from(format!("-- {}", one_line(note))));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

fn footer(state: &State) -> Line<'static> {
    match (&state.focus, &state.message) {
        (Focus::Filter(_), _) => Line::from(format!("/{}▏", one_line(&state.filter))),
        (Focus::Task { up, .. }, _) => {
            let place = if *up > 0 { format!("  {up} lines up") } else { String::new() };
            Line::from(format!("q back  ↑↓ scroll  End follow  r read{place}"))
        }
        (_, Some(message)) => Line::from(one_line(message)),
        (Focus::List | Focus::Help | Focus::Stop { .. }, None) => Line::from(KEYS),
    }
}

fn draw_help(frame: &mut Frame<'_>) {
    let lines: Vec<_> =
        HELP.iter().map(|(keys, what)| Line::from(format!("{keys:<24} {what}"))).collect();
    draw_box(frame, "keys", &lines);
}

/// A box in the middle of the screen.
fn draw_box(frame: &mut Frame<'_>, title: &str, lines: &[Line<'_>]) {
    let area = frame.area();
    let wide = lines.iter().map(Line::width).max().unwrap_or_default() + 4;
    let width = u16::try_from(wide).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    let place = Rect { x: area.x + x, y: area.y + y, width, height };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(format!(" {title} "));
    let text = Paragraph::new(lines.to_vec()).block(block).wrap(Wrap { trim: false });
    frame.render_widget(text, place);
}

fn colour(state: &State, colour: Color) -> Style {
    if state.colours { Style::new().fg(colour) } else { Style::new() }
}

fn of_state(state: &State, value: &str) -> Style {
    match value {
        "running" => colour(state, Color::Blue),
        "stopping" | "draining" | "drained" => colour(state, Color::Yellow),
        "lost" | "disconnected" => colour(state, Color::Red),
        _ => Style::new(),
    }
}

/// One frame as plain text, with the beginning of each list.
pub(super) fn text(state: &State, times: &Times) -> String {
    let mut text = String::new();
    for line in header(state, times) {
        text.push_str(line.to_string().trim_end());
        text.push('\n');
    }
    for tab in Tab::ALL {
        let all = match tab {
            Tab::Executors => state.executors().into_iter().map(executor_row).collect(),
            tab @ (Tab::Running | Tab::Queued | Tab::Failed) => {
                task_rows(&state.tasks(tab), tab, times)
            }
        };
        let headings: Vec<_> = columns(tab).iter().map(|(heading, _)| *heading).collect();
        let mut table = table::Table::new(&headings);
        let count = all.len();
        all.into_iter().take(ROWS).for_each(|cells| table.row(cells));
        // Writing to a String cannot fail.
        match count {
            0 => writeln!(text, "\n{}: none", tab.title()).ok(),
            count if count > ROWS => {
                let shown = table.shown(false);
                writeln!(text, "\n{}, the first {ROWS} of {count}:\n{shown}", tab.title()).ok()
            }
            _ => writeln!(text, "\n{}:\n{}", tab.title(), table.shown(false)).ok(),
        };
    }
    text
}
