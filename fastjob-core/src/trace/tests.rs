use proptest::prelude::*;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[track_caller]
fn check(text: &str, expected: Option<&str>) {
    let read = text.parse::<TraceContext>().ok().map(|context| context.to_string());
    assert_eq!(read.as_deref(), expected, "{text}");
}

/// The cases of <https://github.com/w3c/trace-context/blob/main/test/test.py>, by their names there.
#[test]
fn a_traceparent_is_read_as_the_vectors_of_the_w3c_say() {
    let same = format!("00-{TRACE}-{SPAN}-01");
    check(&same, Some(&same));
    let unsampled = format!("00-{TRACE}-{SPAN}-00");
    check(&unsampled, Some(&unsampled));
    // Flags that level 1 does not have are not passed on.
    check(&format!("00-{TRACE}-{SPAN}-ff"), Some(&same));
    check(&format!("00-{TRACE}-{SPAN}-fe"), Some(&unsampled));
    // traceparent_version_0xcc: a later version, with and without more fields.
    check(&format!("cc-{TRACE}-{SPAN}-01"), Some(&same));
    check(&format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"), Some(&same));
    check(&format!("cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like"), None);
    // traceparent_version_0xff and _illegal_characters
    check(&format!("ff-{TRACE}-{SPAN}-01"), None);
    for version in [".0", "0.", "0", "000", ""] {
        check(&format!("{version}-{TRACE}-{SPAN}-01"), None);
    }
    // traceparent_trace_id_all_zero, _illegal_characters, _too_long, _too_short
    check(&format!("00-{}-{SPAN}-01", "0".repeat(32)), None);
    check(&format!("00-.{}-{SPAN}-01", &TRACE[1..]), None);
    check(&format!("00-{}.-{SPAN}-01", &TRACE[1..]), None);
    check(&format!("00-{TRACE}0-{SPAN}-01"), None);
    check(&format!("00-{}-{SPAN}-01", &TRACE[1..]), None);
    // traceparent_parent_id_all_zero, _illegal_characters, _too_long, _too_short
    check(&format!("00-{TRACE}-{}-01", "0".repeat(16)), None);
    check(&format!("00-{TRACE}-.{}-01", &SPAN[1..]), None);
    check(&format!("00-{TRACE}-{SPAN}0-01"), None);
    check(&format!("00-{TRACE}-{}-01", &SPAN[1..]), None);
    // traceparent_trace_flags_illegal_characters, _too_long, _too_short
    for flags in [".0", "0.", "001", "1", ""] {
        check(&format!("00-{TRACE}-{SPAN}-{flags}"), None);
    }
    // traceparent_duplicated, other separators, upper case, and what is not ASCII
    check(&format!("{same},{same}"), None);
    check(&same.replace('-', "_"), None);
    check(&same.to_uppercase(), None);
    check(&format!("00-{TRACE}-{SPAN}-0é"), None);
    check("é".repeat(30).as_str(), None);
}

#[test]
fn spaces_around_the_header_do_not_matter() {
    let traceparent = format!("\t 00-{TRACE}-{SPAN}-01 \t");
    let trace = Trace::of_headers(Some(&traceparent), None).unwrap();
    assert_eq!(trace.to_string(), traceparent.trim());
}

#[track_caller]
fn check_state(text: &str, is_valid: bool) {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let trace = Trace::of_headers(Some(&traceparent), Some(text)).unwrap();
    assert_eq!(trace.state.as_deref(), is_valid.then_some(text), "{text}");
    assert_eq!(trace.to_string().parse(), Ok(trace), "as a store has it");
}

#[test]
fn a_tracestate_is_passed_on_if_its_form_is_valid() {
    check_state("foo=1", true);
    check_state("foo=1,bar=2", true);
    check_state("foo=1 , \t bar=2, ", true);
    check_state("foo@bar=1,0tenant@system=x y", true);
    check_state("a-b*c/d_e=!~", true);
    for wrong in ["", " ", "foo", "foo=", "=1", "foo=1,foo=2", "Foo=1", "0a=1", "foo=1=2", "foo@=1"]
    {
        check_state(wrong, false);
    }
    check_state("foo@bar@baz=1", false);
    check_state("foo=é", false);
    check_state(&format!("{}=1", "z".repeat(257)), false);
    check_state(&format!("t@{}=1", "z".repeat(15)), false);
    let many = |number: usize| (0..number).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    check_state(&many(32), true);
    check_state(&many(33), false);
    let long = format!("a={},b={},c=", "x".repeat(250), "x".repeat(250));
    check_state(&format!("{long}1234"), true);
    check_state(&format!("{long}12345"), false);
}

#[test]
fn the_ids_of_tasks_and_attempts_stay_the_same_in_all_releases() {
    let context: TraceContext = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
    let (task, attempt) = (context.of_task(TaskId(7)), context.of_attempt(AttemptId(7)));
    assert_eq!((task.trace, attempt.trace), (context.trace, context.trace));
    let ids = [task, attempt, context.of_task(TaskId(8))].map(|context| context.span.to_string());
    assert_eq!(ids, ["8b2c4be3f8169612", "448c088b0831fd98", "a9e5b2b2e342961d"]);
    // They do not depend on where in the trace the task was started.
    assert_eq!(task.of_attempt(AttemptId(7)), attempt);
}

#[test]
fn the_sampler_records_a_share_and_always_the_same_one() {
    let id = |low: u64| TraceId::new(1 << 64 | u128::from(low)).unwrap();
    let sampler = |ratio| Sampler::new(ratio).unwrap();
    assert!(sampler(1.0).samples(id(u64::MAX)) && sampler(1.0).samples(id(0)));
    assert!(!sampler(0.0).samples(id(0)));
    let quarter = sampler(0.25);
    assert!(quarter.samples(id((1 << 62) - 1)) && !quarter.samples(id(1 << 62)));
    for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(Sampler::new(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(trace in 1_u128.., span in 1_u64.., is_sampled: bool) {
        let context = TraceContext { is_sampled, ..TraceContext::root(trace, span) };
        prop_assert_eq!(context.to_string().parse(), Ok(context));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*", state in ".*") {
        let _: Option<Trace> = Trace::of_headers(Some(&text), Some(&state));
        let _: Result<Trace, _> = text.parse();
    }
}
