//! What `fastjob top` shows, and what its keys do, on a terminal in memory.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use fastjob_client::types::Page;
use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::TestBackend};
use serde_json::{Value, json};

use super::{
    sample::Listed,
    state::{Action, Focus, Sort, State, Tab},
    *,
};
use crate::cli::times::Times;

fn task(id: i64, job: &str, state: &str, executor: &str, started: &str) -> Value {
    let ended = (state == "failed").then_some("2026-11-23T00:00:50Z");
    json!({
        "id": id, "job": job, "service": "billing", "state": state, "cause": "manual",
        "fire_at": null, "created_at": "2026-11-23T00:00:00Z",
        "started_at": (state != "queued").then_some(started), "ended_at": ended,
        "param": null, "result": null, "note": null,
        "attempts": [{
            "id": id, "number": 1, "state": state, "executor": executor,
            "reason": (state == "failed").then_some("error"),
            "message": (state == "failed").then_some("no \u{1b}[31mpaper"),
            "progress": (id == 11).then(|| json!({ "done": 1, "total": 4, "note": "page 1" })),
            "waits_for": (state == "queued").then_some("an executor with this handler"),
            "due_at": "2026-11-23T00:00:00Z", "started_at": null, "ended_at": ended,
        }],
    })
}

fn executor(name: &str, attempts: u32, connected: bool) -> Value {
    json!({
        "name": name, "service": "billing",
        "state": if connected { "connected" } else { "lost" }, "connected": connected,
        "leaving": false, "drained": false, "last_seen": null, "incarnation": "i", "address": "",
        "version": "0.1.0", "since": "2026-11-23T00:00:00Z", "capacity": 16, "attempts": attempts,
        "running": attempts, "waiting": 0, "cpu": 0.25, "memory_free": 1 << 30,
        "memory_total": 2_u64 << 30, "labels": {}, "handlers": {},
    })
}

fn listed<T: serde::de::DeserializeOwned>(items: Vec<Value>) -> Listed<T> {
    let page = json!({ "items": items, "next_cursor": null });
    let page: Page<T> = serde_json::from_value(page).unwrap();
    Listed { items: page.items, more: false }
}

fn sample() -> Shown {
    let bucket = |succeeded: u64| {
        json!({
            "at": "2026-11-23T00:00:00Z", "succeeded": succeeded, "failed": 1, "stopped": 0,
            "skipped": 0, "run_time": null, "wait": null, "lateness": null,
        })
    };
    let stats = json!({
        "since": "2026-11-23T00:00:00Z", "until": "2026-11-23T00:01:00Z", "bucket": "1m",
        "items": [bucket(120), bucket(3)],
        "total": {
            "succeeded": 123, "failed": 2, "stopped": 0, "skipped": 0, "wait": null,
            "lateness": null, "run_time": {
                "count": 125, "mean_ms": 10.0, "p50_ms": 9, "p95_ms": 1_250, "p99_ms": 20, "max_ms": 2_000,
            },
        },
    });
    Sample {
        at: "2026-11-23T00:01:00Z".parse().unwrap(),
        server: "http://127.0.0.1:7070".to_owned(),
        running: listed(vec![
            task(10, "long", "running", "e-1", "2026-11-23T00:00:05Z"),
            task(11, "report", "running", "e-2", "2026-11-23T00:00:40Z"),
        ]),
        queued: listed(vec![task(12, "waits", "queued", "", "")]),
        failed: listed(vec![task(9, "broken", "failed", "e-1", "2026-11-23T00:00:10Z")]),
        executors: listed(vec![
            executor("e-1", 4, true),
            executor("e-2", 16, true),
            executor("e-3", 2, false),
        ]),
        stats: serde_json::from_value(stats).unwrap(),
        unanswered: Vec::new(),
    }
}

fn state() -> State {
    let mut state = State::new(String::new(), true);
    state.show(sample());
    state
}

