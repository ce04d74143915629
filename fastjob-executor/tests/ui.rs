//! What the compiler says of jobs that `#[job]` does not accept. Those that it does are in
//! `tests/accepted`.

#[test]
fn bad_jobs_do_not_compile_and_say_why() {
    // Only cases that fail: then the dependencies are checked and not built, and one run of cargo
    // does for all.
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
