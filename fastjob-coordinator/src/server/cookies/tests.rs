//! Cookies: whose they are, and how long they last.

use super::*;
use crate::clock::Manual;

fn cookies(token: &str) -> (Cookies, Manual) {
    let (clock, manual) = Clock::manual();
    (Cookies::new(&ExecutorKey::of_token(token), clock), manual)
}

/// The request of a browser that got this header.
fn with(cookie: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(cookie).unwrap())])
}

/// What a browser sends after this answer.
fn sent(set: &HeaderValue) -> String {
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn a_cookie_is_valid_where_the_token_is_the_same_and_nowhere_else() {
    let (ours, _) = cookies("a-token-of-the-tests");
    let (same, _) = cookies("a-token-of-the-tests");
    let (other, _) = cookies("another-token-of-the-tests");
    let set = ours.issue(Secure::No).unwrap();
    let cookie = sent(&set);
    assert_eq!(ours.judge(&with(&cookie)), Shown::Valid);
    assert_eq!(same.judge(&with(&cookie)), Shown::Valid, "another node of the cluster");
    assert_eq!(other.judge(&with(&cookie)), Shown::Nothing, "another name");
    let value = cookie.split_once('=').unwrap().1;
    let replayed = format!("{}={value}", other.0.name);
    assert_eq!(other.judge(&with(&replayed)), Shown::Forged);
    assert_ne!(ours.0.name, other.0.name);
    let shown = format!("{ours:?}");
    assert!(shown.contains(&ours.0.name) && !shown.contains(&hex(&ours.0.key)), "{shown}");
}

#[test]
fn scripts_and_other_sites_get_no_cookie_and_plain_text_none_that_is_secure() {
    let (cookies, _) = cookies("a-token-of-the-tests");
    let text = |secure| cookies.issue(secure).unwrap().to_str().unwrap().to_owned();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=86400"] {
        assert!(text(Secure::Yes).contains(part) && text(Secure::No).contains(part), "{part}");
    }
    assert!(text(Secure::Yes).ends_with("; Secure") && !text(Secure::No).contains("Secure"));
    let forgotten = cookies.forget().unwrap();
    assert!(forgotten.to_str().unwrap().starts_with(&format!("{}=; ", cookies.0.name)));
    assert_eq!(cookies.judge(&with(&sent(&forgotten))), Shown::Forged);
}

#[test]
fn changed_cookies_are_forged() {
    let (cookies, _) = cookies("a-token-of-the-tests");
    let cookie = sent(&cookies.issue(Secure::No).unwrap());
    let (name, value) = cookie.split_once('=').unwrap();
    let parts: Vec<_> = value.split('.').collect();
    let [since, until, secure, mac] = parts[..] else { panic!("{value}") };
    let later = until.parse::<u64>().unwrap() + 1;
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{since}.{later}.{secure}.{mac}"),
        format!("{later}.{until}.{secure}.{mac}"),
        format!("{since}.{until}.{secure}.{}", &mac[2..]),
        format!("{since}.{until}.{secure}.{mac}.{mac}"),
        format!("{since}.{until}.{secure}."),
        format!("{since}{until}..{secure}.{mac}"),
        format!("{since}.{until}.{mac}"),
        format!("{since}.{until}.s.{mac}"),
        format!("{since}.{until}..{mac}"),
        format!("{since}.{until}.{secure}.{}", mac.replace(|c: char| c.is_ascii_digit(), "a")),
        format!("{since}.{until}.{secure}.{}", "0".repeat(64)),
        format!("{}{since}.{until}.{secure}.{mac}", "0".repeat(200)),
        "x".repeat(60_000),
    ] {
        let judged = cookies.judge(&with(&format!("{name}={wrong}")));
        assert_eq!(judged, Shown::Forged, "{wrong}");
    }
    let odd = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(b"\xff\xfe=1").unwrap())]);
    assert_eq!(cookies.judge(&odd), Shown::Nothing);
    assert_eq!(cookies.judge(&with("")), Shown::Nothing);
    assert_eq!(cookies.judge(&with(&format!("x={value}; {name}"))), Shown::Nothing);
}

#[test]
fn a_valid_cookie_counts_among_others() {
    let (cookies, _) = cookies("a-token-of-the-tests");
    let cookie = sent(&cookies.issue(Secure::No).unwrap());
    let name = &cookies.0.name;
    let among = format!("theme=dark; {name}=forged; {cookie};x=y");
    assert_eq!(cookies.judge(&with(&among)), Shown::Valid);
    // HTTP/2 may send each cookie in a header of its own.
    let mut headers = with("theme=dark");
    headers.append(COOKIE, HeaderValue::try_from(&cookie).unwrap());
    assert_eq!(cookies.judge(&headers), Shown::Valid);
    let many = format!("{name}=forged; ").repeat(1000);
    assert_eq!(cookies.judge(&with(&format!("{many}{cookie}"))), Shown::Forged);
}

#[test]
fn a_cookie_expires_and_is_renewed_for_a_week() {
    let (cookies, clock) = cookies("a-token-of-the-tests");
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let first = sent(&cookies.issue(Secure::No).unwrap());
    clock.sleep(hours(11));
    assert_eq!(cookies.renew(&with(&first), Secure::No), None, "it is fresh");
    clock.sleep(hours(12));
    let mut cookie = sent(&cookies.renew(&with(&first), Secure::Yes).unwrap());
    clock.sleep(hours(1));
    assert_eq!(cookies.judge(&with(&first)), Shown::Expired);
    assert_eq!(cookies.renew(&with(&first), Secure::No), None, "it has expired");
    for _ in 0..20 {
        assert_eq!(cookies.judge(&with(&cookie)), Shown::Valid);
        clock.sleep(hours(13));
        match cookies.renew(&with(&cookie), Secure::No) {
            Some(renewed) => cookie = sent(&renewed),
            None => break,
        }
    }
    clock.sleep(hours(24));
    assert_eq!(cookies.judge(&with(&cookie)), Shown::Expired, "a week is over");
}

#[test]
fn a_cookie_that_travels_by_https_only_stays_so_when_it_is_renewed() {
    let (cookies, clock) = cookies("a-token-of-the-tests");
    let renewed = |of: Secure, by: Secure| {
        let first = sent(&cookies.issue(of).unwrap());
        clock.sleep(Duration::from_secs(13 * 3600));
        let set = cookies.renew(&with(&first), by).unwrap().to_str().unwrap().to_owned();
        assert!(set.contains("; Max-Age=86400"), "{set}");
        assert_eq!(cookies.judge(&with(set.split(';').next().unwrap())), Shown::Valid);
        set.ends_with("; Secure")
    };
    assert!(renewed(Secure::Yes, Secure::No) && renewed(Secure::No, Secure::Yes));
    assert!(!renewed(Secure::No, Secure::No));
}

#[test]
fn the_rest_of_a_session_is_known() {
    let (cookies, clock) = cookies("a-token-of-the-tests");
    let cookie = sent(&cookies.issue(Secure::No).unwrap());
    assert_eq!(cookies.rest(&with("")), None);
    assert_eq!(cookies.rest(&with(&cookie)), Some(LIFETIME));
    clock.sleep(Duration::from_secs(23 * 3600));
    assert_eq!(cookies.rest(&with(&cookie)), Some(Duration::from_secs(3600)));
}
