//! Which schemas a handler has while executors come and go.

use super::*;

const MONTH: &str = r#"{"type":"object","required":["month"]}"#;
const YEAR: &str = r#"{"type":"object","required":["year"]}"#;

fn executor(session: u64, handlers: &[&str]) -> Arc<Connected> {
    let names = handlers.iter().map(|name| (name.parse().unwrap(), String::new()));
    Arc::new(Connected {
        session: SessionId(session),
        link: 0,
        executor: format!("e{session}").parse().unwrap(),
        incarnation: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        service: "billing".parse().unwrap(),
        address: String::new(),
        version: String::new(),
        capacity: 1,
        labels: Arc::default(),
        handlers: Arc::new(names.collect()),
        jobs: Vec::new(),
        holding: Vec::new(),
        leaving: false,
        accepts_early: true,
        highest: None,
    })
}

/// A session of an executor that has the handler `report`, with this schema.
fn opens(handlers: &Handlers, session: u64, schema: Option<&str>) {
    handlers.opened(&executor(session, &["report"]));
    if let Some(schema) = schema {
        sends(handlers, session, &[("report", schema)]);
    }
}

fn sends(handlers: &Handlers, session: u64, schemas: &[(&str, &str)]) {
    let schema = |(handler, schema): &(&str, &str)| v1::HandlerSchema {
        handler: (*handler).to_owned(),
        schema: (*schema).to_owned(),
    };
    handlers.registered(SessionId(session), schemas.iter().map(schema).collect());
}

fn report() -> Key {
    ("billing".parse().unwrap(), "report".parse().unwrap())
}

fn texts(handlers: &Handlers) -> Vec<String> {
    let mut texts: Vec<_> =
        handlers.schemas(&report()).iter().map(|kept| kept.text.to_string()).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn a_schema_is_known_while_executors_have_it_and_after_the_last_one_has_left() {
    let handlers = Handlers::default();
    assert!(!handlers.have_schemas() && texts(&handlers).is_empty());
    opens(&handlers, 1, Some(MONTH));
    opens(&handlers, 2, Some(MONTH));
    assert!(handlers.have_schemas() && handlers.may_have_schemas(&report().0));
    assert!(!handlers.may_have_schemas(&"other".parse().unwrap()));
    assert_eq!(texts(&handlers), [MONTH]);
    assert_eq!(handlers.lock().schemas.len(), 1, "it is kept once");
    handlers.closed(SessionId(1));
    handlers.closed(SessionId(2));
    handlers.closed(SessionId(2));
    assert_eq!(texts(&handlers), [MONTH], "the last known one");
    assert_eq!(&*handlers.schema(&report()).unwrap().text, MONTH);
    // The next release of the service.
    opens(&handlers, 3, Some(YEAR));
    assert_eq!(texts(&handlers), [YEAR]);
    handlers.closed(SessionId(3));
    let known = handlers.lock();
    assert_eq!((known.schemas.len(), known.bytes), (1, YEAR.len()));
}

#[test]
fn while_releases_differ_a_param_has_to_fit_one_of_them() {
    let handlers = Handlers::default();
    opens(&handlers, 1, Some(MONTH));
    opens(&handlers, 2, Some(YEAR));
    assert_eq!(texts(&handlers), [MONTH, YEAR]);
    opens(&handlers, 3, None);
    assert!(texts(&handlers).is_empty(), "the third may accept every param");
    assert!(handlers.schema(&report()).is_some(), "but one is shown");
    handlers.closed(SessionId(3));
    assert_eq!(texts(&handlers), [MONTH, YEAR]);
    handlers.closed(SessionId(2));
    assert_eq!(texts(&handlers), [MONTH]);
}

#[test]
fn a_handler_whose_last_executor_had_no_schema_is_not_checked() {
    let handlers = Handlers::default();
    opens(&handlers, 1, None);
    handlers.closed(SessionId(1));
    assert!(texts(&handlers).is_empty() && handlers.lock().handlers.is_empty());
}

#[test]
fn schemas_that_cannot_be_used_leave_the_others() {
    let handlers = Handlers::default();
    handlers.opened(&executor(1, &["report", "mail"]));
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(70_000));
    sends(
        &handlers,
        1,
        &[("mail", "[]"), ("mail", &long), ("other", MONTH), ("no name", MONTH), ("report", MONTH)],
    );
    sends(&handlers, 7, &[("report", MONTH)]);
    assert_eq!(texts(&handlers), [MONTH]);
    assert_eq!(handlers.lock().schemas.len(), 1);
    // A second message replaces what the first one said.
    sends(&handlers, 1, &[("report", YEAR)]);
    assert_eq!(texts(&handlers), [YEAR]);
}

#[test]
fn one_executor_has_room_for_a_megabyte() {
    let handlers = Handlers::default();
    let names: Vec<_> = (0..20).map(|number| format!("h{number:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    handlers.opened(&executor(1, &names));
    let schema = |name: &str| format!("{{\"title\": \"{name}{}\"}}", "x".repeat(60_000));
    let schemas: Vec<_> = names.iter().map(|name| (*name, schema(name))).collect();
    let schemas: Vec<_> = schemas.iter().map(|(name, schema)| (*name, schema.as_str())).collect();
    sends(&handlers, 1, &schemas);
    assert_eq!(handlers.lock().schemas.len(), SCHEMAS_MAX / 60_000);
    handlers.closed(SessionId(1));
    assert_eq!(handlers.lock().last.len(), SCHEMAS_MAX / 60_000);
}

#[test]
fn only_so_many_handlers_that_are_gone_are_remembered() {
    let handlers = Handlers::default();
    for session in 0..LAST as u64 + 5 {
        let name = format!("h{session}");
        handlers.opened(&executor(session, &[&name]));
        sends(&handlers, session, &[(&name, MONTH)]);
        handlers.closed(SessionId(session));
    }
    let known = handlers.lock();
    assert_eq!((known.handlers.len(), known.last.len()), (LAST, LAST));
    assert_eq!((known.schemas.len(), known.sessions.len()), (1, 0));
}

#[test]
fn handlers_that_are_gone_make_room_and_no_more_than_that_is_kept() {
    let handlers = Handlers::default();
    let each = SCHEMAS_MAX / 60_000;
    let sessions = (BYTES / SCHEMAS_MAX) as u64 + 3;
    let name = |session: u64, number: usize| format!("s{session}h{number}");
    let arrives = |session: u64| {
        let names: Vec<_> = (0..each).map(|number| name(session, number)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        handlers.opened(&executor(session, &names));
        let text = |name: &str| format!("{{\"title\": \"{name}{}\"}}", "x".repeat(60_000));
        let schemas: Vec<_> = names.iter().map(|name| (*name, text(name))).collect();
        let schemas: Vec<_> =
            schemas.iter().map(|(name, schema)| (*name, schema.as_str())).collect();
        sends(&handlers, session, &schemas);
    };
    let sent = |session: u64| handlers.lock().sessions[&SessionId(session)].schemas.len();
    let is_known = |session: u64| {
        let key = ("billing".parse().unwrap(), name(session, 0).parse().unwrap());
        !handlers.schemas(&key).is_empty()
    };
    (0..sessions).for_each(arrives);
    assert_eq!((sent(0), sent(sessions - 1)), (each, 0), "there was no room for the last");
    (0..sessions).for_each(|session| handlers.closed(SessionId(session)));
    assert!(is_known(0) && is_known(1));
    arrives(sessions);
    assert_eq!(sent(sessions), each);
    assert!(!is_known(0) && is_known(2), "the oldest made room");
    assert!(handlers.lock().bytes <= BYTES);
}
