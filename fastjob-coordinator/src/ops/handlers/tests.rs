//! Names of handlers.

use super::*;

fn key(service: &str, handler: &str) -> Key {
    (service.parse().unwrap(), handler.parse().unwrap())
}

#[test]
fn a_handler_is_found_by_its_name_or_with_its_service() {
    let keys = [key("a", "x"), key("b", "x"), key("a", "mail.send"), key("c", "a.x")];
    let all: ByKey = keys.into_iter().map(|key| (key, Found::default())).collect();
    assert_eq!(find(&all, "b.x").unwrap(), key("b", "x"));
    assert_eq!(find(&all, "mail.send").unwrap(), key("a", "mail.send"));
    assert_eq!(find(&all, "a.x").unwrap(), key("a", "x"), "the service comes first");
    assert_eq!(find(&all, "c.a.x").unwrap(), key("c", "a.x"));
    let err = find(&all, "x").unwrap_err().to_string();
    assert_eq!(err, "several services have a handler named x: use a.x or b.x");
    let err = find(&all, "y").unwrap_err().to_string();
    assert_eq!(err, "no connected executor has a handler named y, and no job uses it");
}

#[test]
fn a_name_says_which_services_are_read() {
    let services = |name| services_of(name).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(services("mail"), [""; 0]);
    assert_eq!(services("a.mail"), ["a"]);
    assert_eq!(services("a.b.mail."), ["a", "a.b"]);
    assert_eq!(services("a.b.c.d.e.f"), [""; 0], "all of them are read");
    let first: JobName = FIRST_JOB.parse().unwrap();
    for other in ["--", "-.", ".", "0", ":", "A", "_", "a", "é"] {
        assert!(other.parse::<JobName>().unwrap() > first, "{other}");
    }
}

#[test]
fn a_cursor_that_is_none_is_refused() {
    assert_eq!(parse_cursor("a/x").unwrap(), key("a", "x"));
    for wrong in ["", "a", "a/", "/x"] {
        assert!(parse_cursor(wrong).is_err(), "{wrong}");
    }
}
