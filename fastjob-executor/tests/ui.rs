//! What `#[job]` accepts, and what the compiler says of what it does not.

#[test]
fn good_jobs_compile_and_bad_ones_say_why() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
