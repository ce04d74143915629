//! The compiler errors of jobs that `#[job]` rejects. Accepted jobs are in `tests/accepted`.

#[test]
fn invalid_jobs_do_not_compile_and_the_errors_say_why() {
    // Only failing cases: the dependencies are then checked but not built, and one run of cargo
    // covers all cases.
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
