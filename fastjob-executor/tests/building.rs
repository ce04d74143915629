//! What is checked when an executor is built, and the forms in which it is stopped.

use fastjob_executor::{Builder, Discovery, RegistryError, prelude::*};

fn builder(folder: &tempfile::TempDir) -> Builder {
    Executor::builder("billing")
        .coordinators(["http://127.0.0.1:9"])
        .discovery(Discovery::Off)
        .log_path(folder.path())
}

fn keys(err: ExecutorError) -> Vec<&'static str> {
    let ExecutorError::Invalid(problems) = err else { panic!("{err:?}") };
    problems.iter().map(|problem| problem.key).collect()
}

#[test]
fn all_problems_of_the_settings_are_found_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = Executor::builder("two words").coordinators(["ftp://host"]).capacity(0);
    let err = wrong.log_path(folder.path()).build().unwrap_err();
    assert!(err.to_string().starts_with("the configuration is invalid: service: "), "{err}");
    assert_eq!(keys(err), ["service", "coordinators", "capacity"]);
    let err = builder(&folder).log_path("/dev/null/logs").build().unwrap_err();
    assert!(matches!(err, ExecutorError::Logs(_)), "{err:?}");
}

#[test]
fn a_missing_state_is_found_before_anything_runs() {
    #[job("needs-state")]
    async fn needs_state(text: State<String>) -> JobResult {
        Ok(text.as_str().into())
    }
    let folder = tempfile::tempdir().unwrap();
    let err = builder(&folder).handler(needs_state).build().unwrap_err();
    let ExecutorError::Registry(RegistryError::MissingState { handler, state, .. }) = &err else {
        panic!("{err:?}")
    };
    assert_eq!((handler.as_str(), *state), ("needs-state", "alloc::string::String"));
    let executor = builder(&folder).handler(needs_state).state("x".to_owned()).build().unwrap();
    assert!(executor.handlers().any(|(name, _)| name == "needs-state"));
    assert_eq!(executor.service(), "billing");
}

#[test]
fn the_names_of_the_specification_work_alone_and_not_together_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let base = || Executor::builder("x").discovery(Discovery::Off).log_path(folder.path());
    let aliases = base().app_name("billing").admin_addresses(["http://127.0.0.1:9"]);
    assert_eq!(aliases.access_token("t").build().unwrap().service(), "billing");
    let both = base()
        .service("a")
        .app_name("b")
        .coordinators(["http://127.0.0.1:9"])
        .admin_addresses(["http://127.0.0.1:9"])
        .token("t")
        .access_token("t");
    let err = both.build().unwrap_err();
    assert!(err.to_string().contains("`token` and `access_token` are the same setting"), "{err}");
    assert_eq!(keys(err), ["service", "coordinators", "token"]);
}

#[tokio::test]
async fn an_executor_runs_until_a_token_fires_or_a_future_ends() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    builder(&folder).run_until(stop.clone()).await.unwrap();
    builder(&folder).run_until(async {}).await.unwrap();
    builder(&folder).run_until(stop.cancelled_owned()).await.unwrap();
}