/// The screen as lines.
fn screen(state: &State) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(140, 24)).unwrap();
    let times = Times::new(TimeZone::UTC);
    terminal.draw(|frame| view::draw(frame, state, &times)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let rows = buffer.content().chunks(140);
    let line = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    rows.map(line).collect()
}

#[track_caller]
fn shows(state: &State, texts: &[&str]) {
    let screen = screen(state).join("\n");
    for text in texts {
        assert!(screen.contains(text), "{text:?} is not in\n{screen}");
    }
}

fn press(state: &mut State, code: KeyCode) -> Option<Action> {
    state.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn types(state: &mut State, text: &str) {
    for c in text.chars() {
        assert_eq!(press(state, KeyCode::Char(c)), None);
    }
}

fn jobs(state: &State) -> Vec<&str> {
    state.tasks(state.tab).into_iter().map(|task| task.job.as_str()).collect()
}

#[test]
fn the_screen_shows_counts_throughput_executors_and_running_tasks() {
    let state = state();
    shows(
        &state,
        &[
            "http://127.0.0.1:7070",
            "2 running, 1 queued, 1 failed lately, 2 of 3 executors connected",
            "in the last minute 120 succeeded, 1 failed, p95 of 15 minutes 1.250s",
            "e-1              [||||           4/16]",
            "billing.long",
            "[##--------]  25% page 1",
            "1 running  2 queued",
            "k stop",
        ],
    );
    let lines = screen(&state);
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("billing.long") < at("billing.report"), "the longest run is first");
}

#[test]
fn each_list_has_its_own_columns_and_harmful_text_is_escaped() {
    let mut state = state();
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.tab, Tab::Queued);
    shows(&state, &["WAITS FOR", "an executor with this handler"]);
    press(&mut state, KeyCode::Char('3'));
    shows(&state, &["REASON", "error", "no \\u{1b}[31mpaper"]);
    press(&mut state, KeyCode::Char('4'));
    shows(&state, &["CAPACITY", "1024 MiB", "lost"]);
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.tab, Tab::Running);
    press(&mut state, KeyCode::BackTab);
    assert_eq!(state.tab, Tab::Executors);
}

#[test]
fn lists_are_sorted_reversed_and_filtered() {
    let mut state = state();
    assert_eq!(jobs(&state), ["long", "report"]);
    press(&mut state, KeyCode::Char('S'));
    assert_eq!(jobs(&state), ["report", "long"]);
    press(&mut state, KeyCode::Char('S'));
    while state.sort != Sort::Task {
        press(&mut state, KeyCode::Char('s'));
    }
    assert_eq!(jobs(&state), ["report", "long"], "the newest task is first");

    press(&mut state, KeyCode::Char('/'));
    types(&mut state, "BILLING.rep");
    assert_eq!(jobs(&state), ["report"]);
    press(&mut state, KeyCode::Enter);
    shows(&state, &["filter: BILLING.rep"]);
    press(&mut state, KeyCode::Char('/'));
    types(&mut state, "x");
    shows(&state, &["none that match the filter"]);
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.filter, "BILLING.rep", "Esc restores the filter before");
    press(&mut state, KeyCode::Char('/'));
    (0..20).for_each(|_| assert_eq!(press(&mut state, KeyCode::Backspace), None));
    press(&mut state, KeyCode::Enter);
    assert_eq!(jobs(&state).len(), 2);
}

#[test]
fn a_task_is_stopped_only_after_a_clear_yes() {
    let mut state = state();
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Char('k'));
    shows(&state, &["Stop task 11 of billing.report? (y/N)"]);
    assert_eq!(press(&mut state, KeyCode::Enter), None, "Enter is no");
    assert!(matches!(state.focus, Focus::List));
    press(&mut state, KeyCode::Char('k'));
    assert_eq!(press(&mut state, KeyCode::Char('y')), Some(Action::Stop(11)));
    press(&mut state, KeyCode::Char('3'));
    assert_eq!(press(&mut state, KeyCode::Char('k')), None);
    shows(&state, &["task 9 has already ended"]);
    press(&mut state, KeyCode::Char('4'));
    assert_eq!(press(&mut state, KeyCode::Char('k')), None, "an executor is not stopped");
}

