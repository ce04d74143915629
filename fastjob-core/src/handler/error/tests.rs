use std::{fmt, num::ParseIntError};

use anyhow::Context as _;

use super::*;
use crate::{FatalExt as _, JobContext, JobResult, ParamError};

#[derive(Debug, thiserror::Error)]
#[error("could not save")]
struct Outer(#[source] ParseIntError);

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Transparent(#[from] ParamError);

fn invalid() -> ParseIntError {
    "x".parse::<u8>().unwrap_err()
}

#[track_caller]
fn check(err: impl Into<JobError>, message: &str, retryable: bool) {
    let err = err.into();
    assert_eq!((err.message(), err.is_retryable()), (message, retryable));
}

#[test]
fn everything_that_converts_into_a_boxed_error_is_retryable_and_keeps_its_causes() {
    check(Outer(invalid()), "could not save: invalid digit found in string", true);
    let boxed: Box<dyn Error + Send + Sync> = Outer(invalid()).into();
    check(boxed, "could not save: invalid digit found in string", true);
    check("no disk", "no disk", true);
    check("no disk".to_owned(), "no disk", true);
    check(anyhow::anyhow!("no disk"), "no disk", true);
    let anyhow = Err::<(), _>(Outer(invalid())).context("nightly");
    check(anyhow.unwrap_err(), "nightly: could not save: invalid digit found in string", true);
}

#[test]
fn the_question_mark_converts_every_kind_of_error_in_one_handler() {
    fn handler(step: u8) -> JobResult {
        match step {
            0 => Err("text")?,
            1 => Err(String::from("owned"))?,
            2 => Err(anyhow::anyhow!("anyhow"))?,
            3 => Err(Box::<dyn Error + Send + Sync>::from("boxed"))?,
            4 => Err(invalid())?,
            _ => Err(JobError::fatal("own"))?,
        }
        Ok(().into())
    }
    let messages = (0..6).map(|step| handler(step).unwrap_err().to_string());
    let all = ["text", "owned", "anyhow", "boxed", "invalid digit found in string", "own"];
    assert_eq!(messages.collect::<Vec<_>>(), all);
}

#[test]
fn a_fatal_error_stays_fatal_whatever_wraps_it() {
    const TEXT: &str = "invalid digit found in string";
    let parsed = || "x".parse::<u8>().fatal();
    check(parsed().unwrap_err(), TEXT, false);
    check(Fatal::new("closed"), "closed", false);
    // Outermost, `anyhow` hides the type.
    check(anyhow::Error::from(parsed().unwrap_err()), TEXT, false);
    check(parsed().context("account").unwrap_err(), &format!("account: {TEXT}"), false);
    let boxed: Box<dyn Error + Send + Sync> = parsed().context("account").unwrap_err().into();
    check(boxed, &format!("account: {TEXT}"), false);
    check(Fatal::new(anyhow::anyhow!("a").context("b")), "b: a", false);
    let io = std::io::Error::other(Fatal::new("no disk"));
    check(io, "no disk", false);
    check(
        anyhow::Error::new(std::io::Error::other(Outer(invalid()))),
        "could not save: invalid digit found in string",
        true,
    );
}

#[test]
fn a_param_that_does_not_parse_is_fatal_through_every_error_type() {
    let missing = || JobContext::for_test().build().param::<u8>().unwrap_err();
    let missing_text = "the task has no param, the handler needs one: start it with a param, or \
                        set one in its job";
    check(missing(), missing_text, false);
    let invalid = || JobContext::for_test().param("x").build().param::<u8>().unwrap_err();
    let text = "the param does not have the type that the handler expects: expected value at line 1 column 1";
    check(invalid(), text, false);
    check(Transparent(invalid()), text, false);
    check(anyhow::Error::from(invalid()), text, false);
    check(anyhow::Error::from(invalid()).context("read"), &format!("read: {text}"), false);
    check(anyhow::Error::from(missing()), missing_text, false);
    assert_eq!(format!("{:#}", anyhow::Error::from(missing())), missing_text);
}

#[test]
fn a_cause_whose_text_is_already_shown_is_left_out() {
    #[derive(Debug)]
    struct Wrapper(&'static str, Option<Box<Wrapper>>);
    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Error for Wrapper {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|err| err as _)
        }
    }
    let of = |texts: &[&'static str]| {
        let wrap =
            |inner: Option<Box<Wrapper>>, text: &&'static str| Some(Box::new(Wrapper(text, inner)));
        *texts.iter().rev().fold(None, wrap).unwrap()
    };
    check(of(&["a", "a", "b", "b", "b", "a"]), "a: b", true);
    check(of(&["a: b", "b", ""]), "a: b", true);
}

#[test]
fn an_endless_chain_of_causes_is_cut() {
    #[derive(Debug)]
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
            write!(f, "cause {}", CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        }
    }
    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Self)
        }
    }
    assert!(chain(&Endless).len() < 17 * 1024);
}

#[test]
fn a_converted_error_gives_access_to_what_it_was_converted_from() {
    let err = JobError::from(Outer(invalid()));
    assert!(err.source().unwrap().is::<Outer>());
    let explicit = JobError::fatal(Outer(invalid()));
    assert_eq!(explicit.message(), "could not save: invalid digit found in string");
    let fatal = err.into_fatal();
    assert!(!fatal.is_retryable() && fatal.source().is_some());
    let marked = Fatal::new(Outer(invalid()));
    assert!(marked.get_ref().is::<Outer>() && marked.into_inner().is::<Outer>());
    assert!(JobError::panicked("oh no").is_panic() && JobError::panicked("oh no").is_retryable());
}
