//! Texts and instants at their extremes.

use fastjob_core::{AttemptId, TaskId};
use jiff::Timestamp;

use super::{
    Home,
    rows::*,
    view::{load, task, view},
    write,
};
use crate::store::{AlarmKind, Attempt, Commit, EndedAttempt, NewAttempt};

/// Texts that break hand-built statements, JSON or encodings.
const TEXTS: [&str; 9] = [
    "'; drop table attempts; --",
    "\"quoted\" and \\ back \\\" slashes \\u0041",
    "$1 ?1 :a @b %s {} [[1]] null",
    "tab\t, line\r\n, bell\u{7}, escape\u{1b}[31m",
    "任务 завершена ✓ 🦀 e\u{301}",
    "\u{feff}\u{202e}\u{fffd}\u{10ffff}",
    "  spaces  ",
    "3.0",
    "{\"a\":[1,2,null,1e400,123456789012345678901234567890]}",
];

/// Writes a task in which every user text is `text`, and checks what is read back.
async fn check(home: &impl Home, id: i64, text: &str, expected: &str) {
    // Longer ones are rejected before they reach a store.
    let key = Some(text).filter(|text| text.len() <= 256);
    let planned = NewAttempt {
        param: Some(text.into()),
        note: Some(text.to_owned()),
        key: key.map(Into::into),
        ..head(id)
    };
    let first = Commit {
        planned: vec![planned],
        checkpoints: vec![checkpoint(id, 0, text)],
        ..Commit::default()
    };
    write(home, [first]).await;
    let loaded = view(home).await.loaded;
    let open = loaded.open.last().unwrap();
    assert_eq!(open.task_param.as_deref(), Some(expected), "param");
    assert_eq!(open.checkpoint.as_deref(), Some(expected), "checkpoint");
    if let Some(key) = key {
        let keyed = home.store().task_of_key(JOB, key).await.unwrap();
        assert_eq!(keyed.map(|task| task.0), Some(id), "key");
    }

    let ended = EndedAttempt {
        message: Some(text.to_owned()),
        result: Some(text.to_owned()),
        log_tail: text.to_owned(),
        ..failed(id, id)
    };
    let mut raised = alarm(id, None, AlarmKind::Failed);
    (raised.reason, raised.message) = (text.to_owned(), text.to_owned());
    write(home, [Commit { alarms: vec![raised], ..end([ended]) }]).await;
    let task = task(home, id).await;
    assert_eq!(task.param.as_deref(), Some(expected), "param");
    assert_eq!(task.note.as_deref(), Some(expected), "note");
    assert_eq!(task.result.as_deref(), Some(expected), "result");
    assert_eq!(task.attempts[0].message.as_deref(), Some(expected), "message");
    let tail = home.store().log_tail(AttemptId(id)).await.unwrap();
    assert_eq!(tail.unwrap().text, expected, "log");
    let alarms = home.store().waiting_alarms(&name("mail"), 0, 100).await.unwrap();
    let raised = alarms.last().unwrap();
    assert_eq!((raised.reason.as_str(), raised.message.as_str()), (expected, expected), "alarm");
}

pub(crate) async fn any_text_is_read_back(home: &mut impl Home) {
    write(home, [base()]).await;
    for (id, text) in (10..).zip(TEXTS) {
        check(home, id, text, text).await;
    }
    let long = "长 and 🦀 long; ".repeat(20_000);
    check(home, 50, &long, &long).await;
}

pub(crate) async fn a_nul_is_replaced_by_a_symbol(home: &mut impl Home) {
    write(home, [base()]).await;
    check(home, 10, "a\0b\0", "a\u{2400}b\u{2400}").await;
}

pub(crate) async fn null_is_not_an_empty_text(home: &mut impl Home) {
    let empty = NewAttempt {
        param: Some("".into()),
        note: Some(String::new()),
        key: Some("".into()),
        ..head(10)
    };
    let said = |text: Option<&str>, id| EndedAttempt {
        message: text.map(str::to_owned),
        result: text.map(str::to_owned),
        ..succeeded(id, id)
    };
    write(home, [base(), plan([empty, head(11)]), end([said(Some(""), 10), said(None, 11)])]).await;
    for (id, expected) in [(10, Some("")), (11, None)] {
        let task = task(home, id).await;
        assert_eq!(task.param.as_deref(), expected);
        assert_eq!(task.note.as_deref(), expected);
        assert_eq!(task.result.as_deref(), expected);
        assert_eq!(task.attempts[0].message.as_deref(), expected);
    }
    let found = home.store().task_of_key(JOB, "").await.unwrap();
    assert_eq!(found.map(|task| task.0), Some(10));
}

pub(crate) async fn extreme_instants(home: &mut impl Home) {
    // Ids stay below 2^53; jiff accepts milliseconds up to the start of its last second.
    let whole = |instant: Timestamp| Timestamp::from_second(instant.as_second()).unwrap();
    let (min, max) = (whole(Timestamp::MIN), whole(Timestamp::MAX));
    let id = (1 << 53) - 1;
    let planned = NewAttempt {
        row: Attempt {
            attempt: AttemptId(id),
            task: TaskId(id),
            fire_at: Some(min),
            due_at: max,
            created_at: min,
            ..head(10).row
        },
        ..head(10)
    };
    let last = Commit { watermark: Some(max), ids_until: Some(id + 1), ..plan([planned]) };
    write(home, [base(), last]).await;
    home.reopen().await;
    let loaded = load(&*home.store()).await;
    let open = &loaded.open[0].planned;
    assert_eq!((open.row.attempt.0, loaded.ids_until), (id, id + 1));
    assert_eq!((open.row.fire_at, open.row.due_at), (Some(min), max));
    assert_eq!(open.row.created_at, min);
    assert_eq!(loaded.watermark, Some(max));
}