#[test]
fn the_selection_stays_with_its_task_when_the_list_changes() {
    let mut state = state();
    press(&mut state, KeyCode::Down);
    let mut next = sample();
    next.running.items.insert(0, next.queued.items[0].clone());
    state.show(next);
    press(&mut state, KeyCode::Char('k'));
    assert!(matches!(state.focus, Focus::Stop { task: 11, .. }));
    press(&mut state, KeyCode::Esc);
    // It has ended: its neighbour is selected.
    let mut next = sample();
    next.running.items.pop();
    state.show(next);
    press(&mut state, KeyCode::Char('k'));
    assert!(matches!(state.focus, Focus::Stop { task: 10, .. }));
}

#[test]
fn the_log_of_a_task_is_followed_and_scrolled() {
    let mut state = state();
    assert_eq!(press(&mut state, KeyCode::Enter), Some(Action::ReadTask));
    let Focus::Task { tail, .. } = &mut state.focus else { panic!("no task") };
    assert_eq!(tail.task, 10);
    for line in 0..40 {
        tail.add(&format!("line {line}\n"));
    }
    tail.add("half");
    tail.add(" a line\n");
    shows(&state, &["task 10", "line 39", "half a line", "End follow"]);
    press(&mut state, KeyCode::Home);
    shows(&state, &["line 0"]);
    press(&mut state, KeyCode::End);
    shows(&state, &["half a line"]);
    assert_eq!(press(&mut state, KeyCode::Char('q')), None, "back to the list");
    assert!(matches!(state.focus, Focus::List));
}

#[test]
fn a_log_of_any_length_takes_bounded_memory() {
    let mut tail = super::log::Tail::new(1);
    tail.add(&"x\n".repeat(10_000));
    assert_eq!(tail.lines.len(), 2_000);
    let lent = tail.lend().unwrap();
    assert_eq!(lent.lines.len(), 2_000);
    assert!(tail.lend().is_none(), "one request at a time");
}

#[test]
fn an_outage_is_said_and_the_last_reading_stays() {
    let mut state = state();
    state.trouble = Some("no coordinator is listening".to_owned());
    shows(&state, &["no answer: no coordinator is listening, retrying", "billing.long"]);
    state.show(sample());
    assert!(!screen(&state)[0].contains("no answer"));
    let mut partial = sample();
    partial.unanswered.push("http://node-2:7070".to_owned());
    state.show(partial);
    shows(&state, &["no answer from http://node-2:7070"]);
    let mut never = State::new(String::new(), false);
    never.trouble = Some("refused".to_owned());
    shows(&never, &["refused"]);
}

#[test]
fn help_lists_the_keys_and_any_key_closes_it() {
    let mut state = state();
    press(&mut state, KeyCode::Char('?'));
    shows(&state, &["stop the selected task, after a question"]);
    press(&mut state, KeyCode::Char('k'));
    assert!(matches!(state.focus, Focus::List));
    assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Action::Quit));
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(state.key(interrupt), Some(Action::Quit));
}

#[test]
fn every_size_of_a_terminal_is_drawn() {
    let mut state = state();
    press(&mut state, KeyCode::Char('?'));
    for (width, height) in [(1, 1), (10, 3), (39, 8), (400, 100)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let times = Times::new(TimeZone::UTC);
        terminal.draw(|frame| view::draw(frame, &state, &times)).unwrap();
    }
}

#[test]
fn one_frame_as_text_has_all_lists() {
    let text = view::text(&state(), &Times::new(TimeZone::UTC));
    for part in ["running:", "billing.long", "queued:", "failed lately:", "executors:", "e-3"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}
